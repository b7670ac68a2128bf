"""A picture on disk."""

from pathlib import Path

import pytest
from PIL import Image

from medrag.records import ImageRef
from tests.images.scenes import scene


@pytest.fixture
def picture(tmp_path: Path) -> ImageRef:
    Image.fromarray(scene()).save(tmp_path / "scene.png")
    return ImageRef(str(tmp_path / "scene.png"))
