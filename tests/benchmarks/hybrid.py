"""A question by words and by vector at once, beside LlamaIndex's QueryFusionRetriever.

    python -m tests.benchmarks.hybrid [--passages 100000] [--store exact] [--rounds 7]

Both fuse the best 100 by BM25 and the best 100 by vector with reciprocal ranks, and give ten
passages. The vectors are made up and looked up, so that no model is in the time. LlamaIndex gets
BM25 from its own bm25s retriever where that is installed (llama-index-retrievers-bm25), else from
the same in a few lines; and vectors from FAISS, the fastest that it can be given, and from the
store that it uses by itself.
"""

import argparse
import random
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bm25s
import faiss
import numpy as np
import Stemmer
from llama_index.core import VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from numpy.typing import NDArray

from medrag.build import ChannelPlan, SourceFile, build
from medrag.config.place import Place
from medrag.config.tables import constructor
from medrag.indexing.dense import DenseChannel
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.storage import Store, open_store
from medrag.ingestion.beir import BeirIngestor
from medrag.protocols import Side
from medrag.records import Corpus, Embeddings, Filter, Passage, Question
from medrag.retrieval.channels import ChannelsRetriever
from tests.benchmarks.lexical import drawn, read, write
from tests.benchmarks.measuring import Row, interleaved, machine, ratio, read_rate, table

D, N_QUESTIONS, ASKED, K, DEPTH = 384, 8, 6, 10, 100
Floats = NDArray[np.float32]


class Looked:
    """Give vectors by the name of a passage and the text of a question."""

    name = "looked up"
    normalised = True

    def __init__(self, passages: Mapping[str, Floats], questions: Mapping[str, Floats]) -> None:
        self.passages = passages
        self.questions = questions

    def encodes(self, passage: Passage) -> bool:
        return True

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        return _packed([self.passages[each.fields["doc_id"]] for each in passages])

    def encode_questions(self, questions: Sequence[Question], side: Side) -> Embeddings:
        return _packed([self.questions[each.text] for each in questions])


class LookedByLlama(BaseEmbedding):  # type: ignore[misc]
    """The same for LlamaIndex; vectors of passages come with its nodes."""

    vectors: dict[str, list[float]]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self.vectors[query]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self.vectors[query]

    def _get_text_embedding(self, text: str) -> list[float]:
        raise NotImplementedError


class Flat(BaseRetriever):  # type: ignore[misc]
    """The nodes whose vectors FAISS finds nearest, exactly."""

    def __init__(self, nodes: Sequence[Any], values: Floats, asked: Mapping[str, Floats]) -> None:
        self.nodes, self.asked = nodes, asked
        faiss.cvar.distance_compute_blas_threshold = 20
        self.index = faiss.IndexFlatIP(values.shape[1])
        self.index.add(values)
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        scores, rows = self.index.search(self.asked[query_bundle.query_str][None], DEPTH)
        return _scored(self.nodes, rows[0], scores[0])


class Words(BaseRetriever):  # type: ignore[misc]
    """What LlamaIndex's own BM25 retriever does, where that is not installed."""

    def __init__(self, nodes: Sequence[Any]) -> None:
        self.nodes = nodes
        self.stem = Stemmer.Stemmer("english")
        self.made = bm25s.BM25()
        self.made.index(self._words([node.text for node in nodes]), show_progress=False)
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        words = self._words([query_bundle.query_str])
        found = self.made.retrieve(words, k=DEPTH, show_progress=False)
        return _scored(self.nodes, found.documents[0], found.scores[0])

    def _words(self, texts: list[str]) -> Any:
        return bm25s.tokenize(texts, stopwords="en", stemmer=self.stem, show_progress=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--store", default="exact", help="what searches our vectors")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        print(table(measured(Path(folder), given.passages, given.store, given.rounds)))


def measured(folder: Path, n: int, kind: str, rounds: int) -> list[Row]:
    write(folder / "in" / "corpus.jsonl", n, seed=0)
    texts = read(folder / "in" / "corpus.jsonl")
    values, asked_values = vectors(n)
    questions = [" ".join(words) for words in drawn(random.Random(1), N_QUESTIONS, ASKED)]
    asked = dict(zip(questions, asked_values, strict=True))
    encoder = Looked({f"0-{row}": value for row, value in enumerate(values)}, asked)
    store = made(folder, encoder, kind)
    search: Any = constructor("store", kind, Place("benchmark"))(store=store, name="text")
    dense = DenseChannel(store=store, name="text", encoder=encoder, side="text", vectors=search)
    lexical = LexicalChannel(store=store)
    ours = ChannelsRetriever(
        rows=store, channels={"lexical": lexical, "text": dense}, fusion="rrf", depth=DEPTH
    )
    nodes = [TextNode(id_=f"0-{row}", text=text) for row, text in enumerate(texts)]
    flat = Flat(nodes, values, asked)
    check(store, dense, flat, questions)
    words = by_words(nodes)
    peers = {
        "LlamaIndex, FAISS Flat": fused([flat, words]),
        "LlamaIndex, its own store": fused([simple(nodes, values, asked), words]),
    }

    def answer() -> list[list[str]]:
        found = (ours.retrieve([Question(text=q)], K, [Filter()])[0] for q in questions)
        return [[hit.passage.fields["doc_id"] for hit in hits] for hits in found]

    same = agreement(answer(), peers["LlamaIndex, FAISS Flat"], questions)
    contestants = {"medrag": answer} | {
        name: partial(lambda peer: [peer.retrieve(q) for q in questions], peer)
        for name, peer in peers.items()
    }
    times = interleaved(contestants, rounds=rounds, most_seconds=60)
    return rows(times, values.nbytes, same, f"hybrid, {n:,} passages, {kind}")


def rows(times: dict[str, list[float]], size: int, same: float, case: str) -> list[Row]:
    """Say times of one question each, and the share that reading every vector once would take."""
    rate = read_rate()
    one = {name: [each / N_QUESTIONS for each in seconds] for name, seconds in times.items()}
    return [
        Row(
            case,
            name,
            seconds,
            None if name == "medrag" else ratio(one, "medrag", name),
            None if name == "medrag" else 5.0,
            size / rate / sorted(seconds)[len(seconds) // 2],
            f"reading fp32 vectors once at {rate / 1e9:.0f} GB/s",
            f"{same:.0%} of the top {K} are FAISS's and bm25s's" if name == "medrag" else "",
        )
        for name, seconds in one.items()
    ]


def vectors(n: int) -> tuple[Floats, Floats]:
    """Draw unit vectors around two thousand centres, and questions near some of them."""
    draw = np.random.default_rng(0)
    centres = draw.standard_normal((2_000, D), dtype=np.float32)
    chosen = centres[draw.integers(0, len(centres), n + N_QUESTIONS)]
    values = chosen + 0.6 * draw.standard_normal(chosen.shape, dtype=np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values[:n], values[n:]


def made(folder: Path, encoder: Looked, kind: str) -> Store:
    corpus = Corpus("random", folder / "in")
    spec = {"kind": "dense", "encoder": {"kind": "looked"}, "store": {"kind": kind}}
    build(
        folder / "index",
        [SourceFile(folder / "in" / "corpus.jsonl", corpus, "beir", {})],
        ingestor=lambda file: BeirIngestor(corpus=file.corpus),
        channels={
            "lexical": ChannelPlan({"kind": "lexical"}),
            "text": ChannelPlan(spec, lambda: encoder),
        },
    )
    return open_store(folder / "index")


def check(store: Store, dense: DenseChannel, flat: Flat, questions: Sequence[str]) -> None:
    """Both sides search the same vectors exactly: their best ten by vector must be equal."""
    asked = [Question(text=each) for each in questions]
    for ranking, text in zip(
        dense.search(asked, K, [Filter()] * len(asked)), questions, strict=True
    ):
        found = store.passages_at([hit.row for hit in ranking])
        theirs = [each.node.node_id for each in flat.retrieve(text)[:K]]
        assert [passage.fields["doc_id"] for passage in found] == theirs


def agreement(found: list[list[str]], peer: Any, questions: Sequence[str]) -> float:
    pairs = zip(found, questions, strict=True)
    same = [{*names} & {each.node.node_id for each in peer.retrieve(q)} for names, q in pairs]
    return sum(map(len, same)) / (K * len(questions))


def by_words(nodes: list[Any]) -> BaseRetriever:
    try:
        from llama_index.retrievers.bm25 import BM25Retriever
    except ImportError:
        return Words(nodes)
    return BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=DEPTH)


def simple(nodes: list[Any], values: Floats, asked: Mapping[str, Floats]) -> BaseRetriever:
    for node, value in zip(nodes, values, strict=True):
        node.embedding = value.tolist()
    known = {text: value.tolist() for text, value in asked.items()}
    index = VectorStoreIndex(nodes, embed_model=LookedByLlama(vectors=known))
    return index.as_retriever(similarity_top_k=DEPTH)


def fused(retrievers: list[BaseRetriever]) -> QueryFusionRetriever:
    return QueryFusionRetriever(
        retrievers,
        llm=MockLLM(),
        mode="reciprocal_rerank",
        similarity_top_k=K,
        num_queries=1,
        use_async=False,
    )


def _scored(nodes: Sequence[Any], rows: Any, scores: Any) -> list[NodeWithScore]:
    return [
        NodeWithScore(node=nodes[int(row)], score=float(score))
        for row, score in zip(rows, scores, strict=True)
    ]


def _packed(vectors: Sequence[Floats]) -> Embeddings:
    values = np.concatenate([np.empty((0, D), np.float32), *(each[None] for each in vectors)])
    return Embeddings(values, np.ones(len(vectors), np.int32))


if __name__ == "__main__":
    main()
