"""What is of the question's own picture, study or patient is never returned to evaluation.

100 passages of each sort are planted, of all kinds, which every retriever would like to return:
each is asked with the guard, and once without it, so that a retriever that finds nothing is no
proof. History, whose filter is its own, returns earlier studies of the patient and nothing else.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from medrag.answering import OnePassAnswerer
from medrag.concepts.book import Concept, ConceptBook, save_book
from medrag.config.components import planned
from medrag.config.joined import resources
from medrag.config.place import Place
from medrag.config.tables import TABLES
from medrag.evaluation.arms import ARMS
from medrag.evaluation.benchmarks import Benchmark, load_benchmark
from medrag.evaluation.run import run_benchmark
from medrag.generation.extractive import ExtractiveGenerator
from medrag.pipeline import Pipeline, guarded
from medrag.protocols import Answerer, Retriever
from medrag.records import Filter, Hit, Question
from medrag.retrieval.guarding import kept_in
from medrag.retrieval.history import of_earlier_study
from medrag.selection.top_k import TopKSelector
from tests.contracts import check_reranker, check_retriever
from tests.leaking import (
    KINDS,
    Leaks,
    OneSpace,
    OneSpaceChannel,
    Scripted,
    key,
    leaks,
    own,
)

CHANNELS = {"kind": "channels"}
HISTORY = {"kind": "history", "studies": 6, "kinds": list(KINDS)}
# How each kind of retriever is built: what a recipe says, and the models that it is given.
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "agentic": {"retriever": CHANNELS, "generator": Scripted()},
    "attributes": {"graph": "graph", "texts": CHANNELS, "n_texts": 60, "per_finding": 60},
    "by_domain": {
        "classify": {"kind": "stated"}, "domains": {"radiology": CHANNELS}, "default": CHANNELS,
    },
    "case_facts": {"cases": CHANNELS, "graph": "graph", "describe": CHANNELS},
    "channels": {},
    "concepts": {"book": "book.json", "encoder": OneSpace(), "retriever": CHANNELS},
    "follow_up": {"retriever": CHANNELS, "generator": Scripted()},
    "found": {"contexts": "contexts.json"},
    "fused": {"retrievers": {"all": CHANNELS, "own": HISTORY}},
    "history": {"studies": 6, "kinds": list(KINDS)},
    "image_facts": {"channel": "lexical", "candidates": 400, "keep": 200},
    "linked": {"documents": CHANNELS, "graph": "graph", "books": CHANNELS},
    "mixed": {"channel": OneSpaceChannel()},
    "pairs": {"channel": "image", "text": "lexical", "kinds": list(KINDS)},
    "region": {"retriever": CHANNELS, "shown": "both"},
    "rerank": {"retriever": CHANNELS, "rerankers": [{"kind": "lexical"}]},
    "when_unsure": {"retriever": CHANNELS, "generator": Scripted()},
}  # fmt: skip
ANSWERERS: Mapping[str, Mapping[str, Any]] = {
    "one_pass": {"generator": {"kind": "extractive"}},
    "rethinking": {
        "answerer": {"kind": "one_pass", "generator": {"kind": "extractive"}},
        "generator": Scripted(), "retriever": CHANNELS, "n_more": 20,
    },
}  # fmt: skip
RERANKERS: Mapping[str, Mapping[str, Any]] = {
    "factual": {"min_facts": 0.0, "keep": None},
    "image_text": {"image": "image", "text_part": "lexical"},
    "lexical": {},
    "likelihood": {"generator": Scripted()},
    "matching": {},
    "patho_fusion": {"channel": OneSpaceChannel("text")},
}
# A model that must be trained; its own tests check a tiny one.
TRAINED = frozenset({"cross_encoder"})
# These give the patient's own earlier studies, and have to mark them as such.
HISTORIES = frozenset({"history", "fused"})
MADE = (Scripted, OneSpace, OneSpaceChannel)
K = 60


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Leaks:
    held = leaks(tmp_path_factory.mktemp("leaks"))
    texts = [passage.text for passage in held.index.passages]
    contexts = [
        {"question_id": question.id, "reference_reports": texts} for question in held.questions
    ]
    (held.folder / "contexts.json").write_text(json.dumps(contexts), encoding="utf-8")
    concepts = [
        Concept(f"Is there effusion {n}?", passage.id, "all.lines", passage.text)
        for n, passage in enumerate(held.index.passages)
    ]
    save_book(ConceptBook(tuple(concepts)), held.folder / "book.json")
    return held


def built(protocol: str, kind: str, said: Mapping[str, Any], planted: Leaks) -> Any:
    """Build a component of a recipe; what is no value of YAML is given to it."""
    given = {name: value for name, value in said.items() if isinstance(value, MADE)}
    spec = {"kind": kind, **{name: value for name, value in said.items() if name not in given}}
    place = Place(str(planted.folder / "recipe.yaml"))
    plan = planned(protocol, spec, place, given=frozenset(given))
    return plan(resources(planted.index, {}), **given)


def retriever_of(kind: str, planted: Leaks) -> Retriever:
    if kind not in RECIPES:
        pytest.fail(f"no builder of the retriever {kind!r}: add it to RECIPES of {__file__}")
    made: Retriever = built("retriever", kind, RECIPES[kind], planted)
    return made


def check_guarded(hits: Sequence[Hit], question: Question, planted: Leaks) -> None:
    """Refuse what is the question's own, but for what is marked as history and is that."""
    for hit in hits:
        if hit.history:
            assert hit.passage.id in planted.earlier[question.subject or ""]
            assert of_earlier_study(hit.passage, question)
        else:
            assert not own(question, hit.passage), (question.id, hit.passage)


def test_a_hundred_passages_of_each_sort_are_planted_over_all_kinds(planted: Leaks) -> None:
    kinds = {passage.id: passage.kind for passage in planted.index.passages}
    assert {name: len(ids) for name, ids in planted.planted.items()} == {
        "image": 100, "study": 100, "subject": 100,
    }  # fmt: skip
    for ids in planted.planted.values():
        assert {kinds[each] for each in ids} == set(KINDS)


def test_every_kind_of_retriever_has_a_builder_here() -> None:
    missing = sorted(set(TABLES["retriever"]) - set(RECIPES))
    assert not missing, f"add {missing} to RECIPES of {__file__}: how they are built, and no more"


def test_every_kind_of_answerer_has_a_builder_here() -> None:
    missing = sorted(set(TABLES["answerer"]) - set(ANSWERERS))
    assert not missing, f"add {missing} to ANSWERERS of {__file__}: how they are built, and no more"


@pytest.mark.parametrize("kind", sorted(TABLES["retriever"]))
def test_no_retriever_returns_what_is_the_questions_own(kind: str, planted: Leaks) -> None:
    retriever = retriever_of(kind, planted)
    filters = [guarded(question, Filter()) for question in planted.questions]
    rankings = retriever.retrieve(planted.questions, K, filters)
    assert any(rankings)
    for question, hits in zip(planted.questions, rankings, strict=True):
        check_guarded(hits, question, planted)
        if kind not in HISTORIES:
            assert not any(hit.history for hit in hits)


@pytest.mark.parametrize("kind", sorted(set(TABLES["retriever"]) - {"history"}))
def test_without_the_guard_they_would_come_back(kind: str, planted: Leaks) -> None:
    retriever = retriever_of(kind, planted)
    rankings = retriever.retrieve(planted.questions, K, [Filter()] * len(planted.questions))
    returned = zip(planted.questions, rankings, strict=True)
    assert any(own(question, hit.passage) for question, hits in returned for hit in hits)


@pytest.mark.parametrize("kind", sorted(TABLES["retriever"]))
def test_every_retriever_keeps_its_promises(kind: str, planted: Leaks) -> None:
    filters = [
        Filter(kinds=frozenset({"report", "fact"})),
        Filter(not_subjects=frozenset(planted.earlier)),
        Filter(corpora=frozenset({"planted"}), not_studies=frozenset({"none"})),
    ]
    check_retriever(retriever_of(kind, planted), planted.questions[:4], filters=filters, k=7)


@pytest.mark.parametrize("kind", sorted(set(TABLES["reranker"]) - TRAINED))
def test_every_reranker_keeps_its_promises(kind: str, planted: Leaks) -> None:
    if kind not in RERANKERS:
        pytest.fail(f"no builder of the reranker {kind!r}: add it to RERANKERS of {__file__}")
    reranker = built("reranker", kind, RERANKERS[kind], planted)
    questions = planted.questions[:4]
    filters = [guarded(question, Filter(kinds=frozenset({"report"}))) for question in questions]
    rankings = retriever_of("fused", planted).retrieve(questions, 9, filters)
    assert any(hit.history for ranking in rankings for hit in ranking)
    check_reranker(reranker, questions, rankings)


def test_history_returns_the_earlier_studies_of_the_patient_and_nothing_else(
    planted: Leaks,
) -> None:
    retriever = built("retriever", "history", {"studies": 99, "kinds": list(KINDS)}, planted)
    for question in planted.questions:
        for wanted in (guarded(question, Filter()), Filter()):
            (hits,) = retriever.retrieve([question], 400, [wanted])
            found = {hit.passage.id for hit in hits}
            assert found == planted.earlier[question.subject or ""]
            assert all(hit.history for hit in hits)


def pipeline(
    retriever: Retriever, planted: Leaks, answerer: Answerer | None = None, **options: Any
) -> Pipeline:
    return Pipeline(
        retriever=retriever,
        selector=TopKSelector(k=K),
        answerer=answerer or OnePassAnswerer(generator=ExtractiveGenerator()),
        k=K,
        key=key(),
        check_key=planted.index.check_key,
        resolve=planted.index.resolve,
        index=planted.index,
        **options,
    )


@pytest.mark.parametrize("kind", sorted(TABLES["retriever"]))
def test_no_pipeline_selects_what_is_the_questions_own(kind: str, planted: Leaks) -> None:
    whole = pipeline(retriever_of(kind, planted), planted)
    selected = whole.select_all(planted.questions[:8])
    assert any(each.selection.kept for each in selected)
    for each in selected:
        check_guarded(each.selection.kept, each.question, planted)


@pytest.mark.parametrize("kind", sorted(TABLES["answerer"]))
def test_no_answerer_brings_it_in(kind: str, planted: Leaks) -> None:
    answerer = built("answerer", kind, ANSWERERS[kind], planted)
    whole = pipeline(retriever_of("channels", planted), planted, answerer)
    for answer in whole.answer_all(planted.questions[:8]):
        assert answer.selection.kept
        check_guarded(answer.selection.kept, answer.question, planted)
        for citation in answer.citations:
            assert not own(answer.question, citation.passage)


class Leaky:
    """A retriever that returns what is planted, whatever it may, and calls it what it likes."""

    def __init__(self, planted: Leaks, *, history: bool) -> None:
        self.passages = list(planted.index.passages)
        self.history = history

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        hits = [
            Hit(passage, 1 / rank, rank, history=self.history)
            for rank, passage in enumerate(self.passages, start=1)
        ]
        return [hits for _ in questions]


@pytest.mark.parametrize("history", [False, True])
def test_a_retriever_that_leaks_is_held_by_the_pipeline(history: bool, planted: Leaks) -> None:
    whole = pipeline(Leaky(planted, history=history), planted)
    for each in whole.select_all(planted.questions[:8]):
        kept = (*each.selection.kept, *each.selection.dropped)
        check_guarded(kept, each.question, planted)
        assert [hit.rank for hit in kept] == list(range(1, len(kept) + 1))
        if history:
            assert {h.passage.id for h in kept} == planted.earlier[each.question.subject or ""]


def benchmark(planted: Leaks) -> Benchmark:
    rows = [
        {
            "id": f"row {number}",
            "question": question.text,
            "answer": "yes",
            "image": Path(str(getattr(question.images[0], "path", ""))).name,
            "subject": f"patient {number}",
            "study": f"study {number}",
        }
        for number, question in enumerate(planted.questions[::4])
    ]
    path = planted.folder / "in" / "test.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return load_benchmark("qa", planted.folder / "in", split="test")


@pytest.mark.parametrize("kind", ["channels", "fused", "image_facts", "agentic"])
def test_no_arm_of_an_evaluation_reads_what_is_the_questions_own(
    kind: str, planted: Leaks, tmp_path: Path
) -> None:
    held = benchmark(planted)
    items = [
        replace(item, question=replace(item.question, time=question.time))
        for item, question in zip(held.items, planted.questions[::4], strict=True)
    ]
    asked = {item.id: q for item, q in zip(items, planted.questions[::4], strict=True)}
    whole = pipeline(retriever_of(kind, planted), planted)
    run = run_benchmark(
        whole, replace(held, items=tuple(items)), tmp_path / "run", arms=ARMS, batch=2
    )
    n_kept = 0
    for answered in run.answers():
        if answered.arm == "no_guard":
            continue
        kept = answered.answer.selection.kept
        check_guarded(kept, asked[answered.item], planted)
        n_kept += len(kept)
    assert n_kept


def test_ranks_close_up_and_order_stays_where_the_guard_removes(planted: Leaks) -> None:
    draw = Random(5)
    passages = list(planted.index.passages)
    sound: Callable[[Question, Hit], bool] = lambda q, h: (  # noqa: E731 - the rule, plainly
        h.passage.id in planted.earlier[q.subject or ""] if h.history else not own(q, h.passage)
    )
    for _ in range(300):
        question = draw.choice(planted.questions)
        drawn = draw.sample(passages, draw.randint(0, 30))
        hits = [
            Hit(passage, 1 / rank, rank, history=draw.random() < 0.5)
            for rank, passage in enumerate(drawn, start=1)
        ]
        kept = kept_in(question, hits, guarded(question, Filter()))
        expected = [hit for hit in hits if sound(question, hit)]
        assert [hit.passage.id for hit in kept] == [hit.passage.id for hit in expected]
        assert [hit.rank for hit in kept] == list(range(1, len(kept) + 1))
