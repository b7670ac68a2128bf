"""Tiny models of pictures and texts, made once for all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medrag.encoding.clip import ClipEncoder
from tests.encoding.tiny_pictures import CLIPS, saved


@pytest.fixture(scope="session")
def clip_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {name: make(root / name) for name, make in CLIPS.items()}


@pytest.fixture(scope="session")
def clip_pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("pictures")
    return [saved(root / f"{n}.png", n, height=30 + 5 * n, width=60 - 3 * n) for n in range(5)]


@pytest.fixture(scope="session")
def made(clip_folders: dict[str, Path]) -> Callable[..., ClipEncoder]:
    """Make an encoder once for each setting."""
    kept: dict[str, ClipEncoder] = {}

    def make(name: str, **options: object) -> ClipEncoder:
        fixed = {"device": "cpu", "dtype": "float32", **options}
        key = f"{name} {sorted(fixed.items())}"
        if key not in kept:
            kept[key] = ClipEncoder(model=str(clip_folders[name]), **fixed)  # type: ignore[arg-type]
        return kept[key]

    return make
