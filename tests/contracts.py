"""What every implementation of a protocol must do, whatever it is made of."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from medrag.codec import to_json
from medrag.images import read_image
from medrag.prompting.citation import cite
from medrag.protocols import (
    Channel,
    Encoder,
    Generator,
    Reranker,
    Retriever,
    Side,
    Tool,
    TracedRetriever,
)
from medrag.records import (
    Filter,
    Hit,
    ImageRef,
    Passage,
    Prompt,
    Question,
    Retrieved,
    ScoredRow,
    ToolResult,
)
from medrag.retrieval.history import of_earlier_study
from medrag.retrieval.tracing import is_repeatable
from tests.indexing.library import allowed


def check_channel(
    channel: Channel,
    questions: Sequence[Question],
    *,
    n_rows: int,
    masks: Sequence[tuple[Filter, NDArray[np.bool_]]],
    unusable: Sequence[Question] = (),
) -> None:
    """Check a channel on questions that it can answer.

    Args:
        n_rows: rows of the index.
        masks: filters, each with the rows that it allows; should leave some rows and cut others.
        unusable: questions that the channel cannot use.
    """
    everything = [Filter()] * len(questions)
    full = channel.search(questions, n_rows, everything)
    assert len(full) == len(questions)
    assert any(full), "no question finds anything, so that nothing is checked"
    for ranking in full:
        _check_order(ranking, n_rows)
    for k in (1, 2, 5):
        assert channel.search(questions, k, everything) == [ranking[:k] for ranking in full]
    for wanted, mask in masks:
        expected = [[hit for hit in ranking if mask[hit.row]] for ranking in full]
        found = channel.search(questions, n_rows, [wanted] * len(questions))
        _check_same(found, expected)
        _check_same(
            channel.search(questions, 2, [wanted] * len(questions)), [e[:2] for e in expected]
        )
    _check_one_by_one(channel, questions, full)
    assert channel.search([], 3, []) == []
    assert channel.search(unusable, 3, [Filter()] * len(unusable)) == [[] for _ in unusable]


def check_encoder(
    encoder: Encoder,
    passages: Sequence[Passage],
    questions: Sequence[Question],
    side: Side,
    *,
    tolerance: float = 1e-5,
) -> None:
    """Check an encoder on passages that it encodes and questions that have the side.

    Args:
        tolerance: how far a vector may move with the batch it is encoded in; sums of single
            precision in another order by default.
    """
    assert encoder.name
    assert all(encoder.encodes(passage) for passage in passages)
    together = encoder.encode_passages(passages)
    asked = encoder.encode_questions(questions, side)
    for embeddings, n in ((together, len(passages)), (asked, len(questions))):
        assert embeddings.values.dtype == np.float32
        assert embeddings.values.ndim == 2
        assert embeddings.lengths.dtype == np.int32
        assert embeddings.lengths.shape == (n,)
        assert embeddings.lengths.min() >= 1
        assert embeddings.lengths.sum() == len(embeddings.values)
        assert np.isfinite(embeddings.values).all()
        if encoder.normalised:
            norms = np.linalg.norm(embeddings.values, axis=1)
            np.testing.assert_allclose(norms, 1, atol=1e-4)
    d = together.values.shape[1]
    assert asked.values.shape[1] == d
    none = encoder.encode_passages([])
    assert none.values.shape == (0, d)
    assert none.lengths.shape == (0,)
    assert encoder.encode_questions([], side).values.shape == (0, d)
    alone = [encoder.encode_passages([passage]).values for passage in passages]
    np.testing.assert_allclose(np.concatenate(alone), together.values, atol=tolerance)


def _check_order(ranking: Sequence[ScoredRow], n_rows: int) -> None:
    assert all(0 <= hit.row < n_rows for hit in ranking)
    assert len({hit.row for hit in ranking}) == len(ranking)
    assert list(ranking) == sorted(ranking, key=lambda hit: (-hit.score, hit.row))


def _check_same(
    found: Sequence[Sequence[ScoredRow]], expected: Sequence[Sequence[ScoredRow]]
) -> None:
    """Compare rankings; scores may differ in the last bits that a filter's query moves."""
    assert [[hit.row for hit in ranking] for ranking in found] == [
        [hit.row for hit in ranking] for ranking in expected
    ]
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            [hit.score for hit in one], [hit.score for hit in two], rtol=1e-4, atol=2e-3
        )


def _check_one_by_one(
    channel: Channel, questions: Sequence[Question], full: Sequence[Sequence[ScoredRow]]
) -> None:
    alone = [channel.search([each], max(1, len(full[0])), [Filter()])[0] for each in questions]
    for one, ranking in zip(alone, full, strict=True):
        assert one == list(ranking[: len(one)])


def check_generator(generator: Generator, prompts: Sequence[Prompt]) -> None:
    """Check a generator on prompts: one text for each, and only markers that mean something.

    Args:
        prompts: at least one with evidence and one without.
    """
    assert generator.name
    assert generator.generate([]) == []
    generations = generator.generate(prompts)
    assert len(generations) == len(prompts)
    for prompt, generation in zip(prompts, generations, strict=True):
        assert generation.text.strip()
        assert generation.confidence is None or 0 <= generation.confidence <= 1
        cited = cite(generation.text, prompt)
        assert cited.error is None
        assert not (generation.abstained and cited.citations)
    alone = [generator.generate([prompt])[0] for prompt in prompts]
    assert [one.text for one in alone] == [one.text for one in generations]


def check_tool(
    tool: Tool,
    images: Sequence[ImageRef],
    *,
    right: Sequence[Mapping[str, Any]],
    wrong: Sequence[Mapping[str, Any]],
) -> None:
    """Check a tool: what it gives can be shown, and what makes no sense is refused.

    Args:
        images: that it is given; absolute paths.
        right: arguments that it takes.
        wrong: arguments that it refuses.
    """
    assert tool.name.strip()
    assert not any(letter.isspace() or letter in '"{}<>' for letter in tool.name)
    assert tool.about.strip()
    assert "\n\n" not in tool.about
    sizes = [read_image(image).shape[:2] for image in images]
    for arguments in right:
        result = tool.call(arguments, images)
        assert isinstance(result, ToolResult)
        assert result.text.strip() or result.images
        for image in result.images:
            assert read_image(image).size
        for region in result.regions:
            height, width = sizes[region.image]
            x0, y0, x1, y1 = region.box or (0, 0, 1, 1)
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
        assert to_json(tool.call(arguments, images)) == to_json(result)
    for arguments in wrong:
        with pytest.raises(ValueError, match=r"\w"):
            tool.call(arguments, images)


def check_retriever(
    retriever: Retriever, questions: Sequence[Question], *, filters: Sequence[Filter], k: int = 5
) -> None:
    """Check a retriever on questions, for at least one of which it finds something.

    Args:
        filters: each asked with every question; should leave something and cut something.
    """
    everything = [Filter()] * len(questions)
    full = _ranked_soundly(retriever, questions, k, everything)
    assert any(full), "no question finds anything, so that nothing is checked"
    _ranked_soundly(retriever, questions, 1, everything)
    for wanted in filters:
        _ranked_soundly(retriever, questions, k, [wanted] * len(questions))
    mixed = [[*filters, Filter()][n % (len(filters) + 1)] for n in range(len(questions))]
    together = _ranked_soundly(retriever, questions, k, mixed)
    if is_repeatable(retriever):
        assert _alike(retriever.retrieve(questions, k, everything), full)
        alone = [
            retriever.retrieve([question], k, [wanted])[0]
            for question, wanted in zip(questions, mixed, strict=True)
        ]
        assert _alike(alone, together)
        _check_trace(retriever, questions, k, mixed, together)
    assert retriever.retrieve([], k, []) == []
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        retriever.retrieve(questions[:1], 0, [Filter()])
    with pytest.raises(ValueError, match=r"\w"):
        retriever.retrieve(questions[:1], 1, [])


def check_reranker(
    reranker: Reranker, questions: Sequence[Question], rankings: Sequence[Sequence[Hit]]
) -> None:
    """Check a reranker on rankings, at least one of which has several hits."""
    assert any(len(ranking) > 1 for ranking in rankings), "there is nothing to put in order"
    found = reranker.rerank(questions, rankings)
    assert len(found) == len(questions)
    for ranking, before in zip(found, rankings, strict=True):
        check_ranking(ranking, len(before))
        assert {hit.passage.id for hit in ranking} <= {hit.passage.id for hit in before}
        known = {hit.passage.id: hit for hit in before}
        for hit in ranking:
            assert hit.passage == known[hit.passage.id].passage
            assert hit.history == known[hit.passage.id].history
    alone = [
        reranker.rerank([question], [ranking])[0]
        for question, ranking in zip(questions, rankings, strict=True)
    ]
    assert _alike(alone, found)
    assert reranker.rerank([], []) == []
    assert reranker.rerank(list(questions[:1]), [[]]) == [[]]


def check_ranking(ranking: Sequence[Hit], k: int) -> None:
    """Check ranks from 1 without gaps, scores that never rise, and each passage once."""
    assert len(ranking) <= k
    assert [hit.rank for hit in ranking] == list(range(1, len(ranking) + 1))
    scores = [hit.score for hit in ranking]
    assert np.isfinite(scores).all()
    # Orders are rounded, so that the last bits of a sum do not order equal scores.
    assert all(later <= score + 1e-9 for score, later in pairwise(scores))
    assert len({hit.passage.id for hit in ranking}) == len(ranking)
    assert all(part.rank >= 0 for hit in ranking for part in hit.parts.values())


def obeys(hit: Hit, question: Question, wanted: Filter) -> bool:
    """Tell whether a hit is what a filter allows; history is what its own rule allows."""
    if not hit.history:
        return allowed(hit.passage, wanted)
    own = frozenset({question.subject or ""})
    pictures = frozenset(image.sha256 for image in hit.passage.images if image.sha256)
    rest = replace(
        wanted, not_subjects=wanted.not_subjects - own, not_images=wanted.not_images - pictures
    )
    return of_earlier_study(hit.passage, question) and allowed(hit.passage, rest)


def _ranked_soundly(
    retriever: Retriever, questions: Sequence[Question], k: int, filters: Sequence[Filter]
) -> list[list[Hit]]:
    found = retriever.retrieve(questions, k, filters)
    assert len(found) == len(questions)
    for ranking, question, wanted in zip(found, questions, filters, strict=True):
        check_ranking(ranking, k)
        assert all(obeys(hit, question, wanted) for hit in ranking)
    return found


def _check_trace(
    retriever: Retriever,
    questions: Sequence[Question],
    k: int,
    filters: Sequence[Filter],
    found: Sequence[Sequence[Hit]],
) -> None:
    """Check that a retriever that tells its way finds the same, in steps of JSON."""
    if not isinstance(retriever, TracedRetriever):
        return
    traced: list[Retrieved] = retriever.retrieve_traced(questions, k, filters)
    assert _alike([each.hits for each in traced], found)
    for each in traced:
        assert all(step["step"] for step in each.trace)
        assert json.loads(json.dumps(to_json(each.trace))) == to_json(each.trace)


def _alike(one: Sequence[Sequence[Hit]], other: Sequence[Sequence[Hit]]) -> bool:
    """Compare rankings; scores may differ in the last bits, which a batch moves."""
    return all(
        [(hit.passage.id, hit.history) for hit in first]
        == [(hit.passage.id, hit.history) for hit in second]
        and np.allclose([hit.score for hit in first], [hit.score for hit in second], atol=1e-5)
        for first, second in zip(one, other, strict=True)
    )
