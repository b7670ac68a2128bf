"""Words that an answer and its reference share, without order."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from medrag.evaluation.text_measures.ngrams import Tokens
from medrag.evaluation.text_measures.normalising import tokens


class Overlap(NamedTuple):
    """Shares of tokens in [0, 1]."""

    precision: float
    recall: float
    f1: float


def token_overlap(answer: Tokens, reference: Tokens) -> Overlap:
    """Compare bags of tokens: a token counts as often as it stands in both.

    Two empty texts agree fully; an empty one and another not at all.

    Source:
        Rajpurkar et al., "SQuAD", EMNLP 2016; the empty case as in SQuAD 2.0.
    """
    n_shared = sum((Counter(answer) & Counter(reference)).values())
    return _overlap(n_shared, len(answer), len(reference))


def set_overlap(answer: Tokens, reference: Tokens) -> Overlap:
    """Compare sets of tokens: each counts once however often it stands there."""
    left, right = set(answer), set(reference)
    return _overlap(len(left & right), len(left), len(right))


def best_overlap(answer: Tokens, references: Sequence[Tokens], *, as_sets: bool = False) -> Overlap:
    """Compare with several references; each share is the highest that one of them gives.

    Raises:
        ValueError: if there is no reference.
    """
    if not references:
        raise ValueError("references must hold at least one reference")
    compare = set_overlap if as_sets else token_overlap
    found = [compare(answer, reference) for reference in references]
    return Overlap(*(max(shares) for shares in zip(*found, strict=True)))


def exact_match(answer: str, references: Sequence[str], *, normaliser: str = "words") -> bool:
    """Tell whether an answer has the tokens of a reference, in order.

    Raises:
        ValueError: if there is no normaliser of this name.
    """
    given = tokens(answer, normaliser)
    return any(given == tokens(reference, normaliser) for reference in references)


def _overlap(n_shared: int, n_answer: int, n_reference: int) -> Overlap:
    if not n_answer or not n_reference:
        agree = float(n_answer == n_reference)
        return Overlap(agree, agree, agree)
    precision, recall = n_shared / n_answer, n_shared / n_reference
    total = n_answer + n_reference
    return Overlap(precision, recall, 2 * n_shared / total)
