"""Tiny models of every family, made once, and pictures of any size."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.generation.local.loading import Loaded, load
from medrag.records import ImageRef
from tests.generation.local.families import Draw
from tests.generation.tiny_vlms import FAMILIES, save_text_model, save_tiny


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Loaded]:
    root = tmp_path_factory.mktemp("vlms")
    for family in FAMILIES:
        save_tiny(family, root / family)
    save_text_model(root / "text")
    return {
        name: load(model=str(root / name), device="cpu", dtype="float32")
        for name in (*FAMILIES, "text")
    }


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Save a picture of a size, different for each seed."""

    def drawn(height: int, width: int, seed: int = 0) -> ImageRef:
        path = tmp_path / f"{height}x{width}-{seed}.png"
        noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        return ImageRef(str(path))

    return drawn
