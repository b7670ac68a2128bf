"""Overlap of texts: BLEU, ROUGE, METEOR without synonyms, CIDEr-D, tokens and exact match."""

from medrag.evaluation.text_measures.bleu import bleu, bleu_of, sacrebleu, sentence_bleu
from medrag.evaluation.text_measures.cider import cider_d
from medrag.evaluation.text_measures.meteor import meteor_stem
from medrag.evaluation.text_measures.ngrams import CountedTexts, counted
from medrag.evaluation.text_measures.normalising import NORMALISERS, tokens
from medrag.evaluation.text_measures.overlap import (
    Overlap,
    best_overlap,
    exact_match,
    set_overlap,
    token_overlap,
)
from medrag.evaluation.text_measures.reports import cleaned_report
from medrag.evaluation.text_measures.rouge import (
    common_subsequence,
    rouge_l,
    rouge_l_coco,
    rouge_n,
)
from medrag.evaluation.text_measures.scoring import (
    ANSWER_MEASURES,
    REPORT_MEASURES,
    TEXT_MEASURES,
    text_measures,
)

__all__ = [
    "ANSWER_MEASURES",
    "NORMALISERS",
    "REPORT_MEASURES",
    "TEXT_MEASURES",
    "CountedTexts",
    "Overlap",
    "best_overlap",
    "bleu",
    "bleu_of",
    "cider_d",
    "cleaned_report",
    "common_subsequence",
    "counted",
    "exact_match",
    "meteor_stem",
    "rouge_l",
    "rouge_l_coco",
    "rouge_n",
    "sacrebleu",
    "sentence_bleu",
    "set_overlap",
    "text_measures",
    "token_overlap",
    "tokens",
]
