"""Chunks cover a text, keep to their size and share their ends."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.ingestion.chunking import count_tokens, split

SENTENCE = "The dermis lies below the epidermis and holds hair follicles. "
texts = st.lists(
    st.sampled_from(
        [
            SENTENCE,
            "Short one. ",
            "See Fig. 4 of the book. ",
            "x" * 90 + " ",
            "\n\n",
            "Élan β 3 mg; ",
        ]
    ),
    max_size=40,
).map("".join)


@given(text=texts, tokens=st.integers(8, 120), share=st.sampled_from([0, 4, 8]))
def test_chunks_cover_the_text_in_order_and_fit(text: str, tokens: int, share: int) -> None:
    overlap = tokens // share if share else 0

    spans = split(text, tokens=tokens, overlap=overlap)

    reached = 0
    for start, end in spans:
        assert not text[reached:start].strip()
        assert count_tokens(text[start:end]) <= tokens
        assert text[start:end] == text[start:end].strip() != ""
        assert count_tokens(text[start:reached]) <= overlap
        reached = end
    assert not text[reached:].strip()


def test_a_chunk_begins_with_the_last_sentence_of_the_one_before() -> None:
    # A sentence is 62 bytes, so 16 tokens; an overlap of 20 holds one, of 10 none.
    text = SENTENCE * 10

    shared = split(text, tokens=64, overlap=20)
    apart = split(text, tokens=64, overlap=10)

    repeated = [text[after:end].strip() for (_, end), (after, _) in pairwise(shared)]
    assert set(repeated) == {SENTENCE.strip()}
    assert all(after >= end for (_, end), (after, _) in pairwise(apart))


def test_a_cut_falls_between_sentences_and_not_after_an_abbreviation() -> None:
    text = "The layers are drawn in Fig. 5.2 of this book. " * 8

    spans = split(text, tokens=40, overlap=0)

    assert len(spans) > 1
    assert all(text[start:end].endswith("book.") for start, end in spans)


def test_a_blank_text_has_no_chunks() -> None:
    assert split(" \n ") == []


@pytest.mark.parametrize(("tokens", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_an_overlap_must_be_smaller_than_a_chunk(tokens: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        split("text", tokens=tokens, overlap=overlap)


def test_a_text_that_fits_is_returned_without_importing_llama_index() -> None:
    code = (
        "import sys; from medrag.ingestion.chunking import split; "
        "assert split('  one sentence. ') == [(2, 15)]; "
        "assert not [m for m in sys.modules if m.startswith('llama_index')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
