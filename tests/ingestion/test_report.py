"""Reports with their sections, subjects, times and pictures."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.ingestion.report import ReportIngestor
from medrag.ingestion.reportsections import HEADINGS, split_report, written
from medrag.ingestion.times import iso_time
from medrag.records import Corpus, Passage, Skipped

KEY = b"a key of the tests only, 32 bytes"

INDIANA = """<?xml version="1.0" encoding="utf-8"?>
<eCitation>
  <uId id="CXR7"/><ccLicense>byncnd</ccLicense><articleDate>2013-08-01</articleDate>
  <MedlineCitation><Article><Abstract>
    <AbstractText Label="COMPARISON">None.</AbstractText>
    <AbstractText Label="INDICATION">Cough &amp; fever</AbstractText>
    <AbstractText Label="FINDINGS">Clear   lungs.</AbstractText>
    <AbstractText Label="IMPRESSION"/>
  </Abstract></Article></MedlineCitation>
  <MeSH><major>Opacity/lung/left</major><automatic>opacity</automatic></MeSH>
  <parentImage id="CXR7_IM-1"><caption>PA and lateral</caption></parentImage>
</eCitation>"""


def _read(path: Path, **options: object) -> tuple[list[Passage], list[Skipped]]:
    ingestor = ReportIngestor(corpus=Corpus("c", path.parent), key=KEY, **options)  # type: ignore[arg-type]
    found = list(ingestor.passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def _file(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def _picture(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (9, 8), (10, 200, 30)).save(path)


def test_a_row_becomes_a_report_with_its_sections_in_reading_order(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "r.csv",
        "Subject ID,study_id,Impression,Findings,Indication,Study-Date,view_position,license\n"
        "17,s1,No acute disease.,Clear lungs.,Cough,20200125,PA,CC0\n",
    )
    ((report,), skipped) = _read(path)
    assert not skipped
    assert report.kind == "report"
    assert report.text == "INDICATION: Cough\nFINDINGS: Clear lungs.\nIMPRESSION: No acute disease."
    assert list(report.fields["sections"]) == ["indication", "findings", "impression"]
    assert report.fields["view"] == "PA"
    assert report.source.time == "2020-01-25"
    assert report.source.licence == "CC0"
    assert report.source.subject == pseudonym("17", KEY)
    assert report.source.study == pseudonym("s1", KEY)


def test_no_identifier_is_stored(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.csv", "subject_id,study_id,age,findings\nMRN-4711,ACC-99,54,Clear.\n")
    ((report,), _) = _read(path)
    assert "4711" not in repr(report)
    assert "ACC-99" not in repr(report)


def test_free_text_is_cut_at_its_own_headings(tmp_path: Path) -> None:
    text = "EXAM: CT. FINDINGS: No stone.\nIMPRESSION: Normal."
    path = _file(tmp_path, "r.jsonl", json.dumps({"report": text}) + "\n")
    ((report,), _) = _read(path)
    assert report.fields["sections"] == {
        "examination": "CT.", "findings": "No stone.", "impression": "Normal.",
    }  # fmt: skip


def test_columns_of_other_names_are_given_by_the_card(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.tsv", "Befund\tPat\nUnauff\u00e4llig.\t3\n")
    ((report,), _) = _read(path, columns={"findings": "Befund", "subject": "Pat"})
    assert report.text == "FINDINGS: Unauff\u00e4llig."
    assert report.source.subject == pseudonym("3", KEY)


def test_a_table_without_a_report_names_the_columns_found_and_the_way_out(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.csv", "apple,pear\n1,2\n")
    with pytest.raises(InputFileError, match=r"(?s)apple, pear.*clinical_notes.*columns:"):
        _read(path)
    with pytest.raises(InputFileError, match="'Befund' for 'findings', but the file has apple"):
        _read(path, columns={"findings": "Befund"})
    with pytest.raises(ValueError, match="unknown role 'finding'"):
        _read(path, columns={"finding": "apple"})


def test_pictures_are_found_beside_the_file_or_in_its_images(tmp_path: Path) -> None:
    _picture(tmp_path / "a.png")
    _picture(tmp_path / "images" / "b.png")
    path = _file(tmp_path, "r.csv", "findings,image\nClear.,a.png|b.png\n")
    ((report,), skipped) = _read(path)
    assert not skipped
    assert [image.path for image in report.images] == ["a.png", "images/b.png"]
    assert report.fields["image_paths"] == ["a.png", "images/b.png"]
    assert all(image.sha256 and image.phash for image in report.images)


def test_a_folder_column_leads_to_the_picture(tmp_path: Path) -> None:
    _picture(tmp_path / "p10" / "a.png")
    path = _file(tmp_path, "r.csv", "findings,image,folder\nClear.,a.png,p10\n")
    ((report,), _) = _read(path)
    assert [image.path for image in report.images] == ["p10/a.png"]


@pytest.mark.parametrize(
    ("name", "reason", "failed"),
    [
        ("none.png", "missing_image", False),
        ("../a.png", "unsafe_path", True),
        ("/etc/passwd", "unsafe_path", True),
        ("r.csv", "unreadable", True),
    ],
)
def test_a_report_counts_without_its_picture(
    tmp_path: Path, name: str, reason: str, failed: bool
) -> None:
    inner = tmp_path / "inner"
    _picture(tmp_path / "a.png")
    inner.mkdir()
    path = _file(inner, "r.csv", f"findings,image\nClear.,{name}\n")
    ((report,), (skipped,)) = _read(path)
    assert report.images == ()
    assert (skipped.reason, skipped.failed) == (reason, failed)
    assert "line 2" in skipped.detail


def test_a_row_without_text_is_a_bad_line(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.csv", "findings,view\nClear.,PA\n,AP\n")
    reports, (skipped,) = _read(path)
    assert len(reports) == 1
    assert (skipped.reason, skipped.failed) == ("bad_line", True)
    assert "line 3" in skipped.detail


def test_a_list_where_a_text_belongs_is_a_bad_line(tmp_path: Path) -> None:
    lines = [{"findings": ["a"]}, {"findings": "Clear."}]
    path = _file(tmp_path, "r.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    reports, (skipped,) = _read(path)
    assert len(reports) == 1
    assert "'findings' holds a list" in skipped.detail


def test_a_time_that_cannot_be_told_is_kept_as_written(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.csv", "findings,date\nClear.,03/04/2020\n")
    ((report,), _) = _read(path)
    assert report.source.time is None
    assert report.fields["time"] == "03/04/2020"


def test_the_modality_gives_the_domain_unless_the_corpus_has_one(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.csv", "findings,modality\nClear.,X-ray\nDisc.,Fundus\nx,Other\n")
    reports, _ = _read(path)
    assert [each.source.domain for each in reports] == ["radiology", "ophthalmology", None]
    with_domain = ReportIngestor(corpus=Corpus("c", tmp_path, domain="chest"), key=KEY)
    assert {each.source.domain for each in with_domain.passages(path)} == {"chest"}


def test_rows_of_one_study_with_the_same_note_stay_apart(tmp_path: Path) -> None:
    path = _file(tmp_path, "r.csv", "study_id,notes,view\n1,Clear.,PA\n1,Clear.,L\n")
    reports, _ = _read(path)
    assert len({report.id for report in reports}) == 2
    assert reports[0].source.study == reports[1].source.study


def test_an_indiana_report_is_read_with_mesh_and_licence(tmp_path: Path) -> None:
    ((report,), (skipped,)) = _read(_file(tmp_path, "7.xml", INDIANA))
    assert report.text == "INDICATION: Cough & fever\nCOMPARISON: None.\nFINDINGS: Clear lungs."
    assert report.source.subject == report.source.study == pseudonym("CXR7", KEY)
    assert report.source.licence == "CC BY-NC-ND 4.0"
    assert report.source.time == "2013-08-01"
    assert report.fields["mesh"] == ["Opacity/lung/left"]
    assert report.fields["view"] == "PA and lateral"
    assert (skipped.reason, skipped.failed) == ("image_not_shipped", False)


def test_the_picture_of_an_indiana_report_is_used_where_it_lies_beside_it(tmp_path: Path) -> None:
    _picture(tmp_path / "CXR7_IM-1.png")
    ((report,), skipped) = _read(_file(tmp_path, "7.xml", INDIANA))
    assert [image.path for image in report.images] == ["CXR7_IM-1.png"]
    assert not skipped


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (INDIANA[:300], "not well-formed"),
        ("<other/>", "root <other>"),
        ("<eCitation/>", "all empty"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><eCitation>&b;</eCitation>', "entity 'b'"),
    ],
)
def test_a_damaged_indiana_report_counts_not_at_all(
    tmp_path: Path, content: str, words: str
) -> None:
    with pytest.raises(InputFileError, match=words):
        _read(_file(tmp_path, "7.xml", content))


@pytest.mark.parametrize(
    ("stated", "iso"),
    [
        ("January 25, 2020", "2020-01-25"),
        ("Oct 8, 2010", "2010-10-08"),
        ("25 Jan 2020", "2020-01-25"),
        ("8th", None),
        ("2020", "2020"),
        ("2014.0", "2014"),
        ("2020-1-5", "2020-01-05"),
        ("2020/01", "2020-01"),
        ("March 2020", "2020-03"),
        ("20200125", "2020-01-25"),
        ("20200125103000.123", "2020-01-25T10:30:00"),
        ("2020-01-25T10:30:00Z", "2020-01-25T10:30:00"),
        ("2020-01-25 7:05", "2020-01-25T07:05:00"),
        ("2020-02-30", None),
        ("20201301", None),
        ("25.01.2020", "2020-01-25"),
        ("5.1.2020 7:05", "2020-01-05T07:05:00"),
        ("31.02.2020", None),
        ("03/04/2020", None),
        ("Ju 3, 2020", None),
        ("XXXX", None),
        ("", None),
    ],
)
def test_a_time_is_written_as_exactly_as_it_is_given(stated: str, iso: str | None) -> None:
    assert iso_time(stated) == iso


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    iso = iso_time(text)
    assert iso is None or iso_time(iso) == iso


@pytest.mark.parametrize(
    ("text", "sections"),
    [
        ("FINDINGS: a. IMPRESSION: b.", {"findings": "a.", "impression": "b."}),
        ("Findings: a\nImpression:\nb", {"findings": "a", "impression": "b"}),
        ("FINDINGS\na\n\nIMPRESSION\nb", {"findings": "a", "impression": "b"}),
        ("The findings: unclear.", {"text": "The findings: unclear."}),
        ("CLINICAL HISTORY: c FINDINGS: a", {"history": "c", "findings": "a"}),
        ("before\nFINDINGS: a", {"text": "before", "findings": "a"}),
        ("FINDINGS: a\nFINDINGS: b", {"findings": "a\nb"}),
        ("**Findings:** a", {"findings": "a"}),
        ("no headings", {"text": "no headings"}),
        ("", {}),
    ],
)
def test_headings_are_told_from_prose(text: str, sections: dict[str, str]) -> None:
    assert split_report(text) == sections


_PIECES = st.lists(
    st.sampled_from([*(f"{name.upper()}: " for name in HEADINGS), "Findings: ", "a", "lung.", "\n"])
    | st.text("ab .\n:*", max_size=8),
    max_size=12,
)


@given(_PIECES)
@example(["FINDINGS: ", "FINDINGS: ", "x"])
def test_no_word_of_a_report_is_lost(pieces: list[str]) -> None:
    text = " ".join(pieces)
    sections = split_report(text)
    heading_words = {word for name in HEADINGS for word in name.split()}

    def words(of: str) -> Counter[str]:
        found = of.replace(":", " ").replace("*", " ").lower().split()
        return Counter(word for word in found if word not in heading_words)

    assert words(" ".join(sections.values())) == words(text)
    assert all(part.strip() for part in sections.values())


def test_written_sections_are_cut_again_into_the_same() -> None:
    sections = {"findings": "No stone.", "impression": "Normal."}
    assert split_report(written(sections)) == sections


@given(content=st.binary(max_size=200))
def test_any_table_gives_reports_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"findings,image,date\n" + content)
    reports, skipped = _read(path)
    assert all(report.text for report in reports)
    assert all(each.failed or each.reason == "missing_image" for each in skipped)


@pytest.mark.realdata
def test_the_real_notes_keep_their_pictures_and_days(data: Path) -> None:
    reports, skipped = _read(data / "radiology" / "covid_cxr_notes" / "notes.csv")
    assert (len(reports), len(skipped)) == (25, 0)
    assert all(report.images for report in reports)
    assert len({report.source.subject for report in reports}) == 12
    assert reports[0].source.time == "2020-01-25"
    assert {report.source.licence for report in reports} == {"CC BY-NC-SA"}


@pytest.mark.realdata
def test_all_real_indiana_reports_are_read(data: Path) -> None:
    paths = sorted((data / "radiology" / "iu_reports").glob("*.xml"))
    reports = [_read(path)[0][0] for path in paths]
    assert len(reports) == 400
    assert sum(report.fields["mesh"] == ["normal"] for report in reports) == 120
    assert all("findings" in report.fields["sections"] for report in reports)
    assert len({report.source.study for report in reports}) == 400
