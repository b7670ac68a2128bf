"""Web pages, Markdown, plain text, and texts in records."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import InputFileError, UnsafePathError
from medrag.ingestion.html import read_html
from medrag.ingestion.prose import read_markdown, read_plain
from medrag.ingestion.sources import file_sha256, source_of
from medrag.ingestion.text import TextIngestor
from medrag.records import Corpus, Passage, Skipped

PAGE = """<!DOCTYPE html>
<html><head><title>Chest guideline</title><style>p {color: red}</style></head><body>
<nav><a href="/">Home</a> <a>About us</a></nav>
<h1>Chest guideline</h1>
<p>A thin <b>pleural</b> line &amp; no vessels.<br>Look twice.</p>
<h2>Doses</h2>
<p>Give these.
<ul><li>one<li>two <i>halves</i></ul>
<table><caption>Drugs</caption><tr><th>Drug</th><th>mg</th></tr>
<tr><td>A</td><td>5</td></tr></table>
<figure><img src="film.png"><figcaption>Figure 1. The film.</figcaption></figure>
<script>alert("no text")</script>
<h3>Children</h3>Half of it.
<footer>Imprint</footer></body></html>
"""

MARKDOWN = """---
title: "A handbook"
---
# First *part*

Some **bold** words, a [link](http://a.b) and HLA-B*27 stay.
The second line.

Under the line
--------------

| drug | mg |
|------|----|
| A    | 5  |

```
# no heading
```

## Deeper ##

- one
- two
"""


def _read(path: Path, **options: object) -> tuple[list[Passage], list[Skipped]]:
    ingestor = TextIngestor(corpus=Corpus("c", path.parent), **options)  # type: ignore[arg-type]
    found = list(ingestor.passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_web_page_is_cut_at_its_headings(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "a.html", PAGE))
    texts = {each.fields["title"]: each.text for each in passages if each.kind == "text"}
    assert texts["Chest guideline"] == "A thin pleural line & no vessels.\nLook twice."
    assert texts["Chest guideline > Doses > Children"] == "Half of it."
    assert "no text" not in " ".join(texts.values())
    assert "red" not in " ".join(texts.values())


def test_navigation_is_left_out_and_counted(tmp_path: Path) -> None:
    passages, skips = _read(_file(tmp_path, "a.html", PAGE))
    (skipped,) = [each for each in skips if each.reason == "boilerplate"]
    assert not any("About" in each.text or "Imprint" in each.text for each in passages)
    assert not skipped.failed
    assert "4 words" in skipped.detail


def test_entries_of_a_list_stay_entries(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "a.html", PAGE))
    assert any("Give these.\n\n- one\n- two halves" in each.text for each in passages)


def test_a_table_is_rows_under_its_caption(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "a.html", PAGE))
    (table,) = [each for each in passages if each.kind == "table"]
    assert table.text == "Drugs\nDrug | mg\nA | 5"
    assert table.fields["rows"] == [["Drug", "mg"], ["A", "5"]]
    assert table.fields["caption"] == "Drugs"


def test_a_long_table_repeats_its_head(tmp_path: Path) -> None:
    rows = "".join(f"<tr><td>drug {n}</td><td>{'x' * 90}</td></tr>" for n in range(60))
    page = f"<table><tr><th>Drug</th><th>Dose</th></tr>{rows}</table>"
    passages, _ = _read(_file(tmp_path, "a.html", page))
    assert len(passages) > 2
    assert all(each.text.startswith("Drug | Dose\n") for each in passages)
    assert sum(len(each.fields["rows"]) - 1 for each in passages) == 60


def test_a_figure_without_its_picture_is_a_text_and_a_picture_is_missing(tmp_path: Path) -> None:
    passages, skipped = _read(_file(tmp_path, "a.html", PAGE))
    assert not [each for each in passages if each.kind == "figure"]
    assert any(each.text == "Figure 1. The film." for each in passages)
    assert "missing_image" in {each.reason for each in skipped}


def test_a_figure_has_the_picture_that_lies_beside_the_page(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "film.png")
    passages, _ = _read(_file(tmp_path, "a.html", PAGE))
    (figure,) = [each for each in passages if each.kind == "figure"]
    assert figure.images[0].path == "film.png"
    assert figure.fields["caption"] == "Figure 1. The film."


@pytest.mark.parametrize("address", ["http://a.invalid/x.png", "//a.invalid/x.png", "data:a"])
def test_nothing_is_fetched(tmp_path: Path, address: str) -> None:
    page = f"<p>x</p><figure><img src='{address}'><figcaption>Film</figcaption></figure>"
    passages, skipped = _read(_file(tmp_path, "a.html", page))
    assert [each.text for each in passages] == ["x", "Film"]
    assert not skipped


def test_markdown_is_cut_at_both_kinds_of_headings(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "a.md", MARKDOWN))
    found = [(each.fields["title"], each.text, each.fields["span"]) for each in passages]
    assert found == [
        (
            "A handbook > First part",
            "Some bold words, a link and HLA-B*27 stay.\nThe second line.",
            "line 6",
        ),
        ("A handbook > First part > Under the line", "drug | mg\nA | 5", "line 12"),
        ("A handbook > First part > Under the line", "# no heading", "line 17"),
        ("A handbook > First part > Deeper", "- one\n- two", "line 22"),
    ]


def test_headings_of_plain_text_stand_alone(tmp_path: Path) -> None:
    text = "INTRODUCTION\n\nIt is A.\nIt is B.\n\n1.2 How it is done\n\nSo.\n\nEnd\n===\n\nFine.\n"
    passages, _ = _read(_file(tmp_path, "a.txt", text))
    assert [(each.fields["title"], each.text) for each in passages] == [
        ("INTRODUCTION", "It is A.\nIt is B."),
        ("INTRODUCTION > 1.2 How it is done", "So."),
        ("End", "Fine."),
    ]


def test_a_long_section_is_cut_and_each_piece_says_its_lines(tmp_path: Path) -> None:
    # 120 paragraphs, each on its own line with a blank one after it.
    text = "".join(f"Paragraph {n} says something of the lungs.\n\n" for n in range(120))
    path = _file(tmp_path, "a.txt", text)
    passages, _ = _read(path)
    lines = path.read_text().splitlines()
    assert len(passages) > 2
    assert len({each.id for each in passages}) == len(passages)
    for passage in passages:
        first, last = map(int, passage.fields["span"].removeprefix("lines ").split("-"))
        assert lines[first - 1].startswith(passage.text[:11])
        assert passage.text.endswith(lines[last - 1])


@pytest.mark.parametrize(
    ("content", "guessed"),
    [
        ("Größe".encode(), False),
        (b"\xef\xbb\xbf" + "Größe".encode(), False),
        ("Größe".encode("utf-16"), False),
        ("Größe".encode("latin-1"), True),
    ],
)
def test_letters_are_read_in_their_encoding(tmp_path: Path, content: bytes, guessed: bool) -> None:
    passages, skipped = _read(_file(tmp_path, "a.txt", content))
    assert [each.text for each in passages] == ["Größe"]
    assert [each.reason for each in skipped] == (["encoding"] if guessed else [])


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "empty"), (b"\x00\x01" * 50, "control"), (b"# Only\n", "no text")]
)
def test_what_holds_no_text_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InputFileError, match=words):
        _read(_file(tmp_path, "a.md", content))


def test_records_are_read_by_the_columns_of_a_card(tmp_path: Path) -> None:
    row = {"module": "m1", "chapter_title": "Body", "section_title": "Organs", "text": "Ten."}
    path = _file(tmp_path, "s.jsonl", json.dumps(row) + "\n")
    columns = {"text": "text", "title": ["chapter_title", "section_title"], "doc_id": "module"}
    for options in ({"columns": columns}, {}):
        ((passage,), _) = _read(path, **options)
        assert passage.text == "Ten."
        assert passage.fields == {"title": "Body > Organs", "doc_id": "m1", "span": "line 1"}
    with pytest.raises(InputFileError, match="'body' for 'text', but the file has module"):
        _read(path, columns={"text": "body"})


def test_a_glossary_entry_says_what_it_defines(tmp_path: Path) -> None:
    path = _file(tmp_path, "g.csv", "term,definition\nlung,organ of breathing\n")
    ((passage,), _) = _read(path)
    assert passage.text == "lung: organ of breathing"
    assert passage.fields["title"] == "lung"


def test_a_file_is_named_relative_to_its_corpus(tmp_path: Path) -> None:
    path = _file(tmp_path, "a.txt", "x")
    corpus = Corpus("c", tmp_path, domain="d", licence="CC0", language="de")
    source = source_of(corpus, path, sha256=file_sha256(path), licence="CC BY")
    assert (source.document, source.domain, source.licence) == ("a.txt", "d", "CC BY")
    assert source.language == "de"
    with pytest.raises(UnsafePathError, match="outside the corpus root"):
        source_of(corpus, tmp_path / ".." / "b.txt", sha256="")


def test_a_linked_file_is_named_by_its_place_in_the_corpus(tmp_path: Path) -> None:
    target = _file(tmp_path, "blob", "x")
    (tmp_path / "corpus").mkdir()
    link = tmp_path / "corpus" / "a.txt"
    link.symlink_to(target)
    assert source_of(Corpus("c", tmp_path / "corpus"), link, sha256="").document == "a.txt"


_MARKUP = st.lists(
    st.sampled_from([
        "<p>", "</p>", "<table>", "</table>", "<tr>", "<td>", "</td>", "<h1>", "</h1>", "<h2>",
        "<figure>", "</figure>", "<figcaption>", "<ul>", "<li>", "</ul>", "<pre>", "</pre>",
        "<nav>", "</nav>", "<title>", "</title>", "<img src=a>", "<br>", "<th>", "</tr>",
        "&lt;", "<!--",
        "lung", "heart", "\n", " ", "# ", "## ", "---", "| a | b |", "|--|--|", "```", "\n\n", "*",
    ]),
    max_size=30,
)  # fmt: skip


@settings(max_examples=200)
@given(_MARKUP)
def test_any_markup_gives_sections_that_say_something(pieces: list[str]) -> None:
    text = "".join(pieces)
    for read in (read_html, read_markdown, read_plain):
        for section in read(text).sections:
            assert section.text or section.rows or section.picture


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<td>",
                "<tr>",
                "<table>",
                "</table>",
                "<li>",
                "<figure>",
                "</figure>",
                "<pre>",
                " lung ",
                " heart ",
            ]
        )
    )
)
def test_no_word_of_a_page_is_lost_however_its_tags_are_nested(pieces: list[str]) -> None:
    text = "".join(pieces)
    read = " ".join(
        " ".join((section.text, *(cell for row in section.rows for cell in row)))
        for section in read_html(text).sections
    )
    for word in ("lung", "heart"):
        assert read.split().count(word) == text.split().count(word)


@given(st.lists(st.sampled_from(["lung", "heart", "\n\n", " ", "Liver."]), max_size=20))
def test_no_word_of_plain_text_is_lost(pieces: list[str]) -> None:
    text = "".join(pieces)
    document = read_plain(text)
    titles = {title for section in document.sections for title in section.titles}
    read = " ".join([*titles, *(section.text for section in document.sections)])
    assert sorted(read.split()) == sorted(text.split())


@pytest.mark.realdata
def test_the_real_sections_and_glossary_are_read(data: Path) -> None:
    book = data / "textbook" / "anatomy_physiology"
    sections, skipped = _read(book / "sections.jsonl")
    assert not skipped
    assert len({each.fields["doc_id"] for each in sections}) == 197
    assert len({each.fields["span"].split(",")[0] for each in sections}) == 942
    terms, skipped = _read(book / "glossary.jsonl")
    assert (len(terms), len(skipped)) == (3190, 0)


@pytest.mark.parametrize("name", ["befund.txt", "befunde.jsonl"])
def test_a_long_text_is_cut_at_the_sentence_ends_of_its_language(tmp_path: Path, name: str) -> None:
    # "bzw." ends a sentence in English and none in German.
    text = " ".join(f"Bild {n} zeigt das Herz bzw. Teile der Lunge." for n in range(200))
    line = json.dumps({"title": "Befund", "text": text}) if name.endswith(".jsonl") else text
    path = tmp_path / name
    path.write_text(line, encoding="utf-8")
    corpus = Corpus("c", tmp_path, language="de")
    texts = [each.text for each in TextIngestor(corpus=corpus).passages(path)
             if isinstance(each, Passage)]  # fmt: skip
    assert len(texts) > 5
    assert all(each.startswith("Bild") and each.endswith("Lunge.") for each in texts)
