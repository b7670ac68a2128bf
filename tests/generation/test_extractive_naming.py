import pytest

from medrag.generation.extractive import ExtractiveGenerator
from medrag.generation.extractive.compare import sides
from medrag.prompting.templates import build_prompt
from medrag.records import Generation, Hit, Passage, Question, Selection, Source


def fact(head: str, relation: str, tail: str, said: str) -> Passage:
    fields = {"head": head, "relation": relation, "tail": tail}
    return Passage(said, "fact", said, Source("c", "d", "0"), fields=fields)


def term(name: str, text: str, *synonyms: str) -> Passage:
    fields = {"name": name, "synonyms": list(synonyms)}
    return Passage(text, "term", text, Source("c", "d", "0"), fields=fields)


def entry(name: str, meaning: str) -> Passage:
    text = f"{name}: {meaning}"
    return Passage(text, "text", text, Source("c", "d", "0"), fields={"title": name})


def answer(question: Question | str, *passages: Passage) -> Generation:
    asked = Question(text=question) if isinstance(question, str) else question
    hits = tuple(Hit(one, 1 / rank, rank) for rank, one in enumerate(passages, start=1))
    return ExtractiveGenerator().generate([build_prompt(asked, Selection(hits))])[0]


TRICHINOSIS = fact(
    "trichinosis", "has symptom", "myocarditis", "trichinosis has symptom myocarditis."
)
MYOCARDITIS = fact(
    "myocarditis", "has symptom", "inflammation", "myocarditis has symptom inflammation."
)
LISTED = term("myocarditis", "myocarditis. Symptom of: trichinosis.")


def test_a_fact_answers_for_its_head_and_not_for_its_tail() -> None:
    text = answer("What are the symptoms of myocarditis?", TRICHINOSIS, LISTED, MYOCARDITIS).text
    assert text == "Myocarditis has symptom inflammation [3]."


def test_a_question_for_heads_is_answered_from_the_other_end() -> None:
    text = answer("Which diseases have myocarditis as a symptom?", MYOCARDITIS, TRICHINOSIS).text
    assert text == "Trichinosis has symptom myocarditis [2]."


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("Is angiosarcoma a kind of sarcoma?", "Yes"),
        ("Is angiosarcoma a sarcoma?", "Yes"),
        ("Is sarcoma a kind of angiosarcoma?", None),
        ("Is a breast angiosarcoma a sarcoma?", None),
    ],
)
def test_what_is_a_kind_of_what_has_a_direction(question: str, word: str | None) -> None:
    stated = fact("angiosarcoma", "is_a", "sarcoma", "angiosarcoma is a sarcoma.")
    generation = answer(question, stated)
    assert generation.abstained if word is None else generation.text.startswith(f"{word} [1].")


def test_a_fact_of_something_narrower_says_nothing_of_the_broader() -> None:
    narrower = fact(
        "breast angiosarcoma", "is_a", "carcinoma", "breast angiosarcoma is a carcinoma."
    )
    assert answer("Is angiosarcoma a carcinoma?", narrower).abstained


def test_a_cell_type_cancer_is_a_cancer() -> None:
    stated = fact("melanoma", "is_a", "cell type cancer", "melanoma is a cell type cancer.")
    assert answer("Is melanoma a cancer?", stated).text.startswith("Yes [1].")


def test_a_definition_comes_before_synonyms_and_before_what_is_narrower() -> None:
    narrower = term("breast angiosarcoma", "breast angiosarcoma. An angiosarcoma of the breast.")
    own = term("angiosarcoma", "angiosarcoma. A tumor of vessels. Synonyms: hemangiosarcoma.")
    text = answer("What is angiosarcoma?", narrower, own).text
    assert text.startswith("Angiosarcoma: A tumor of vessels [2].")
    assert "breast" not in text


def test_another_name_is_asked_for_by_its_heading() -> None:
    own = term(
        "angiosarcoma",
        "angiosarcoma. A tumor of vessels. Synonyms: hemangiosarcoma.",
        "hemangiosarcoma",
    )
    text = answer("What is another name for angiosarcoma?", own).text
    assert text.startswith("Angiosarcoma, synonyms: hemangiosarcoma [1].")


def test_what_lies_in_a_place_does_not_tell_where_the_place_is() -> None:
    tumour = term("pancreatic cystadenoma", "pancreatic cystadenoma. Is located in: pancreas.")
    assert answer("Where is the pancreas located?", tumour).abstained


def test_a_sentence_of_the_kind_asked_for_need_not_repeat_the_asking_word() -> None:
    own = term("retinoblastoma", "retinoblastoma. A cancer that derives from the retina.")
    assert answer("Where is a retinoblastoma located?", own).text == (
        "Retinoblastoma: A cancer that derives from the retina [1]."
    )


def test_a_passage_that_holds_half_of_a_question_is_about_something_else() -> None:
    moon = term("Laurence-Moon syndrome", "Laurence-Moon syndrome. Kind of: syndrome.")
    planet = entry("gravity", "what holds bodies on the surface of a planet")
    assert answer("Which planet has the most moons?", moon, planet).abstained


@pytest.mark.parametrize(
    ("question", "both"),
    [
        ("What is the difference between CT and MRI?", ("CT", "MRI")),
        ("How do anatomy and physiology differ?", ("anatomy", "physiology")),
        ("How does an artery differ from a vein?", ("an artery", "a vein")),
        ("Compare bone with cartilage.", ("bone", "cartilage")),
        ("What is CT?", None),
    ],
)
def test_a_question_for_a_difference_names_two_sides(
    question: str, both: tuple[str, str] | None
) -> None:
    assert sides(question) == both


def test_a_difference_is_told_by_a_contrast() -> None:
    text = "Anatomy is old. Whereas anatomy is about structure, physiology is about function."
    book = Passage("b", "text", text, Source("c", "d", "0"))
    assert answer("How do anatomy and physiology differ?", book).text.startswith(
        "Whereas anatomy is about structure, physiology is about function [1]."
    )


def test_without_a_contrast_a_difference_is_told_by_what_each_side_is() -> None:
    ct = entry("computed tomography (CT)", "imaging in which sections are made by X-rays")
    mri = entry("magnetic resonance imaging (MRI)", "imaging in which a magnetic field is used")
    text = answer("What is the difference between CT and MRI?", mri, ct).text
    assert text.startswith("Computed tomography (CT): imaging in which sections")
    assert "Magnetic resonance imaging (MRI): imaging in which a magnetic field is used [1]" in text


def test_the_reason_for_an_option_is_about_that_option() -> None:
    passages = (
        entry("dermis", "layer of skin below the epidermis that holds blood vessels"),
        entry("epidermis", "layer of skin without blood vessels"),
    )
    question = Question(
        text="Which layer of the skin lacks blood vessels?", options=("epidermis", "fascia")
    )
    assert answer(question, *passages).text == (
        "A. epidermis [2].\nEpidermis: layer of skin without blood vessels [2]."
    )
