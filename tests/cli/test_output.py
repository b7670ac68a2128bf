"""What is printed, and what is taken out first."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.cli.output import line, number, printable, shortened, table
from medrag.cli.shapes import answer_json, search_json
from medrag.records import (
    Answer,
    Citation,
    Claim,
    Hit,
    ImageRef,
    Part,
    Passage,
    Question,
    Region,
    Source,
)  # fmt: skip

SOURCE = Source("books", "a.pdf", "0" * 64, (Region(3, (1.0, 2.0, 3.0, 4.0)),), licence="CC0 1.0")
PASSAGE = Passage("id-1", "figure", "Figure 1", SOURCE, (ImageRef("a.pdf", page=3),))
HIT = Hit(PASSAGE, 0.5, 1, "words", {"lexical": Part(2, 7.5)})


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b[31mred\x1b[0m",
        "\x1b]0;new title\x07red",
        "\x1b]8;;http://example.org\x1b\\red\x1b]8;;\x1b\\",
        "\x9b31mred",
        "re\x00\x08d",
        "\u202ered\u202c",
        "\x1bP$qm\x1b\\red",
    ],
)
def test_text_of_a_library_cannot_drive_the_terminal(hostile: str) -> None:
    assert printable(hostile) == "red"


@given(st.text())
def test_nothing_printed_holds_a_control_character(text: str) -> None:
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in printable(text))
    assert "\x1b" not in printable(text)
    assert "\n" not in line(text)


def test_ordinary_text_is_printed_as_it_is() -> None:
    text = "Röntgen: 心臓 ≥ 5 µm\n\tindented"
    assert printable(text) == text


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert shortened("a  b\nc" * 50, 10) == "a b ca b…"


def test_columns_line_up() -> None:
    assert table([("a", "1"), ("long", "2")]) == "a     1\nlong  2"


def test_a_line_whose_last_cell_is_empty_ends_without_blanks() -> None:
    assert table([["graph", ""], ["lexical", "3 passages"]], indent=" ") == (
        " graph\n lexical  3 passages"
    )


def test_one_thing_has_no_plural() -> None:
    assert [number(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]


def test_the_json_of_a_search_has_its_documented_shape() -> None:
    shape = search_json("words", [HIT])
    assert shape.keys() == {"query", "hits"}
    (hit,) = shape["hits"]
    assert {"rank", "score", "passage_id", "kind", "text", "source", "parts"} <= hit.keys()
    assert hit["parts"] == {"lexical": {"rank": 2, "score": 7.5}}
    assert hit["source"]["regions"] == [{"page": 3, "box": [1.0, 2.0, 3.0, 4.0]}]
    assert {"corpus", "document", "domain"} <= hit["source"].keys()
    json.dumps(shape)


def test_the_json_of_an_answer_has_its_documented_shape() -> None:
    answer = Answer(
        Question(text="What?", id="q", options=("yes", "no")),
        "A. yes [1]",
        claims=(Claim("A. yes", (1,), "supported", 0.9),),
        citations=(Citation(1, PASSAGE, 0.5),),
        excluded=(HIT,),
        confidence=0.75,
        timings={"retrieve": 0.1},
    )
    shape = answer_json(answer)
    documented = {
        "question", "answer", "abstained", "confidence",
        "excluded", "claims", "citations", "timings",
    }  # fmt: skip
    assert documented <= shape.keys()
    assert shape["question"] == "What?"
    claim = {"text": "A. yes", "markers": [1], "support": "supported", "score": 0.9}
    assert shape["claims"] == [{**claim, "of_another_patient": False}]
    (citation,) = shape["citations"]
    assert {"marker", "passage_id", "kind", "text", "source", "score"} <= citation.keys()
    assert [hit["passage_id"] for hit in shape["excluded"]] == ["id-1"]
    json.dumps(shape)
