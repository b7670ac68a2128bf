"""What an answer is read as, kind by kind."""

import pytest

from medrag.evaluation.parsed import Abstained, Boxes, Letters, Number, Text, Unparsed, YesNo
from medrag.evaluation.parsing import parse_answer, shown
from medrag.records import AnswerKind, Item, Question

OPTIONS = ("pneumonia", "lung cancer", "pleural effusion", "normal heart")
QUESTION = "Is there a fracture?"


def item(kind: AnswerKind, *, language: str = "en", options: tuple[str, ...] = OPTIONS) -> Item:
    return Item("1", Question(QUESTION, options=options), kind=kind, language=language)


def read(text: str, kind: AnswerKind, **more: str) -> object:
    return parse_answer(text, item(kind, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes", True), ("no.", False), ("Yes, there is no shift.", True), ("NO", False),
        ("The answer is yes.", True), ("**Answer:** No", False), ("There is no fracture.", False),
        ("No evidence of fracture [1].", False), ("Is there a fracture? No.", False),
        ("The image is a wrist film. Yes.", True), ("Yes or no: no", False), ("true", True),
        ("The fracture is not seen.", False), ("A fracture is present.", True),
        ("Not present.", False), ("It does not.", False), ("There is a fracture.", True),
        ("No doubt there is a fracture.", True), ("\\boxed{\\text{Yes}}", True),
        ("Yes, and no other bone is broken.", True), ("Fracture absent.", False),
        ("I'm sorry, I can't help. The answer is no.", False),
    ],
)  # fmt: skip
def test_yes_and_no_are_read_by_whole_words(text: str, value: bool) -> None:
    assert read(text, "yes_no") == YesNo(value)


@pytest.mark.parametrize(
    "text",
    ["The heart is normal.", "A node", "nothing", "It is normal, not node.", "Knot",
     "A pacemaker is present.", "It would be seen if it were displaced."],
)  # fmt: skip
def test_normal_node_and_not_are_neither_yes_nor_no(text: str) -> None:
    assert read(text, "yes_no") == Unparsed("neither yes nor no")


@pytest.mark.parametrize(
    "text", ["Yes and no", "yes/no", "Yes or no", "Yes. No.", "No. Yes, it is.", "是。不是。"]
)
def test_yes_and_no_together_contradict(text: str) -> None:
    parsed = read(text, "yes_no")
    assert isinstance(parsed, Unparsed)
    assert parsed.reason == "contradictory: yes and no"


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [
        ("是", "zh", True), ("否", "zh", False), ("有骨折。", "zh", True),
        ("没有骨折", "zh", False),
        ("不是", "zh", False), ("图中未见骨折", "zh", False), ("是否有骨折？没有。", "zh", False),
        ("答案：是", "zh", True), ("نعم", "ar", True), ("لا، لا يوجد كسر", "ar", False),
        ("الإجابة هي نعم", "ar", True), ("ليس هناك كسر", "ar", False), ("يوجد كسر", "ar", True),
        ("Nein, kein Bruch.", "de", False), ("Oui", "fr", True), ("Non", "fr", False),
        ("Sí", "es", True), ("Sì", "it", True), ("Não", "pt", False), ("Nee", "nl", False),
    ],
)  # fmt: skip
def test_yes_and_no_are_read_in_other_languages(text: str, language: str, value: bool) -> None:
    assert read(text, "yes_no", language=language) == YesNo(value)


def test_words_of_another_language_do_not_count() -> None:
    assert read("Si la fracture est visible", "yes_no", language="fr") != YesNo(True)


@pytest.mark.parametrize(
    "text",
    ["B", "b", "(B)", "[B]", "B.", "B) text", "B: lung", "B, because of it", "Answer: B",
     "The correct answer is B.", "option B", "Option (B) is right", "I choose B.", "lung cancer",
     "Lung Cancer.", "It shows lung cancer here.", "B lung cancer", "B. lung cancer [1].",
     "\\boxed{B}", "<answer>B</answer>", "<answer>B", "<think>A? C?</think>B", "**B**",
     '{"answer_choice": "B"}', "Answer: A. No, the answer is B", "选B", "答案是B", "乙", "2",
     "ب", "٢",
     "The answer is B because A is wrong", "Ｂ", "Not pneumonia: option B"],
)  # fmt: skip
def test_an_option_is_read_from_its_letter_or_its_text(text: str) -> None:
    assert read(text, "choice") == Letters((1,))


@pytest.mark.parametrize("text", ["A fracture is seen", "a lesion", "I see it", "vitamin", "T2"])
def test_an_article_and_a_pronoun_are_no_letters(text: str) -> None:
    assert read(text, "choice") == Unparsed("no option is named")


@pytest.mark.parametrize("text", ["A", "A.", "A, because", "(A)", "option A is best", "It is A."])
def test_a_letter_a_by_itself_is_one(text: str) -> None:
    assert read(text, "choice") == Letters((0,))


@pytest.mark.parametrize(
    "text", ["A or B", "A and C", "B, C", "Both A and C", "pneumonia or lung cancer", "(A) (C)"]
)
def test_two_options_are_several(text: str) -> None:
    parsed = read(text, "choice")
    assert isinstance(parsed, Unparsed)
    assert parsed.reason.startswith("several options")


def test_a_letter_before_the_text_of_another_option_contradicts() -> None:
    assert read("B. pneumonia", "choice") == Unparsed("contradictory: B, with the text of A")


def test_a_letter_without_an_option_is_refused() -> None:
    assert read("E", "choice") == Unparsed("E is none of the 4 options")


def test_a_question_without_options_cannot_be_chosen_from() -> None:
    parsed = parse_answer("B", item("choice", options=()))
    assert parsed == Unparsed("the question has no options")


def test_the_longest_option_that_stands_in_a_text_is_meant() -> None:
    options = ("lung", "left lung", "liver")
    assert parse_answer("It is the left lung.", item("choice", options=options)) == Letters((1,))


def test_a_number_is_no_letter_where_options_are_numbers() -> None:
    assert parse_answer("2", item("choice", options=("1", "3", "2"))) == Letters((2,))


@pytest.mark.parametrize(
    ("text", "option"), [("Yes, it is.", 0), ("It is not seen. No.", 1), ("b", 1)]
)
def test_options_yes_and_no_are_read_as_yes_and_no(text: str, option: int) -> None:
    assert parse_answer(text, item("choice", options=("Yes", "No"))) == Letters((option,))


def test_an_option_may_say_that_nothing_can_be_told() -> None:
    options = ("yes", "no", "Cannot be determined")
    assert parse_answer("Cannot be determined.", item("choice", options=options)) == Letters((2,))


@pytest.mark.parametrize(
    "text",
    ["A, C and D", "ACD", "(A), (C), (D)", "A C D", "D, C, A", '["A", "C", "D"]', "A; C; D",
     "Answer: A, C, D", "A. pneumonia\nC. pleural effusion\nD. normal heart",
     "pneumonia, pleural effusion and a normal heart"],
)  # fmt: skip
def test_several_options_are_a_set(text: str) -> None:
    assert read(text, "choices") == Letters((0, 2, 3))


def test_none_of_the_options_is_an_empty_set() -> None:
    assert read("None of the above", "choices") == Letters(())


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("3", 3, ""), ("12.5 mm", 12.5, "mm"), ("12,5 mm", 12.5, "mm"), ("1,234", 1234, ""),
        ("1,234.5", 1234.5, ""), ("1.234,5", 1234.5, ""), ("12 000 cells", 12000, ""),
        ("-4.5", -4.5, ""), ("−4", -4, ""), ("100%", 100, "%"), ("1e3", 1000, ""),
        ("twenty-one", 21, ""), ("two hundred and five", 205, ""), ("two cm", 2, "cm"),
        ("zero", 0, ""), ("None", 0, ""), ("No lesions.", 0, ""), ("There are 3 [1].", 3, ""),
        ("3 lesions, the largest 2 cm", 3, ""), ("The largest one is 3 cm.", 3, "cm"),
        ("The answer is 7", 7, ""), ("三", 3, ""), ("十二个", 12, ""), ("一百二十三", 123, ""),
        ("٣٫٥ مم", 3.5, "مم"), ("ثلاثة", 3, ""), ("about 5mm", 5, "mm"), ("１２", 12, ""),
        ("1.2 centimeters", 1.2, "centimeters"), ("12 MM", 12, "MM"), ("5mm2", 5, "mm2"),
        ("two inches", 2, "inches"), ("3 in the left lung", 3, ""), ("3 in.", 3, "in"),
        ("4 lesions", 4, ""), ("120 mm Hg", 120, "mm Hg"), ("30-degrees", 30, "degrees"),
    ],
)  # fmt: skip
def test_a_number_is_read_with_its_unit(text: str, value: float, unit: str) -> None:
    assert read(text, "number") == Number(value, unit)


def test_a_comma_is_a_decimal_comma_where_the_language_has_it() -> None:
    assert read("1,234 mm", "number", language="de") == Number(1.234, "mm")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3-5 mm", "a range"), ("between 3 and 5", "a range"), ("3 ± 1", "a range"),
        ("one or two", "a range"), ("1/2", "a fraction"), ("½", "a fraction"),
        ("1.2 x 10^3", "a power of ten"), ("T2", "no number"), ("2nd", "no number"),
        ("There are 3 here and 2 there", "several numbers: 3, 2"), ("many", "no number"),
    ],
)  # fmt: skip
def test_what_is_no_single_number_says_why(text: str, reason: str) -> None:
    assert read(text, "number") == Unparsed(reason)


@pytest.mark.parametrize(
    "text",
    ["[[1, 2, 3, 4]]", "[1, 2, 3, 4]", "<box>1, 2, 3, 4</box>", "<box>[1,2,3,4]</box>",
     "<box>(1,2),(3,4)</box>", "(1, 2), (3, 4)", '{"bbox_2d": [1, 2, 3, 4], "label": "lung"}',
     'The box is [{"box": [1, 2, 3, 4]}].', "```json\n[1, 2, 3, 4]\n```", "<box>1 2 3 4</box>",
     '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}', '{"x": 1, "y": 2, "w": 2, "h": 2}',
     "At [1,2,3,4] [1]"],
)  # fmt: skip
def test_a_box_is_read_in_every_form(text: str) -> None:
    assert read(text, "boxes") == Boxes(((1.0, 2.0, 3.0, 4.0),))


@pytest.mark.parametrize("text", ["[]", "[ ]", '{"boxes": []}', "```json\n[]\n```", "There: [[]]"])
def test_an_empty_list_says_that_there_is_no_box(text: str) -> None:
    assert read(text, "boxes") == Boxes(())


def test_boxes_keep_their_order() -> None:
    assert read("[[5,6,7,8],[1,2,3,4]]", "boxes") == Boxes(((5, 6, 7, 8), (1, 2, 3, 4)))


@pytest.mark.parametrize(
    "text", ["no box", "[1, 2, 3]", "[1, 2, 3, NaN]", "[" * 5000, "[true,1,2,3]"]
)
def test_what_is_no_box_is_unparsed(text: str) -> None:
    assert read(text, "boxes") == Unparsed("no box")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pneumonia", "pneumonia"), ("The answer is pneumonia [1].", "pneumonia."),
        ("<think>liver?</think>left lung\nExplanation: it is dark", "left lung"),
        ("**left** lung [1] [2-3]", "left lung"), ("\\boxed{left lung}", "left lung"),
        ("I cannot tell. Answer: liver", "liver"), ("答案：肝脏", "肝脏"),
    ],
)  # fmt: skip
def test_an_open_answer_is_its_words(text: str, said: str) -> None:
    assert read(text, "text") == Text(said)


def test_a_report_is_kept_whole() -> None:
    text = "Findings: the answer is clear lungs.\nExplanation: none"
    assert read(text, "report") == Text(text)


@pytest.mark.parametrize(
    "text",
    ["No evidence found in this library.", "I cannot determine this.", "I'm sorry, I can't help.",
     "I am unable to answer.", "I don't know", "There is not enough information.",
     "It cannot be determined.", "无法确定", "抱歉，我不知道", "لا أستطيع تحديد ذلك",
     "Ich weiß es nicht", "Je ne sais pas", "No puedo determinar esto", "Non posso rispondere",
     "Não sei", "Ik weet het niet"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["yes_no", "choice", "number", "text", "boxes"])
def test_an_answer_that_declines_abstains(text: str, kind: AnswerKind) -> None:
    assert isinstance(read(text, kind), Abstained)


@pytest.mark.parametrize(
    ("text", "kind", "parsed"),
    [
        ("I cannot be certain, but I am not able to say no. Answer: yes", "yes_no", YesNo(True)),
        ("B. I'm not sure", "choice", Letters((1,))),
        ("Yes. I cannot determine the size.", "yes_no", YesNo(True)),
        ("I cannot tell exactly, but 3 nodules", "number", Number(3.0)),
        ("SIADH means inappropriate ADH. Yes.", "yes_no", YesNo(True)),
    ],
)
def test_an_answer_that_declines_and_decides_has_decided(
    text: str, kind: AnswerKind, parsed: object
) -> None:
    assert read(text, kind) == parsed


def test_the_pipeline_says_that_it_abstained() -> None:
    assert parse_answer("Yes.", item("yes_no"), abstained=True) == Abstained("Yes.")


@pytest.mark.parametrize(
    "text", ["", "  \n ", "[1]", "**", ".", "<answer></answer>", "<think>x</think>"]
)
@pytest.mark.parametrize("kind", ["yes_no", "choice", "choices", "number", "text", "report"])
def test_an_empty_answer_says_so(text: str, kind: AnswerKind) -> None:
    assert read(text, kind) == Unparsed("empty answer")


@pytest.mark.parametrize("text", ["<think>yes", "yes <think>or", "<THINKING> no"])
def test_reasoning_that_was_not_closed_is_no_answer(text: str) -> None:
    assert read(text, "yes_no") == Unparsed("reasoning was not closed")


@pytest.mark.parametrize(
    "text",
    ["<think>no <answer>yes", "no</think>yes", "<think>no</think><answer>yes</answer>",
     "<answer>no</answer> <answer>yes</answer>", "yes <think>no</think>", "\\boxed{yes",
     "<think>no</think> \\boxed{yes} <think>no</think>"],
)  # fmt: skip
def test_what_stands_outside_reasoning_counts(text: str) -> None:
    assert read(text, "yes_no") == YesNo(True)


@pytest.mark.parametrize(
    ("parsed", "text"),
    [
        (YesNo(True), "yes"), (Letters((1,)), "B"), (Letters((0, 2)), "A, C"),
        (Letters(()), "none"),
        (Number(12.0, "mm"), "12 mm"), (Boxes(((0, 0, 1, 1),)), "1 box"), (Text("a\n b"), "a b"),
        (Abstained("I don't know"), "abstained: I don't know"), (Abstained(), "abstained"),
        (Unparsed("empty answer"), "unparsed: empty answer"),
    ],
)  # fmt: skip
def test_what_was_read_is_shown_in_a_few_characters(parsed: object, text: str) -> None:
    assert shown(parsed) == text  # type: ignore[arg-type]
