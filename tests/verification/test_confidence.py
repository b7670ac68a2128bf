"""Signals of an answer: what each says, and that one which is not known is never a number."""

from dataclasses import replace
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Answer, Claim, Generation, Hit, Question, Selection
from medrag.verification.confidence import agreement, margin, signals, signals_of, support
from tests.verification.made import passage

DISEASES = ("Gout", "Type 1 diabetes", "Type 1")


def answer(text: str = "Gout. [1]", *, options: tuple[str, ...] = ()) -> Answer:
    return Answer(Question("What is it?", options=options), text)


def kept(*scores: float) -> tuple[Hit, ...]:
    return tuple(
        Hit(passage("words", f"p{rank}"), score, rank) for rank, score in enumerate(scores, start=1)
    )


def agrees(text: str, sample: str, options: tuple[str, ...] = ()) -> bool:
    given = answer(text, options=options)
    return agreement(given, Generation(text), [Generation(sample)]) == 1


def test_an_answer_of_which_nothing_is_known_has_no_signal() -> None:
    assert signals(answer(), Generation("Gout. [1]"), []) == {}


def test_token_probability_is_the_geometric_mean_over_the_tokens() -> None:
    # the root of 0.5 * 0.125 is 0.25
    generation = Generation("Gout", log_probabilities=(log(0.5), log(0.125)))
    assert signals(answer(), generation)["token_probability"] == pytest.approx(0.25)


@pytest.mark.parametrize("given", [None, (), (float("nan"), -1.0)])
def test_a_probability_that_is_not_known_is_left_out(given: tuple[float, ...] | None) -> None:
    assert "token_probability" not in signals(answer(), Generation("x", log_probabilities=given))


def test_option_probability_is_among_the_options_alone() -> None:
    # 0.2 and 0.3 of all texts are 0.4 and 0.6 of the two options
    generation = Generation("B", option_scores=(log(0.2), log(0.3)))
    assert signals(answer(), generation)["option_probability"] == pytest.approx(0.6)
    assert "option_probability" not in signals(answer(), Generation("A", option_scores=(-1.0,)))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ((0.9, 0.6), 0.2),  # 0.3 of 1.5
        ((0.6, 0.9, 0.1), 0.2),  # in any order
        ((0.5, 0.5), 0.0),
        ((0.0, 0.0), 0.0),
        ((0.5, 0.0), 1.0),
        ((-1.0, -3.0), 0.5),  # 2 of 4
        ((1.0, -1.0), 1.0),
        ((1e308, 1e308), 0.0),
        ((0.9,), None),
        ((), None),
        ((float("nan"), 0.5), None),
    ],
)
def test_margin_by_hand(scores: tuple[float, ...], expected: float | None) -> None:
    assert margin(kept(*scores)) == (None if expected is None else pytest.approx(expected))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=5))
def test_margin_lies_between_0_and_1_whatever_the_scores(scores: list[float]) -> None:
    found = margin(kept(*scores))
    assert found is not None
    assert 0 <= found <= 1


def test_support_leaves_out_claims_that_nobody_checked() -> None:
    states = ("supported", "unsupported", "contradicted", "supported", "unchecked")
    claims = [Claim("x", support=state) for state in states]  # type: ignore[arg-type]
    assert support(claims) == 0.5
    assert support([Claim("x")]) is None
    assert support([]) is None


@pytest.mark.parametrize(
    "sample", ["A", "(a)", "A. Gout [1]", "A Gout", "gout, as urate is high", "The answer is A."]
)
def test_samples_that_choose_the_same_option_agree(sample: str) -> None:
    assert agrees("A. Gout [1]", sample, DISEASES)


@pytest.mark.parametrize("sample", ["B", "Type 1 diabetes", "A small stone", "", "D. Gout?", "No"])
def test_samples_that_choose_another_option_or_none_do_not(sample: str) -> None:
    assert not agrees("A. Gout [1]", sample, DISEASES)


def test_the_longest_option_that_a_reply_begins_with_is_chosen() -> None:
    assert agrees("B. Type 1 diabetes", "Type 1 diabetes is seen", DISEASES)
    assert agrees("C", "Type 1", DISEASES)


@pytest.mark.parametrize(
    ("text", "sample", "same"),
    [
        ("Yes [1].", "yes, there is fluid", True),
        ("Yes.", "No.", False),
        ("No, the lungs are clear.", "no", True),
        ("Yes.", "Fluid is seen.", False),
        ("There is a pneumothorax.", "A pneumothorax is seen. [2]", True),
        ("There is no pneumothorax.", "There is a pneumothorax.", False),
        ("No pneumothorax.", "No pneumothorax is seen.", True),
        ("A fracture of the left radius.", "The left radius is fractured.", True),
        ("A fracture of the left radius.", "Normal bones.", False),
    ],
)
def test_yes_and_no_agree_by_word_and_open_answers_by_what_they_say_and_deny(
    text: str, sample: str, same: bool
) -> None:
    assert agrees(text, sample) is same


def test_agreement_is_the_share_of_further_samples() -> None:
    first = Generation("Yes.")
    samples = [first, Generation("Yes!"), Generation("No."), Generation("Yes", abstained=True)]
    # yes, no, and one that abstains: the first is not counted
    assert agreement(answer(), first, samples) == pytest.approx(1 / 3)
    assert agreement(answer(), first, [first]) is None
    assert agreement(answer(""), None, samples) is None


def test_the_generators_own_confidence_is_taken_over_that_of_the_answer() -> None:
    sure = replace(answer(), confidence=0.9)
    assert signals(sure, Generation("x", confidence=0.4))["confidence"] == 0.4
    assert "confidence" not in signals(sure, Generation("x"))
    assert signals(sure)["confidence"] == 0.9


def test_an_answer_read_back_brings_its_signals_or_those_it_can_tell() -> None:
    hits = Selection(kept(0.9, 0.6))
    bare = replace(answer(), selection=hits, confidence=0.7)
    assert signals_of(bare) == {"margin": pytest.approx(0.2), "confidence": 0.7}
    told = replace(bare, signals={"margin": 0.1, "support": float("nan"), "agreement": 1.5})
    assert signals_of(told) == {"margin": 0.1, "agreement": 1.0}


@given(st.text(max_size=60), st.text(max_size=60), st.booleans())
def test_any_texts_can_be_compared_and_equal_ones_that_say_something_agree(
    first: str, second: str, has_options: bool
) -> None:
    options = DISEASES if has_options else ()
    given = answer(first, options=options)
    found = agreement(given, Generation(first), [Generation(second)])
    assert found in (None, 0.0, 1.0)
