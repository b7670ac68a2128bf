"""Labelled pictures of tables, folders and passages, and the folds that they are dealt to."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import EvaluationError, InputFileError
from medrag.evaluation.routing.folds import grouped_folds
from medrag.evaluation.routing.labelled import (
    LabelledPicture,
    alike,
    check_labelled,
    few_groups,
    picture_files,
    pictures_of_folders,
    pictures_of_passages,
    pictures_of_table,
)
from medrag.records import ImageRef, Passage, Source
from tests.evaluation.routing.drawn import drawn, drawn_folders


def labelled(*pairs: tuple[str, str]) -> list[LabelledPicture]:
    return [LabelledPicture(ImageRef(f"{n}.png"), *pair) for n, pair in enumerate(pairs)]


def test_a_table_names_pictures_from_its_own_folder(tmp_path: Path) -> None:
    drawn(tmp_path / "pictures" / "a.png", "scan", 0)
    rows = [
        {"image": "pictures/a.png", "domain": "radiology", "group": "p1"},
        {"image": "pictures/a.png", "domain": "radiology"},
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "t.csv").write_text("image,domain,group\npictures/a.png,radiology,p1\n")
    first, second = pictures_of_table(tmp_path / "t.jsonl")
    assert first == pictures_of_table(tmp_path / "t.csv")[0]
    assert first.image.path == str(tmp_path / "pictures" / "a.png")
    assert (first.group, second.group) == ("p1", "pictures/a.png alone")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("image,domain\nabsent.png,a\n", "line 2: there is no picture"),
        ("image,label\nx.png,a\n", "no domain; expected the columns image, domain and group"),
        ("image,domain\n,a\n", "line 2: no image"),
        ("image,domain\nx.png\n", "line 2: has 1 cells"),
    ],
)
def test_a_line_that_is_no_labelled_picture_is_named(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(EvaluationError, match=told):
        pictures_of_table(tmp_path / "t.csv")


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"t\.csv"):
        pictures_of_table(tmp_path / "t.csv")


def test_folders_are_domains_and_folders_in_them_are_groups(tmp_path: Path) -> None:
    drawn_folders(tmp_path, n=3)
    drawn(tmp_path / "pathology" / "alone.png", "smear", 9)
    (tmp_path / "pathology" / "notes.txt").write_text("no picture")
    found = pictures_of_folders(tmp_path)
    assert Counter(each.domain for each in found) == {"pathology": 4, "radiology": 3}
    assert {each.group for each in found if each.domain == "pathology"} == {
        "pathology/g0", "pathology/g1", "pathology/alone.png"
    }  # fmt: skip


def test_folders_without_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="holds no folders of pictures"):
        pictures_of_folders(tmp_path)
    (tmp_path / "radiology").mkdir()
    with pytest.raises(EvaluationError, match="holds no picture"):
        pictures_of_folders(tmp_path)
    with pytest.raises(EvaluationError, match="holds no picture"):
        picture_files(tmp_path)


def test_pictures_of_passages_count_once_and_are_grouped_by_patient(tmp_path: Path) -> None:
    source = Source("c", "d.csv", "0" * 64, domain="radiology", subject="s")
    image = ImageRef("a.png", sha256="1" * 64)
    case = Passage("1", "case", "", source, images=(image,), fields={"chapter": 4})
    passages = [
        case,
        replace(case, id="2"),
        replace(case, id="3", images=(ImageRef("b.png", sha256="2" * 64),),
                source=replace(source, subject=None)),
        replace(case, id="4", images=(ImageRef("c.png"),), source=replace(source, domain=None)),
        replace(case, id="5", images=(ImageRef("d.png"),), kind="page"),
        replace(case, id="6", images=()),
    ]  # fmt: skip
    found = pictures_of_passages(passages, lambda passage: passage)
    assert [(each.image.path, each.group) for each in found] == [
        ("a.png", "c/s"), ("b.png", "c/b.png")
    ]  # fmt: skip
    # The patient is named by the second passage of the same picture.
    nameless = replace(case, id="0", source=replace(source, subject=None))
    (first,) = pictures_of_passages([nameless, case], lambda passage: passage)
    assert first.group == "c/s"
    by_field = pictures_of_passages(passages[:1], lambda passage: passage, field="chapter")
    assert by_field[0].group == "c/4"


def test_what_cannot_be_learnt_and_tested_is_refused() -> None:
    pair = labelled(("a", "1"), ("a", "2"), ("b", "3"), ("b", "4"))
    check_labelled(pair, 3)
    for pictures, told in (
        (labelled(("a", "1"), ("a", "2")), "two domains or more, got a"),
        ([], "no picture"),
        (labelled(("a", "1"), ("a", "1"), ("b", "2"), ("b", "3")), r"all pictures of a \(2\).*'1'"),
        (labelled(("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")), "2 groups are too few for 3"),
    ):
        with pytest.raises(EvaluationError, match=told):
            check_labelled(pictures, 3)
    assert list(few_groups(pair, 3)) == [
        "a has 2 groups only: what is measured of it is little worth",
        "b has 2 groups only: what is measured of it is little worth",
    ]


def test_equal_pictures_of_two_groups_are_counted() -> None:
    pictures = labelled(("a", "1"), ("a", "1"), ("b", "2"), ("b", "3"))
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32)
    # The first two are of one group; the last two are alike and of two.
    assert alike(vectors, pictures) == 2


rows = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 12).map(str)), min_size=1, max_size=60
)


@given(rows, st.integers(2, 6), st.integers(0, 3))
def test_no_group_is_in_two_folds(pairs: list[tuple[str, str]], n: int, seed: int) -> None:
    pictures = labelled(*pairs)
    folds = grouped_folds(pictures, n, seed=seed)
    assert folds.min() >= 0
    assert folds.max() < n
    for group in {each.group for each in pictures}:
        inside = [fold for fold, each in zip(folds, pictures, strict=True) if each.group == group]
        assert len(set(inside)) == 1
    np.testing.assert_array_equal(folds, grouped_folds(pictures, n, seed=seed))


@given(st.integers(2, 6), st.integers(0, 3))
def test_pictures_that_stand_alone_are_dealt_out_evenly(n: int, seed: int) -> None:
    pictures = labelled(*((domain, f"{domain}{at}") for domain in "ab" for at in range(4 * n)))
    folds = grouped_folds(pictures, n, seed=seed)
    # 4 n pictures of each domain, one to a group: 4 of each in every fold.
    counts = Counter((each.domain, int(f)) for each, f in zip(pictures, folds, strict=True))
    assert set(counts.values()) == {4}


def test_fewer_than_two_folds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        grouped_folds(labelled(("a", "1")), 1)
