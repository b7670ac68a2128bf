"""What a file is taken for."""

import gzip
import json
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.ingestion.detect import HEAD, detect, not_read
from medrag.ingestion.reasons import REASONS
from medrag.records import Corpus

INGESTED = {
    "textbook", "text", "jats", "report", "image", "captions", "dicom", "nifti", "case", "graph",
    "beir", "published", "radgraph",
}  # fmt: skip


def _file(folder: Path, name: str, content: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _nifti_header() -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    header[344:348] = b"n+1\x00"
    return bytes(header)


def _lines(**values: object) -> str:
    return json.dumps(values) + "\n"


# A DICOM file of the time before preambles: three elements of group 0008, explicit value types.
_BARE_DICOM = b"".join(
    struct.pack("<HH2sH", 8, element, b"CS", 4) + b"ABCD" for element in (0x05, 0x08, 0x60)
)

KNOWN = [
    ("book.pdf", b"%PDF-1.7\n%...", "textbook"),
    ("late.pdf", b"\r\n" * 100 + b"%PDF-1.4", "textbook"),
    ("scan.png", b"\x89PNG\r\n\x1a\n....", "image"),
    ("scan.webp", b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image"),
    ("scan.tif", b"II*\x00\x08\x00\x00\x00", "image"),
    ("scan.gif", b"GIF89a\x01\x00", "image"),
    ("scan.bmp", b"BM" + struct.pack("<IHHII", 70, 0, 0, 54, 40) + bytes(40), "image"),
    ("scan.jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image"),
    ("scan.pgm", b"P5\n# a mammogram\n512 512\n65535\n\x00", "image"),
    ("levels.txt", "P1 was the first patient", "text"),
    ("film", bytes(128) + b"DICM" + bytes(20), "dicom"),
    ("old_film", _BARE_DICOM, "dicom"),
    ("volume.nii", _nifti_header(), "nifti"),
    ("volume.nii.gz", gzip.compress(_nifti_header()), "nifti"),
    ("terms.obo", "format-version: 1.2\n\n[Term]\nid: A:1\n", "graph"),
    ("terms.txt", "! a comment first\nformat-version: 1.2\n", "graph"),
    ("terms.owl", '<?xml version="1.0"?><rdf:RDF xmlns:rdf="x"></rdf:RDF>', "graph"),
    ("terms.ttl", "@prefix a: <http://a/> .\n", "graph"),
    ("terms.nt", "<http://a> <http://b> <http://c> .\n", "graph"),
    ("facts.tsv", "head\trelation\ttail\na\tb\tc\n", "graph"),
    ("pairs.csv", "disease_id,disease_label,symptom_id,symptom_label\n", "graph"),
    ("r.xml", '<?xml version="1.0"?>\n<eCitation><uId id="1"/></eCitation>', "report"),
    ("a.nxml", "<!DOCTYPE article PUBLIC 'x' 'y'>\n<article><front/></article>", "jats"),
    ("page.html", "<!DOCTYPE html><html><body>x</body></html>", "text"),
    ("page", "<html lang='en'><p>x", "text"),
    ("notes.md", "# Heading\n\ntext", "text"),
    ("notes.txt", "just prose, with commas, in it", "text"),
    ("README", "prose", "text"),
    ("reports.csv", "subject_id,Findings,Impression\n1,a,b\n", "report"),
    ("reports.jsonl", _lines(subject_id=1, report="x"), "report"),
    ("semicolons.csv", "Befund;findings\n1;2\n", "report"),
    ("captions.jsonl", _lines(image="a.png", caption="x"), "captions"),
    ("cases.jsonl", "broken\n" + _lines(question="q", answer="a", image="a.png"), "case"),
    ("vqa.json", json.dumps([{"question": "q", "answer": "a"}]), "case"),
    ("long.jsonl", _lines(image="a.png", caption="x" * 70_000), "captions"),
    ("long.json", json.dumps([{"qid": 1, "answer": "a", "question": "x" * 70_000}]), "case"),
    ("corpus.jsonl", _lines(_id="1", title="t", text="x"), "beir"),
    ("sections.jsonl", _lines(section_title="t", text="x"), "text"),
    ("glossary.csv", "term,definition\na,b\n", "text"),
]


@pytest.mark.parametrize(("name", "content", "kind"), KNOWN, ids=[name for name, _, _ in KNOWN])
def test_a_file_is_known_by_its_content(
    tmp_path: Path, name: str, content: bytes | str, kind: str
) -> None:
    assert detect(_file(tmp_path, name, content)).kind == kind


UNKNOWN = [
    ("queries.jsonl", _lines(_id="1", text="q"), "side_file", "queries"),
    ("test.tsv", "query-id\tcorpus-id\tscore\n1\t2\t1\n", "side_file", "judgements"),
    ("questions.jsonl", _lines(question="q", answer="a", gold_module="m"), "side_file", "gold_mod"),
    ("box.xml", "<annotation><object><bndbox>", "side_file", "boxes"),
    ("LICENSE", "Apache License", "side_file", "about the files"),
    ("MANIFEST.tsv", "path\tbytes\n", "side_file", "about the files"),
    ("other.jsonl", _lines(apple=1, pear=2), "unknown_type", "apple, pear"),
    ("other.csv", "apple,pear\n1,2\n", "unknown_type", "corpus card"),
    ("one.json", '{\n "a": {\n "b": 1}}', "unknown_type", "one object per line"),
    ("other.xml", "<recipe/>", "unknown_type", "<recipe>"),
    ("sheet.xlsx", b"PK\x03\x04" + bytes(26) + b"xl/workbook.xml", "unknown_type", "Excel"),
    ("pack.gz", gzip.compress(b"text"), "unknown_type", "gzip"),
    ("code.py", "import this\n", "unknown_type", ".py"),
    ("noise.bin", bytes(range(256)), "unknown_type", "binary"),
    ("noise.pdf", bytes(range(256)), "unreadable", "named .pdf"),
    ("noise.txt", bytes(range(256)), "unreadable", "named .txt"),
    ("lost.pdf", "<html><body>404 not found</body></html>", "unreadable", "404 not found"),
    ("lost.png", "version https://git-lfs.github.com/spec/v1\n", "unreadable", "pointer"),
    ("none.txt", b"", "empty", "empty"),
    ("blank.txt", b" \n\n ", "empty", "empty"),
]


@pytest.mark.parametrize(
    ("name", "content", "code", "words"), UNKNOWN, ids=[name for name, *_ in UNKNOWN]
)
def test_a_file_of_no_kind_says_what_was_seen(
    tmp_path: Path, name: str, content: bytes | str, code: str, words: str
) -> None:
    detected = detect(_file(tmp_path, name, content))
    assert (detected.kind, detected.code) == (None, code)
    assert words in detected.reason


def test_a_jpeg_named_pdf_is_a_picture_and_its_name_is_told(tmp_path: Path) -> None:
    detected = detect(_file(tmp_path, "film.pdf", b"\xff\xd8\xff\xe0 JFIF"))
    assert detected.kind == "image"
    assert ".pdf" in detected.reason


def test_a_word_document_is_a_text_and_another_archive_is_not(tmp_path: Path) -> None:
    for name, member in (("a.docx", "word/document.xml"), ("b.zip", "c.txt")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(member, "x")
    assert detect(tmp_path / "a.docx").kind == "text"
    assert detect(tmp_path / "b.zip").kind is None


def test_a_letter_cut_by_the_end_of_the_head_is_still_utf8(tmp_path: Path) -> None:
    path = _file(tmp_path, "long.txt", "a" * (HEAD - 1) + "é and on")
    assert detect(path).kind == "text"


def test_an_empty_file_counts_as_failed_and_a_licence_does_not(tmp_path: Path) -> None:
    corpus = Corpus("c", tmp_path)
    files = (_file(tmp_path, "a.pdf", b""), _file(tmp_path, "LICENSE", "x"))
    empty, licence = (not_read(corpus, path, detect(path)) for path in files)
    assert (empty.failed, licence.failed) == (True, False)
    assert empty.source.document == "a.pdf"


@given(
    content=st.binary(max_size=400), suffix=st.sampled_from(["", ".csv", ".json", ".xml", ".pdf"])
)
def test_any_bytes_are_of_a_known_kind_or_have_a_reason(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    detected = detect(path)
    assert detected.reason
    assert detected.kind in INGESTED if detected.kind else detected.code in REASONS


@pytest.mark.realdata
def test_every_file_of_the_real_data_is_known_or_told(data: Path) -> None:
    kinds: dict[str | None, list[str]] = {}
    for path in sorted(data.rglob("*")):
        if path.is_file():
            kinds.setdefault(detect(path).kind, []).append(path.relative_to(data).as_posix())
    counts = {kind: len(paths) for kind, paths in kinds.items()}
    assert counts["textbook"] == 3
    assert counts["report"] == 401
    assert counts["image"] == 442
    assert kinds["graph"] == [
        "kg/DO-ICDO-anatomy.tsv", "kg/disease-symptom.tsv", "kg/doid_2016-09-01.obo",
    ]  # fmt: skip
    assert kinds["nifti"] == ["radiology/volume/example_ct_sm.nii.gz"]
    assert kinds["beir"] == ["retrieval/scifact/corpus.jsonl"]
    told = [path for path in kinds[None] if not path.startswith("pathology/bccd/annotations/")]
    assert sorted(path.rpartition("/")[2] for path in told) == [
        "MANIFEST.tsv", "evidence_test.jsonl", "evidence_train.jsonl", "mmlu_anatomy_test.csv",
        "mmlu_clinical_knowledge_test.csv", "mmlu_college_biology_test.csv", "pdf_figures.jsonl",
        "pubmedqa_labelled_dev500.json", "queries.jsonl", "review_questions.jsonl", "test.tsv",
        "train.tsv",
    ]  # fmt: skip


def test_a_nul_in_a_line_does_not_hide_the_other_lines(tmp_path: Path) -> None:
    content = b'{"findings": "clear", "impression": "normal"}\n\0\0\n'
    assert detect(_file(tmp_path, "reports.jsonl", content)).kind == "report"
