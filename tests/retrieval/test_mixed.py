from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import RecipeError
from medrag.records import Filter, Question
from medrag.retrieval.mixed import MixedRetriever
from tests.retrieval.shelf import Shelf, Vectors, ids, passage

SHELF = Shelf(passage("right"), passage("up", domain="other"), passage("both"), passage("none"))
CHANNEL = Vectors([[1, 0]], [[0, 1]], [[1, 0], [0, 1]], [])
RIGHT_AND_UP = Question("0,1", images=("1,0.png",))


def mixed(**options: Any) -> MixedRetriever:
    return MixedRetriever(**{"library": SHELF, "channel": CHANNEL, **options})


def scores(retriever: MixedRetriever, question: Question) -> dict[str, float]:
    [hits] = retriever.retrieve([question], 10, [Filter()])
    return {hit.passage.id: round(hit.score, 6) for hit in hits}


def test_the_question_is_nine_tenths_of_its_picture_and_a_tenth_of_its_text() -> None:
    # q = 0.9 (1, 0) + 0.1 (0, 1); "both" is the mean of 0.9 and 0.1. A passage without vectors is
    # not found.
    assert scores(mixed(), RIGHT_AND_UP) == {"right": 0.9, "both": 0.5, "up": 0.1}
    assert scores(mixed(share=0.75), RIGHT_AND_UP) == {"up": 0.75, "both": 0.5, "right": 0.25}


def test_each_side_is_the_mean_of_its_vectors_and_is_not_scaled() -> None:
    # The picture's mean is (1/2, 1/2): 0.9 * 1/2 and 0.9 * 1/2 + 0.1.
    question = Question("0,1", images=("1,0;0,1.png",))
    assert scores(mixed(), question) == {"up": 0.55, "both": 0.5, "right": 0.45}


def test_a_question_with_one_side_is_asked_by_that_side() -> None:
    assert scores(mixed(), Question("0,1")) == {"up": 1.0, "both": 0.5, "right": 0.0}
    assert scores(mixed(), Question(images=("1,0.png",))) == {"right": 1.0, "both": 0.5, "up": 0.0}
    assert scores(mixed(), Question()) == {}


def test_only_what_the_filter_allows_is_found() -> None:
    wanted = Filter(domains=frozenset({"other"}))
    [found, all_found] = mixed().retrieve([RIGHT_AND_UP] * 2, 10, [wanted, Filter()])
    assert ids(found) == ["up"]
    assert found[0].rank == 1
    assert found[0].parts["mixed"].score == pytest.approx(0.1)
    assert len(all_found) == 3


@given(
    st.lists(
        st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), max_size=3),
        min_size=1,
        max_size=8,
    ),
    st.floats(0, 1),
)
def test_the_ranking_is_that_of_a_plain_loop(vectors: list[Any], share: float) -> None:
    shelf = Shelf(*(passage(str(n)) for n in range(len(vectors))))
    retriever = mixed(library=shelf, channel=Vectors(*vectors), share=share)
    [hits] = retriever.retrieve([RIGHT_AND_UP], 10, [Filter()])
    query = (1 - share) * np.array([1.0, 0.0]) + share * np.array([0.0, 1.0])
    expected = {
        str(n): sum(float(query @ np.array(v)) for v in several) / len(several)
        for n, several in enumerate(vectors)
        if several
    }
    # Single precision.
    assert {hit.passage.id: hit.score for hit in hits} == pytest.approx(expected, abs=1e-5)
    found = [round(hit.score, 5) for hit in hits]
    assert found == sorted(found, reverse=True)


def test_more_rows_than_are_read_at_a_time_are_all_searched(monkeypatch: Any) -> None:
    monkeypatch.setattr("medrag.retrieval.mixed._BLOCK", 2)
    assert scores(mixed(), RIGHT_AND_UP) == {"right": 0.9, "both": 0.5, "up": 0.1}


def test_an_encoder_of_one_side_is_refused_with_the_way_out() -> None:
    retriever = mixed(channel=Vectors([[1, 0]], [[0, 1]], [], [], reads=("text",)))
    with pytest.raises(RecipeError, match=r"does not read the image side .* such as clip"):
        retriever.retrieve([RIGHT_AND_UP], 1, [Filter()])
    assert len(retriever.retrieve([Question("0,1")], 5, [Filter()])[0]) == 2


def test_a_channel_without_vectors_is_refused() -> None:
    channel = Vectors([], [], [], [])
    channel.has_vectors = False
    with pytest.raises(RecipeError, match="needs a channel of vectors"):
        mixed(channel=channel).retrieve([Question("0,1")], 1, [Filter()])


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\], got 1.5"):
        mixed(share=1.5)


def test_a_clip_model_is_searched_by_both_sides(tmp_path: Path) -> None:
    from medrag.config import build_index, load_pipeline
    from tests.encoding.tiny_pictures import saved, tiny_clip

    tiny_clip(tmp_path / "clip")
    (tmp_path / "images").mkdir()
    for seed in range(3):
        saved(tmp_path / "images" / f"{seed}.png", seed)
    folder = tmp_path / "index"
    index = build_index(
        folder, sources=[tmp_path / "images"], channels=[f"image={tmp_path / 'clip'}"]
    )
    recipe = tmp_path / "mixed.yaml"
    recipe.write_text(
        "retrieve: {kind: mixed, channel: image}\n"
        "answer: {kind: one_pass, generator: {kind: extractive}}\n"
    )
    pipeline = load_pipeline(recipe, index=index)
    picture = str(tmp_path / "images" / "1.png")
    [hits] = pipeline.retriever.retrieve([Question("the heart", images=(picture,))], 3, [Filter()])
    channel = index.channels["image"]
    encoded: Any = channel
    both = [
        encoded.encoder.encode_questions([Question("the heart", images=(picture,))], side).values[0]
        for side in ("image", "text")
    ]
    query = 0.9 * both[0] + 0.1 * both[1]
    rows = {p.id: n for n, p in enumerate(index.passages)}
    for hit in hits:
        held = encoded.vectors_at([rows[hit.passage.id]]).values
        assert hit.score == pytest.approx(float(held.mean(axis=0) @ query), abs=1e-5)
    assert "1.png" in hits[0].passage.images[0].path
