"""Pictures that a generator draws: smears, scans and noise."""

from pathlib import Path

import numpy as np
from PIL import Image


def drawn(path: Path, kind: str, seed: int) -> Path:
    """A pink picture of dots, a grey one of a bright disc, or noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:48, :48]
    if kind == "smear":
        pixels = np.full((48, 48, 3), (230, 190, 210))
        for _ in range(8):
            cx, cy = rng.integers(8, 40, 2)
            pixels[(x - cx) ** 2 + (y - cy) ** 2 < 16] = (120, 60, 150)
    elif kind == "scan":
        grey = 200 * np.exp(
            -((x - rng.uniform(18, 30)) ** 2 + (y - rng.uniform(20, 28)) ** 2) / 200
        )
        pixels = np.repeat(grey[:, :, None], 3, axis=2)
    else:
        pixels = rng.integers(0, 256, (48, 48, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def drawn_folders(root: Path, n: int = 12) -> Path:
    """A folder of scans and one of smears; every two pictures are of one group."""
    for kind, domain in (("scan", "radiology"), ("smear", "pathology")):
        for seed in range(n):
            drawn(root / domain / f"g{seed // 2}" / f"{seed}.png", kind, seed)
    return root
