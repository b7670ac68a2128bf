"""An encoder of pictures under a head, as a folder and as a channel of an index."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medrag import build_index, open_index
from medrag.encoding.descriptor import DescriptorEncoder
from medrag.encoding.projected import (
    Heads,
    ProjectedEncoder,
    Towers,
    read_heads,
    tower,
    write_projected,
)
from medrag.encoding.rows import unit
from medrag.errors import InputFileError, RecipeError
from medrag.records import Question
from tests.contracts import check_encoder
from tests.encoding.tiny_pictures import pictured, saved, written
from tests.encoding.tiny_texts import D, save_sentence

Made = Callable[..., Path]
QUESTIONS = [Question("what is the lung"), Question("blood of the heart")]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("pictures")
    return [saved(root / f"{n}.png", n) for n in range(4)]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_sentence(tmp_path_factory.mktemp("model") / "sentence")


@pytest.fixture
def made(tmp_path: Path, sentences: str) -> Made:
    """Write a folder with random heads."""

    def make(*, own_texts: bool = True, seed: int = 0, name: str = "made") -> Path:
        rng = np.random.default_rng(seed)
        d = D if own_texts else 6
        weights = {"image_weights": rng.normal(size=(d, 480)), "image_bias": rng.normal(size=d)}
        if not own_texts:
            weights |= {"text_weights": rng.normal(size=(d, D)), "text_bias": rng.normal(size=d)}
        told = {"kind": "sentence", "model": sentences}
        text = tower(told, dtype="float32").name
        folder = tmp_path / name
        folder.mkdir()
        write_projected(
            folder,
            Heads(**{key: each.astype(np.float32) for key, each in weights.items()}),
            Towers({"kind": "descriptor"}, told, DescriptorEncoder.name, text),
        )
        return folder

    return make


def encoder(folder: Path, **options: object) -> ProjectedEncoder:
    return ProjectedEncoder(folder=folder, dtype="float32", device="cpu", **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("own_texts", [True, False])
def test_pictures_are_found_by_words(made: Made, pictures: list[Path], own_texts: bool) -> None:
    passages = [pictured(pictures[0]), pictured(*pictures[1:3], kind="figure")]
    check_encoder(encoder(made(own_texts=own_texts)), passages, QUESTIONS, "text")


def test_texts_are_found_by_pictures(made: Made, pictures: list[Path]) -> None:
    asked = [Question(images=(path,)) for path in pictures[:2]]
    passages = [written("the lung"), written("the heart is of blood")]
    check_encoder(encoder(made(), passages="text"), passages, asked, "image")


def test_a_picture_goes_through_the_head(made: Made, pictures: list[Path]) -> None:
    folder = made()
    heads, asked = read_heads(folder), [Question(images=(pictures[0],))]
    shown = DescriptorEncoder().encode_questions(asked, "image").values
    worked = unit(shown @ heads.image_weights.T + heads.image_bias)
    found = encoder(folder).encode_questions(asked, "image").values
    np.testing.assert_allclose(found, worked, atol=1e-6)  # float32


def test_the_name_tells_heads_apart_and_not_folders(made: Made) -> None:
    one, same, other = (made(seed=s, name=n) for s, n in ((0, "a"), (0, "b"), (1, "c")))
    names = [encoder(each).name for each in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert encoder(one, passages="text").name != names[0]


def test_an_index_takes_it_as_a_channel(made: Made, tmp_path: Path, pictures: list[Path]) -> None:
    told = f"seen={{kind: projected, folder: {made()}, dtype: float32, device: cpu}}"
    build_index(tmp_path / "index", sources=[pictures[0].parent], channels=[told]).close()
    with open_index(tmp_path / "index") as index:
        hits = index.search("the lung", k=2)
        assert [hit.rank for hit in hits] == [1, 2]
        assert set(hits[0].parts) == {"seen"}


def test_an_encoder_that_is_another_now_is_refused(
    made: Made, pictures: list[Path], tmp_path: Path
) -> None:
    folder = made()
    told = json.loads((folder / "projected.json").read_text())
    told["image"]["name"] = "another"
    (folder / "projected.json").write_text(json.dumps(told))
    with pytest.raises(RecipeError, match="train it again"):
        encoder(folder).encode_passages([pictured(pictures[0])])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"kind": "remote", "url": "http://example.org"}, "expected an encoder of kind"),
        ({"kind": "image", "model": "m", "trust_remote_code": True}, "takes no trust_remote_code"),
        ({"kind": "descriptor", "size": 3}, "takes no size"),
        ({"kind": ["descriptor"]}, "expected an encoder of kind"),
        ({"kind": "sentence"}, "model"),
    ],
)
def test_what_a_folder_may_not_ask_for(told: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        tower(told)


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"lacks projected\.json"):
        encoder(tmp_path).encode_questions(QUESTIONS, "text")


def test_damaged_heads_are_named(made: Made) -> None:
    folder = made()
    (folder / "heads.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputFileError, match=r"heads\.npz"):
        read_heads(folder)


def test_heads_of_shapes_that_do_not_fit_are_refused(made: Made) -> None:
    folder = made()
    heads = replace(read_heads(folder), image_bias=np.zeros(3, np.float32))
    write_projected(folder, heads, Towers({"kind": "descriptor"}, {}, "a", "b"))
    with pytest.raises(InputFileError, match="wrong shapes"):
        read_heads(folder)


def test_sides_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="passages"):
        ProjectedEncoder(folder=tmp_path, passages="sound")  # type: ignore[arg-type]
