"""What the words of a page add to how it looks: figures of a textbook to their pages.

    python -m tests.benchmarks.rerank [--data DIR] [--depth 20]

A query is the picture of a figure with its alternative text, which is not printed in the book; the
right answer is the page that the figure stands on. Pages are found by the weightless descriptor of
the whole page, and ordered anew by the words that stand on them. It says what reranking by words
does after a first stage that looks; a page model finds far more than the descriptor does.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.config import Index, build_index
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.evaluation.statistics import estimate, mean_of, paired
from medrag.protocols import Retriever
from medrag.records import Filter, Hit, ImageRef, Question
from medrag.retrieval.rerank.lexical import LexicalReranker
from medrag.retrieval.rerank.retriever import RerankRetriever
from tests.benchmarks.fusion import DEFAULT_DATA

PAGES = Filter(kinds=frozenset({"page"}))


class Looks:
    """Rank pages by the weightless descriptor of the whole page and of a question's picture."""

    def __init__(self, index: Index) -> None:
        self.encoder = DescriptorEncoder()
        self.pages = [each for each in index.passages if each.kind == "page"]
        shown = [replace(index.resolve(page), kind="image") for page in self.pages]
        self.vectors = self.encoder.encode_passages(shown).values

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        asked = self.encoder.encode_questions(questions, "image").values
        best = np.argsort(-(asked @ self.vectors.T), axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(asked @ self.vectors.T, best, axis=1)
        return [
            [
                Hit(self.pages[page], float(score), rank)
                for rank, (page, score) in enumerate(zip(row, line, strict=True), start=1)
            ]
            for row, line in zip(best, scores, strict=True)
        ]


class Query(NamedTuple):
    """A figure, and the number of the page that it stands on."""

    question: Question
    page: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MEDRAG_DATA", DEFAULT_DATA))
    parser.add_argument("--depth", type=int, default=20, help="pages that are reranked")
    given = parser.parse_args()
    book = given.data / "textbook" / "anatomy_physiology"
    queries = list(read_queries(book))
    with tempfile.TemporaryDirectory() as room:
        sources = [book / "ap_imaging_tissues_skin.pdf"]
        index = build_index(Path(room) / "index", sources=sources, channels=["lexical"])
        looks = Looks(index)
        ranks = {name: found(each, queries) for name, each in arms(index, looks, given).items()}
        print(f"{len(queries)} figures, {len(looks.pages)} pages, {given.depth} reranked\n")
    print(table(ranks))


def arms(index: Index, looks: Retriever, given: argparse.Namespace) -> Mapping[str, Retriever]:
    words = LexicalReranker(library=index.rows)
    shared: Mapping[str, Any] = {
        "library": index.rows, "retriever": looks, "rerankers": (words,), "depth": given.depth,
    }  # fmt: skip
    return {
        "looks alone": looks,
        "looks, then words": RerankRetriever(**shared),
        "looks, then half words": RerankRetriever(**shared, weight=0.5),
        "words of every page": RerankRetriever(**{**shared, "depth": 10_000}),
    }


def read_queries(book: Path) -> Sequence[Query]:
    """Read the figures that have an alternative text and stand in the PDF."""
    pages = {
        row["figure"]: row["page"]
        for row in map(json.loads, (book / "pdf_figures.jsonl").read_text().splitlines())
    }
    rows = map(json.loads, (book / "figures.jsonl").read_text().splitlines())
    return [
        Query(
            Question(row["alt"], images=(ImageRef(str(book / row["image"])),)), pages[row["figure"]]
        )
        for row in rows
        if row.get("alt") and row["figure"] in pages
    ]


def found(retriever: Retriever, queries: Sequence[Query]) -> NDArray[np.float64]:
    """Give the rank of the right page of each query; infinite where it is not among 20."""
    rankings = retriever.retrieve([q.question for q in queries], 20, [PAGES] * len(queries))
    ranks = []
    for query, hits in zip(queries, rankings, strict=True):
        pages = [hit.passage.source.regions[0].page for hit in hits]
        ranks.append(pages.index(query.page) + 1 if query.page in pages else np.inf)
    return np.array(ranks)


def table(ranks: Mapping[str, NDArray[np.float64]]) -> str:
    lines = ["| arm | hit@1 | nDCG@10 | recall@20 | p of nDCG@10 |", "|---|---|---|---|---|"]
    first = next(iter(ranks.values()))
    alone: list[str | None] = [None] * len(first)
    for name, each in ranks.items():
        gains = _gains(each)
        measured = [
            estimate(mean_of(column), alone)
            for column in ((each <= 1).astype(float), gains, np.isfinite(each).astype(float))
        ]
        shown = " | ".join(f"{m.value:.3f} ({m.low:.3f}-{m.high:.3f})" for m in measured)
        p = paired(mean_of(_gains(first)), mean_of(gains), alone).p
        lines.append(f"| {name} | {shown} | {p:.4f} |")
    return "\n".join(lines)


def _gains(ranks: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(ranks <= 10, 1 / np.log2(1 + ranks), 0.0)


if __name__ == "__main__":
    main()
