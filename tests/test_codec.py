"""Records survive the way to JSON and back."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.codec import (
    answer_from_json,
    answer_to_json,
    cited_passages,
    passage_from_json,
    record_from_json,
    skipped_from_json,
    to_json,
)
from medrag.records import (
    KINDS,
    Answer,
    Citation,
    Claim,
    Filter,
    Hit,
    ImageRef,
    Item,
    Part,
    Passage,
    Question,
    QuestionRegion,
    Region,
    Selection,
    Skipped,
    Source,
    Turn,
    Usage,
    passage_id,
)
from medrag.shapes import ShapeError

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
boxes = st.none() | st.tuples(numbers, numbers, numbers, numbers)
texts = st.text(max_size=20)
maybe = st.none() | texts
regions = st.builds(Region, page=st.none() | st.integers(1, 99), box=boxes)
sources = st.builds(
    Source, corpus=texts, document=texts, sha256=texts, domain=maybe, subject=maybe, study=maybe,
    time=maybe, licence=maybe, language=texts, regions=st.lists(regions, max_size=3).map(tuple),
)  # fmt: skip
images = st.builds(
    ImageRef, path=texts, sha256=maybe, phash=maybe, page=st.none() | st.integers(1, 9),
    frame=st.none() | st.integers(0, 9), axis=st.none() | st.integers(0, 2),
    slice=st.none() | st.integers(0, 9), box=boxes,
)  # fmt: skip
passages = st.builds(
    Passage, id=texts, kind=st.sampled_from(KINDS), text=texts, source=sources,
    images=st.lists(images, max_size=2).map(tuple),
    fields=st.dictionaries(texts, st.lists(texts) | texts | st.integers() | st.none(), max_size=3),
)  # fmt: skip


@given(passages)
def test_a_passage_survives_json(passage: Passage) -> None:
    assert passage_from_json(json.loads(json.dumps(to_json(passage)))) == passage


@given(sources, texts, texts, st.booleans())
def test_what_was_skipped_survives_json(
    source: Source, reason: str, detail: str, failed: bool
) -> None:
    skipped = Skipped(source, reason, detail, failed)
    assert skipped_from_json(json.loads(json.dumps(to_json(skipped)))) == skipped


def test_defaults_are_left_out_sets_are_sorted_and_paths_are_posix() -> None:
    assert to_json(Filter(kinds=frozenset({"text", "case"}))) == {"kinds": ["case", "text"]}
    assert to_json({"root": Path("a") / "b"}) == {"root": "a/b"}


def test_an_id_depends_on_place_and_content_and_on_no_file_hash() -> None:
    source = Source(corpus="c", document="d.pdf", sha256="1")
    again = Source(corpus="c", document="d.pdf", sha256="2", licence="CC0-1.0")
    assert passage_id("text", source, "lung") == passage_id("text", again, "lung")
    assert passage_id("text", source, "lung") != passage_id("text", source, "heart")
    assert passage_id("text", source, "lung") != passage_id("text", source, "lung", place="line 2")


questions = st.builds(
    Question, text=texts, images=st.lists(images, max_size=2).map(tuple), id=texts,
    options=st.lists(texts, max_size=3).map(tuple), domain=maybe, subject=maybe, study=maybe,
    time=maybe, history=st.lists(st.builds(Turn, texts, texts), max_size=2).map(tuple),
    regions=st.lists(st.builds(QuestionRegion, image=st.integers(0, 3), box=boxes, name=maybe),
                     max_size=2).map(tuple),
)  # fmt: skip
items = st.builds(
    Item, id=texts, question=questions, references=st.lists(texts, max_size=2).map(tuple),
    kind=st.sampled_from(["yes_no", "choice", "text"]), closed=st.booleans(), cluster=maybe,
    fields=st.dictionaries(texts, texts | st.integers(), max_size=2),
)  # fmt: skip


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers as a pipeline gives them: what is cited, and what looks alike, is in the evidence."""
    found = draw(st.lists(passages, max_size=3, unique_by=lambda passage: passage.id))
    kept = tuple(
        Hit(passage, draw(numbers), rank, "q", {"lexical": Part(rank, 0.5)})
        for rank, passage in enumerate(found, start=1)
    )
    cited = draw(st.sets(st.sampled_from(range(1, len(kept) + 1)))) if kept else set()
    return Answer(
        draw(questions),
        draw(texts),
        claims=(Claim("a", tuple(sorted(cited)), "supported", 0.5),),
        citations=tuple(Citation(n, kept[n - 1].passage, kept[n - 1].score) for n in sorted(cited)),
        selection=Selection(kept, (), "top 3", draw(st.booleans())),
        excluded=kept[:1],
        near_duplicates=kept[-1:],
        confidence=draw(st.none() | st.floats(0, 1)),
        usage=Usage(3, None),
        prompt=("Read this:", *draw(st.lists(images, max_size=1))),
        option_scores=(-0.5, -1.5),
        timings={"answer": 0.25},
        trace=({"step": 1},),
    )


@given(items)
def test_an_item_survives(item: Item) -> None:
    assert record_from_json(Item, json.loads(json.dumps(to_json(item)))) == item


@given(answers())
def test_an_answer_survives_with_its_evidence(answer: Answer) -> None:
    passages = {passage.id: passage for passage in cited_passages(answer)}
    assert answer_from_json(json.loads(json.dumps(answer_to_json(answer))), passages) == answer


def test_the_json_of_an_answer_names_passages_and_does_not_repeat_them() -> None:
    passage = Passage("p", "text", "words of the passage", Source("c", "d", "0"))
    answer = Answer(Question("?"), "words", selection=Selection((Hit(passage, 1.0, 1),)))
    assert list(cited_passages(answer)) == [passage]
    assert "words of the passage" not in json.dumps(answer_to_json(answer))


def test_a_wrong_type_is_told_with_its_place() -> None:
    shape = to_json(Item("a", Question("?", (ImageRef("a.png"),))))
    shape["question"]["images"][0]["page"] = "three"
    with pytest.raises(ShapeError, match=r"question\.images\[0\]\.page: expected a whole number o"):
        record_from_json(Item, shape)


@given(answers(), st.data())
def test_an_answer_with_another_value_anywhere_is_read_or_refused(
    answer: Answer, data: st.DataObject
) -> None:
    shape = json.loads(json.dumps(answer_to_json(answer)))
    value, key = shape, data.draw(st.sampled_from(sorted(shape)))
    while isinstance(value[key], dict | list) and value[key] and data.draw(st.booleans()):
        value = value[key]
        key = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else [0]))
    value[key] = data.draw(
        st.sampled_from([None, True, -1, 10**30, 0.5, "x", [], [5], {}, {"a": 1}])
    )
    passages = {passage.id: passage for passage in cited_passages(answer)}
    with contextlib.suppress(ShapeError, KeyError):
        assert isinstance(answer_from_json(shape, passages), Answer)
