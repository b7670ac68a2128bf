"""SciFact's own evidence sentences, as the lexical verifier reads them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medrag.language import sentences
from medrag.verification.lexical import grounds
from tests.verification.made import passage

LABELS = ("SUPPORT", "CONTRADICT")
_SAID = {"supported": "SUPPORT", "contradicted": "CONTRADICT"}


class Verdict(NamedTuple):
    """A row of SciFact: the claim's id, what its authors say, and what the verifier says.

    `said`: "SUPPORT", "CONTRADICT" or "" where the verifier finds neither.
    """

    claim: str
    label: str
    said: str


class Figure(NamedTuple):
    """Macro-F1 over SUPPORT and CONTRADICT with its 95% interval."""

    value: float
    low: float
    high: float


def scifact_verdicts(folder: Path, half: str) -> list[Verdict]:
    """Judge each claim by the evidence sentences that the authors marked in one abstract.

    The sentences of the abstracts are counted as `medrag.language` splits them: the joined texts
    do not say where the authors' own begin.
    """
    abstracts: dict[str, str] = {}
    for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        abstracts[row["_id"]] = row["text"]
    verdicts = []
    for line in (folder / f"evidence_{half}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        text = abstracts[row["doc"]]
        spans = sentences(text)
        evidence = " ".join(text[slice(*spans[n])] for n in row["sentences"] if n < len(spans))
        support = grounds(row["claim"], [passage(evidence)]).support
        verdicts.append(Verdict(row["id"], row["label"], _SAID.get(support, "")))
    return verdicts


def decided(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Read as SUPPORT what the verifier does not contradict: a choice of two, as the labels are."""
    return [each._replace(said=each.said or "SUPPORT") for each in verdicts]


def figure(verdicts: Sequence[Verdict], *, draws: int = 2000, seed: int = 0) -> Figure:
    """Give macro-F1 with a bootstrap interval over claims: rows of one claim are drawn together."""
    claims = {claim: n for n, claim in enumerate(dict.fromkeys(each.claim for each in verdicts))}
    counts = np.zeros((len(claims), len(LABELS), 3))
    for each in verdicts:
        for place, label in enumerate(LABELS):
            right, said = each.label == label, each.said == label
            counts[claims[each.claim], place] += (right and said, said, right)
    drawn = np.random.default_rng(seed).integers(0, len(claims), (draws, len(claims)))
    values = [_macro_f1(counts[rows].sum(axis=0)) for rows in drawn]
    low, high = np.quantile(values, [0.025, 0.975])
    return Figure(_macro_f1(counts.sum(axis=0)), float(low), float(high))


def macro_f1(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> float:
    """Give the mean over labels of F1, of pairs (label, said)."""
    counts = [
        [
            sum(p == (x, x) for p in pairs),
            sum(s == x for _, s in pairs),
            sum(y == x for y, _ in pairs),
        ]
        for x in labels
    ]
    return _macro_f1(np.array(counts, dtype=float))


def told(counted: Mapping[str, Figure]) -> str:
    """Write figures for a log."""
    return "; ".join(f"{k} {v.value:.3f} [{v.low:.3f}, {v.high:.3f}]" for k, v in counted.items())


def _macro_f1(counts: np.ndarray) -> float:
    """Take, for each label, (right and said, said, right)."""
    f1 = 2 * counts[:, 0] / np.maximum(counts[:, 1] + counts[:, 2], 1)
    return float(f1.mean())
