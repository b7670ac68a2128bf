"""How the settings of `pipelines/best.yaml` were chosen: by training questions, and tested apart.

    python -m tests.benchmarks.best [--data ../shared/data] [--folder FOLDER] [--windows N ...]
                                    [--cache FOLDER] [--final]

Chosen are the weight of words in the fusion and the four weights of `MatchingReranker`: one setting
for the textbook's questions, its figures and the training claims of SciFact, each counting alike;
where several settings are alike, the claims decide, of which there are most. Printed are the best
settings over all of these, and what five-fold cross-validation says of choosing so, its folds
grouped by module, chapter and claim. The test claims of SciFact are looked at with `--final` only,
for the settings that are shipped.

`--windows` adds channels of windows of so many tokens. Which ones was chosen by the training claims
alone, under the settings shipped (nDCG@10 without any 0.744): 48 0.745, 72 0.749, 96 0.746, 48 and
72 0.749, 72 and 96 0.749, all three 0.750, 48 and 96 0.751.
"""

import argparse
import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.config import Index, build_index, load_pipeline, open_index
from medrag.evaluation.measures import measured, parse_measure
from medrag.evaluation.retrieval import document_of, evaluate_retrieval
from medrag.protocols import Channel
from medrag.records import Filter
from medrag.retrieval.channels import ChannelsRetriever
from medrag.retrieval.matching import MatchingReranker
from tests.evaluation import judged
from tests.evaluation.judged import Judged

DEPTH = 100
LEXICAL = (0.15, 0.25, 0.35)
WORDS = (0.0, 0.16, 0.24, 0.32, 0.4, 0.48)
PAIRS = (0.0, 0.005, 0.01, 0.015)
SENTENCE = (0.0, 0.1, 0.2)
DOCUMENT = (0.0, 0.15, 0.3, 0.45)
GRID = tuple(itertools.product(LEXICAL, WORDS, PAIRS, SENTENCE, DOCUMENT))
# Settings whose aim is so close are alike, as one free-response question is worth half of it; of
# these, that is taken which is best on the collection with most questions.
ALIKE = 0.001
# The textbook's two kinds of questions together count as one collection.
SHARE = {"multiple choice": 0.5, "free response": 0.5, "figures": 1.0, "scifact train": 1.0}


@dataclass(frozen=True, slots=True)
class Candidates:
    """The first hundred hits of each question by the fused scores.

    Attributes:
        amounts: per question (n_hits, 5), as `MatchingReranker.amounts` gives them.
        documents: per question, of each hit.
    """

    amounts: Sequence[NDArray[np.float64]]
    documents: Sequence[Sequence[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--windows", type=int, nargs="*", default=[])
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--final", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp())
    book, claims = options.data / "textbook" / "anatomy_physiology", options.data / "retrieval"
    folder.mkdir(parents=True, exist_ok=True)
    made = partial(built, windows=options.windows, cache=options.cache)
    textbook = made(book / "sections.jsonl", folder / "textbook")
    captions = made(judged.figure_corpus(book, folder), folder / "figures")
    abstracts = made(claims / "scifact" / "corpus.jsonl", folder / "scifact")
    if options.final:
        tell("scifact test", abstracts, judged.scifact(claims / "scifact", "test"))
        tell("multiple choice", textbook, judged.multiple_choice(book))
        tell("figures", captions, judged.figures(book))
        return
    collections = {
        "multiple choice": (textbook, judged.multiple_choice(book)),
        "free response": (textbook, judged.free_response(book)),
        "figures": (captions, judged.figures(book)),
        "scifact train": (abstracts, judged.scifact(claims / "scifact", "train")),
    }
    values = {name: values_of(*each) for name, each in collections.items()}
    print_best(values)
    print_cross_validation(values, {name: each.groups for name, (_, each) in collections.items()})


def built(
    source: Path, folder: Path, *, windows: Sequence[int] = (), cache: Path | None = None
) -> Index:
    """Open an index, or build it first: words, meanings, and meanings of windows of some tokens."""
    if (folder / "manifest.json").exists():
        return open_index(folder)
    encoder = {"kind": "sentence", "model": "minilm"}
    channels = {"lexical": None, "text": "minilm"} | {
        f"windows{tokens}": {"encoder": encoder | {"window": tokens}} for tokens in windows
    }
    return build_index(folder, sources=[source], channels=channels, cache=cache)


def values_of(index: Index, asked: Judged) -> NDArray[np.float64]:
    """Measure every setting on every question; (n_settings, n_questions)."""
    measure = parse_measure(asked.measure)
    reranker = MatchingReranker(library=index.rows)
    found = {weight: candidates(index, asked, weight, reranker) for weight in LEXICAL}
    values = np.zeros((len(GRID), len(asked.questions)))
    for place, (lexical, *weights) in enumerate(GRID):
        by = np.array([1.0, *weights])
        for number, question in enumerate(asked.questions):
            scores = found[lexical].amounts[number] @ by
            names = found[lexical].documents[number]
            order = np.argsort(-scores.round(6), kind="stable").tolist()
            ranking = list(dict.fromkeys(names[hit] for hit in order))
            values[place, number] = measured(measure, ranking, asked.qrels[question.id])
    return values


def candidates(
    index: Index, asked: Judged, lexical: float, reranker: MatchingReranker
) -> Candidates:
    retriever = ChannelsRetriever(
        rows=index.rows,
        channels=index.channels,
        fusion="share_of_best",
        lexical_weight=lexical,
    )
    hits = retriever.retrieve(asked.questions, DEPTH, [Filter()] * len(asked.questions))
    return Candidates(
        [reranker.amounts(q, each) for q, each in zip(asked.questions, hits, strict=True)],
        [[document_of(hit.passage) for hit in each] for each in hits],
    )


def aim(values: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Give what is to be highest: the mean over collections, for each setting."""
    total = sum(SHARE[name] * each.mean(axis=1) for name, each in values.items())
    return np.asarray(total / sum(SHARE[name] for name in values))


def chosen(values: Mapping[str, NDArray[np.float64]]) -> int:
    """Give the place of the setting that these values speak for."""
    aims = aim(values)
    largest = max(values.values(), key=lambda each: each.shape[1]).mean(axis=1)
    return int(np.argmax(np.where(aims >= aims.max() - ALIKE, largest, -np.inf)))


def print_best(values: Mapping[str, NDArray[np.float64]], n: int = 15) -> None:
    aims = aim(values)
    print("| lexical | words | pairs | sentence | document | " + " | ".join(values) + " | aim |")
    print("|---" * (6 + len(values)) + "|")
    for place in np.argsort(-aims, kind="stable")[:n].tolist():
        means = [each[place].mean() for each in values.values()]
        cells = [*(f"{x:g}" for x in GRID[place]), *(f"{x:.4f}" for x in (*means, aims[place]))]
        print("| " + " | ".join(cells) + " |")
    print(f"\nchosen: {GRID[chosen(values)]}")


def print_cross_validation(
    values: Mapping[str, NDArray[np.float64]], groups: Mapping[str, Sequence[str]]
) -> None:
    for seed in range(3):
        folds = {name: folds_of(each, seed) for name, each in groups.items()}
        kept: dict[str, list[float]] = {name: [] for name in values}
        for fold in range(5):
            rest = {name: each[:, folds[name] != fold] for name, each in values.items()}
            place = chosen(rest)
            for name, each in values.items():
                kept[name] += each[place, folds[name] == fold].tolist()
        told = ", ".join(f"{name} {np.mean(each):.4f}" for name, each in kept.items())
        print(f"\ncross-validated, seed {seed}: {told}")
    for left_out in (("multiple choice", "free response"), ("figures",), ("scifact train",)):
        place = chosen({name: each for name, each in values.items() if name not in left_out})
        told = ", ".join(f"{name} {values[name][place].mean():.4f}" for name in left_out)
        print(f"\nchosen without it, {GRID[place]}: {told}")


def folds_of(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    names = np.unique(groups)
    np.random.default_rng(seed).shuffle(names)
    fold = {name: place % 5 for place, name in enumerate(names.tolist())}
    return np.array([fold[name] for name in groups])


def plain(index: Index) -> dict[str, Channel]:
    return {name: index.channels[name] for name in ("lexical", "text")}


def tell(name: str, index: Index, asked: Judged) -> None:
    for called, retriever in (
        ("rrf", ChannelsRetriever(rows=index.rows, channels=plain(index), fusion="rrf")),
        ("best", load_pipeline("best", index=index).retriever),
    ):
        scores = evaluate_retrieval(
            retriever, asked.questions, asked.qrels, measures=(asked.measure,)
        )
        print(f"{name}: {called} {asked.measure} {scores.measures[asked.measure]:.4f}")


if __name__ == "__main__":
    main()
