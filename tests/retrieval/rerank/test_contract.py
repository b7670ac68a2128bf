"""What every fusing and reranking retriever must do, whatever it is made of."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.encoding.cross_encoder import CrossEncoderReranker
from medrag.protocols import Reranker, Retriever
from medrag.records import Filter, Hit, Question
from medrag.retrieval.fused import FusedRetriever
from medrag.retrieval.mixed import MixedRetriever
from medrag.retrieval.region import RegionRetriever
from medrag.retrieval.rerank.factual import FactualReranker
from medrag.retrieval.rerank.image_text import ImageTextReranker
from medrag.retrieval.rerank.lexical import LexicalReranker
from medrag.retrieval.rerank.patho_fusion import PathoFusionReranker
from medrag.retrieval.rerank.retriever import RerankRetriever
from tests.encoding.cross_encoder.tiny_cross_encoders import save_classifier
from tests.retrieval.shelf import Listed, Shelf, Vectors, allows, passage

N = 12
SHELF = Shelf(
    *(
        passage(
            f"r{n}",
            f"There is {'no ' * (n % 2)}effusion of the {['left', 'right', 'lower'][n % 3]} lung.",
            kind="report" if n % 4 else "case",
            image=f"picture{n % 5}",
            study=f"study{n % 6}",
            subject=f"subject{n % 3}",
            domain="radiology" if n % 2 else "pathology",
        )
        for n in range(N)
    )
)
VECTORS = Vectors(*([[n % 3, 1], [1, n % 4]][: 1 + n % 2] for n in range(N)))
PICTURES = Vectors(*([[n % 5, 1]] for n in range(N)), side="image")
QUESTIONS = [
    Question("3 1 4 11 5 9 2 6 8 7 10 0", images=("1,0.png",)),
    Question("2 7 1 8"),
    Question("0 1 2 3 4 5 6 7 8 9 10 11"),
    Question("nothing is listed here"),
    Question(images=("0,1.png",)),
]


class Numbered:
    """Retrieve by the numbers in a text, and answer vectors of digits for it."""

    def __init__(self, channel: Vectors) -> None:
        self.channel = channel
        self.side = channel.side
        self.has_vectors = True
        self.search = channel.search
        self.vectors_at = channel.vectors_at
        self.late_interaction = True
        self.name, self.normalised = "numbered", False

    @property
    def encoder(self) -> "Numbered":
        return self

    def encodes(self, passage: Any) -> bool:
        return True

    def encode_passages(self, passages: Any) -> Any:
        return self.channel.encode_passages(passages)

    def encode_questions(self, questions: Any, side: Any) -> Any:
        if side == "image":
            return self.channel.encode_questions(questions, side)
        digits = [f"{len(each.text) % 7},{len(each.text) % 5}" for each in questions]
        return self.channel.encode_questions([Question(each) for each in digits], side)


TEXT, PICTURE = Numbered(VECTORS), Numbered(PICTURES)
FOUND = {"text": Listed(SHELF), "image": Listed(SHELF, part="image", needs_image=True)}
RETRIEVERS: dict[str, Callable[[], Retriever]] = {
    "rrf": lambda: FusedRetriever(retrievers=FOUND),
    "sum": lambda: FusedRetriever(retrievers=FOUND, fusion="weighted_sum"),
    "z": lambda: FusedRetriever(retrievers=FOUND, fusion="z_sum", weights={"image": 2}),
    "turns": lambda: FusedRetriever(retrievers=FOUND, fusion="interleave"),
    "at_most": lambda: FusedRetriever(retrievers=FOUND, budgets={"text": 2, "image": 1}),
    "guaranteed": lambda: FusedRetriever(
        retrievers=FOUND, budgets={"text": 2, "image": 3}, budget_rule="guaranteed"
    ),
    "mixed": lambda: MixedRetriever(library=SHELF, channel=TEXT),
    "region": lambda: RegionRetriever(retriever=FOUND["text"]),
}
RERANKERS: dict[str, Callable[[str], Reranker]] = {
    "cross_encoder": lambda model: CrossEncoderReranker(model=model, device="cpu", dtype="float32"),
    "factual": lambda _: FactualReranker(library=SHELF),
    "factual_pairs": lambda _: FactualReranker(pairs_only=True, min_labels=0.5),
    "image_text": lambda _: ImageTextReranker(library=SHELF),
    "image_text_channels": lambda _: ImageTextReranker(library=SHELF, text=TEXT, image=PICTURE),
    "lexical": lambda _: LexicalReranker(library=SHELF),
    "patho_fusion": lambda _: PathoFusionReranker(library=SHELF, channel=TEXT, by_picture=True),
}
KINDS = [*RETRIEVERS, *RERANKERS, "interpolated"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_classifier(tmp_path_factory.mktemp("cross") / "model")


@pytest.fixture(scope="module")
def made(model: str) -> dict[str, Retriever]:
    """One retriever of each kind, kept, as loading a model takes a while."""
    fused = FusedRetriever(retrievers=FOUND)
    reranking = {
        name: RerankRetriever(library=SHELF, retriever=fused, rerankers=(make(model),), depth=6)
        for name, make in RERANKERS.items()
    }
    words = LexicalReranker(library=SHELF)
    interpolated = RerankRetriever(
        library=SHELF, retriever=fused, rerankers=(words, words), weight=0.5, keep=4
    )
    plain = {name: make() for name, make in RETRIEVERS.items()}
    return {**plain, **reranking, "interpolated": interpolated}


def some(prefix: str, n: int) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.integers(0, n - 1).map(lambda i: f"{prefix}{i}"), max_size=2)


FILTERS = st.builds(
    Filter,
    kinds=st.sampled_from([frozenset(), frozenset({"report"}), frozenset({"case"})]),
    domains=st.sampled_from([frozenset(), frozenset({"radiology"})]),
    not_images=some("picture", 5),
    not_studies=some("study", 6),
    not_subjects=some("subject", 3),
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FILTERS, min_size=5, max_size=5), st.integers(1, N + 2))
def test_rankings_keep_filter_and_k_and_are_the_same_one_by_one(
    made: dict[str, Retriever], kind: str, filters: list[Filter], k: int
) -> None:
    together = made[kind].retrieve(QUESTIONS, k, filters)
    assert len(together) == len(QUESTIONS)
    for question, wanted, hits in zip(QUESTIONS, filters, together, strict=True):
        assert len(hits) <= k
        assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
        assert all(allows(wanted, hit.passage) for hit in hits)
        assert len({hit.passage.id for hit in hits}) == len(hits)
        scores = [hit.score for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(hit.passage == SHELF.passages[int(hit.passage.id[1:])] for hit in hits)
        [alone] = made[kind].retrieve([question], k, [wanted])
        assert [h.passage.id for h in alone] == [h.passage.id for h in hits]
        # A batch may move the last bits of a model's numbers.
        assert [h.score for h in alone] == pytest.approx(scores, abs=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_something_is_found_and_no_questions_give_no_rankings(
    made: dict[str, Retriever], kind: str
) -> None:
    [hits] = made[kind].retrieve(QUESTIONS[:1], 5, [Filter()])
    assert hits
    assert made[kind].retrieve([], 5, []) == []


@pytest.mark.parametrize("name", RERANKERS)
def test_rankings_that_are_given_are_not_changed(name: str, model: str) -> None:
    reranker = RERANKERS[name](model)
    given_rankings: list[list[Hit]] = FOUND["text"].retrieve(QUESTIONS, 6, [Filter()] * 5)
    before = copy.deepcopy(given_rankings)
    found = reranker.rerank(QUESTIONS, given_rankings)
    assert given_rankings == before
    for hits, ranking in zip(found, before, strict=True):
        assert {hit.passage.id for hit in hits} <= {hit.passage.id for hit in ranking}
    assert reranker.rerank([], []) == []
    assert reranker.rerank([Question("a")], [[]]) == [[]]


def test_every_kind_is_built_from_a_recipe(tmp_path: Path) -> None:
    from medrag.config import build_index, load_pipeline

    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("The heart pumps blood.\n\nThe lung moves air.\n")
    index = build_index(tmp_path / "index", sources=[tmp_path / "notes"], channels=["lexical"])
    recipe = tmp_path / "all.yaml"
    recipe.write_text(
        "retrieve:\n"
        "  kind: rerank\n"
        "  retriever:\n"
        "    kind: fused\n"
        "    retrievers:\n"
        "      words: {kind: channels, channels: [lexical]}\n"
        "      part: {kind: region, retriever: {kind: channels, channels: [lexical]}}\n"
        "    rrf_k: 100\n"
        "    budgets: {words: 3}\n"
        "    budget_rule: guaranteed\n"
        "  rerankers:\n"
        "    - {kind: lexical}\n"
        "    - {kind: image_text, text_part: lexical, weight: 0.7}\n"
        "    - {kind: factual, keep: 2, against: question}\n"
        "  depth: 10\n"
        "  weight: 0.5\n"
        "answer: {kind: one_pass, generator: {kind: extractive}}\n"
    )
    answer = load_pipeline(recipe, index=index).answer(Question("what does the heart do?"))
    assert "pumps blood" in answer.text
    assert {step["step"] for step in answer.trace} >= {"fused", "reranked"}
