"""What may be claimed of a trained model."""

from pathlib import Path

from medrag.alignment.comparing import AlignmentComparison, compare_alignment, variants_of
from medrag.evaluation.scorers import scoring_protocol
from tests.alignment.comparing.made import run_of

EXACT = scoring_protocol("exact")
N = 40


def compared(folder: Path, **variants: dict[str, str]) -> AlignmentComparison:
    named = [
        (name.replace("_", "-"), run_of(folder / f"{name}-{seed}", arms))
        for name, arms in variants.items()
        for seed in range(1 if name == "base" else 2)
    ]
    return compare_alignment(variants_of(named), EXACT, n_resamples=500, n_permutations=999)


def all_of(share: float) -> str:
    n = round(share * N)
    return "+" * n + "-" * (N - n)


def test_without_an_sft_run_nothing_is_claimed(tmp_path: Path) -> None:
    found = compared(tmp_path, base={"context": all_of(0)}, dpo={"context": all_of(1)})
    # 40 of 40 against none, and yet: what SFT on the same answers gives is not known
    assert found.claims == ()
    assert "there is no run of the SFT control" in found.claims_note
    assert "there is no SFT control, so that no gain can be claimed" in found.problems


def test_a_gain_over_base_alone_is_not_claimed(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        base={"context": all_of(0.1)},
        sft={"context": all_of(0.9)},
        dpo={"context": all_of(0.9)},
    )
    assert found.claims == ()
    assert found.claims_note.startswith("No gain over the SFT control was shown")


def test_a_gain_over_sft_is_claimed(tmp_path: Path) -> None:
    found = compared(tmp_path, sft={"context": all_of(0.3)}, dpo={"context": all_of(0.9)})
    assert [(each.variant, each.measure) for each in found.claims] == [
        ("dpo", "accuracy (context)")
    ]
    assert found.losses == ()


def test_a_gain_of_one_training_alone_says_so(tmp_path: Path) -> None:
    named = [
        (name, run_of(tmp_path / name, {"context": all_of(share)}))
        for name, share in (("sft", 0.3), ("dpo", 0.9))
    ]
    found = compare_alignment(variants_of(named), EXACT, n_resamples=100, n_permutations=999)
    assert [each.caveats for each in found.claims] == [
        ("one of the two was trained once: another seed might not repeat it",)
    ]


def test_what_got_worse_is_told_as_well(tmp_path: Path) -> None:
    found = compared(tmp_path, sft={"context": all_of(0.9)}, dpo={"context": all_of(0.3)})
    assert found.claims == ()
    assert [(each.variant, each.measure) for each in found.losses] == [
        ("dpo", "accuracy (context)")
    ]


def test_less_over_reliance_is_a_gain_and_a_fall_of_accuracy_stands_beside_it(
    tmp_path: Path,
) -> None:
    # Context turns 20 of SFT's 40 wrong and none of the other's 12, at 20 points of accuracy.
    half = all_of(0.5)
    found = compared(
        tmp_path,
        sft={"context": half, "no_context": all_of(1)},
        dpo={"context": all_of(0.3), "no_context": all_of(0.3)},
    )
    claims = {each.measure: each for each in found.claims}
    assert claims["interference"].difference.relative.value == -1
    assert any("accuracy with context fell by 20.0 points" in each
               for each in claims["interference"].caveats)  # fmt: skip
    assert {each.measure for each in found.losses} >= {"accuracy (context)"}


def test_a_gain_of_accuracy_that_comes_with_more_blind_answers_says_so(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        sft={"context": all_of(0.3), "blank_image": all_of(0.3)},
        dpo={"context": all_of(0.9), "blank_image": all_of(0.9)},
    )
    claim = next(each for each in found.claims if each.measure == "accuracy (context)")
    assert any("image-blind (blank_image) rose by 60.0 points" in each for each in claim.caveats)


def test_a_control_that_does_as_well_stands_beside_a_claim(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        sft={"context": all_of(0.3)},
        dpo={"context": all_of(0.9)},
        dpo_shuffled={"context": all_of(0.9)},
    )
    claim = next(each for each in found.claims if each.variant == "dpo")
    assert claim.caveats == ("the control 'dpo-shuffled' is not shown to do worse",)


def test_a_further_supervised_control_that_does_as_well_stands_beside_a_claim(
    tmp_path: Path,
) -> None:
    found = compared(
        tmp_path,
        sft={"context": all_of(0.3)},
        sft_pairs={"context": all_of(0.9)},
        dpo={"context": all_of(0.9)},
    )
    # What the pairs teach without preferring is no gain of a method, and speaks against one.
    assert [(each.variant, each.caveats) for each in found.claims] == [
        ("dpo", ("the control 'sft-pairs' is not shown to do worse",))
    ]


def test_a_control_that_does_worse_is_no_caveat(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        sft={"context": all_of(0.3)},
        dpo={"context": all_of(0.9)},
        text_only={"context": all_of(0.3)},
    )
    assert [each.caveats for each in found.claims] == [()]


def test_image_blind_accuracy_is_no_gain(tmp_path: Path) -> None:
    found = compared(
        tmp_path,
        sft={"context": all_of(0.5), "blank_image": all_of(0.1)},
        dpo={"context": all_of(0.5), "blank_image": all_of(0.9)},
    )
    assert not any("blind" in each.measure for each in (*found.claims, *found.losses))


def test_sft_alone_has_nothing_to_be_held_against(tmp_path: Path) -> None:
    found = compared(tmp_path, base={"context": all_of(0.1)}, sft={"context": all_of(0.9)})
    assert found.claims == ()
    assert "nothing that was trained otherwise" in found.claims_note
