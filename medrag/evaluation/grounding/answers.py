"""Every grounding measure of one answer."""

from collections.abc import Mapping
from types import MappingProxyType

from medrag.evaluation.grounding.claims import (
    citation_values,
    contradiction_values,
    support_values,
)
from medrag.evaluation.grounding.copying import copying_values
from medrag.evaluation.grounding.gold import box_values, gold_values
from medrag.records import Answer, Item

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "citation_precision": "share of citations that support the claim that uses them",
        "citation_recall": "share of claims that their citations support",
        "claims_supported": "share of claims that a verifier called supported",
        "claims_unsupported": "share of claims called unsupported, or without a citation",
        "claims_contradicted": "share of claims that a verifier called contradicted",
        "claims_unchecked": "share of claims with citations that the verifier could not check",
        "gold_citation_precision": "share of cited passages that are gold",
        "gold_citation_recall": "share of gold passages or documents that are cited",
        "gold_in_evidence": "1 if the evidence that was read holds gold, else 0",
        "box_overlap": "mean over the reference boxes of the best overlap (IoU) with a box given",
        "cited_box_overlap": "the same over the boxes of gold passages and of cited passages",
        "copied_words": "share of words copied from reports and cases of other patients",
        "copied_references": "1 if any word is copied so, else 0",
        "laterality_contradictions": "claims that name another side than what they cite",
        "laterality_contradicted": "share of claims with citations that do so",
        "negation_contradictions": "claims that affirm what they cite as denied, or the reverse",
        "negation_contradicted": "share of claims with citations that do so",
    }
)


def grounding_values(item: Item, answer: Answer) -> dict[str, float]:
    """Measure how far one answer rests on its evidence.

    Returns:
        Values by the names of `MEASURES`; those that do not apply are left out: what needs claims
        for an answer that has none or abstained, what needs gold for an item without, the shares
        of support where no verifier checked any claim, copying where no evidence is of another
        patient.
    """
    values = gold_values(item, answer)
    if answer.abstained or not answer.text.strip():
        return values
    values |= citation_values(answer) | support_values(answer) | contradiction_values(answer)
    values |= box_values(item, answer) | copying_values(answer)
    return values
