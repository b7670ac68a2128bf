from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from medrag.cli.main import app
from medrag.config.building import CACHE_VARIABLE, update_index
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.indexing.storage import open_store


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for shade in (40, 120, 200):
        gradient = Image.linear_gradient("L").resize((32, 32))
        gradient.point(lambda x, c=shade: (x + c) % 256).save(folder / f"{shade}.png")
    return folder


def vectors(folder: Path) -> np.ndarray:
    return np.concatenate([block.values for block in open_store(folder).vectors("image")])


def break_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the encoder of pictures fail on every picture."""
    whole = DescriptorEncoder.encode_passages

    def encode_passages(self: DescriptorEncoder, passages: list[object]) -> object:
        if passages:
            raise AssertionError(f"{len(passages)} pictures were encoded again")
        return whole(self, [])

    monkeypatch.setattr(DescriptorEncoder, "encode_passages", encode_passages)


@pytest.mark.parametrize("workers", [1, 2])
def test_another_build_with_the_same_cache_encodes_nothing(
    tmp_path: Path, pictures: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    update_index(
        tmp_path / "one", sources=[pictures], channels=["image"], cache=cache, workers=workers
    )
    break_encoder(monkeypatch)
    update_index(tmp_path / "two", sources=[pictures], channels=["image"], cache=cache)
    np.testing.assert_array_equal(vectors(tmp_path / "one"), vectors(tmp_path / "two"))
    held = [open_store(tmp_path / name).manifest.channels["image"] for name in ("one", "two")]
    assert held[0] == held[1]


def test_the_cache_of_the_environment_is_used_and_none_without_it(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    update_index(tmp_path / "one", sources=[pictures], channels=["image"])
    break_encoder(monkeypatch)
    update_index(tmp_path / "two", sources=[pictures], channels=["image"])
    monkeypatch.delenv(CACHE_VARIABLE)
    with pytest.raises(AssertionError, match="3 pictures were encoded again"):
        update_index(tmp_path / "three", sources=[pictures], channels=["image"])


def test_a_purge_says_that_it_does_not_reach_the_cache(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for purged, cached in ((True, True), (True, False), (False, True)):
        index = tmp_path / f"{purged}-{cached}"
        update_index(index, sources=[pictures], channels=["image"])
        monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache") if cached else "")
        options = ["--purge"] if purged else []
        done = CliRunner().invoke(app, ["index", "remove", str(index), "40.png", *options])
        assert done.exit_code == 0
        assert (CACHE_VARIABLE in done.stderr) == (purged and cached)
        monkeypatch.delenv(CACHE_VARIABLE)
