"""Measures of text by name, for all items at once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from medrag.evaluation.statistics import Statistic, mean_of
from medrag.evaluation.text_measures.bleu import bleu_sums, bleu_value, sacrebleu, sentence_bleu
from medrag.evaluation.text_measures.cider import cider_d
from medrag.evaluation.text_measures.meteor import meteor_stem
from medrag.evaluation.text_measures.ngrams import CountedTexts, Floats, check_pairs, counted
from medrag.evaluation.text_measures.normalising import tokens
from medrag.evaluation.text_measures.overlap import Overlap, best_overlap
from medrag.evaluation.text_measures.rouge import (
    Shares,
    rouge_l_coco_of,
    rouge_l_of,
    rouge_n,
    subsequence_shares,
)

# What papers on report generation print, and what is read of open answers.
REPORT_MEASURES = ("bleu1", "bleu2", "bleu3", "bleu4", "rouge_l_coco", "meteor_stem", "cider_d")
ANSWER_MEASURES = ("token_f1", "token_recall", "exact_match", "bleu1", "rouge_l")


class _Texts:
    """Tokens of answers and references, and what several measures share, computed once."""

    def __init__(
        self,
        answers: Sequence[str | None],
        references: Sequence[Sequence[str]],
        normaliser: str,
        language: str,
    ) -> None:
        self.answers, self.references = _tokenised(answers, references, normaliser)
        check_pairs(self.answers, self.references)
        self.language = language
        self.raw = answers, references

    @cached_property
    def counts(self) -> CountedTexts:
        return counted(self.answers, self.references)

    @cached_property
    def bleu_sums(self) -> Floats:
        return bleu_sums(self.counts)

    @cached_property
    def shares(self) -> list[Shares | None]:
        return subsequence_shares(self.answers, self.references)

    @cached_property
    def overlaps(self) -> list[Overlap | None]:
        return [
            None if answer is None else best_overlap(answer, each)
            for answer, each in zip(self.answers, self.references, strict=True)
        ]


def text_measures(
    answers: Sequence[str | None],
    references: Sequence[Sequence[str]],
    *,
    measures: Iterable[str] = REPORT_MEASURES,
    normaliser: str = "words",
    language: str = "en",
) -> dict[str, Statistic]:
    """Compute measures of text overlap as statistics that can be resampled.

    `statistic.value(statistic.sums)` gives the value of each item; of BLEU that is the BLEU of
    one text by the corpus formula.

    Args:
        answers: None where an item has no answer that counts; "" is an answer, and scores 0.
        references: as many; those of an item, at least one.
        measures: names of `TEXT_MEASURES`.
        normaliser: a name of `NORMALISERS`, for every measure but "sacrebleu", which is by "13a".
            R2Gen's protocol is "r2gen_iu_xray" or "r2gen_mimic_cxr".
        language: of the stems of "meteor_stem".

    Raises:
        ValueError: if a measure or the normaliser is unknown, answers and references differ in
            number, or an item has no reference.
    """
    asked = list(measures)
    unknown = [name for name in asked if name not in TEXT_MEASURES]
    if unknown:
        raise ValueError(
            f"unknown measures of text: {', '.join(unknown)}; known are {', '.join(TEXT_MEASURES)}"
        )
    texts = _Texts(answers, references, normaliser, language)
    return {name: TEXT_MEASURES[name](texts) for name in asked}


def _tokenised(
    answers: Sequence[str | None], references: Sequence[Sequence[str]], normaliser: str
) -> tuple[list[list[str] | None], list[list[list[str]]]]:
    return (
        [None if answer is None else tokens(answer, normaliser) for answer in answers],
        [[tokens(reference, normaliser) for reference in each] for each in references],
    )


def _bleu(order: int) -> Callable[[_Texts], Statistic]:
    return lambda texts: Statistic(texts.bleu_sums, bleu_value(order))


def _mean(values: Callable[[_Texts], Floats]) -> Callable[[_Texts], Statistic]:
    return lambda texts: mean_of(values(texts))


def _overlap(name: str) -> Callable[[_Texts], Statistic]:
    return lambda texts: mean_of(
        [float("nan") if overlap is None else getattr(overlap, name) for overlap in texts.overlaps]
    )


def _exact(texts: _Texts) -> Floats:
    values = [
        float("nan") if answer is None else float(answer in each)
        for answer, each in zip(texts.answers, texts.references, strict=True)
    ]
    return np.array(values, dtype=np.float64)


TEXT_MEASURES: Mapping[str, Callable[[_Texts], Statistic]] = {
    "bleu1": _bleu(1),
    "bleu2": _bleu(2),
    "bleu3": _bleu(3),
    "bleu4": _bleu(4),
    "sacrebleu": lambda texts: sacrebleu(counted(*_tokenised(*texts.raw, "13a"))),
    "sentence_bleu": _mean(lambda texts: sentence_bleu(texts.counts)),
    "rouge_1": _mean(lambda texts: rouge_n(texts.counts, order=1)),
    "rouge_2": _mean(lambda texts: rouge_n(texts.counts, order=2)),
    "rouge_l": _mean(lambda texts: rouge_l_of(texts.shares)),
    "rouge_l_coco": _mean(lambda texts: rouge_l_coco_of(texts.shares)),
    "meteor_stem": _mean(
        lambda texts: meteor_stem(texts.answers, texts.references, language=texts.language)
    ),
    "cider_d": _mean(lambda texts: cider_d(texts.counts)),
    "token_precision": _overlap("precision"),
    "token_recall": _overlap("recall"),
    "token_f1": _overlap("f1"),
    "exact_match": _mean(_exact),
}
