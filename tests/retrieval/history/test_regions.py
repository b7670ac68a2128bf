import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Passage, Question, QuestionRegion, Source
from medrag.retrieval.history.anatomy import NAMES, WHOLES, within
from medrag.retrieval.history.regions import Anatomy, Place, told

ANATOMY = Anatomy()
SOURCE = Source("reports", "r.csv", "0")
# The places of Chest ImaGenome, to which sentences of reports are attached.
IMAGENOME = (
    "right lung", "right apical zone", "right upper lung zone", "right mid lung zone",
    "right lower lung zone", "right hilar structures", "left lung", "left apical zone",
    "left upper lung zone", "left mid lung zone", "left lower lung zone", "left hilar structures",
    "right costophrenic angle", "left costophrenic angle", "mediastinum", "upper mediastinum",
    "cardiac silhouette", "trachea", "right hemidiaphragm", "left hemidiaphragm", "right clavicle",
    "left clavicle", "spine", "right atrium", "cavoatrial junction", "svc", "carina",
    "aortic arch", "abdomen",
)  # fmt: skip


def report(text: str, **fields: object) -> Passage:
    return Passage("r", "report", text, SOURCE, fields=fields)


def attached(text: str, *regions: str, **fields: object) -> list[str]:
    return ANATOMY.attached(report(text, **fields), regions)


@pytest.mark.parametrize("region", IMAGENOME)
def test_every_place_of_chest_imagenome_is_known_with_its_side(region: str) -> None:
    (place,) = ANATOMY.places(region)
    side = region.split()[0]
    assert place.side == (side if side in ("left", "right") else None)
    assert told(place) == {"svc": "superior vena cava"}.get(region, region)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("Opacity at the left lung base.", {Place("lower lung zone", "left")}),
        ("RLL pneumonia", {Place("lower lung zone", "right")}),
        ("Retrocardiac opacity", {Place("lower lung zone", "left")}),
        ("Effusion on the right, left lung clear.",
         {Place("costophrenic angle", "right"), Place("lung", "left")}),
        ("Bilateral pleural effusions.", {Place("costophrenic angle")}),
        ("The heart is large.", {Place("cardiac silhouette")}),
        ("Left-sided pneumothorax", {Place("pleura", "left")}),
        ("The right-sided tube is gone, without a residual pneumothorax.",
         {Place("pleura", "right")}),
        ("Chests of tea.", set()),
    ],
)  # fmt: skip
def test_a_sentence_names_parts_with_their_sides(text: str, places: set[Place]) -> None:
    assert set(ANATOMY.places(text)) == places


def test_a_longer_name_is_no_mention_of_the_shorter_one_in_it() -> None:
    assert ANATOMY.places("lung base") == (Place("lower lung zone"),)
    # Words that a full stop parts are no name.
    assert Place("lung") in ANATOMY.places("in the lung; base of the skull")


def test_a_region_is_met_by_what_it_lies_in_and_by_what_lies_in_it() -> None:
    text = "The lungs are clear. The left base is dull. The right apex is free. The liver is large."
    assert attached(text, "left lower lung zone") == [
        "The lungs are clear.",
        "The left base is dull.",
    ]
    assert attached(text, "right lung") == ["The lungs are clear.", "The right apex is free."]


def test_sentences_of_the_other_side_are_left_out() -> None:
    text = "Right pleural effusion. Left pleural effusion. Bilateral effusions. Some effusion."
    found = ["Left pleural effusion.", "Bilateral effusions.", "Some effusion."]
    assert attached(text, "left costophrenic angle") == found


def test_an_indication_is_not_what_was_seen() -> None:
    sections = {"indication": "Left lung?", "findings": "Left lung clear.", "impression": "No rib."}
    text = "INDICATION: Left lung?\nFINDINGS: Left lung clear.\nIMPRESSION: No rib."
    assert attached(text, "left lung", sections=sections) == ["Left lung clear."]


def test_sentences_that_the_report_attaches_itself_come_first() -> None:
    tagged = {"left lung": ["It is unchanged."], "right lung": ["It is worse."]}
    found = attached("Left lung clear.", "left lung", regions=tagged)
    assert found == ["It is unchanged.", "Left lung clear."]


def test_a_region_that_no_list_has_is_met_by_its_words() -> None:
    text = "The cusp of Carabelli is worn. The cusp is whole."
    assert attached(text, "Carabelli cusp") == ["The cusp of Carabelli is worn."]


def test_further_names_may_be_given() -> None:
    anatomy = Anatomy(further={"left lung": ["lingual field"], "molar": ["back tooth"]})
    assert anatomy.places("the back tooth") == (Place("molar"),)
    assert anatomy.attached(report("A back tooth is gone."), ["molar"]) == ["A back tooth is gone."]
    with pytest.raises(ValueError, match="'molar' has a name without a word: '-'"):
        Anatomy(further={"molar": ["-"]})


def test_a_question_names_its_regions_before_its_words_do() -> None:
    words = Question(text="Has the effusion at the left base changed?")
    assert ANATOMY.asked(words) == ("left costophrenic angle", "left lower lung zone")
    region = QuestionRegion(name="spine")
    named = Question(text="Has the effusion changed?", regions=(region, QuestionRegion()))
    assert ANATOMY.asked(named) == ("spine",)
    assert ANATOMY.asked(Question(text="What has changed?")) == ()


def test_parts_lie_in_wholes_that_there_are_and_never_in_themselves() -> None:
    assert {whole for wholes in WHOLES.values() for whole in wholes} <= set(WHOLES)
    assert not any(within(whole, part) for part, wholes in WHOLES.items() for whole in wholes)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found_in_a_sentence(name: str) -> None:
    found = ANATOMY.places(f"We see the {name.upper()}, as said.")
    assert {place.part for place in found} >= {part for part, _ in NAMES[name]}


@given(st.text())
def test_whatever_a_report_says_its_sentences_are_its_own(text: str) -> None:
    assert {place.part for place in ANATOMY.places(text)} <= set(WHOLES)
    assert all(each in text for each in attached(text, "left lung"))
