import pytest

from medrag.generation.extractive import ExtractiveGenerator
from medrag.prompting.templates import build_prompt
from medrag.records import Generation, Hit, ImageRef, Part, Passage, Question, Selection, Source

PICTURE = ImageRef(path="/pictures/chest.png", sha256="0" * 64)


def case(question: str, answer: str, close: float | None, picture: str = "a") -> Hit:
    text = f"Question: {question}\nAnswer: {answer}"
    fields = {"question": question, "answer": answer}
    image = ImageRef(path=f"{picture}.png", sha256=picture * 64)
    passage = Passage(text + picture, "case", text, Source("c", "d", "0"), (image,), fields)
    return Hit(passage, 1.0, 1, parts={} if close is None else {"image": Part(1, close)})


def answer(text: str, *hits: Hit) -> Generation:
    question = Question(text=text, images=(PICTURE,))
    return ExtractiveGenerator().generate([build_prompt(question, Selection(hits))])[0]


def test_the_vote_of_a_case_weighs_by_how_near_its_picture_is() -> None:
    asked = "Is the heart enlarged?"
    far = [case(asked, "yes", 0.85, name) for name in "bcd"]
    # 0.97 ** 32 = 0.38; 3 * 0.85 ** 32 = 0.02
    assert answer(asked, *far, case(asked, "no", 0.97)).text.startswith("No [4].")


def test_equal_cases_of_several_pictures_vote_each_and_are_quoted_once() -> None:
    asked = "Is the heart enlarged?"
    hits = [
        case(asked, "yes", 0.9, "a"),
        case(asked, "yes", 0.9, "b"),
        case(asked, "no", 0.91, "c"),
    ]
    # 2 * 0.9 ** 32 = 0.069; 0.91 ** 32 = 0.049
    assert answer(asked, *hits).text == (
        "Yes [1, 2]. In a similar case, “Is the heart enlarged?” was answered “yes” [1, 2]."
    )


def test_a_case_that_was_asked_something_else_has_no_vote() -> None:
    hit = case("Is there a fracture of the left clavicle?", "yes", 0.99)
    assert answer("Is the heart enlarged?", hit).abstained


def test_what_stands_with_no_picture_says_nothing_of_one() -> None:
    report = Passage("r", "report", "The heart is enlarged.", Source("c", "d", "0"))
    other = case("Is there a fracture?", "no", 0.9)
    assert answer("Is the heart enlarged?", Hit(report, 1.0, 1), other).abstained


def test_an_open_question_is_answered_by_cases_with_an_open_answer() -> None:
    text = answer(
        "What organ system is shown?",
        case("Is an organ system shown?", "yes", 0.99),
        case("What organ system is shown?", "chest", 0.80, "b"),
        case("What organ system is imaged?", "brain", 0.97, "c"),
    ).text
    assert text == "In a similar case, “What organ system is imaged?” was answered “brain” [3]."


@pytest.mark.parametrize("words", ["", "What does this image show?"])
def test_a_picture_alone_is_answered_by_each_of_the_nearest_pictures_once(words: str) -> None:
    text = answer(
        words,
        case("Is it so?", "yes", 0.9, "a"),
        case("What organ is this?", "brain", 0.9, "a"),
        case("What plane is this?", "axial", 0.95, "b"),
    ).text
    assert text == (
        "The most similar pictures in this library: in a similar case, “What plane is this?” was "
        "answered “axial” [3]; in a similar case, “What organ is this?” was answered “brain” [2]."
    )


def test_a_case_whose_picture_is_of_something_else_is_no_evidence() -> None:
    asked = "Is there a pneumothorax?"
    assert answer(asked, case(asked, "no", 0.72)).abstained
    assert answer(asked, case(asked, "no", 0.95)).text.startswith("No [1].")


def test_a_picture_that_is_like_none_gets_no_answer() -> None:
    assert answer("", case("What organ is this?", "brain", 0.72)).abstained
