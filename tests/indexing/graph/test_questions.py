"""Generated questions over the Disease Ontology and its tables have their gold fact in the top 7.

`tests.benchmarks.graph` prints the shares, apart by subject and by way of writing.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from medrag.config import Index, build_index
from medrag.records import Filter, Passage, Question
from medrag.retrieval.channels import ChannelsRetriever
from tests.indexing.graph.questions.generator import Drawn, drawn
from tests.indexing.graph.questions.templates import HELD_OUT, TUNING, Wordings

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

N, SEED, K = 300, 20261201, 7
GOAL = 0.90


@pytest.fixture(scope="module")
def index(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("diseases")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "corpora: [disease_ontology]\n"
        "channels: {lexical: {kind: lexical}, graph: {kind: graph},"
        " ranked: {kind: graph, rank: pagerank}}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDRAG_DATA", str(data))
        return build_index(folder / "index", recipe=recipe)


@pytest.fixture(scope="module")
def passages(index: Index) -> list[Passage]:
    return list(index.passages)


def share(questions: Sequence[Drawn], found: Sequence[Sequence[str]]) -> float:
    hits = [bool(q.gold & set(ids[:K])) for q, ids in zip(questions, found, strict=True)]
    return sum(hits) / len(hits)


def asked(questions: Sequence[Drawn]) -> list[Question]:
    return [Question(question.text) for question in questions]


@pytest.mark.parametrize("wordings", [TUNING, HELD_OUT], ids=["tuning", "held_out"])
@pytest.mark.parametrize("channel", ["graph", "ranked"])
def test_the_graph_alone_finds_the_gold_fact(
    index: Index, passages: list[Passage], channel: str, wordings: Mapping[str, Wordings]
) -> None:
    questions = drawn(passages, wordings, n=N, seed=SEED)
    rankings = index.channels[channel].search(asked(questions), K, [Filter()] * N)
    found = [[passages[row].id for row, _ in ranking] for ranking in rankings]
    assert share(questions, found) >= GOAL


@pytest.mark.parametrize("wordings", [TUNING, HELD_OUT], ids=["tuning", "held_out"])
def test_words_and_graph_together_find_the_gold_fact(
    index: Index, passages: list[Passage], wordings: Mapping[str, Wordings]
) -> None:
    questions = drawn(passages, wordings, n=N, seed=SEED)
    channels = {name: index.channels[name] for name in ("lexical", "graph")}
    retriever = ChannelsRetriever(rows=index.rows, channels=channels)
    rankings = retriever.retrieve(asked(questions), K, [Filter()] * N)
    assert share(questions, [[hit.passage.id for hit in ranking] for ranking in rankings]) >= GOAL


def test_a_third_of_the_questions_does_not_name_the_relation(passages: list[Passage]) -> None:
    questions = drawn(passages, TUNING, n=N, seed=SEED)
    assert sum(not question.named for question in questions) == N // 3
    assert {question.about for question in questions} == {"symptom", "kind", "site", "synonym"}
    assert sum(question.way == "typo" for question in questions) > N // 10
    assert sum(question.way == "abbreviation" for question in questions) > N // 30
    assert all(question.gold for question in questions)


def test_the_same_seed_draws_the_same_questions(passages: list[Passage]) -> None:
    first, second, other = (drawn(passages, HELD_OUT, n=20, seed=seed) for seed in (1, 1, 2))
    assert first == second != other
