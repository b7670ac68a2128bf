"""Cases: questions with answers and pictures."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from medrag.errors import InputFileError
from medrag.identity import pseudonym
from medrag.ingestion.case import CaseIngestor
from medrag.records import Corpus, Passage, Skipped

KEY = b"a key of the tests only, 32 bytes"


def _read(path: Path, **options: object) -> tuple[list[Passage], list[Skipped]]:
    ingestor = CaseIngestor(corpus=Corpus("c", path.parent), key=KEY, **options)  # type: ignore[arg-type]
    found = list(ingestor.passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def _lines(folder: Path, *values: object) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def test_a_vqa_rad_record_becomes_a_case(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images" / "synpic1.jpg")
    record = {
        "qid": 3, "image_name": "synpic1.jpg", "image_organ": "CHEST", "question": "Is it large?",
        "answer": "No", "answer_type": "CLOSED", "phrase_type": "test_freeform",
        "image_case_url": "https://example.org/case?id=1",
    }  # fmt: skip
    path = tmp_path / "vqa.json"
    path.write_text(json.dumps([record, {**record, "qid": "4", "phrase_type": "para"}]))
    (first, second), skipped = _read(path)
    assert not skipped
    assert first.kind == "case"
    assert first.text == "Question: Is it large?\nAnswer: No"
    assert first.fields["answer_type"] == "CLOSED"
    assert (first.fields["split"], second.fields["split"]) == ("test", "train")
    assert [image.path for image in first.images] == ["images/synpic1.jpg"]
    study = pseudonym("https://example.org/case?id=1", KEY)
    assert (first.source.subject, first.source.study) == (study, study)
    assert "example.org" not in repr(first)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"A": "lung", "B": "heart"}, "B"),
        (["lung", "heart"], "B"),
        ('["lung", "heart"]', "B"),
        (["lung", "heart"], "heart"),
    ],
)
def test_an_answer_that_names_an_option_is_written_out(
    tmp_path: Path, options: object, answer: str
) -> None:
    path = _lines(tmp_path, {"question": "q", "answer": answer, "options": options})
    ((case,), _) = _read(path)
    assert case.fields["answer"] == "heart"
    assert case.fields["options"] == ["lung", "heart"]


def test_the_same_question_id_counts_once(tmp_path: Path) -> None:
    record = {"id": 7, "question": "q", "answer": "a"}
    cases, (skipped,) = _read(_lines(tmp_path, record, {**record, "answer": "b"}))
    assert len(cases) == 1
    assert (skipped.reason, skipped.failed) == ("duplicate", False)
    assert "line 2" in skipped.detail


@pytest.mark.parametrize(
    "broken",
    [
        {"question": "q"},
        {"question": "", "answer": "a"},
        {"question": ["q"], "answer": "a"},
        {"question": "q", "answer": "a", "options": 5},
        {"question": "q", "answer": "a", "options": "[broken"},
        {"question": "q", "answer": "a", "options": [["a"]]},
        {"question": "q", "answer": "a", "image": {"path": "x"}},
    ],
)
def test_a_record_of_wrong_types_is_a_bad_line(tmp_path: Path, broken: object) -> None:
    good = {"question": "q", "answer": "a"}
    cases, (skipped,) = _read(_lines(tmp_path, good, broken, good))
    assert len(cases) == 2
    assert (skipped.reason, skipped.failed) == ("bad_line", True)
    assert skipped.detail.startswith("line 2: ")


def test_columns_of_other_names_are_given_by_the_card(tmp_path: Path) -> None:
    path = _lines(tmp_path, {"Frage": "Was?", "Antwort": "Herz", "Gruppe": "dev"})
    with pytest.raises(InputFileError, match=r"columns: \{question: NAME\}"):
        _read(path)
    given = {"question": "Frage", "answer": "Antwort", "split": "Gruppe"}
    ((case,), _) = _read(path, columns=given)
    assert case.text == "Question: Was?\nAnswer: Herz"
    assert case.fields["split"] == "dev"


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["question", "answer", "options", "image", "id"]), _VALUES))
def test_any_record_is_a_case_or_a_bad_line(
    tmp_path_factory: pytest.TempPathFactory, record: dict[str, object]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    cases, skipped = _read(_lines(folder, {"question": "q", "answer": "a"}, record))
    assert len(cases) + len([each for each in skipped if each.reason == "bad_line"]) == 2


@given(st.text(max_size=40), st.text(max_size=40))
def test_question_and_answer_come_back(
    tmp_path_factory: pytest.TempPathFactory, question: str, answer: str
) -> None:
    path = _lines(
        tmp_path_factory.getbasetemp(), {"question": f"q{question}q", "answer": f"a{answer}a"}
    )
    ((case,), _) = _read(path)
    kept = [char for char in question if char.isprintable()]
    assert [char for char in case.fields["question"][1:-1] if char.isprintable()] == kept


@pytest.mark.realdata
@pytest.mark.slow
def test_the_real_cases_keep_split_and_pictures(data: Path) -> None:
    cases, skipped = _read(data / "radiology" / "vqa_rad" / "vqa_rad.json")
    assert (len(cases), len(skipped)) == (1365, 0)
    assert len({image.path for case in cases for image in case.images}) == 190
    kinds = Counter(case.fields["answer_type"] for case in cases)
    assert (kinds["CLOSED"], kinds["OPEN"]) == (800, 565)
    assert Counter(case.fields["split"] for case in cases) == {"train": 1078, "test": 287}


@pytest.mark.realdata
def test_the_real_smears_have_three_questions_each(data: Path) -> None:
    cases, skipped = _read(data / "pathology" / "bccd" / "bccd_qa.jsonl")
    assert (len(cases), len(skipped)) == (300, 0)
    pictures = Counter(case.images[0].path for case in cases)
    assert set(pictures.values()) == {3}
    assert len(pictures) == 100
