"""A comparison of trained models as JSON; the shape changes only with a word in the changelog."""

from typing import TYPE_CHECKING

from medrag.cli.evaluate.score import known

if TYPE_CHECKING:
    from medrag.alignment.comparing import (
        AlignmentComparison,
        Beside,
        Claim,
        Difference,
        VariantScores,
    )
    from medrag.codec import Json
    from medrag.evaluation.scores import Estimate


def comparison_json(found: "AlignmentComparison") -> "Json":
    """Write a comparison for a program.

    {"benchmark", "split", "protocol", "mode", "n_items", "n_clusters", "notes", "problems",
    "variants": [{"name", "n_seeds", "runs": [{"run", "seed", "n_steps", "n_pairs"}],
    "measures": {name: {"value", "low", "high", "n"}}, "from_context": {...} or null,
    "groups": {column: {value: {"accuracy": {arm: {...}}, "from_context": {...} or null}}}}],
    "comparisons": [{"a", "b", "differences": {name: {...}}, "n_fixed", "n_broken", "fixed",
    "broken", "minimum_detectable_difference"}],
    "claims": [{"variant", "against": "sft", "measure", ..., "caveats"}], "losses": [...],
    "claims_note"}

    A difference is {"a", "b", "difference", "low", "high", "n", "relative", "relative_low",
    "relative_high", "p", "adjusted_p"}; what cannot be computed is null.
    """
    return {
        "benchmark": found.benchmark,
        "split": found.split,
        "protocol": found.protocol,
        "mode": found.mode,
        "n_items": found.n_items,
        "n_clusters": found.n_clusters,
        "notes": list(found.notes),
        "problems": list(found.problems),
        "variants": [_variant(each) for each in found.variants],
        "comparisons": [_beside(each) for each in found.comparisons],
        "claims": [_claim(each) for each in found.claims],
        "losses": [_claim(each) for each in found.losses],
        "claims_note": found.claims_note,
    }


def _variant(one: "VariantScores") -> "Json":
    return {
        "name": one.name,
        "n_seeds": one.n_seeds,
        "runs": [
            {"run": str(each.run), "seed": each.seed, "n_steps": each.n_steps,
             "n_pairs": each.n_pairs}
            for each in one.trainings
        ],
        "measures": {name: _estimate(each) for name, each in one.measures.items()},
        "from_context": None if one.from_context is None else _difference(one.from_context),
        "groups": {
            column: {
                value: {
                    "accuracy": {arm: _estimate(each) for arm, each in arms.items()},
                    "from_context": _gain(one, column, value),
                }
                for value, arms in groups.items()
            }
            for column, groups in one.groups.items()
        },
    }  # fmt: skip


def _gain(one: "VariantScores", column: str, value: str) -> "Json | None":
    found = one.gains.get(column, {}).get(value)
    return None if found is None else _difference(found)


def _beside(one: "Beside") -> "Json":
    return {
        "a": one.a,
        "b": one.b,
        "differences": {name: _difference(each) for name, each in one.differences.items()},
        "n_fixed": known(one.n_fixed),
        "n_broken": known(one.n_broken),
        "fixed": list(one.fixed),
        "broken": list(one.broken),
        "minimum_detectable_difference": known(one.detectable),
    }


def _claim(one: "Claim") -> "Json":
    told = {"variant": one.variant, "against": "sft", "measure": one.measure}
    return {**told, **_difference(one.difference), "caveats": list(one.caveats)}


def _difference(one: "Difference") -> "Json":
    return {
        "a": known(one.a),
        "b": known(one.b),
        "difference": known(one.value.value),
        "low": known(one.value.low),
        "high": known(one.value.high),
        "n": one.value.n,
        "relative": known(one.relative.value),
        "relative_low": known(one.relative.low),
        "relative_high": known(one.relative.high),
        "p": known(one.p),
        "adjusted_p": known(one.adjusted_p),
    }


def _estimate(one: "Estimate") -> "Json":
    return {"value": known(one.value), "low": known(one.low), "high": known(one.high), "n": one.n}
