"""The page of a comparison: what stands first, what is claimed, and nothing that runs."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from medrag.alignment.comparing import (
    AlignmentComparison,
    Difference,
    compare_alignment,
    variants_of,
)
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scores import Estimate
from medrag.reporting.alignment import alignment_page
from medrag.reporting.alignment.beside import relative
from medrag.reporting.alignment.names import shown_measures
from tests.alignment.comparing.made import run_of
from tests.reporting.alignment.conftest import NOTE, compared


@pytest.fixture(scope="module")
def page(found: AlignmentComparison) -> str:
    return alignment_page(found)


def words(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))


def test_the_note_stands_before_every_number(page: str) -> None:
    shown = words(page)
    assert shown.index(NOTE) < shown.index("Beside the SFT control")
    assert not re.search(r"\d", shown[: shown.index(NOTE)].replace("medrag", ""))


def test_a_page_without_a_note_has_no_place_for_one(found: AlignmentComparison) -> None:
    assert '<section class="first-of-all">' not in alignment_page(replace(found, notes=()))


def test_claims_are_listed_with_what_speaks_against_them(
    page: str, found: AlignmentComparison
) -> None:
    assert found.claims
    shown = words(page)
    for claim in found.claims:
        assert f"{claim.variant}: " in shown
        for caveat in claim.caveats:
            assert caveat.replace("'", "&#x27;")[1:] in shown


def test_without_an_sft_run_the_page_says_that_nothing_is_claimed(tmp_path: Path) -> None:
    found = compared(tmp_path, ("base", "dpo"))
    shown = words(alignment_page(found))
    assert "No gain is claimed: there is no run of the SFT control" in shown
    assert "Beside the SFT control</h2>" not in alignment_page(found)
    assert "Relative" not in shown[: shown.index("What may be claimed")]


def test_problems_stand_before_the_sections(page: str, found: AlignmentComparison) -> None:
    assert any("fewer than 3 seeds" in each for each in found.problems)
    shown = words(page)
    assert shown.index("Before you read the numbers") < shown.index("Accuracy (%)")


def test_every_variant_is_measured_and_every_run_named(
    page: str, found: AlignmentComparison
) -> None:
    shown = words(page)
    for variant in found.variants:
        assert f"{variant.name} beside" in shown or variant.name == "base"
        for training in variant.trainings:
            assert str(training.run) in shown


def test_groups_tell_what_context_gives_them(page: str) -> None:
    shown = words(page)
    assert "By group" in shown
    assert "library" in shown
    assert "without; context:" in shown


def test_measures_are_explained(page: str) -> None:
    shown = words(page)
    assert "the over-reliance that RULE and RAG-PT train against" in shown
    assert "these answers rest on the text" in shown


def test_over_reliance_is_what_context_turns_wrong_alone(page: str) -> None:
    shown = words(page)
    assert "same answer, blank picture" in shown
    assert "same answer, noise picture" in shown
    assert "over-reliance, " not in shown
    assert "Of the items right without context" in shown


def test_a_measure_that_repeats_the_accuracy_of_an_arm_is_left_out(
    page: str, found: AlignmentComparison
) -> None:
    def repeated(each: AlignmentComparison) -> bool:
        return any(name.startswith("image_blind") for name in shown_measures(each))

    assert not repeated(found)
    assert "<h3>right without the picture" not in page
    # Of items some of which have no picture, it is another share.
    fewer = tuple(
        replace(
            each,
            measures={
                name: replace(one, n=one.n - ("image_blind" in name))
                for name, one in each.measures.items()
            },
        )
        for each in found.variants
    )
    assert repeated(replace(found, variants=fewer))


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.0792, 0.016, 0.149, "+8% [2, 15]"),
        (-0.482, -0.606, -0.334, "−48% [−61, −33]"),
        (-0.002, -0.004, 0.003, "0% [0, 0]"),
        (0.0792, float("nan"), float("nan"), "+8%"),
    ],
)
def test_relative_changes_are_rounded(value: float, low: float, high: float, shown: str) -> None:
    one = Estimate(value, low, high)
    assert relative(Difference(0.5, 0.5, one, one, 0.5)) == shown


def test_where_no_item_changed_no_detectable_difference_is_told(tmp_path: Path) -> None:
    named = [(n, run_of(tmp_path / n, {"context": "+-+-"})) for n in ("sft", "dpo")]
    same = compare_alignment(variants_of(named), scoring_protocol("exact"), n_resamples=50)
    shown = words(alignment_page(same))
    assert "cannot be told: no item changed" in shown
    assert "8 of 10" not in shown


def test_the_page_loads_and_runs_nothing(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r"(src|href)=\"(?!#|data:)", page)
    assert "default-src 'none'" in page


def test_what_a_run_says_is_escaped(found: AlignmentComparison) -> None:
    odd = replace(
        found,
        benchmark="<script>alert(1)</script>",
        notes=("<b>bold</b>",),
        variants=tuple(replace(each, name=f"<i>{each.name}") for each in found.variants),
        problems=("<img src=x>",),
    )
    page = alignment_page(odd)
    assert "<script" not in page
    assert "<i>" not in page
    assert "<img" not in page
    assert "<b>bold" not in page


def test_the_commands_repeat_the_comparison(page: str, found: AlignmentComparison) -> None:
    assert words(page).count("--run ") == sum(each.n_seeds for each in found.variants)


def test_a_comparison_without_pictures_or_context_is_a_page_too(tmp_path: Path) -> None:
    named = [(n, run_of(tmp_path / n, {"no_context": "+-+-"})) for n in ("sft", "dpo")]
    found = compare_alignment(variants_of(named), scoring_protocol("exact"), n_resamples=50)
    shown = words(alignment_page(found))
    assert "What the answers rest on (%)" not in shown
    assert "accuracy, no context" in shown
