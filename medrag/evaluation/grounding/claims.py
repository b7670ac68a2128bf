"""Claims and what they cite: support, precision and recall of citations, contradictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.protocols import Verifier
from medrag.records import Answer, Claim
from medrag.verification.contradictions import contradictions
from medrag.verification.lexical import LEAST, cited_passages, grounds, held_share


@dataclass(frozen=True, slots=True)
class ClaimSupport:
    """Answers as a verifier read them.

    Attributes:
        answers: as given, with the support of each claim.
        shares: (n_answers,) share of claims supported, among those that the verifier could check
            and those without a citation, which nothing supports; nan where there is none.
        counts: claims by "supported", "unsupported", "contradicted", "unchecked" and "uncited".
    """

    answers: tuple[Answer, ...]
    shares: NDArray[np.float64]
    counts: Mapping[str, int]


def claim_support(answers: Sequence[Answer], verifier: Verifier) -> ClaimSupport:
    """Let a verifier check every claim, and give the share supported in each answer.

    Answers that abstained or failed state nothing: their share is nan.
    """
    verified = tuple(verifier.verify(answers))
    counts = dict.fromkeys(("supported", "unsupported", "contradicted", "unchecked", "uncited"), 0)
    shares = np.full(len(verified), np.nan)
    for row, answer in enumerate(verified):
        if answer.abstained:
            continue
        states = [claim.support if claim.markers else "uncited" for claim in answer.claims]
        for state in states:
            counts[state] += 1
        n = len(states) - states.count("unchecked")
        if n:
            shares[row] = states.count("supported") / n
    return ClaimSupport(verified, shares, counts)


def support_values(answer: Answer) -> dict[str, float]:
    """Share the claims by what the verifier of the run said; one without markers is unsupported.

    Returns:
        Four shares that add up to 1; nothing if no claim was checked.
    """
    if all(claim.support == "unchecked" for claim in answer.claims):
        return {}
    states = [str(claim.support) if claim.markers else "unsupported" for claim in answer.claims]
    names = ("supported", "unsupported", "contradicted", "unchecked")
    return {f"claims_{name}": states.count(name) / len(states) for name in names}


def citation_values(answer: Answer) -> dict[str, float]:
    """Measure precision and recall of the citations.

    A claim counts for recall if its citations, taken together, support it. A citation counts for
    precision if its claim is supported, and it supports the claim alone or the others do not
    without it. What a verifier said of a claim goes first; where it said nothing, and to tell
    several citations of one claim apart, words decide (`medrag.verification.lexical`).

    Source:
        Gao, Yen, Yu & Chen, "Enabling large language models to generate text with citations"
        (ALCE), EMNLP 2023, section 3, with words in the place of its entailment model.
    """
    if not answer.claims:
        return {}
    supported = [_supported(answer, claim) for claim in answer.claims]
    right = n_citations = 0
    for claim, whole in zip(answer.claims, supported, strict=True):
        needed = _needed(answer, claim)
        n_citations += len(needed)
        right += sum(needed) if whole else 0
    values = {"citation_recall": sum(supported) / len(supported)}
    if n_citations:
        values["citation_precision"] = right / n_citations
    return values


def contradiction_values(answer: Answer) -> dict[str, float]:
    """Count the claims that stand against what they cite, in side or in negation."""
    cited = [
        (claim.text, [each for each in cited_passages(answer, claim) if each.text.strip()])
        for claim in answer.claims
    ]
    found = [contradictions(text, passages) for text, passages in cited if passages]
    if not found:
        return {}
    values: dict[str, float] = {}
    for name in ("laterality", "negation"):
        n = sum(getattr(each, name) for each in found)
        values[f"{name}_contradictions"] = float(n)
        values[f"{name}_contradicted"] = n / len(found)
    return values


def _supported(answer: Answer, claim: Claim) -> bool:
    if claim.support != "unchecked":
        return bool(claim.markers) and claim.support == "supported"
    return grounds(claim.text, cited_passages(answer, claim)).support == "supported"


def _needed(answer: Answer, claim: Claim) -> list[bool]:
    """Tell of each citation of a claim whether it supports it alone or is missed by the others."""
    passages = cited_passages(answer, claim)
    if len(passages) < 2:
        return [True] * len(passages)
    needed = []
    for place, passage in enumerate(passages):
        others = passages[:place] + passages[place + 1 :]
        alone = (held_share(claim.text, [passage]) or 0.0) >= LEAST
        needed.append(alone or (held_share(claim.text, others) or 0.0) < LEAST)
    return needed
