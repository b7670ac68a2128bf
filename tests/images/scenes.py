"""Pictures to read: their pixels, and how they are saved."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from medrag.records import ImageRef

Pixels = NDArray[np.uint8]
ANY_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
RGB = arrays.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3)))


def scene(height: int = 96, width: int = 128) -> Pixels:
    """A picture with shape and colour: a bright disc on a gradient."""
    y, x = np.mgrid[:height, :width]
    disc = (x - width * 0.4) ** 2 + (y - height * 0.5) ** 2 < (height * 0.3) ** 2
    red = np.where(disc, 230, x * 200 // width)
    return np.stack([red, np.where(disc, 60, 30), y * 255 // height], axis=2).astype(np.uint8)


def saved(path: Path, image: Image.Image, kind: str = "PNG", **options: object) -> ImageRef:
    image.save(path, format=kind, **options)  # type: ignore[arg-type]
    return ImageRef(str(path))
