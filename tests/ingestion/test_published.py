import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.ingestion.detect import detect
from medrag.ingestion.published import PublishedIngestor, format_of
from medrag.ingestion.recordsources import subject_and_study
from medrag.records import Corpus, Passage, Skipped

KEY = b"a key of the tests, long enough."
MMXU = {
    "id": "1",
    "content_type": "worsen",
    "question": "What changed in the left lung?",
    "A": "It grew.",
    "cur_image_path": "p10/p10000032/s50000002/b.jpg",
    "prior_image_path": ["p10/p10000032/s50000001/a.jpg"],
    "related_region_name": "left lung",
    "cur_report": "FINDINGS: The opacity grew.",
    "cur_region_report": "The opacity grew.",
    "prior_report": "FINDINGS: A small opacity.",
    "prior_region_report": ["A small opacity."],
}
TEMMED = {
    "image_path": "train/patient00001/study2/b.jpg",
    "historical_image_path": "train/patient00001/study1/a.jpg",
    "condition_change": "The effusion got smaller.",
}
HARVARD = {
    "image_path": "fundus/x",
    "filename": "data_1.jpg",
    "age": 61,
    "race": "told",
    "note": "Mr. Smith came in.",
    "gpt4_summary": "Glaucoma is suspected.",
}


def written(folder: Path, *rows: Mapping[str, Any], name: str = "rows.json") -> Path:
    for row in rows:
        for value in row.values():
            for each in value if isinstance(value, list) else [value]:
                if str(each).endswith(".jpg"):
                    (folder / each).parent.mkdir(parents=True, exist_ok=True)
                    Image.new("RGB", (8, 8), "white" if "b" in each else "grey").save(folder / each)
    path = folder / name
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def read(path: Path, **options: Any) -> list[Passage | Skipped]:
    corpus = Corpus("c", path.parent)
    return list(PublishedIngestor(corpus=corpus, key=KEY, **options).passages(path))


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (MMXU, "published"),
        (TEMMED, "published"),
        (HARVARD, "published"),
        ({k: v for k, v in MMXU.items() if "report" not in k}, None),
        ({**TEMMED, "VQA_Final": [], "reference_images": []}, None),
        ({"question_id": 1, "question": "Is it?", "answer": "yes", "reference_reports": []}, None),
        ({"question_id": 1, "question": "Is it?", "answer": "yes", "reference_report": ""}, None),
        ({"id": "a", "report": "Clear.", "image_path": ["a.png"], "split": "train"}, "report"),
        ({"id": "a", "caption": "Glands.", "image": "a.png", "image_root": "x"}, "captions"),
        ({"id": "a_0", "title": "A", "content": "Text.", "contents": "A. Text."}, "text"),
    ],
)
def test_files_of_published_systems_are_told_by_their_columns(
    tmp_path: Path, row: Mapping[str, Any], kind: str | None
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row), encoding="utf-8")
    assert detect(path).kind == kind


def test_a_row_of_mmxu_is_an_earlier_and_a_current_study_of_one_patient(tmp_path: Path) -> None:
    earlier, current = read(written(tmp_path, MMXU))
    assert isinstance(earlier, Passage)
    assert isinstance(current, Passage)
    assert earlier.source.subject == current.source.subject == pseudonym("10000032", KEY)
    assert earlier.source.study == pseudonym("50000001", KEY)
    assert current.source.study == pseudonym("50000002", KEY)
    assert earlier.fields["regions"] == {"left lung": ["A small opacity."]}
    assert current.fields["sections"] == {"findings": "The opacity grew."}
    assert [image.path for image in current.images] == ["p10/p10000032/s50000002/b.jpg"]
    assert "It grew." not in earlier.text + current.text


def test_studies_get_their_times_from_the_table_beside(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text(
        "dicom_id,study_id,StudyDate,StudyTime\nx,50000001,21800506,85500.25\ny,50000002,odd,\n"
    )
    earlier, current = read(written(tmp_path, MMXU), times="times.csv")
    assert isinstance(earlier, Passage)
    assert isinstance(current, Passage)
    assert earlier.source.time == "2180-05-06T08:55:00"
    assert current.source.time is None


@pytest.mark.parametrize("content", ["a,b\n1,2\n", None])
def test_a_table_of_times_without_times_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "times.csv").write_text(content)
    with pytest.raises(InputFileError, match=r"lacks the columns|cannot be read"):
        read(written(tmp_path, MMXU), times="times.csv")


def test_a_change_is_read_with_its_images_the_earlier_one_first(tmp_path: Path) -> None:
    (change,) = read(written(tmp_path, TEMMED))
    assert isinstance(change, Passage)
    assert change.text == "The effusion got smaller."
    assert [image.path for image in change.images] == [
        "train/patient00001/study1/a.jpg",
        "train/patient00001/study2/b.jpg",
    ]
    assert change.fields["pair"] is True
    assert change.source.study == pseudonym("patient00001/study2", KEY)


def test_of_a_person_only_the_summary_is_kept(tmp_path: Path) -> None:
    (fundus,) = read(written(tmp_path, HARVARD))
    assert isinstance(fundus, Passage)
    assert fundus.source.domain == "ophthalmology"
    told = json.dumps([fundus.text, dict(fundus.fields)])
    assert "Glaucoma is suspected." in told
    assert not any(each in told for each in ("Smith", "61", "told"))


def test_a_row_without_its_report_is_skipped_with_its_place(tmp_path: Path) -> None:
    skipped, kept = read(written(tmp_path, {**TEMMED, "condition_change": " "}, TEMMED))
    assert isinstance(skipped, Skipped)
    assert skipped.failed
    assert "no report of the change" in skipped.detail
    assert isinstance(kept, Passage)


def test_a_picture_that_is_not_there_is_told_and_the_report_stays(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([TEMMED]), encoding="utf-8")
    found = read(path)
    assert [type(each).__name__ for each in found] == ["Skipped", "Skipped", "Passage"]
    assert isinstance(found[2], Passage)
    assert found[2].fields["pair"] is False


def test_a_file_of_no_known_form_says_which_are(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"expected those of Harvard-FairVLMed"):
        read(written(tmp_path, {"a": 1}))


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("files/p10/p10000032/s50414267/a.jpg", ("10000032", "50414267")),
        ("p10/p10000032/s50414267.txt", ("10000032", "50414267")),
        ("CheXpert-v1.0\\train\\patient00001\\study2\\view1.jpg",
         ("patient00001", "patient00001/study2")),
        ("p1/s2/a.jpg", None),
        ("patient1.jpg", None),
    ],
)  # fmt: skip
def test_patient_and_study_are_read_from_known_paths_only(
    path: str, known: tuple[str, str] | None
) -> None:
    assert subject_and_study(path) == known


@given(st.lists(st.text(max_size=20)))
def test_any_columns_are_of_a_format_or_of_none(names: list[str]) -> None:
    assert format_of(names) in (None, "harvard_fairvlmed", "mmxu", "temmed")


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.lists(st.text(), max_size=2)
)


@given(
    st.fixed_dictionaries(dict.fromkeys((*MMXU, *TEMMED, *HARVARD), values)),
    st.sampled_from([MMXU, TEMMED, HARVARD]),
)
def test_any_row_is_passages_or_a_skipped_line(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any], of: Mapping[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    path.write_text(json.dumps({name: row[name] for name in of}), encoding="utf-8")
    assert all(isinstance(each, Passage | Skipped) for each in read(path))
