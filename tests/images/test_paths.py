"""Paths that stay inside a folder."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import UnsafePathError
from medrag.images import (
    resolved,
    within,
)
from medrag.records import ImageRef, Passage, Source
from tests.images.scenes import ANY_FOLDER


@pytest.mark.parametrize(
    "path",
    ["../a.png", "x/../../a.png", "/etc/passwd", r"..\a.png", r"C:\a.png", "C:a.png",
     r"\\host\share\a.png", "a\0b"],
)  # fmt: skip
def test_a_path_that_leaves_its_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePathError):
        within(tmp_path, path)


def test_a_path_inside_is_given_below_the_root(tmp_path: Path) -> None:
    assert within(tmp_path, "x/../y/a.png") == tmp_path / "y" / "a.png"
    assert within(tmp_path, tmp_path / "a.png") == tmp_path / "a.png"
    assert within(tmp_path, "") == tmp_path


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "in.png").touch()
    (tmp_path / "out.png").touch()
    (root / "good").symlink_to(root / "in.png")
    (root / "bad").symlink_to(tmp_path / "out.png")
    (root / "loop").symlink_to(root / "loop")
    assert within(root, "good") == root / "in.png"
    for name in ("bad", "loop"):
        with pytest.raises(UnsafePathError):
            within(root, name)


def test_a_root_that_is_a_link_is_a_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "root").symlink_to(tmp_path / "real")
    assert within(tmp_path / "root", "a.png") == tmp_path / "root" / "a.png"


@ANY_FOLDER
@given(st.text(max_size=60) | st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "~", "C:"]),
       max_size=8).map("/".join))  # fmt: skip
def test_whatever_path_is_given_the_place_lies_inside(tmp_path: Path, path: str) -> None:
    try:
        found = within(tmp_path, path)
    except UnsafePathError:
        return
    assert found.resolve().is_relative_to(tmp_path.resolve())


def test_a_passage_is_resolved_below_its_root(tmp_path: Path) -> None:
    source = Source("c", "a.png", "0" * 64)
    passage = Passage("1", "image", "", source, (ImageRef("x/a.png", frame=3),))
    image = resolved(passage, tmp_path).images[0]
    assert image == ImageRef(str(tmp_path / "x" / "a.png"), frame=3)
    with pytest.raises(UnsafePathError):
        resolved(replace(passage, images=(ImageRef("../a.png"),)), tmp_path)
