import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.corruption import (
    UnrelatedPictures,
    swap_unrelated,
    swapping,
    unrelated_noises,
)
from medrag.alignment.noise import Noise
from medrag.config import build_index
from medrag.errors import MedragError
from medrag.images import identified, read_image
from medrag.records import Embeddings, Filter, ImageRef, Passage, Question, Source
from medrag.retrieval.guarding import allows
from tests.alignment.corruption.pictures import plain, random, saved, shapes


class Asked:
    """Encode a question as the numbers that its text gives."""

    def encode_questions(self, questions: Sequence[Question], side: str) -> Embeddings:
        values = [[float(number) for number in each.text.split()] for each in questions]
        return packed([[value] for value in values])


class Vectors:
    has_vectors, side, encoder = True, "image", Asked()

    def __init__(self, rows: Sequence[Sequence[Sequence[float]]]) -> None:
        self.rows = rows

    def vectors_at(self, rows: Sequence[int]) -> Embeddings:
        return packed([self.rows[row] for row in rows])


class Shelf:
    """Passages in order, with the filters that an index has."""

    def __init__(self, passages: Sequence[Passage], root: Path) -> None:
        self.passages = passages
        self.root = root

    def row_mask(self, wanted: Filter) -> np.ndarray:
        return np.array([allows(wanted, each) for each in self.passages])

    def passages_at(self, rows: Sequence[int]) -> list[Passage]:
        return [self.passages[row] for row in rows]

    def passages_where(self, wanted: Filter) -> Iterator[tuple[int, Passage]]:
        yield from ((n, each) for n, each in enumerate(self.passages) if allows(wanted, each))

    def corpus_root(self, corpus: str) -> Path:
        return self.root


def packed(rows: Sequence[Sequence[Sequence[float]]]) -> Embeddings:
    values = np.array([each for several in rows for each in several], np.float32).reshape(-1, 2)
    return Embeddings(values, np.array([len(each) for each in rows], np.int32))


def passage(name: str, *images: str, subject: str | None = None, study: str | None = None,
            kind: str = "image") -> Passage:  # fmt: skip
    source = Source("c", f"{name}.png", "0" * 64, subject=subject, study=study)
    refs = tuple(ImageRef(image, sha256=f"sha of {image}") for image in images)
    return Passage(name, kind, name, source, refs)  # type: ignore[arg-type]


def finder(
    passages: Sequence[Passage],
    rows: Sequence[Sequence[Sequence[float]]],
    root: Path = Path("/library"),
    **given: Any,
) -> UnrelatedPictures:
    shelf: Any = Shelf(passages, root)
    channel: Any = Vectors(rows)
    return UnrelatedPictures(channel=channel, library=shelf, **{"among": 1, **given})


def question(text: str, **given: Any) -> Question:
    return Question(text, images=(ImageRef("/q.png", sha256="own"),), **given)


def test_the_picture_of_the_lowest_cosine_is_taken() -> None:
    # Cosines with (1, 0): 1, 0.6, -0.8; a longer vector is not less alike.
    rows = [[[1.0, 0.0]], [[6.0, 8.0]], [[-4.0, 3.0]]]
    found = finder([passage(n, f"{n}.png") for n in "abc"], rows).pick([question("1 0")])
    assert [each.path for each in found] == ["/library/c.png"]


def test_each_question_gets_its_own() -> None:
    rows = [[[1.0, 0.0]], [[0.0, 1.0]], [[-1.0, 0.0]]]
    passages = [passage(n, f"{n}.png") for n in "abc"]
    found = finder(passages, rows).pick([question("1 0"), question("-1 0"), question("0.5 -2")])
    assert [Path(each.path).name for each in found] == ["c.png", "a.png", "b.png"]


def test_the_questions_own_patient_study_and_picture_are_never_taken() -> None:
    passages = [
        passage("patient", "p.png", subject="s1"),
        passage("study", "t.png", study="x1"),
        Passage("own", "image", "own", Source("c", "o", "0"), (ImageRef("o.png", sha256="own"),)),
        passage("other", "z.png", subject="s2", study="x2"),
    ]
    rows = [[[-1.0, 0.0]], [[-1.0, 0.1]], [[-1.0, 0.2]], [[1.0, 0.0]]]
    found = finder(passages, rows).pick([question("1 0", subject="s1", study="x1")])
    assert Path(found[0].path).name == "z.png"


def test_what_has_no_picture_or_no_vector_is_passed_over() -> None:
    passages = [passage("text", kind="text"), passage("bare", "b.png"), passage("sound", "s.png")]
    rows: list[list[list[float]]] = [[[-1.0, 0.0]], [], [[1.0, 0.0]]]
    found = finder(passages, rows).pick([question("1 0")])
    assert Path(found[0].path).name == "s.png"


def test_a_passage_is_as_alike_as_its_most_alike_picture() -> None:
    passages = [passage("two", "near.png", "far.png"), passage("one", "mid.png")]
    rows = [[[1.0, 0.0], [-1.0, 0.0]], [[0.0, 1.0]]]
    found = finder(passages, rows).pick([question("1 0")])
    assert Path(found[0].path).name == "mid.png"


def test_of_several_pictures_the_least_like_is_taken() -> None:
    rows = [[[1.0, 0.0], [-1.0, 0.0]]]
    found = finder([passage("two", "near.png", "far.png")], rows).pick([question("1 0")])
    assert Path(found[0].path).name == "far.png"


def test_an_index_without_another_picture_is_told() -> None:
    only = finder([passage("own", "a.png", subject="s1")], [[[1.0, 0.0]]])
    with pytest.raises(MedragError, match="no picture for question"):
        only.pick([question("1 0", subject="s1")])


def test_a_question_without_a_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="has no picture"):
        finder([passage("a", "a.png")], [[[1.0, 0.0]]]).pick([Question("1 0")])


def test_a_channel_of_texts_is_refused() -> None:
    channel = Vectors([])
    channel.side = "text"  # type: ignore[misc]
    with pytest.raises(ValueError, match="asked with pictures"):
        UnrelatedPictures(channel=channel, library=Shelf([], Path()))  # type: ignore[arg-type]


def test_of_the_few_least_like_one_is_drawn_by_the_seed() -> None:
    angles = np.linspace(0, np.pi, 9)
    rows = [[[float(np.cos(a)), float(np.sin(a))]] for a in angles]
    passages = [passage(str(n), f"{n}.png") for n in range(9)]
    picked = {
        seed: Path(finder(passages, rows, among=3, seed=seed).pick([question("1 0")])[0].path).stem
        for seed in range(40)
    }
    assert set(picked.values()) == {"6", "7", "8"}
    again = finder(passages, rows, among=3, seed=5).pick([question("1 0")])
    assert Path(again[0].path).stem == picked[5]


_numbers = st.integers(-4, 4).map(float)
_vectors = st.lists(st.tuples(_numbers, _numbers).map(list), min_size=0, max_size=3)


@given(rows=st.lists(_vectors, min_size=1, max_size=8), asked=st.tuples(_numbers, _numbers))
def test_no_allowed_picture_is_less_alike_than_the_one_taken(
    rows: list[list[list[float]]], asked: tuple[float, float]
) -> None:
    def cosine(one: Sequence[float], other: Sequence[float]) -> float:
        norms = np.linalg.norm(one) * np.linalg.norm(other)
        return float(np.dot(one, other) / norms) if norms else 0.0

    passages = [passage(str(n), f"{n}.png") for n in range(len(rows))]
    likeness = {
        n: max(cosine(v, asked) for v in several) for n, several in enumerate(rows) if several
    }
    if not likeness:
        return
    [found] = finder(passages, rows).pick([question(f"{asked[0]} {asked[1]}")])
    # Cosines of single precision.
    assert likeness[int(Path(found.path).stem)] <= min(likeness.values()) + 1e-6


def test_a_real_index_gives_a_picture_of_another_kind(tmp_path: Path) -> None:
    # Twelve dark pictures and one that is bright and coloured, in a descriptor's space.
    for n in range(12):
        saved(tmp_path / "in" / f"dark{n}.png", random(40, 40, seed=n) // 8)
    saved(tmp_path / "in" / "stain.png", plain(40, 40, (240, 120, 200)) - random(40, 40) // 30)
    index = build_index(tmp_path / "index", sources=[tmp_path / "in"], channels=["image"])
    asked = identified(ImageRef(saved(tmp_path / "q.png", random(40, 40, seed=99) // 8)))
    channel: Any = index.channels["image"]
    pictures = UnrelatedPictures(channel=channel, library=index.store, among=1)
    [found] = pictures.pick([Question("what is it?", images=(asked,))])
    assert found.path == str(tmp_path / "in" / "stain.png")


@given(one=shapes, two=shapes)
def test_a_swapped_picture_has_the_size_of_the_first(
    one: tuple[int, int], two: tuple[int, int]
) -> None:
    made = swap_unrelated(plain(*one, (1, 2, 3)), plain(*two, (200, 100, 50)))
    np.testing.assert_array_equal(made, plain(*one, (200, 100, 50)))


def test_the_middle_of_the_other_picture_is_shown() -> None:
    # 2 x 6 with the middle third green, brought to 2 x 2: green alone.
    other = plain(2, 6, (255, 0, 0))
    other[:, 2:4] = (0, 255, 0)
    np.testing.assert_array_equal(
        swap_unrelated(plain(2, 2, (9, 9, 9)), other), plain(2, 2, (0, 255, 0))
    )


def test_a_whole_file_is_named_as_it_stands(tmp_path: Path) -> None:
    ref = identified(ImageRef(saved(tmp_path / "a.png", random(5, 5))))
    noise = swapping(Noise("swap_unrelated", seed=3), ref, tmp_path / "made")
    assert noise == Noise("swap_unrelated", seed=3, other=ref.path)
    assert not (tmp_path / "made").exists()


def test_a_part_of_a_file_is_written_as_a_picture(tmp_path: Path) -> None:
    pixels = random(5, 5)
    ref = ImageRef(saved(tmp_path / "a.png", pixels), box=(1, 1, 4, 3))
    noise = swapping(Noise("swap_unrelated"), ref, tmp_path / "made")
    np.testing.assert_array_equal(read_image(ImageRef(noise.other or "")), pixels[1:3, 1:4])


def test_only_a_swap_names_another_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind must be swap_unrelated"):
        swapping(Noise("blank"), ImageRef("a.png"), tmp_path)


def test_each_question_gets_a_noise_that_names_its_picture(tmp_path: Path) -> None:
    rows = [[[1.0, 0.0]], [[-1.0, 0.0]]]
    pictures = finder([passage(n, f"{n}.png") for n in "ab"], rows, root=tmp_path)
    noise = Noise("swap_unrelated", seed=5, step=500)
    found = unrelated_noises(
        [question("1 0"), question("-1 0")], pictures=pictures, noise=noise, folder=tmp_path
    )
    assert [each.other for each in found] == [str(tmp_path / "b.png"), str(tmp_path / "a.png")]
    assert {(each.seed, each.step) for each in found} == {(5, 500)}


@pytest.mark.realdata
@pytest.mark.slow
def test_of_real_pictures_the_least_like_is_mostly_of_another_organ(
    data: Path, tmp_path: Path
) -> None:
    folder = data / "radiology" / "vqa_rad"
    rows = json.loads((folder / "vqa_rad.json").read_text(encoding="utf-8"))
    organs = {row["image_name"]: row["image_organ"] for row in rows}
    # Every third picture: 64 of 190.
    files = [folder / "images" / name for name in sorted(organs)[::3]]
    index = build_index(tmp_path / "index", sources=files, channels=["image"])
    refs = [identified(ImageRef(str(file))) for file in files]
    channel: Any = index.channels["image"]
    for among, least in ((1, 0.85), (5, 0.85)):
        pictures = UnrelatedPictures(channel=channel, library=index.store, among=among)
        found = pictures.pick([Question("what?", images=(ref,)) for ref in refs])
        others = [
            organs[Path(other.path).name] != organs[Path(ref.path).name]
            for ref, other in zip(refs, found, strict=True)
        ]
        # Pictures drawn at random are of another organ in two of three cases.
        assert np.mean(others) > least
