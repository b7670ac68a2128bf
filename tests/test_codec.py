"""Records survive the way to JSON and back."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from medrag.codec import passage_from_json, skipped_from_json, to_json
from medrag.records import (
    KINDS,
    Filter,
    ImageRef,
    Passage,
    Region,
    Skipped,
    Source,
    passage_id,
)

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
