import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.prompting.templates import build_prompt
from medrag.records import Filter, Question, Selection
from medrag.retrieval.graph.attributes import (
    ATTRIBUTES,
    visual_attributes,
    with_attributes,
)
from medrag.retrieval.graph.findings import AttributesRetriever
from tests.retrieval.graph.made import Given, Scored, Shelf, by_name, made

NODULE = "A rounded opacity, well or poorly defined, measuring up to 3 cm in diameter in the lung."


def test_what_can_be_seen_is_read_out_of_a_definition() -> None:
    assert visual_attributes([NODULE]) == {
        "shape": ("rounded",),
        "margin": ("poorly defined",),
        "density": ("opacity",),
        "size": ("up to 3 cm",),
        "location": ("lung",),
    }


def test_a_place_is_read_with_its_side() -> None:
    found = visual_attributes(["Fluid collects in the posterior costophrenic angle."])
    assert found == {"location": ("posterior costophrenic angle",)}


def test_the_size_of_an_organ_is_not_that_of_a_finding() -> None:
    assert "size" not in visual_attributes(["It lies in the small intestine, near large vessels."])
    assert visual_attributes(["A small, rounded nodule."])["size"] == ("small",)


def test_what_is_denied_is_not_told() -> None:
    assert visual_attributes(["There is no calcification."]) == {}


def test_what_more_texts_tell_comes_first() -> None:
    found = visual_attributes(["It is oval and oval and oval.", "It is linear.", "A linear band."])
    assert found["shape"] == ("linear", "oval")


def test_a_definition_is_followed_by_its_attributes() -> None:
    told = with_attributes("fluid in a space.", {"shape": ("crescent", "meniscus")})
    assert told == "fluid in a space; shape: crescent, meniscus"


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_text_gives_known_attributes_in_order(texts: list[str]) -> None:
    found = visual_attributes(texts)
    assert list(found) == [name for name in ATTRIBUTES if name in found]
    folded = [" ".join(text.casefold().split()) for text in texts]
    told = [value for values in found.values() for value in values]
    assert all(any(value in text for text in folded) for value in told)


TERM = made(0, "term", "pulmonary nodule.", name="pulmonary nodule", synonyms=["lung nodule"],
            definition=NODULE)  # fmt: skip
SHELF = Shelf(TERM, made(1, "term", "asthma.", name="asthma", definition="narrow airways"))
TEXTS = Given(
    (made(10, "text", "A lung nodule is spiculated at times. Asthma is a disease."), 0.9),
    (made(11, "text", "Nodules of the skin are round."), 0.8),
    (made(12, "text", "A pulmonary nodule was first described long ago."), 0.7),
)


def test_a_finding_is_described_by_its_term_and_by_texts_that_say_how_it_looks() -> None:
    retriever = AttributesRetriever(rows=SHELF, graph=Scored(SHELF, by_name), texts=TEXTS)
    (hits,) = retriever.retrieve([Question("Where is the lung nodule?")], 10, [Filter()])
    assert [hit.passage.id for hit in hits] == ["p0", "p10"]
    assert hits[0].passage.text == TERM.text
    assert hits[0].passage.fields["name"] == "pulmonary nodule"
    assert hits[0].passage.fields["definition"] == (
        f"{NODULE[:-1]}; shape: rounded; margin: poorly defined; density: opacity; "
        "size: up to 3 cm; location: lung"
    )
    assert hits[1].passage.fields["attributes"] == {"margin": ["spiculated"]}


def test_without_a_graph_the_text_of_the_question_is_the_finding() -> None:
    retriever = AttributesRetriever(rows=SHELF, texts=TEXTS)
    (found,) = retriever.retrieve_traced([Question("lung nodule")], 10, [Filter()])
    assert [hit.passage.id for hit in found.hits] == ["p10"]
    assert found.trace[-1]["attributes"] == {"margin": ["spiculated"]}


def test_a_grounding_prompt_says_what_the_finding_means() -> None:
    retriever = AttributesRetriever(rows=SHELF, graph=Scored(SHELF, by_name), texts=TEXTS)
    question = Question("lung nodule")
    (hits,) = retriever.retrieve([question], 10, [Filter()])
    prompt = build_prompt(question, Selection(tuple(hits)), template="grounding")
    assert "pulmonary nodule means A rounded opacity" in "".join(map(str, prompt.parts))
    assert "shape: rounded" in "".join(map(str, prompt.parts))


def test_texts_of_other_findings_are_no_description() -> None:
    retriever = AttributesRetriever(rows=SHELF, texts=Given((TEXTS.scored[1][0], 1.0)))
    assert retriever.retrieve([Question("lung nodule")], 10, [Filter()]) == [[]]


def test_there_must_be_something_to_read() -> None:
    with pytest.raises(ValueError, match="need a graph or texts"):
        AttributesRetriever(rows=SHELF)
