"""Which passages helped a reader say what is right: a signal to train a retriever on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from medrag.encoding.rows import Rows, different
from medrag.protocols import Encoder, Generator
from medrag.records import Generation, Hit, Question
from medrag.retrieval.asking.replying import each_outcome, replies
from medrag.retrieval.asking.showing import Asked, found_images, written
from medrag.retrieval.asking.wording import wording

# Where the texts of a reader's prompt lie.
_WORDING = "medrag.retrieval.asking"


@dataclass(frozen=True, slots=True)
class ReaderSignal:
    """How much passages helped a reader, for the queries of pairs.

    Attributes:
        vectors: (m, d) of passages, by the encoder of texts.
        shown: (n, k) rows of `vectors` that the reader saw for each pair; -1 for none.
        targets: (n, k), see `reader_targets`; a row of zeros for a pair that it was not asked of.
    """

    vectors: Rows
    shown: NDArray[np.int64]
    targets: NDArray[np.float64]


def reader_targets(log_likelihoods: ArrayLike, *, temperature: float = 1.0) -> NDArray[np.float64]:
    """Give the share of each passage in what helped: softmax of log-likelihoods / temperature.

    Args:
        log_likelihoods: (n, k) natural logarithms of how likely the reader holds the reference,
            given the question and one passage; nan where that is not known.
        temperature: the lower, the more the best passage takes.

    Returns:
        (n, k), 0 where nan; rows sum to 1, or to 0 where nothing is known.

    Raises:
        ValueError: if the temperature is not positive, or a value is infinite or above 0.

    Source:
        Izacard et al., "Atlas", JMLR 2023, section 2.2 (perplexity distillation), as CLARE does.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    given = np.atleast_2d(np.asarray(log_likelihoods, dtype=np.float64))
    known = ~np.isnan(given)
    if not (np.isfinite(given) | ~known).all() or (given[known] > 0).any():
        raise ValueError("log-likelihoods must be finite and at most 0, or nan")
    scaled = np.where(known, given / temperature, -np.inf)
    highest = scaled.max(axis=1, keepdims=True, initial=-np.inf)
    powers = np.exp(scaled - np.where(np.isfinite(highest), highest, 0))
    sums = powers.sum(axis=1, keepdims=True)
    empty = np.zeros_like(powers)
    targets: NDArray[np.float64] = np.divide(powers, sums, out=empty, where=sums > 0)
    return targets


def option_log_likelihood(scores: Sequence[float], right: int) -> float:
    """Give the log-probability of the right option among all, from their scores.

    log softmax of the scores at `right`; nan where there are none, or one is no number.

    Raises:
        ValueError: if there is no such option.
    """
    if not scores or not all(map(isfinite, scores)):
        return float("nan")
    if not 0 <= right < len(scores):
        raise ValueError(f"right must be one of {len(scores)} options from 0, got {right}")
    given = np.asarray(scores, dtype=np.float64) - max(scores)
    return float(given[right] - np.log(np.exp(given).sum()))


def reader_likelihoods(
    generator: Generator,
    questions: Sequence[Question],
    rankings: Sequence[Sequence[Hit]],
    right: Sequence[int],
    *,
    rows: object = None,
) -> NDArray[np.float64]:
    """Ask a reader each question with each hit alone, and see how likely it holds the right option.

    Args:
        generator: must give scores of options, as the local one does.
        questions: with options.
        right: place of the right option of each, from 0.
        rows: the passages of the index, by which pictures of hits are found; None shows none.

    Returns:
        (n_questions, the longest ranking), nan where there is no hit or the reader failed.

    Raises:
        ValueError: if the three differ in number, or a question has no such option.
    """
    if not len(questions) == len(rankings) == len(right):
        raise ValueError(
            f"{len(questions)} questions need as many rankings and options: {len(rankings)}, "
            f"{len(right)}"
        )
    for question, place in zip(questions, right, strict=True):
        if not 0 <= place < len(question.options):
            raise ValueError(f"question {question.id!r} has no option {place}")
    places = [(q, h) for q, hits in enumerate(rankings) for h in range(len(hits))]
    words = wording(_WORDING, "reading")
    prompts = each_outcome(
        lambda several: [
            written(_alone(questions[q], rankings[q][h], rows), words, generator)
            for q, h in several
        ],
        places,
        "writing prompts",
    )
    kept = [prompt for prompt in prompts if not isinstance(prompt, Exception)]
    made = iter(replies(generator, kept))
    found = np.full((len(questions), max(map(len, rankings), default=0)), np.nan)
    for (q, h), prompt in zip(places, prompts, strict=True):
        told = None if isinstance(prompt, Exception) else next(made)
        if isinstance(told, Generation):
            found[q, h] = option_log_likelihood(told.option_scores, right[q])
    return found


def _alone(question: Question, hit: Hit, rows: object) -> Asked:
    return Asked(question, (hit,), (found_images(hit.passage, rows),), {})


def reader_signal(
    log_likelihoods: ArrayLike,
    passages: Sequence[Sequence[str]],
    text: Encoder,
    *,
    temperature: float = 1.0,
) -> ReaderSignal:
    """Make a signal of what a reader said of passages, encoded as texts are that pictures look for.

    Args:
        log_likelihoods: (n, k) for n pairs; see `reader_targets`.
        passages: texts of each pair, at most k.

    Raises:
        ValueError: if the two do not fit together.
    """
    targets = reader_targets(log_likelihoods, temperature=temperature)
    if len(passages) != len(targets) or max(map(len, passages), default=0) > targets.shape[1]:
        raise ValueError(
            f"log-likelihoods of shape {targets.shape} need as many rows of passages, none longer; "
            f"got {len(passages)} rows"
        )
    texts, order = different([each for row in passages for each in row])
    places = iter(order)
    shown = np.full(targets.shape, -1, dtype=np.int64)
    for row, several in enumerate(passages):
        shown[row, : len(several)] = [next(places) for _ in several]
    if (targets[shown < 0] > 0).any():
        raise ValueError("there is a log-likelihood where there is no passage; say nan there")
    asked = [Question(each) for each in texts]
    return ReaderSignal(text.encode_questions(asked, "text").values, shown, targets)
