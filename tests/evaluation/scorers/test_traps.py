"""The traps of the three classic sets, in corrected mode."""

import time

import pytest

from medrag.evaluation.benchmarks.card import PROTOCOLS as KNOWN_TO_CARDS
from medrag.evaluation.scorers import PROTOCOLS, scoring_protocol
from medrag.evaluation.scorers.nearest import nearest
from medrag.evaluation.scorers.words import vqa_normalised
from tests.evaluation.scorers.made import SaysAlways, made

LLAVA = scoring_protocol("llava_med")
EXACT = scoring_protocol("exact")


def closed(answer: str, reference: str, **item: object) -> float:
    [values] = LLAVA.score([made(answer, reference, kind="yes_no", **item)])  # type: ignore[arg-type]
    return values["closed_accuracy"]


@pytest.mark.parametrize("answer", ["The heart is normal.", "A node is seen.", "Nothing.", "Know"])
def test_letters_of_no_inside_a_word_are_not_a_no(answer: str) -> None:
    assert closed(answer, "no", question="Is there cardiomegaly?") == 0.0


def test_an_empty_answer_is_not_right_and_not_parsed() -> None:
    [values] = EXACT.score([made("", "no", kind="yes_no")])
    assert values == {
        "accuracy": 0.0, "parsed": 0.0, "answered": 1.0, "accuracy_of_answered": 0.0,
    }  # fmt: skip


def test_an_abstention_is_parsed_but_not_answered() -> None:
    [values] = EXACT.score([made("No evidence found in this library.", "no", kind="yes_no")])
    assert values == {
        "accuracy": 0.0, "parsed": 1.0, "answered": 0.0, "accuracy_of_parsed": 0.0,
    }  # fmt: skip


def test_the_sentence_that_decides_counts_wherever_it_stands() -> None:
    assert closed("The image is a chest film. No, there is no effusion. It is clear.", "no") == 1.0


@pytest.mark.parametrize(
    ("answer", "right"),
    [("left", 1.0), ("On the left side.", 1.0), ("right", 0.0), ("left or right", 0.0), ("", 0.0)],
)
def test_a_closed_reference_need_not_be_yes_or_no(answer: str, right: float) -> None:
    case = made(answer, "left", closed=True, question="Is it on the left or the right?")
    for name in ("llava_med", "closed_only", "exact"):
        assert scoring_protocol(name).score([case])[0].get("closed_accuracy", right) == right


@pytest.mark.parametrize(
    ("answer", "reference", "language"),
    [("是的", "是", "zh"), ("没有骨折", "没有", "zh"), ("نعم", "yes", "ar"), ("لا", "no", "ar")],
)
def test_chinese_and_arabic_say_yes_and_no(answer: str, reference: str, language: str) -> None:
    assert closed(answer, reference, language=language) == 1.0


def test_a_chinese_answer_shares_signs_with_its_reference() -> None:
    # 肝 and 脏 of five signs: recall 2/2, precision 2/5, F1 4/7
    [values] = LLAVA.score([made("图中是肝脏", "肝脏", language="zh")])
    assert values["open_recall"] == 1.0
    assert values["open_f1"] == pytest.approx(4 / 7)


@pytest.mark.parametrize("answer", ["three", "3", "3.0", "There are three."])
def test_numbers_are_equal_as_words_and_digits(answer: str) -> None:
    [values] = EXACT.score([made(answer, "three", kind="number")])
    assert values["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("1.2 cm", 1.0),
        ("12", 1.0),
        ("12 mm", 1.0),
        ("12 cm", 0.0),
        ("12 kg", 0.0),
        ("1.2 centimeters", 1.0),
        ("1.2 centimetres", 1.0),
        ("12 MM", 1.0),
        ("1.2 厘米", 1.0),
        ("12000 µm", 1.0),
        ("12 HU", 0.0),
    ],
)
def test_lengths_are_compared_in_one_unit(answer: str, right: float) -> None:
    [values] = EXACT.score([made(answer, "12 mm", kind="number")])
    assert values["accuracy"] == right


def test_a_unit_that_nobody_converts_is_the_same_as_itself() -> None:
    cases = [made(answer, "40 HU", kind="number") for answer in ("40 HU", "40 hu", "40 mm")]
    assert [values["accuracy"] for values in EXACT.score(cases)] == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "measure"), [("llava_med", "open_precision"), ("medevalkit_rule", "open_precision")]
)
def test_reasoning_is_no_word_of_an_open_answer_in_any_form(name: str, measure: str) -> None:
    # One word of the answer is "3", and the reference has it.
    case = made("<think>two or five of them</think> 3", "3", kind="number")
    assert scoring_protocol(name).score([case])[0][measure] == 1.0


def test_the_judge_sees_no_reasoning_about_a_number() -> None:
    judge = SaysAlways("<judge>1</judge>")
    case = made("<think>perhaps 3</think> 4", "3", kind="number")
    scoring_protocol("medevalkit_judge", judge=judge).score([case])
    assert "Answer: 4\n" in judge.asked[0]


def test_a_longer_list_keeps_recall_and_lowers_f1() -> None:
    # recall 2/2 in all; F1 2*2/(n+2) for n words
    lists = ["left lung", "left lung liver", "left lung liver heart spleen"]
    values = LLAVA.score([made(words, "left lung") for words in lists])
    assert [each["open_recall"] for each in values] == [1.0, 1.0, 1.0]
    assert [each["open_f1"] for each in values] == pytest.approx([1.0, 4 / 5, 4 / 7])


@pytest.mark.parametrize(
    ("answer", "right"),
    [("<think>no</think>yes", 1.0), ("<think>yes", 0.0), ("<answer>yes", 1.0),
     ("<think>no <answer>yes", 1.0), ("</think>yes", 1.0), ("<think>yes</think>", 0.0)],
)  # fmt: skip
def test_tags_left_open_hide_reasoning_but_not_an_answer(answer: str, right: float) -> None:
    assert closed(answer, "yes") == right


def test_markers_of_citations_are_no_words_of_a_faithful_answer() -> None:
    [values] = scoring_protocol("llava_med", "faithful").score(
        [made("left lung [1] [2-3].", "left lung")]
    )
    assert values["open_precision"] == 1.0


def test_all_options_that_are_right_must_be_chosen_and_no_other() -> None:
    options = ("CT", "MRI", "PET")
    cases = [
        made(each, "CT", "PET", kind="choices", options=options)
        for each in ("A, C", "A", "A, B, C")
    ]
    assert [values["accuracy"] for values in EXACT.score(cases)] == [1.0, 0.0, 0.0]


def test_boxes_are_exact_or_not() -> None:
    # Without a region nothing is there.
    cases = [made(answer, kind="boxes") for answer in ("[1, 2, 3, 4]", "[]", "nothing")]
    assert [values["accuracy"] for values in EXACT.score(cases)] == [0.0, 1.0, 0.0]


def test_kinds_that_a_protocol_does_not_know_give_nothing() -> None:
    report = made("The lungs are clear.", "Clear lungs.", kind="report")
    for name in ("llava_med", "closed_only", "medevalkit_rule", "cares", "prefix", "exact"):
        assert scoring_protocol(name).score([report]) == [{}]


def test_the_prefix_score_needs_scores_of_options() -> None:
    options = ("CT", "MRI")
    cases = [
        made("anything", "MRI", kind="choice", options=options, option_scores=(-2.0, -1.0)),
        made("MRI", "MRI", kind="choice", options=options),
    ]
    protocol = scoring_protocol("prefix")
    values = protocol.score(cases)
    assert values[0] == {"accuracy": 1.0}
    assert values[1]["accuracy"] != values[1]["accuracy"]
    assert protocol.totals(list(zip(cases, values, strict=True))) == {"n_unscored": 1.0}


def test_a_slip_of_the_pen_is_the_nearest_option_and_a_refusal_is_none() -> None:
    options = ("pneumonia", "fracture")
    cases = [
        made(answer, "pneumonia", kind="choice", options=options)
        for answer in ("pnuemonia", "no idea", "I cannot tell if it is pneumonia")
    ]
    values = scoring_protocol("nearest_option").score(cases)
    assert [each["accuracy"] for each in values] == [1.0, 0.0, 0.0]


def test_the_judge_is_not_asked_about_what_rules_decide() -> None:
    judge = SaysAlways("<judge>0</judge>")
    cases = [
        made("The liver.", "liver"), made("", "liver"), made("I don't know.", "liver"),
        made("yes", "no", kind="yes_no"), made("hepar", "liver"),
    ]  # fmt: skip
    values = scoring_protocol("medevalkit_judge", judge=judge).score(cases)
    assert [each["accuracy"] for each in values] == [1.0, 0.0, 0.0, 0.0, 1.0]
    assert len(judge.asked) == 1


def test_a_released_slake_accuracy_can_exceed_one() -> None:
    # One closed answer, right by rule and by judge: (1 + 1) / 1
    judge = SaysAlways("<judge>0</judge>")
    protocol = scoring_protocol("medevalkit_judge", "faithful", judge=judge)
    cases = [made("Yes", "Yes", kind="yes_no", fields={"answer_type": "CLOSED"})]
    totals = protocol.totals(list(zip(cases, protocol.score(cases), strict=True)))
    assert totals["printed_accuracy_slake"] == 2.0


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("The left/right lung", "left right lung"),
        ("two nodules", "2 nodules"),
        ("x-ray - chest", "xray chest"),
        ("dont know.", "don't know"),
        ("1,000 cells; few", "1000 cells few"),
        ("1.5 cm.", "1.5 cm"),
    ],
)
def test_the_released_normaliser_is_known_by_its_behaviour(text: str, normalised: str) -> None:
    assert vqa_normalised(text) == normalised


def test_the_nearest_option_is_that_of_difflib_without_its_shortcuts() -> None:
    from difflib import SequenceMatcher

    options = ["left lower lobe", "right lower lobe", "left upper lobe", "trachea", ""]
    for text in ("lower left lobe", "the right one", "lobe " * 80, "", "TRACHEA", "upper"):
        ratios = [SequenceMatcher(None, option, text).ratio() for option in options]
        assert nearest(options, text) == (ratios.index(max(ratios)), max(ratios))


def test_a_card_may_name_every_protocol() -> None:
    assert KNOWN_TO_CARDS == PROTOCOLS


def test_unknown_names_and_a_missing_judge_are_refused() -> None:
    with pytest.raises(ValueError, match="known are llava_med"):
        scoring_protocol("accuracy")
    with pytest.raises(ValueError, match="faithful, corrected"):
        scoring_protocol("exact", "strict")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="medevalkit_rule"):
        scoring_protocol("medevalkit_judge")
    with pytest.raises(ValueError, match="candidates"):
        scoring_protocol("llava_med", candidates=())


def test_long_answers_are_scored_without_delay() -> None:
    # No limit close to what it takes: a quadratic step would need minutes.
    long = [
        "[" * 100_000,
        " " * 100_000,
        "a " * 50_000,
        "no " * 30_000,
        ": " * 50_000,
        "a. " * 30_000,
    ]
    options = ("lung", "liver", "heart")
    judge = SaysAlways(None)
    cases = [made(text, "lung", kind="choice", options=options) for text in long]
    cases += [made(text, "lung") for text in long]
    cases += [made(text, "no", kind="yes_no") for text in long]
    start = time.monotonic()
    for name in ("llava_med", "medevalkit_judge", "cares", "nearest_option", "exact"):
        for mode in ("faithful", "corrected"):
            scoring_protocol(name, mode, judge=judge).score(cases)
    assert time.monotonic() - start < 60
