"""Variants beside each other: measures, pairs, corrections, and what changed."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.comparing import (
    AlignmentComparison,
    compare_alignment,
    pairs_of,
    variants_of,
)
from medrag.errors import EvaluationError
from medrag.evaluation.runs import Run, open_run
from medrag.evaluation.scorers import scoring_protocol
from medrag.evaluation.scoring import score_run
from tests.alignment.comparing.made import items_of, run_of

EXACT = scoring_protocol("exact")
WRONG_THEN_RIGHT = {"context": "++--", "no_context": "+-+-"}


def compared(*named: tuple[str, Run], **options: object) -> AlignmentComparison:
    return compare_alignment(variants_of(named), EXACT, n_resamples=200, **options)  # type: ignore[arg-type]


def difference(found: AlignmentComparison, a: str, b: str, measure: str) -> float:
    one = next(each for each in found.comparisons if (each.a, each.b) == (a, b))
    return one.differences[measure].value.value


def test_measures_are_those_of_the_score_of_each_run(tmp_path: Path) -> None:
    arms = {
        "context": "++--+?", "no_context": "+-+-++", "blank_image": "+++--+",
        "noise_image": "----++",
    }  # fmt: skip
    run = run_of(tmp_path / "a", arms)
    other = run_of(tmp_path / "b", dict.fromkeys(arms, "+" * 6))
    found = compared(("base", other), ("sft", run)).variants[1].measures
    shares = score_run_with_context(run)
    assert shares.keys() <= found.keys()
    for name, value in shares.items():
        assert found[name].value == pytest.approx(value), name


def test_where_no_item_changed_no_detectable_difference_can_be_told(tmp_path: Path) -> None:
    same = [(name, run_of(tmp_path / name, WRONG_THEN_RIGHT)) for name in ("base", "sft")]
    other = run_of(tmp_path / "dpo", {**WRONG_THEN_RIGHT, "context": "+-+-"})
    to_sft, to_dpo, *_ = compared(*same, ("dpo", other)).comparisons
    assert math.isnan(to_sft.detectable)
    assert to_dpo.detectable > 0


def score_run_with_context(run: Run) -> dict[str, float]:
    from medrag.evaluation.scoring.columns import gather
    from medrag.evaluation.scoring.diagnostics import diagnose
    from medrag.evaluation.statistics import Resamples

    columns = gather(run, EXACT).columns
    items = list(run.items.values())
    shares = diagnose(columns, items, Resamples([item.cluster for item in items])).shares
    wanted = ("rescue", "interference", "over_reliance", "image_blind")
    return {name: one.value for name, one in shares.items() if name.startswith(wanted)}


def test_interference_is_what_context_turns_wrong(tmp_path: Path) -> None:
    # right without context: 1 and 3; of these 3 is wrong with it: 1/2; rescued of 2 and 4: 1/2
    base = run_of(tmp_path / "base", {"context": "++++", "no_context": "++++"})
    sft = run_of(tmp_path / "sft", WRONG_THEN_RIGHT)
    found = compared(("base", base), ("sft", sft))
    measures = found.variants[1].measures
    assert measures["interference"].value == pytest.approx(0.5)
    assert measures["rescue"].value == pytest.approx(0.5)
    # base: 0 of 4; SFT: 1 of 2
    assert difference(found, "base", "sft", "interference") == pytest.approx(0.5)


def test_fixed_and_broken_are_counted_and_named(tmp_path: Path) -> None:
    sft = run_of(tmp_path / "sft", {"context": "++--"})
    dpo = run_of(tmp_path / "dpo", {"context": "-+++"})
    beside = compared(("sft", sft), ("dpo", dpo)).comparisons[0]
    assert (beside.n_fixed, beside.n_broken) == (2, 1)
    assert (beside.fixed, beside.broken) == (("q2", "q3"), ("q0",))


def test_with_seeds_changes_are_averaged_over_pairs_of_seeds(tmp_path: Path) -> None:
    sft = run_of(tmp_path / "sft", {"context": "--+"})
    seeds = [("dpo", run_of(tmp_path / name, {"context": name})) for name in ("+--", "++-")]
    beside = compared(("sft", sft), *seeds).comparisons[0]
    # fixed: q0 in both, q1 in one of two; broken: q2 in both; q1 has no majority
    assert beside.n_fixed == pytest.approx(1.5)
    assert beside.n_broken == pytest.approx(1)
    assert (beside.fixed, beside.broken) == (("q0",), ("q2",))


def test_seeds_of_a_variant_are_averaged(tmp_path: Path) -> None:
    sft = run_of(tmp_path / "sft", {"context": "--+-"})
    seeds = [("dpo", run_of(tmp_path / name, {"context": name})) for name in ("++--", "++++")]
    dpo = compared(("sft", sft), *seeds).variants[1]
    assert dpo.n_seeds == 2
    assert dpo.measures["accuracy (context)"].value == pytest.approx(0.75)


def test_what_is_held_against_what() -> None:
    names = ["base", "sft", "dpo", "dpo-shuffled", "text-only"]
    assert pairs_of(names) == [
        ("base", "sft"), ("base", "dpo"), ("base", "dpo-shuffled"), ("base", "text-only"),
        ("sft", "dpo"), ("sft", "dpo-shuffled"), ("sft", "text-only"),
        ("dpo-shuffled", "dpo"), ("text-only", "dpo"),
    ]  # fmt: skip


def test_methods_are_held_against_every_supervised_control() -> None:
    pairs = pairs_of(["sft", "sft-pairs", "dpo", "text-only"])
    assert ("sft", "sft-pairs") in pairs
    assert ("sft-pairs", "dpo") in pairs
    assert ("sft-pairs", "text-only") not in pairs


def test_other_methods_have_controls_of_their_own() -> None:
    assert ("mmedpo-shuffled", "mmedpo") in pairs_of(["sft", "mmedpo", "mmedpo-shuffled"])
    assert ("text-only", "mmedpo") not in pairs_of(["sft", "mmedpo", "text-only"])


def test_p_is_corrected_over_all_that_is_held_against_one_variant(tmp_path: Path) -> None:
    sft = run_of(tmp_path / "sft", {"context": "-" * 12})
    one = run_of(tmp_path / "one", {"context": "+" * 11 + "-"})
    two = run_of(tmp_path / "two", {"context": "+" + "-" * 11})
    found = compared(("sft", sft), ("dpo", one), ("rule", two)).comparisons
    first, second = (each.differences["accuracy (context)"] for each in found)
    # All 2^11 ways to swap are tried, of which two are as far out: p = 2/2048, and Holm doubles the
    # smaller of two; the other, 1 of 1 ways both as far, stays 1.
    assert first.p == pytest.approx(2 / 2048)
    assert first.adjusted_p == pytest.approx(4 / 2048)
    assert second.adjusted_p == 1


def test_what_context_gives_is_told_of_each_variant_and_group(tmp_path: Path) -> None:
    # items of odd places are of the library: right with context alone
    base = run_of(tmp_path / "base", {"context": "++++", "no_context": "+-+-"})
    sft = run_of(tmp_path / "sft", {"context": "++++", "no_context": "++++"})
    found = compared(("base", base), ("sft", sft), group_by=("type",)).variants[0]
    assert found.from_context is not None
    assert found.from_context.value.value == pytest.approx(0.5)
    assert found.gains["type"]["library"].value.value == pytest.approx(1)
    assert found.gains["type"]["picture"].value.value == pytest.approx(0)
    assert found.groups["type"]["library"]["no_context"].value == pytest.approx(0)


def test_items_that_one_run_lacks_are_left_out_of_all(tmp_path: Path) -> None:
    sft = run_of(tmp_path / "sft", {"context": "+--+"})
    dpo = run_of(tmp_path / "dpo", {"context": "++++"})
    lines = (dpo.folder / "answers.jsonl").read_bytes().splitlines(keepends=True)
    (dpo.folder / "answers.jsonl").write_bytes(b"".join(lines[:-1]))
    found = compared(("sft", sft), ("dpo", dpo))
    assert found.n_items == 3
    assert found.variants[0].measures["accuracy (context)"].value == pytest.approx(1 / 3)
    assert any("1 of 4 items are left out" in each for each in found.problems)


def test_arms_that_not_every_run_has_are_named(tmp_path: Path) -> None:
    sft = run_of(tmp_path / "sft", {"context": "+-", "blank_image": "+-", "no_context": "++"})
    dpo = run_of(tmp_path / "dpo", {"context": "++", "no_context": "++"})
    found = compared(("sft", sft), ("dpo", dpo))
    told = next(each for each in found.problems if "not every run has the arm" in each)
    assert "--arm blank_image --arm noise_image" in told
    assert "over_reliance (blank_image)" not in found.variants[0].measures


def test_runs_without_a_common_arm_cannot_be_compared(tmp_path: Path) -> None:
    sft, dpo = run_of(tmp_path / "a", {"context": "+"}), run_of(tmp_path / "b", {"no_context": "+"})
    with pytest.raises(EvaluationError, match="share no arm"):
        compared(("sft", sft), ("dpo", dpo))


def test_runs_of_other_items_cannot_be_compared(tmp_path: Path) -> None:
    sft, dpo = run_of(tmp_path / "a", {"context": "+"}), run_of(tmp_path / "b", {"context": "++"})
    with pytest.raises(EvaluationError, match="only runs on the same items"):
        variants_of([("sft", sft), ("dpo", dpo)])


def test_a_run_is_not_two_seeds(tmp_path: Path) -> None:
    run, other = run_of(tmp_path / "a", {"context": "+"}), run_of(tmp_path / "b", {"context": "+"})
    with pytest.raises(EvaluationError, match="a is given for dpo and for dpo"):
        variants_of([("sft", other), ("dpo", run), ("dpo", run)])


def test_one_variant_is_no_comparison(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", {"context": "+"})
    with pytest.raises(ValueError, match="two variants at least, such as base and sft, got dpo"):
        variants_of([("dpo", run)])


def test_the_model_before_training_has_no_seeds(tmp_path: Path) -> None:
    runs = [("base", run_of(tmp_path / name, {"context": "+"})) for name in ("a", "b")]
    with pytest.raises(ValueError, match="base is the model before any training"):
        variants_of([*runs, ("sft", run_of(tmp_path / "c", {"context": "+"}))])


def test_base_and_sft_come_first(tmp_path: Path) -> None:
    names = ("dpo", "sft", "base")
    named = [(name, run_of(tmp_path / name, {"context": "+"})) for name in names]
    assert [each.name for each in variants_of(named)] == ["base", "sft", "dpo"]


def test_one_recipe_for_two_variants_is_pointed_out(tmp_path: Path) -> None:
    recipe = {"answer": {"generator": {"kind": "local", "model": "m"}}}
    sft = run_of(tmp_path / "sft", {"context": "+-"}, recipe=recipe)
    dpo = run_of(tmp_path / "dpo", {"context": "++"}, recipe=recipe)
    problems = compared(("sft", sft), ("dpo", dpo)).problems
    assert any("sft and dpo were answered by the same recipe" in each for each in problems)


def test_pictures_of_another_noise_are_pointed_out(tmp_path: Path) -> None:
    named = []
    for name, noise in (("sft", None), ("dpo", {"kind": "blank"})):
        run = run_of(tmp_path / name, {"context": "+-"})
        path = run.folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "corruption": noise}))
        named.append((name, open_run(run.folder)))
    assert any("not of one noise" in each for each in compared(*named).problems)


def test_unequal_steps_are_pointed_out(tmp_path: Path) -> None:
    named = []
    for name, n in (("sft", 100), ("dpo", 300)):
        weights = tmp_path / f"weights-{name}"
        weights.mkdir()
        (weights / "training.json").write_text(json.dumps({"n_steps": n, "seed": 4}))
        recipe = {"answer": {"generator": {"model": "m", "adapter": str(weights)}}}
        named.append((name, run_of(tmp_path / name, {"context": "+-"}, recipe=recipe)))
    found = compared(*named)
    assert any("equally many steps (sft: 100; dpo: 300)" in each for each in found.problems)
    assert found.variants[1].trainings[0].seed == 4


def test_few_seeds_are_pointed_out(tmp_path: Path) -> None:
    base = run_of(tmp_path / "base", {"context": "+-"})
    sft = run_of(tmp_path / "sft", {"context": "++"})
    dpo = [("dpo", run_of(tmp_path / f"dpo{n}", {"context": "++"})) for n in range(3)]
    alone = compared(("base", base), ("sft", sft)).problems
    assert any(each.startswith("one seed each") for each in alone)
    more = compared(("base", base), ("sft", sft), *dpo).problems
    assert any("fewer than 3 seeds of sft" in each for each in more)


def test_items_of_a_cluster_are_drawn_together(tmp_path: Path) -> None:
    items = items_of(8, per_cluster=4)
    sft = run_of(tmp_path / "sft", {"context": "-" * 8}, items=items)
    dpo = run_of(tmp_path / "dpo", {"context": "+" * 8}, items=items)
    found = compared(("sft", sft), ("dpo", dpo))
    assert found.n_clusters == 2
    # Two clusters can be swapped in 4 ways, of which 2 are as far out.
    assert found.comparisons[0].differences["accuracy (context)"].p == pytest.approx(0.5)


def test_an_unread_score_is_not_needed(tmp_path: Path) -> None:
    run = run_of(tmp_path / "a", {"no_context": "+-"})
    assert score_run(run, EXACT).arms[0].arm == "no_context"


NAMES = ("base", "sft", "sft-pairs", "dpo", "rule", "dpo-shuffled", "rule-text-only", "text-only")


@given(st.lists(st.sampled_from(NAMES), unique=True))
def test_no_variant_is_held_against_itself_and_none_twice(names: list[str]) -> None:
    pairs = pairs_of(names)
    assert len(set(pairs)) == len(pairs)
    for a, b in pairs:
        assert {a, b} <= set(names)
        assert a != b
        assert b != "base"
        # What is claimed is claimed against the control, so the control is held against base alone.
        assert b != "sft" or a == "base"
    trained = set(names) - {"base", "sft"}
    assert "sft" not in names or {b for a, b in pairs if a == "sft"} == trained
