from typing import Any

import pytest

from medrag.records import Filter, Hit, Part, Question
from medrag.retrieval.rerank.image_text import ImageTextReranker
from tests.retrieval.shelf import Listed, Shelf, Vectors, ids, passage

SHELF = Shelf(passage("a"), passage("b"), passage("c"))
BOTH = Question("1,0", images=("0,1.png",))


def hits(*parts: dict[str, float]) -> list[Hit]:
    return [
        Hit(SHELF.passages[n], 1 / (n + 1), n + 1, "", {k: Part(1, v) for k, v in each.items()})
        for n, each in enumerate(parts)
    ]


def made(**options: Any) -> ImageTextReranker:
    return ImageTextReranker(**{"library": SHELF, **options})


def test_similarities_of_the_parts_are_scaled_and_averaged() -> None:
    given = hits({"text": 10, "image": 0.2}, {"text": 5, "image": 0.6}, {"text": 0, "image": 0.4})
    [found] = made(weight=0.25).rerank([BOTH], [given])
    # text 1, 0.55, 0.1; image 0.1, 1, 0.55
    assert [(hit.passage.id, hit.score) for hit in found] == [
        ("b", pytest.approx(0.25 * 0.55 + 0.75)),
        ("c", pytest.approx(0.25 * 0.1 + 0.75 * 0.55)),
        ("a", pytest.approx(0.25 + 0.75 * 0.1)),
    ]
    assert "text_and_picture" in found[0].parts


def test_what_one_side_did_not_find_counts_as_less_than_its_lowest() -> None:
    [found] = made().rerank([BOTH], [hits({"text": 1}, {"text": 2, "image": 0.5}, {"image": 0.1})])
    # text 0.1, 1, none; image none, 1, 0.1
    assert [(hit.passage.id, hit.score) for hit in found] == [("b", 1.0), ("a", 0.05), ("c", 0.05)]


def test_a_question_with_one_side_stands_by_that_side() -> None:
    [found] = made(weight=0.1).rerank([BOTH], [hits({"text": 1}, {"text": 2}, {})])
    assert ids(found) == ["b", "a", "c"]
    assert found[0].score == 1.0
    assert "text_and_picture" not in found[2].parts
    unchanged = hits({"lexical": 1.0})
    assert made().rerank([BOTH], [unchanged]) == [unchanged]
    # The only side that there is has no weight.
    assert made(weight=0).rerank([BOTH], [hits({"text": 1})]) == [hits({"text": 1})]


def test_other_names_of_parts_can_be_given() -> None:
    given = hits({"lexical": 1, "photos": 0.1}, {"lexical": 2, "photos": 0.2})
    [found] = made(text_part="lexical", image_part="photos").rerank([BOTH], [given])
    assert ids(found) == ["b", "a"]


def test_channels_score_every_hit_anew() -> None:
    text = Vectors([[1, 0]], [[0, 1]], [], side="text")
    image = Vectors([[1, 0]], [[0.6, 0.8], [0, 1]], [[0, 0.5]], side="image")
    [given] = Listed(SHELF).retrieve([Question("0 1 2")], 9, [Filter()])
    [found] = made(text=text, image=image, weight=0.4).rerank([BOTH], [given])
    # text 1, 0, none to 1, 0.1, 0; image 0, best of 0.8 and 1, 0.5 to 0.1, 1, 0.55
    assert {hit.passage.id: hit.score for hit in found} == {
        "b": pytest.approx(0.4 * 0.1 + 0.6),
        "a": pytest.approx(0.4 + 0.06),
        "c": pytest.approx(0.6 * 0.55),
    }
    [by_text] = made(text=text, image=image).rerank([Question("0,1")], [given])
    assert ids(by_text) == ["b", "a", "c"]


def test_late_interaction_adds_up_the_best_matches() -> None:
    channel = Vectors([[1, 0]], [[0.6, 0.8], [1, 0]], [], side="text", late_interaction=True)
    [given] = Listed(SHELF).retrieve([Question("0 1")], 9, [Filter()])
    [found] = made(text=channel, weight=1).rerank([Question("1,0;0,1")], [given])
    # The tokens of a: 1 and 0, of b: 1 and 0.8.
    assert ids(found) == ["b", "a"]


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weight must be in \[0, 1\]"):
        made(weight=2)
    with pytest.raises(ValueError, match=r"text must be a channel .* asked by its image"):
        made(text=Vectors(side="image"))
    with pytest.raises(ValueError, match="scaling must be"):
        made(scaling="log")
