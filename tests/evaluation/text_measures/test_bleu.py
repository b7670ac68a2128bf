import math
import warnings

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_sentence_bleu

from medrag.evaluation.text_measures import bleu, bleu_of, counted, sentence_bleu, text_measures
from medrag.evaluation.text_measures.ngrams import CountedTexts

Reports = tuple[list[str], list[list[str]]]
TEXTS = st.lists(st.sampled_from("abc"), max_size=8)


def corpus(name: str, answers: list[str], references: list[list[str]]) -> float:
    statistic = text_measures(answers, references, measures=[name], normaliser="split")[name]
    return float(statistic.value(statistic.sums.sum(axis=0)))


def split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


def counts(answer: str, *references: str) -> CountedTexts:
    return counted([answer.split()], [split(*references)])


def test_bleu_counts_a_word_no_more_often_than_a_reference_does() -> None:
    # "the" stands twice in the first reference: 2 of 7 words; 7 words against 6 are no penalty
    value = corpus(
        "bleu1",
        ["the the the the the the the"],
        [["the cat is on the mat", "there is a cat on the mat"]],
    )
    assert value == pytest.approx(2 / 7)


def test_a_short_answer_is_penalised_by_the_closest_reference() -> None:
    # 2 words against 3 (5 is further): exp(1 - 3/2)
    value = corpus("bleu1", ["lungs clear"], [["lungs are clear", "the lungs are both clear"]])
    assert value == pytest.approx(math.exp(-0.5))


def test_of_two_references_as_close_the_shorter_counts() -> None:
    sums = bleu(counts("a b c", "a b", "a b c d")).sums
    assert sums[0, -1] == 2


def test_a_corpus_sums_counts_before_it_divides() -> None:
    # 1-grams: 1 of 1 and 0 of 3, so 1 of 4; the mean of the items would be 1/2
    value = corpus("bleu1", ["clear", "x y z"], [["clear"], ["a b c"]])
    assert value == pytest.approx(0.25)


def slow_coco(answers: list[str], references: list[list[str]], order: int) -> float:
    """Sum clipped matches by the definition, in dictionaries."""
    right, total, length, wanted = [0] * order, [0] * order, 0, 0
    for answer, each in zip(answers, references, strict=True):
        words = answer.split()
        length += len(words)
        wanted += min((abs(len(r.split()) - len(words)), len(r.split())) for r in each)[1]
        for n in range(1, order + 1):
            runs = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
            of = [r.split() for r in each]
            theirs = [[tuple(r[i : i + n]) for i in range(len(r) - n + 1)] for r in of]
            right[n - 1] += sum(
                min(runs.count(run), max(r.count(run) for r in theirs)) for run in set(runs)
            )
            total[n - 1] += len(runs)
    product = math.prod((r + 1e-15) / (t + 1e-9) for r, t in zip(right, total, strict=True))
    ratio = (length + 1e-15) / (wanted + 1e-9)
    return product ** (1 / order) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bleu_is_the_slow_definition(reports: Reports, order: int) -> None:
    # Only the order of adding and multiplying differs.
    assert corpus(f"bleu{order}", *reports) == pytest.approx(slow_coco(*reports, order), rel=1e-12)


def test_sacrebleu_gives_the_same_in_percent(reports: Reports) -> None:
    answers, references = reports
    most = max(map(len, references))
    columns = [[r[i] if i < len(r) else None for r in references] for i in range(most)]
    theirs = sacrebleu.corpus_bleu(answers, columns).score
    assert 100 * corpus("sacrebleu", answers, references) == pytest.approx(theirs, rel=1e-12)


@given(answer=TEXTS, reference=TEXTS.filter(bool))
def test_sacrebleu_gives_the_same_for_one_text(answer: list[str], reference: list[str]) -> None:
    theirs = sacrebleu.corpus_bleu([" ".join(answer)], [[" ".join(reference)]]).score
    ours = corpus("sacrebleu", [" ".join(answer)], [[" ".join(reference)]])
    assert 100 * ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_the_two_implementations_agree_where_every_order_matches(reports: Reports) -> None:
    # The texts have no punctuation that 13a would split, so only smoothing could part them.
    assert corpus("bleu4", *reports) == pytest.approx(corpus("sacrebleu", *reports), rel=1e-8)


def test_the_two_implementations_differ_where_an_order_has_no_match() -> None:
    # 5 of 5 words but no run of two: sacrebleu counts 1/2, 1/4, 1/8 matches of 4, 3 and 2 runs,
    # pycocoevalcap 1e-15 of each
    answers, references = ["a b c d e"], [["e d c b a"]]
    smoothed = (1 * (1 / 8) * (1 / 12) * (1 / 16)) ** 0.25
    assert corpus("sacrebleu", answers, references) == pytest.approx(smoothed)
    assert corpus("bleu4", answers, references) < 1e-10


@given(answer=TEXTS, references=st.lists(TEXTS.filter(bool), min_size=1, max_size=3))
def test_sentence_bleu_is_that_of_nltk(answer: list[str], references: list[list[str]]) -> None:
    with warnings.catch_warnings():  # nltk warns of orders without a match, which it then smooths
        warnings.simplefilter("ignore")
        theirs = nltk_sentence_bleu(
            references, answer, smoothing_function=SmoothingFunction().method1
        )
    assert bleu_of(answer, references) == pytest.approx(theirs, rel=1e-9)


def test_the_value_of_an_items_own_sums_is_its_own_bleu(reports: Reports) -> None:
    answers, references = reports
    statistic = bleu(counted([a.split() for a in answers], [split(*r) for r in references]))
    own = statistic.value(statistic.sums)
    assert own[5] == pytest.approx(1, abs=1e-6)
    assert own[7] == pytest.approx(slow_coco(answers[7:8], references[7:8], 4), rel=1e-9)


def test_an_absent_answer_does_not_count_and_an_empty_one_scores_nothing() -> None:
    texts = counted([None, []], [[["a"]], [["a"]]])
    statistic = bleu(texts)
    assert np.isnan(statistic.sums[0]).all()
    assert statistic.value(statistic.sums[1:])[0] == 0
    np.testing.assert_array_equal(sentence_bleu(texts), [np.nan, 0])


def test_many_tokens_do_not_overflow_the_number_of_a_run() -> None:
    # 70,000 tokens to the fourth power are more than 2**63.
    words = [f"w{number}" for number in range(70_000)]
    assert float(bleu_of(words, [words])) == pytest.approx(1)
    assert float(bleu_of(words, [words[::-1]])) < 0.1


def test_an_order_beyond_four_is_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 4"):
        bleu(counts("a", "a"), order=5)


def test_an_item_without_a_reference_is_named() -> None:
    with pytest.raises(ValueError, match="item 1 has no reference"):
        counted([["a"], ["b"]], [[["a"]], []])


def test_answers_and_references_must_be_of_the_same_items() -> None:
    with pytest.raises(ValueError, match="got 1 and 2"):
        counted([["a"]], [[["a"]], [["b"]]])
