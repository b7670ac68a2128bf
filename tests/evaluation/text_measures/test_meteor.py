import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.meteor_score import meteor_score

from medrag.evaluation.text_measures import meteor_stem
from medrag.evaluation.text_measures.meteor import stemmer

WORDS = ["effusion", "effusions", "lung", "lungs", "clear", "clearing", "is"]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=10)


class NoSynonyms:
    def synsets(self, word: str) -> list[str]:
        return []


class OurStems:
    def __init__(self) -> None:
        self.stem = stemmer()


@given(answer=TEXTS, references=st.lists(TEXTS, min_size=1, max_size=2))
def test_it_is_meteor_of_nltk_without_synonyms_and_with_our_stems(
    answer: list[str], references: list[list[str]]
) -> None:
    theirs = meteor_score(references, answer, stemmer=OurStems(), wordnet=NoSynonyms())
    assert meteor_stem([answer], [references])[0] == pytest.approx(theirs, rel=1e-12)


def test_a_stem_counts_as_a_match() -> None:
    # both words match in one run: precision = recall = 1, penalty 0.5 * (1/2)**3
    value = meteor_stem([["lungs", "clear"]], [[["lung", "clear"]]])[0]
    assert value == pytest.approx(1 - 0.5 / 8)


def test_words_out_of_order_make_pieces() -> None:
    # two matches in two pieces: penalty 0.5 * (2/2)**3
    assert meteor_stem([["clear", "lung"]], [[["lung", "clear"]]])[0] == pytest.approx(0.5)


def test_a_synonym_is_no_match() -> None:
    assert meteor_stem([["kidney"]], [[["renal"]]])[0] == 0


def test_stems_are_of_the_language() -> None:
    assert meteor_stem([["lunge"]], [[["lungen"]]], language="de")[0] == pytest.approx(0.5)


def test_without_an_answer_there_is_no_value() -> None:
    assert np.isnan(meteor_stem([None], [[["a"]]])[0])


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="language"):
        meteor_stem([["a"]], [[["b"]]], language="xx")
