"""Pictures through a ViT-B/16 at 224 pixels: ours against the loop of transformers' own examples.

Run it: `python -m tests.benchmarks.image_encoding`. The weights are random, which costs the same as
trained ones; the pictures are JPEG files of the size of photographs. Every contestant reads the
files, prepares them with the checkpoint's processor and gives (n, d) rows of unit length. That ours
are those of the float32 loop is asserted by cosine.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from medrag.encoding.clip import ClipEncoder
from medrag.records import ImageRef, Passage, Source
from tests.benchmarks.measuring import Row, interleaved, machine, product_rate, ratio, table

N = 16
SIDES = (480, 640)
D = 512
SOURCE = Source("corpus", "pictures", "0" * 64)


def main() -> None:
    """Print the table."""
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        paths = written(Path(folder) / "pictures")
        checkpoint = saved(Path(folder) / "model")
        ours, exact = (
            ClipEncoder(model=str(checkpoint), dtype=dtype) for dtype in ("auto", "float32")
        )
        by_one, by_batch = Peer(checkpoint, 1), Peer(checkpoint, N)
        passages = [
            Passage(str(path), "image", "", SOURCE, (ImageRef(str(path)),)) for path in paths
        ]
        pixels = np.concatenate([by_one.prepared([path]) for path in paths])
        reference = by_one(paths)
        compare("ours, " + ours.numerics, ours.encode_passages(passages).values, reference, 0.99)
        compare("ours, cpu float32", exact.encode_passages(passages).values, reference, 0.99999)
        times = interleaved(
            {
                "ours": lambda: ours.encode_passages(passages),
                "transformers, picture by picture": lambda: by_one(paths),
                f"transformers, batches of {N}": lambda: by_batch(paths),
                "ours, forward pass alone": lambda: ours._loaded.pictures({"pixel_values": pixels}),
            },
            rounds=4,
            most_seconds=15,
        )
        say(rows_of(times, ours.numerics))


def rows_of(times: dict[str, list[float]], numerics: str) -> list[Row]:
    what = f"{N} JPEG files of {SIDES[0]} x {SIDES[1]}, ViT-B/16 224"
    kind = numerics.split()[-1]
    limit = product_rate(kind)  # type: ignore[arg-type]
    rows = []
    for name, seconds in times.items():
        rate = N * operations() / min(seconds)
        is_ours = name.startswith("ours")
        rows.append(
            Row(
                what,
                f"{name} ({numerics})" if name == "ours" else name,
                seconds,
                None if is_ours else ratio(times, "ours", name),
                None if is_ours else 3.0,
                rate / limit,
                f"{rate / 1e9:.0f} of {limit / 1e9:.0f} GFLOP/s {kind}",
            )
        )
    return rows


def operations() -> float:
    """Count the operations of the matrix products of one forward pass, two for a multiplication."""
    tokens, width, layers = 197, 768, 12
    linear = 2 * tokens * width * width * 12
    attention = 2 * 2 * tokens * tokens * width
    patches = 2 * 196 * (16 * 16 * 3) * width
    return float(layers * (linear + attention) + patches + 2 * width * D)


class Peer:
    """The loop of the documentation: processor, forward pass in float32, unit rows."""

    def __init__(self, checkpoint: Path, n: int) -> None:
        self.model: Any = transformers.AutoModel.from_pretrained(checkpoint).eval()
        self.processor = transformers.AutoImageProcessor.from_pretrained(checkpoint)
        self.n = n

    def prepared(self, paths: list[Path]) -> NDArray[np.float32]:
        pictures = [Image.open(path).convert("RGB") for path in paths]
        found = self.processor(images=pictures, return_tensors="pt")["pixel_values"]
        return np.asarray(found, dtype=np.float32)

    def __call__(self, paths: list[Path]) -> NDArray[np.float32]:
        rows = []
        for start in range(0, len(paths), self.n):
            pictures = [Image.open(path).convert("RGB") for path in paths[start : start + self.n]]
            inputs = self.processor(images=pictures, return_tensors="pt")
            with torch.no_grad():
                rows.append(self.model.get_image_features(**inputs).pooler_output.numpy())
        values = np.concatenate(rows)
        unit: NDArray[np.float32] = values / np.linalg.norm(values, axis=1, keepdims=True)
        return unit


def compare(
    name: str, rows: NDArray[np.float32], reference: NDArray[np.float32], least: float
) -> None:
    """Print how near rows are to the reference.

    Raises:
        AssertionError: if one is farther than `least`.
    """
    cosines = (rows * reference).sum(axis=1)
    sys.stderr.write(f"{name}: cosine to float32 at least {cosines.min():.5f}\n")
    assert cosines.min() >= least


def saved(folder: Path) -> Path:
    """Save a CLIP with the picture tower of ViT-B/16 and a text tower that takes no room."""
    torch.manual_seed(0)
    text = {
        "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 1, "vocab_size": 8, "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    config = transformers.CLIPConfig(
        text_config=text, vision_config={"patch_size": 16, "image_size": 224}, projection_dim=D
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor().save_pretrained(folder)
    words = transformers.BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3})
    words.save_pretrained(folder)
    return folder


def written(folder: Path) -> list[Path]:
    """Write JPEG files with edges, shades and grain, as photographs have them."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIDES[0], : SIDES[1]] / 100
    paths = []
    for n in range(N):
        a, b, c = rng.random((3, 3)) * 4
        waves = np.stack([np.sin(a[i] * x + b[i] * y + c[i]) for i in range(3)], axis=-1)
        grain = rng.normal(0, 6, (*SIDES, 3))
        path = folder / f"{n}.jpg"
        Image.fromarray(np.uint8(np.clip(128 + 90 * waves + grain, 0, 255))).save(path, quality=90)
        paths.append(path)
    return paths


def say(rows: list[Row]) -> None:
    sys.stdout.write(f"{table(rows)}\n\n{machine()}\n")


if __name__ == "__main__":
    main()
