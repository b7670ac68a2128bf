"""Word documents."""

import zipfile
from pathlib import Path

import pytest

from medrag.errors import InputFileError
from medrag.ingestion import docx
from medrag.ingestion.text import TextIngestor
from medrag.records import Corpus, Passage, Skipped

_SPACE = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_STYLES = f"""<w:styles {_SPACE}>
<w:style w:styleId="Titel"><w:name w:val="Title"/></w:style>
<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Eigene"><w:name w:val="mine"/><w:basedOn w:val="berschrift1"/></w:style>
</w:styles>"""


def _paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def _document(folder: Path, body: str, *, name: str = "a.docx", media: bool = False) -> Path:
    path = folder / name
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        document = f"<w:document {_SPACE}><w:body>{body}</w:body></w:document>"
        archive.writestr("word/document.xml", document)
        archive.writestr("word/styles.xml", _STYLES)
        if media:
            archive.writestr("word/media/image1.png", b"x")
    return path


def _read(path: Path) -> tuple[list[Passage], list[Skipped]]:
    found = list(TextIngestor(corpus=Corpus("c", path.parent)).passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def test_headings_are_known_by_their_style_in_any_language(tmp_path: Path) -> None:
    body = (
        _paragraph("The book", "Titel") + _paragraph("Lungs", "berschrift1")
        + _paragraph("They breathe.") + _paragraph("Hearts", "Eigene") + _paragraph("They beat.")
    )  # fmt: skip
    passages, _ = _read(_document(tmp_path, body))
    assert [(each.fields["title"], each.text, each.fields["span"]) for each in passages] == [
        ("The book > Lungs", "They breathe.", "paragraph 3"),
        ("The book > Hearts", "They beat.", "paragraph 5"),
    ]


def test_what_was_deleted_is_not_read(tmp_path: Path) -> None:
    body = (
        "<w:p><w:r><w:t>kept </w:t></w:r><w:ins><w:r><w:t>new</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:moveFrom><w:r><w:t>moved</w:t></w:r></w:moveFrom>"
        "<w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
    )
    passages, _ = _read(_document(tmp_path, body))
    assert [each.text for each in passages] == ["kept new"]


def test_a_table_is_read_by_its_rows(tmp_path: Path) -> None:
    row = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    first = row.format(_paragraph("Drug"), _paragraph("mg"))
    body = f"<w:tbl>{first}{row.format(_paragraph('A'), _paragraph('5'))}</w:tbl>"
    ((table,), _) = _read(_document(tmp_path, body))
    assert table.fields["rows"] == [["Drug", "mg"], ["A", "5"]]


def test_pictures_inside_are_told(tmp_path: Path) -> None:
    _, (skipped,) = _read(_document(tmp_path, _paragraph("x"), media=True))
    assert (skipped.reason, skipped.failed) == ("embedded", False)


def test_a_part_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docx, "PART_LIMIT", 10_000)
    path = _document(tmp_path, _paragraph("x" * 100_000))
    assert path.stat().st_size < 10_000
    with pytest.raises(InputFileError, match="unpacks to more"):
        _read(path)


def test_a_document_that_declares_entities_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>')
    with pytest.raises(InputFileError, match="entity 'x'"):
        _read(path)


def test_a_document_cut_short_is_refused_wherever_it_is_cut(tmp_path: Path) -> None:
    whole = _document(tmp_path, _paragraph("x" * 3000)).read_bytes()
    for length in range(10, len(whole) - 1, 40):
        path = tmp_path / "cut.docx"
        path.write_bytes(whole[:length])
        with pytest.raises(InputFileError):
            _read(path)


def test_an_archive_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "x")
    with pytest.raises(InputFileError, match=r"without word/document\.xml"):
        _read(path)
