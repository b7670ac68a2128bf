"""A comparison of trained models as Markdown tables, for a paper or a README."""

import math
import re
from collections.abc import Iterator, Sequence

from medrag.alignment.comparing import BASE, AlignmentComparison, Beside, Claim
from medrag.evaluation.scores import Estimate
from medrag.reporting.alignment.beside import p_shown, relative, signed
from medrag.reporting.alignment.claims import sentence
from medrag.reporting.alignment.names import measure_name, shown_measures
from medrag.reporting.evaluation.numbers import counted, interval, with_interval

# What ends a cell, begins markup or hides in Markdown.
_SPECIAL = re.compile(r"([\\`*_{}<>|#~$&])")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
_NOTHING = Estimate(float("nan"))


def alignment_tables(found: AlignmentComparison) -> str:
    """Write measures as rows and variants as columns, then each variant beside its controls.

    Shares are in percent, differences in points; what stands beside the model before training is
    left to the page.

    Returns:
        Markdown that ends with a line feed.
    """
    lines = [f"**{_plain(found.benchmark)}**, {_plain(found.split)}", ""]
    lines += [*map(_plain, found.notes), ""] if found.notes else []
    lines += [*_measures(found), ""]
    held = [each for each in found.comparisons if each.a != BASE]
    lines += [*_differences(held), ""] if held else []
    lines += [_plain(found.claims_note), ""]
    lines += [line for each in found.claims for line in _claim(each)]
    if found.losses:
        lines += ["", "Worse than the SFT control:", ""]
        lines += [line for each in found.losses for line in _claim(each)]
    lines += [
        "",
        f"{_counts(found)} In brackets, 95% intervals over clusters of items and seeds.",
        "",
    ]
    lines += [f"- {_plain(each)}" for each in found.problems]
    return "\n".join(lines).rstrip() + "\n"


def _claim(claim: Claim) -> Iterator[str]:
    """Say a claim, and below it what speaks against it."""
    yield f"- {_plain(sentence(claim))}"
    yield from (f"  - {_plain(caveat)}" for caveat in claim.caveats)


def _measures(found: AlignmentComparison) -> Iterator[str]:
    seeds = [counted(each.n_seeds, "seed") for each in found.variants]
    heads = [f"{_plain(each.name)} ({n})" for each, n in zip(found.variants, seeds, strict=True)]
    yield _line(["%", *heads])
    yield _line([":---", *["---:"] * len(heads)])
    for name in shown_measures(found):
        cells = [with_interval(each.measures.get(name, _NOTHING), name) for each in found.variants]
        yield _line([_plain(measure_name(name)), *cells])


def _differences(held: Sequence[Beside]) -> Iterator[str]:
    yield _line(["", "measure", "from", "to", "difference (points)", "relative", "p (Holm)"])
    yield _line([":---", ":---", *["---:"] * 5])
    for each in held:
        for name, one in each.differences.items():
            if math.isfinite(one.adjusted_p):
                difference = f"{signed(one.value)} {interval(one.value, '')}".strip()
                cells = [f"{100 * one.a:.1f}", f"{100 * one.b:.1f}", difference, relative(one)]
                beside = f"{_plain(each.b)} beside {_plain(each.a)}"
                yield _line([beside, measure_name(name), *cells, p_shown(one.adjusted_p)])


def _counts(found: AlignmentComparison) -> str:
    items, clusters = counted(found.n_items, "item"), counted(found.n_clusters, "cluster")
    return f"{items} in {clusters}; protocol {_plain(found.protocol)}, {found.mode}."


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _plain(text: str) -> str:
    """Escape a text, and put it on one line."""
    return _SPECIAL.sub(r"\\\1", _UNSEEN.sub(" ", text))
