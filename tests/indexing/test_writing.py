"""What the writer of an index refuses to touch, and what it says when the disk does."""

import errno
from pathlib import Path

import pytest

from medrag.errors import IndexFormatError, MedragError
from medrag.indexing.checking import verify
from medrag.indexing.manifest import read_manifest, write_manifest
from medrag.indexing.storage import open_store
from medrag.indexing.writing import index_writer
from tests.indexing.library import build_lines


@pytest.mark.parametrize("name", ["segments/mask.png", "segments/000001-x/a", "notes.txt"])
def test_a_folder_of_other_files_is_refused_and_left_as_it_is(tmp_path: Path, name: str) -> None:
    precious = tmp_path / "mine" / name
    precious.parent.mkdir(parents=True)
    precious.write_text("years of work")
    with pytest.raises(IndexFormatError, match="holds other files"):
        build_lines(tmp_path / "mine", tmp_path / "in", {"a.lines": ["effusion"]})
    assert precious.read_text() == "years of work"
    assert not (tmp_path / "mine" / "lock").exists()


def test_other_folders_among_the_segments_of_an_index_are_not_deleted(tmp_path: Path) -> None:
    build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion"]})
    (tmp_path / "index/segments/masks").mkdir()
    (tmp_path / "index/segments/masks/a.png").write_text("years of work")
    build_lines(tmp_path / "index", tmp_path / "in", {"b.lines": ["cell"]})
    assert (tmp_path / "index/segments/masks/a.png").exists()


def test_what_lies_behind_a_link_in_an_index_is_not_deleted(tmp_path: Path) -> None:
    index, mine = tmp_path / "index", tmp_path / "mine"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]})
    (index / "segments").rename(mine)
    (mine / "unfinished-work").mkdir()
    (index / "segments").symlink_to(mine)
    (index / "derived").rename(tmp_path / "photos")
    (tmp_path / "photos" / "trip-202405").mkdir()
    (index / "derived").symlink_to(tmp_path / "photos")
    (segment,) = (path for path in mine.iterdir() if path.name != "unfinished-work")
    build_lines(index, tmp_path / "in")
    assert (mine / "unfinished-work").exists()
    assert (tmp_path / "photos" / "trip-202405").exists()
    (index / "segments").unlink()
    (index / "segments").mkdir()
    (index / "segments" / segment.name).symlink_to(segment)
    (segment / "notes.txt").write_text("years of work")
    build_lines(index, tmp_path / "in")
    assert (segment / "notes.txt").exists()


def test_a_file_in_the_place_of_an_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index").write_text("")
    with pytest.raises(IndexFormatError, match="is a file"):
        build_lines(tmp_path / "index", tmp_path / "in", {"a.lines": ["effusion"]})


def test_what_a_killed_first_build_left_is_taken_up(tmp_path: Path) -> None:
    left = tmp_path / "index"
    (left / "segments" / "unfinished-1-0").mkdir(parents=True)
    (left / "lock").touch()
    build_lines(left, tmp_path / "in", {"a.lines": ["effusion"]})
    assert verify(left) == []


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), ValueError("No space left on device")],
)
def test_a_full_disk_is_named_and_what_was_begun_is_deleted(
    tmp_path: Path, error: Exception
) -> None:
    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]})
    before = read_manifest(index)

    def fill() -> None:
        with index_writer(index) as writer:
            writer.new_folder("0").mkdir()
            raise error

    with pytest.raises(MedragError, match=r"no space is left on the disk of .*same command"):
        fill()
    assert read_manifest(index) == before
    assert not list((index / "segments").glob("unfinished-*"))


def test_names_that_lead_out_of_an_index_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]})
    manifest = read_manifest(index)
    (segment,) = manifest.segments
    write_manifest(index, replace(manifest, segments=(replace(segment, name="../../etc"),)))
    with pytest.raises(IndexFormatError, match="outside the index"):
        open_store(index)


def test_a_manifest_that_lacks_a_part_is_an_error_of_the_index(tmp_path: Path) -> None:
    import hashlib

    body = b'{"format":1,"generation":1}'
    checksum = hashlib.sha256(body).hexdigest().encode()
    (tmp_path / "manifest.json").write_bytes(
        b'{"checksum": "' + checksum + b'", "index":\n' + body + b"\n}\n"
    )
    with pytest.raises(IndexFormatError, match="next_serial"):
        read_manifest(tmp_path)


def test_a_line_that_is_no_passage_names_its_file(tmp_path: Path) -> None:
    index = tmp_path / "index"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]})
    (path,) = index.glob("segments/*/passages.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"', b"'"))
    with pytest.raises(IndexFormatError, match=r"passages\.jsonl is damaged.*--repair"):
        list(open_store(index).passages)


def test_another_key_is_refused_where_people_are_named_only(tmp_path: Path) -> None:
    index, mine, other = tmp_path / "index", "k-0000000000000001", "k-0000000000000002"
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]}, key=mine)
    build_lines(index, tmp_path / "in", {"a.lines": ["effusion"]}, key=other)
    people = [{"text": "a cell", "subject": "p-1"}]
    build_lines(index, tmp_path / "in", {"b.lines": people}, key=other)
    assert read_manifest(index).key == other
    with pytest.raises(IndexFormatError, match="another key"):
        build_lines(index, tmp_path / "in", {"c.lines": ["lung"]}, key=mine)
    with pytest.raises(IndexFormatError, match="another key"):
        open_store(index).check_key(mine)
    open_store(index).check_key(other)
