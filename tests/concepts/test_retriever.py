import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.concepts import Bottleneck, Concept, ConceptBook, ConceptHeads, save_book
from medrag.concepts.annotating import Annotator
from medrag.concepts.fitting import fitted_heads, labelled
from medrag.concepts.retriever import ConceptsRetriever, told_of
from medrag.config import Index, build_index, load_pipeline
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.errors import MedragError, RecipeError
from medrag.images import identified
from medrag.records import Embeddings, Filter, Hit, ImageRef, Question, Retrieved, Usage

TEXTS = {
    "effusion": "An effusion blunts the angle.",
    "heart": "The heart is wider than half of the chest.",
    "air": "Free air is dark.",
}
ASKED = {"effusion": "Is there fluid?", "heart": "Is the heart wide?", "air": "Is there air?"}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("books")
    for name, text in TEXTS.items():
        (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    return build_index(folder / "index", sources=[folder], channels=["lexical"])


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    Image.linear_gradient("L").save(tmp_path / "asked.png")
    return identified(ImageRef(str(tmp_path / "asked.png")))


def concepts(index: Index) -> list[Concept]:
    by_text = {passage.text: passage for passage in index.passages}
    found = {name: next(p for text, p in by_text.items() if TEXTS[name] in text) for name in TEXTS}
    return [
        Concept(ASKED[name], found[name].id, f"{name}.md", TEXTS[name], "q", *said)
        for name, said in {
            "effusion": ("there is fluid", "there is no fluid"),
            "heart": ("the heart wide: yes", "the heart wide: no"),
            "air": ("there is air", "there is no air"),
        }.items()
    ]


def fixed_heads(folder: Path, probabilities: Mapping[str, float]) -> Path:
    """Heads that give the same probabilities to every picture."""
    bias = np.array([np.log(p / (1 - p)) for p in probabilities.values()])
    n = len(probabilities)
    weights = np.zeros((n, 480))
    made = ConceptHeads(
        tuple(ASKED[name] for name in probabilities), weights, bias, np.ones(n),
        DescriptorEncoder().name,
    )  # fmt: skip
    made.save(folder / "heads.npz")
    return folder / "heads.npz"


def retriever(
    index: Index, folder: Path, probabilities: Mapping[str, float], **settings: object
) -> ConceptsRetriever:
    save_book(ConceptBook(tuple(concepts(index))), folder / "book.json")
    return ConceptsRetriever(
        rows=index.rows, book=folder / "book.json", encoder=DescriptorEncoder(),
        heads=fixed_heads(folder, probabilities), **settings,  # type: ignore[arg-type]
    )  # fmt: skip


PROBABILITIES = {"effusion": 0.6, "heart": 0.05, "air": 0.95}


def test_the_surest_concepts_come_first_with_what_the_picture_shows(
    index: Index, tmp_path: Path, picture: ImageRef
) -> None:
    made = retriever(index, tmp_path, {"effusion": 0.6, "heart": 0.04, "air": 0.95})
    (found,) = made.retrieve_traced([Question("", (picture,))], 2, [Filter()])
    assert [hit.query for hit in found.hits] == ["Is the heart wide?", "Is there air?"]
    assert [hit.rank for hit in found.hits] == [1, 2]
    assert found.hits[1].summary == (
        "Asked of the picture: Is there air?\nDefinitely air. (0.95)\nThe book: Free air is dark."
    )
    assert found.hits[0].score == pytest.approx(0.46)
    assert found.trace[0]["surest"]["Is there air?"] == pytest.approx(0.95)


def test_the_most_probable_come_first_where_that_is_asked_for(
    index: Index, tmp_path: Path, picture: ImageRef
) -> None:
    made = retriever(index, tmp_path, PROBABILITIES, order="present")
    (hits,) = made.retrieve([Question("", (picture,))], 3, [Filter()])
    assert [hit.parts["concepts"].score for hit in hits] == pytest.approx([0.95, 0.6, 0.05])


def test_a_bottleneck_says_which_concepts_make_the_class(
    index: Index, tmp_path: Path, picture: ImageRef
) -> None:
    weights = np.array([[3.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    asked = tuple(ASKED[name] for name in PROBABILITIES)
    Bottleneck(("sick", "well"), asked, weights, np.zeros(2)).save(tmp_path / "b.npz")
    made = retriever(
        index, tmp_path, PROBABILITIES, bottleneck=tmp_path / "b.npz", order="contribution"
    )
    (found,) = made.retrieve_traced([Question("", (picture,))], 3, [Filter()])
    # sick: 0.6 * 3 = 1.8 of fluid, 0.95 of air, nothing of the heart
    assert [hit.score for hit in found.hits] == pytest.approx([1.8, 0.95, 0.0])
    assert found.trace[0]["classes"]["sick"] > 0.9


def test_a_question_without_a_picture_gets_nothing(index: Index, tmp_path: Path) -> None:
    made = retriever(index, tmp_path, PROBABILITIES)
    assert made.retrieve([Question("Is there air?")], 3, [Filter()]) == [[]]


def test_a_passage_that_the_filter_keeps_out_is_not_brought(
    index: Index, tmp_path: Path, picture: ImageRef
) -> None:
    made = retriever(index, tmp_path, PROBABILITIES)
    wanted = Filter(kinds=frozenset({"report"}))
    assert made.retrieve([Question("", (picture,))], 3, [wanted]) == [[]]


def test_a_concept_without_a_passage_is_backed_by_one_that_is_found(
    index: Index, tmp_path: Path, picture: ImageRef
) -> None:
    class Found:
        def retrieve(
            self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
        ) -> list[list[Hit]]:
            return [[Hit(index.passages[0], 1.0, 1)] for _ in questions]

    save_book(ConceptBook((Concept(ASKED["air"]),)), tmp_path / "book.json")
    heads = fixed_heads(tmp_path, {"air": 0.9})
    for inner, n in ((None, 0), (Found(), 1)):
        made = ConceptsRetriever(
            rows=index.rows, book=tmp_path / "book.json", encoder=DescriptorEncoder(), heads=heads,
            retriever=inner,
        )  # fmt: skip
        (hits,) = made.retrieve([Question("", (picture,))], 3, [Filter()])
        assert len(hits) == n


def test_a_sentence_of_a_passage_that_the_filter_keeps_out_is_not_quoted(
    index: Index, tmp_path: Path, picture: ImageRef
) -> None:
    own, other = index.passages[0], index.passages[1]

    class Found:
        def retrieve(
            self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
        ) -> list[list[Hit]]:
            return [[Hit(other, 1.0, 1)] for _ in questions]

    concept = Concept(ASKED["air"], own.id, own.source.document, "A sentence of that patient.")
    save_book(ConceptBook((concept,)), tmp_path / "book.json")
    made = ConceptsRetriever(
        rows=index.rows, book=tmp_path / "book.json", encoder=DescriptorEncoder(),
        heads=fixed_heads(tmp_path, {"air": 0.9}), retriever=Found(),
    )  # fmt: skip
    question, out = Question("", (picture,)), Filter(kinds=frozenset({"report"}))
    (seen,), (hidden,) = made.retrieve([question] * 2, 3, [Filter(), out])
    assert (seen.passage.id, "that patient" in seen.summary) == (own.id, True)
    assert (hidden.passage.id, "that patient" in hidden.summary) == (other.id, False)


def test_what_a_retriever_within_did_and_took_is_passed_on(
    index: Index, picture: ImageRef, tmp_path: Path
) -> None:
    class Asking:
        repeatable = False

        def retrieve_traced(
            self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
        ) -> list[Retrieved]:
            hits = (Hit(index.passages[0], 1.0, 1),)
            return [Retrieved(hits, ({"step": "within"},), Usage(3, 1)) for _ in questions]

        def retrieve(
            self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
        ) -> list[list[Hit]]:
            return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    save_book(ConceptBook((Concept(ASKED["air"]),)), tmp_path / "book.json")
    made = ConceptsRetriever(
        rows=index.rows, book=tmp_path / "book.json", encoder=DescriptorEncoder(),
        heads=fixed_heads(tmp_path, {"air": 0.9}), retriever=Asking(),
    )  # fmt: skip
    (found,) = made.retrieve_traced([Question("", (picture,))], 3, [Filter()])
    assert [step["step"] for step in found.trace] == ["concepts", "within"]
    assert found.usage == Usage(3, 1)
    assert not made.repeatable


def test_heads_of_other_concepts_are_refused(index: Index, tmp_path: Path) -> None:
    save_book(ConceptBook((Concept("Is it another?"),)), tmp_path / "book.json")
    heads = fixed_heads(tmp_path, {"air": 0.9})
    with pytest.raises(RecipeError, match="lacks 1 concepts of the heads"):
        ConceptsRetriever(
            rows=index.rows, book=tmp_path / "book.json", encoder=DescriptorEncoder(), heads=heads
        )


@pytest.mark.parametrize(
    ("probability", "words"), [(0.1, "no"), (0.3, "rather no"), (0.7, "likely"), (0.99, "yes")]
)
def test_a_question_that_names_no_thing_is_answered_in_words(
    probability: float, words: str
) -> None:
    concept = Concept("Is the heart wide?", statement="the heart wide: yes")
    assert f"Is the heart wide? {words}." in told_of(concept, probability)


def test_a_recipe_answers_by_concepts(index: Index, tmp_path: Path, picture: ImageRef) -> None:
    save_book(ConceptBook(tuple(concepts(index))), tmp_path / "book.json")
    fixed_heads(tmp_path, PROBABILITIES)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "retrieve: {kind: concepts, book: book.json, heads: heads.npz, "
        "encoder: {kind: descriptor}}\n"
        "answer: {kind: one_pass, generator: {kind: extractive}}\n",
        encoding="utf-8",
    )
    answer = load_pipeline(recipe, index=index).answer(Question("Is there air?", (picture,)))
    assert answer.trace[0]["step"] == "concepts"
    assert any("Asked of the picture: Is there air?" in str(part) for part in answer.prompt)


class SaysSo:
    """Reads yes where a report holds the last word of the question."""

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        return ["yes" if "fluid is seen" in each else "no" for each in prompts]


def test_heads_are_fitted_on_pictures_and_what_their_reports_say(tmp_path: Path) -> None:
    rows = []
    for number in range(240):
        wet = number % 2 == 0
        noise = np.random.default_rng(number).integers(0, 40, (48, 48), dtype=np.uint8)
        pixels = noise + np.uint8(180 if wet else 0)
        # Wet pictures are bright below: the descriptor sees an edge.
        pixels[:24] = noise[:24]
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        said = "Some fluid is seen." if wet else "The lungs are clear."
        rows.append({"findings": said, "image": f"{number}.png", "study_id": f"s{number}"})
    (tmp_path / "reports.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    index = build_index(tmp_path / "index", sources=[tmp_path / "reports.jsonl"])
    asked = [Concept("Is there fluid?")]
    channel = index.channels["image"]
    read = labelled(index.rows, channel, asked, Annotator(judge=SaysSo()))  # type: ignore[arg-type]
    assert read.labels.sum() == 120
    heads = fitted_heads(read, asked, encoder="e")
    assert heads.accuracy[0] == 1.0


def test_an_index_without_reports_cannot_fit_heads(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# A\n\nNo report.\n", encoding="utf-8")
    Image.linear_gradient("L").save(tmp_path / "a.png")
    mine = build_index(tmp_path / "index", sources=[tmp_path / "notes.md", tmp_path / "a.png"])
    with pytest.raises(MedragError, match="none of 0 passages"):
        labelled(mine.rows, mine.channels["image"], [], Annotator(judge=SaysSo()))  # type: ignore[arg-type]


def test_only_reports_that_speak_of_a_concept_are_read(tmp_path: Path) -> None:
    class Counting(SaysSo):
        n_read = 0

        def judge(self, prompts: Sequence[str]) -> list[str | None]:
            self.n_read += len(prompts)
            return super().judge(prompts)

    for number in range(6):
        Image.new("L", (16, 16), 40 * number).save(tmp_path / f"{number}.png")
    rows = [
        {"findings": "Some fluid is seen." if n < 2 else "Bones.", "image": f"{n}.png"}
        for n in range(6)
    ]
    (tmp_path / "reports.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    index = build_index(tmp_path / "index", sources=[tmp_path / "reports.jsonl"])
    judge = Counting()
    read = labelled(
        index.rows, index.channels["image"], [Concept("Is there fluid?")],  # type: ignore[arg-type]
        Annotator(judge=judge), texts_encoder=Words(), most=2,
    )  # fmt: skip
    assert judge.n_read == 2
    assert np.nansum(read.labels) == 2
    assert np.isnan(read.labels).sum() == 4


class Words:
    """Texts by whether they speak of fluid."""

    name, normalised = "words", True

    def encode_questions(self, questions: Sequence[Question], side: str) -> Embeddings:
        told = [[float("fluid" in q.text), float("fluid" not in q.text)] for q in questions]
        return Embeddings(np.array(told, dtype=np.float32), np.ones(len(told), dtype=np.int32))
