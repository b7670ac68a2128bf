import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.text_measures import cleaned_report


def test_sentences_are_parted_and_ended_by_a_full_stop() -> None:
    cleaned = cleaned_report("Heart size normal. Lungs are clear, bilaterally.")
    assert cleaned == "heart size normal . lungs are clear bilaterally ."


def test_list_numbers_vanish() -> None:
    text = "1. No effusion. 2. No pneumothorax. 3. Stable."
    assert cleaned_report(text) == "no effusion . no pneumothorax . stable ."


def test_numbers_above_five_are_taken_for_words() -> None:
    assert cleaned_report("Clear. 6. Stable.") == "clear . 6 . stable ."


def test_a_decimal_point_vanishes_as_in_the_released_code() -> None:
    assert cleaned_report("A 1.5 cm nodule.") == "a 15 cm nodule ."


def test_the_hyphen_stays_and_comparison_signs_go_as_in_the_released_code() -> None:
    assert cleaned_report("Follow-up if <5 mm; T=37 @ noon.") == "follow-up if 5 mm t37  noon ."


def test_runs_of_points_shrink_by_half_a_pass() -> None:
    # three passes: 8 points are 4, 2 and then 1
    assert cleaned_report("Clear........ Stable.") == "clear . stable ."


def test_mimic_also_joins_lines_and_blanks() -> None:
    text = "Compared to ___,\n  there is   no change."
    assert cleaned_report(text, dataset="mimic_cxr") == "compared to  there is no change ."
    assert cleaned_report("Dr. ____ was told.", dataset="mimic_cxr") == "dr .  was told ."


def test_rare_words_are_unknown_and_the_start_symbol_takes_a_place() -> None:
    cleaned = cleaned_report(
        "Lungs are hyperexpanded. Clear.", vocabulary={"lungs", "are", "."}, max_tokens=5
    )
    assert cleaned == "lungs are <unk> ."


@pytest.mark.parametrize("arguments", [{"dataset": "chexpert"}, {"max_tokens": 0}])
def test_a_wrong_setting_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        cleaned_report("Clear.", **arguments)  # type: ignore[arg-type]


@given(st.text(max_size=80))
def test_a_cleaned_report_ends_in_a_full_stop_and_is_lower_case(text: str) -> None:
    cleaned = cleaned_report(text)
    assert cleaned.endswith(" .")
    assert not set(cleaned) & set(",?;*!%^&_+()[]{}:<=>@\"/\\'ABCXYZ")
