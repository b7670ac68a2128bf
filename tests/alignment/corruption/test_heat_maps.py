from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from medrag.alignment.corruption import (
    heat_of_box,
    heat_of_boxes,
    read_heat_map,
    write_heat_map,
)
from medrag.errors import InputFileError
from medrag.images import limits
from tests.alignment.corruption.pictures import saved


def grey(path: Path, levels: list[list[int]]) -> Path:
    Image.fromarray(np.array(levels, np.uint8)).save(path)
    return path


def test_black_is_cold_and_white_is_warm(tmp_path: Path) -> None:
    heat = read_heat_map(grey(tmp_path / "a.png", [[0, 51, 255]]), (1, 3))
    np.testing.assert_allclose(heat, [[0, 0.2, 1]], rtol=1e-6)


def test_a_map_is_scaled_bilinearly_to_its_picture(tmp_path: Path) -> None:
    # Centres of 4 pixels lie at 0.25, 0.75, 1.25, 1.75 of 2: weights 0, 1/4, 3/4, 1 of the second.
    heat = read_heat_map(grey(tmp_path / "a.png", [[0, 255]]), (2, 4))
    np.testing.assert_allclose(heat, [[0, 0.25, 0.75, 1]] * 2, atol=1e-6)


def test_a_map_with_colours_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.full((2, 2, 3), (255, 0, 0), np.uint8))
    with pytest.raises(InputFileError, match="has colours"):
        read_heat_map(Path(path), (2, 2))


def test_a_map_of_many_bits_is_refused_as_its_white_cannot_be_told(tmp_path: Path) -> None:
    Image.fromarray(np.full((2, 2), 300, np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(InputFileError, match="more than 8 bits of grey"):
        read_heat_map(tmp_path / "a.png", (2, 2))


def test_a_map_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="black everywhere"):
        read_heat_map(grey(tmp_path / "a.png", [[0, 0]]), (2, 2))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "does not exist"), (b"", "no heat map"), (b"\x89PNG\r\n\x1a\n junk", "cannot be read")],
)
def test_a_map_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "map.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputFileError, match=rf"map.png.*{problem}"):
        read_heat_map(path, (2, 2))


def test_a_map_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_PIXELS", 3)
    with pytest.raises(InputFileError, match="pixels"):
        read_heat_map(grey(tmp_path / "a.png", [[9, 9], [9, 9]]), (2, 2))


def test_a_box_is_warm_where_it_touches_pixels() -> None:
    heat = heat_of_box((0.5, 1, 2, 2.1), (4, 3))
    np.testing.assert_array_equal(heat, [[0, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("box", [(5, 5, 9, 9), (1, 1, 1, 2), (0, 0, float("nan"), 2)])
def test_a_box_without_a_pixel_is_refused(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"box \("):
        heat_of_box(box, (4, 4))


@settings(max_examples=30)  # each writes a file to the disk
@given(height=st.integers(1, 12), width=st.integers(1, 12), data=st.data())
def test_several_boxes_come_back_from_their_file(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, data: st.DataObject
) -> None:
    corner = st.tuples(st.integers(0, width - 1), st.integers(0, height - 1))
    corners = data.draw(st.lists(corner, min_size=1, max_size=3))
    boxes = [(float(x), float(y), x + 2.0, y + 1.0) for x, y in corners]
    folder = tmp_path_factory.mktemp("maps")
    heat = read_heat_map(Path(write_heat_map(boxes, (height, width), folder)), (height, width))
    np.testing.assert_array_equal(heat, heat_of_boxes(boxes, (height, width)))
