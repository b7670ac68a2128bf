"""Where files and pictures are looked for, and who is told when they lie elsewhere."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks import load_benchmark, read_card
from medrag.records import ImageRef, Item
from tests.evaluation.benchmarks.made import made, png
from tests.evaluation.benchmarks.test_cards import OWN, own


def asked(folder: Path, picture: str, number: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    row = {"number": number, "asked": "What is it?", "right": "a cyst", "image": picture}
    (folder / f"w{number}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    return folder


CARD = (
    OWN.replace("csv", "jsonl")
    .replace("ward*.jsonl", "**/w*.jsonl")
    .replace("expect: 2", "where: {}")
    + "    images: {columns: image, folders: [., images]}\n"
)


def paths(item: Item) -> list[str]:
    return [image.path for image in item.question.images if isinstance(image, ImageRef)]


def drawn(path: Path, number: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(number))
    return path


@pytest.mark.parametrize("place", ["set/data/images", "set/data", "set/images", "images"])
def test_pictures_lie_beside_the_file_or_anywhere_up_to_the_folder(
    place: str, tmp_path: Path
) -> None:
    asked(tmp_path / "set" / "data", "a.png")
    picture = drawn(tmp_path / place / "a.png")
    item = load_benchmark(own(tmp_path, CARD), tmp_path).items[0]
    assert paths(item) == [str(picture)]


def test_the_benchmark_s_own_folder_comes_first(tmp_path: Path) -> None:
    asked(tmp_path / "set", "a.png")
    drawn(tmp_path / "set" / "a.png", 1)
    picture = drawn(tmp_path / "a.png", 2)
    item = load_benchmark(own(tmp_path, CARD), tmp_path).items[0]
    assert paths(item) == [str(picture)]


def test_two_files_each_name_the_picture_beside_them(tmp_path: Path) -> None:
    pictures = [drawn(tmp_path / name / "images" / "a.png", n) for n, name in enumerate("xy")]
    asked(tmp_path / "x", "a.png", 1)
    asked(tmp_path / "y", "a.png", 2)
    items = load_benchmark(own(tmp_path, CARD), tmp_path).items
    assert [path for item in items for path in paths(item)] == [str(path) for path in pictures]


def test_a_step_up_that_stays_in_the_folder_is_followed(tmp_path: Path) -> None:
    asked(tmp_path / "data", "../pictures/a.png")
    drawn(tmp_path / "pictures" / "a.png")
    assert len(load_benchmark(own(tmp_path, CARD), tmp_path).items) == 1


def test_a_picture_outside_names_the_file_and_the_line(tmp_path: Path) -> None:
    drawn(tmp_path / "secret.png")
    folder = asked(tmp_path / "inside" / "data", "../../secret.png").parent
    with pytest.raises(EvaluationError, match=r"^data/w1\.jsonl, line 1: .* which leaves"):
        load_benchmark(own(tmp_path, CARD), folder, subset=True)


@pytest.mark.parametrize("folder", ["../x", "/etc", "a/../../b", "C:/x", "a\\..\\b"])
def test_a_folder_of_the_card_that_leaves_blames_the_card(folder: str, tmp_path: Path) -> None:
    card = own(tmp_path, CARD.replace("[., images]", json.dumps([folder])))
    with pytest.raises(
        EvaluationError, match=r"ward\.yaml: layouts\[0\]: images: folders: .*leaves"
    ):
        read_card(card)


def test_a_folder_of_the_card_behind_a_link_blames_the_card(tmp_path: Path) -> None:
    (tmp_path / "elsewhere" / "b").mkdir(parents=True)
    folder = asked(tmp_path / "set", "a.png")
    (folder / "a").symlink_to(tmp_path / "elsewhere")
    card = own(tmp_path, CARD.replace("[., images]", "[a/b]"))
    with pytest.raises(EvaluationError, match="the card looks for pictures in 'a/b', but"):
        load_benchmark(card, folder)


def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = made("vqa_rad", tmp_path)
    (folder / "locked").mkdir()
    # The owner of the computer may read everything, so that a mode of 0 would not stop the test.
    monkeypatch.setattr(os, "scandir", locking(os.scandir))
    with pytest.raises(EvaluationError, match=r"locked cannot be read \(Permission denied\)"):
        load_benchmark("vqa_rad", folder, subset=True)


def locking(scandir: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def scan(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    return scan


def test_one_row_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"^1 row of .* names pictures that are not there"):
        load_benchmark(own(tmp_path, CARD), asked(tmp_path / "set", "a.png"))
    (tmp_path / "set" / "w1.jsonl").write_text('{"number": 1, "asked": "Why?", "image": null}')
    with pytest.raises(EvaluationError, match=r"has no right; its columns are number, asked"):
        load_benchmark(own(tmp_path, CARD), tmp_path / "set")


def test_messages_name_options_of_the_command_line_only(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError) as caught:
        load_benchmark("mmxu", made("mmxu", tmp_path))
    assert "--subset" in str(caught.value)
    assert "=True" not in str(caught.value)


def test_another_benchmark_is_told_with_the_command_that_shows_it(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="medrag eval benchmarks vqa_rad"):
        load_benchmark("mmxu", made("vqa_rad", tmp_path))
