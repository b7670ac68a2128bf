"""Pairs on disk."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import PreferencePair, read_pairs, write_pairs
from medrag.codec import to_json
from medrag.errors import InputFileError, MedragError
from medrag.records import ImageRef
from tests.alignment.pairs.made import pair, picture

WORDS = st.text(min_size=1, max_size=8).filter(str.strip)
PLACE = Path(__file__).absolute()
# A file that is there whatever machine the tests run on.
PICTURES = st.builds(
    ImageRef,
    path=st.just(str(PLACE)),
    sha256=st.none() | st.just("0" * 64),
    page=st.none() | st.integers(1, 9),
    box=st.none() | st.just((0.0, 1.5, 2.0, 3.0)),
    marks=st.just(()) | st.just(((0.0, 0.0, 4.0, 4.0),)),
)
NOISES = st.sampled_from([
    Noise("replace_gaussian", seed=3),
    Noise("add_gaussian", std=0.5),
    Noise("diffusion", seed=1, step=500),
    Noise("lesion_mask", step=10, box=(0.0, 0.0, 2.0, 2.0)),
    Noise("swap_unrelated", other=str(PLACE)),
])  # fmt: skip
PAIRS = st.builds(
    PreferencePair,
    id=WORDS,
    prompt=st.tuples(PICTURES, WORDS) | st.tuples(WORDS, PICTURES, PICTURES, WORDS),
    chosen=WORDS.map(lambda text: f"yes {text}"),
    rejected=WORDS.map(lambda text: f"no {text}"),
    family=st.sampled_from(["cross_modality", "not_misled", "written"]),
    rejected_prompt=st.none() | st.tuples(WORDS, PICTURES),
    weight=st.floats(0, 10),
    noise=st.none() | NOISES,
    domain=st.none() | WORDS,
    subject=st.none() | WORDS,
    source_ids=st.lists(WORDS, max_size=2).map(tuple),
)


def written(folder: Path, *lines: object) -> Path:
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def image(tmp_path: Path) -> ImageRef:
    return picture(tmp_path / "images" / "one.png", 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(PAIRS, max_size=4, unique_by=lambda each: each.id))
def test_what_is_written_is_read_again(pairs: list[PreferencePair], tmp_path: Path) -> None:
    write_pairs(tmp_path / "new" / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "new" / "pairs.jsonl") == pairs


def test_a_pair_that_is_none_leaves_the_old_file_as_it_was(tmp_path: Path, image: ImageRef) -> None:
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [pair(image)])
    before = path.read_bytes()
    with pytest.raises(ValueError, match="pair 'one': chosen is empty"):
        write_pairs(path, [pair(image, id="two"), pair(image, chosen=" ")])
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["pairs.jsonl"]


def test_two_pairs_of_one_id_are_not_written(tmp_path: Path, image: ImageRef) -> None:
    with pytest.raises(ValueError, match="two pairs have the id 'one'"):
        write_pairs(tmp_path / "pairs.jsonl", [pair(image), pair(image)])


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, image: ImageRef) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MedragError, match=r"file/pairs.jsonl cannot be written .*make room"):
        write_pairs(tmp_path / "file" / "pairs.jsonl", [pair(image)])


def test_relative_paths_begin_at_the_folder_of_the_file_or_the_one_given(
    tmp_path: Path, image: ImageRef
) -> None:
    value = {**to_json(pair(image)), "prompt": [{"path": "images/one.png"}, "Fluid?"]}
    path = written(tmp_path, value)
    assert read_pairs(path)[0].prompt[0] == ImageRef(image.path)
    value["prompt"] = [{"path": "one.png"}, "Fluid?"]
    path = written(tmp_path, value)
    assert read_pairs(path, images=tmp_path / "images")[0].prompt[0] == ImageRef(image.path)


def test_a_relative_path_stays_in_its_folder(tmp_path: Path, image: ImageRef) -> None:
    value = {**to_json(pair(image)), "prompt": [{"path": "../secret.png"}, "Fluid?"]}
    with pytest.raises(InputFileError, match=r"line 1: .*leaves its folder"):
        read_pairs(written(tmp_path, value))


def test_missing_pictures_are_named_with_the_line_and_the_way_out(
    tmp_path: Path, image: ImageRef
) -> None:
    gone = [ImageRef(str(tmp_path / f"gone{n}.png")) for n in range(2)]
    pairs = [pair(image), *(pair(each, id=each.path) for each in gone)]
    path = written(tmp_path, *map(to_json, pairs))
    with pytest.raises(
        InputFileError, match=r"line 2: .*gone0.png is missing, and 1 other.*images"
    ):
        read_pairs(path)


def test_the_files_of_a_noise_must_be_there(tmp_path: Path, image: ImageRef) -> None:
    noise = Noise("swap_unrelated", other=str(tmp_path / "gone.png"))
    path = written(tmp_path, to_json(pair(image, noise=noise)))
    with pytest.raises(InputFileError, match=r"line 1: the picture .*gone.png is missing"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"wieght": 1.0}, "wieght: unknown key; known are id, prompt"),
        ({"family": "best"}, "family: expected one of cross_modality"),
        ({"weight": "1"}, "weight: expected a number, found the text '1'"),
        ({"weight": -1.0}, "weight must be a number of at least 0"),
        ({"weight": float("nan")}, "weight must be a number of at least 0, got nan"),
        ({"rejected": "Yes "}, "chosen and rejected are equal and said of equal pictures"),
        ({"prompt": ["", " "]}, "prompt is empty"),
        ({"noise": {"kind": "blank"}, "noised": [1]}, "noised names picture 1, but prompt has 1"),
        ({"noise": {"kind": "diffusion"}}, "noise: step is needed"),
        ({"noise": {"kind": "fog"}}, "noise.kind: expected one of replace_gaussian"),
    ],
)
def test_a_line_that_is_no_pair_is_named_with_what_is_wrong(
    tmp_path: Path, image: ImageRef, change: dict[str, object], told: str
) -> None:
    path = written(tmp_path, to_json(pair(image)), {**to_json(pair(image, id="two")), **change})
    with pytest.raises(InputFileError) as caught:
        read_pairs(path)
    assert caught.value.place == "line 2"
    assert told in str(caught.value)


def test_an_id_that_stands_there_twice_is_named_with_both_lines(
    tmp_path: Path, image: ImageRef
) -> None:
    path = written(tmp_path, to_json(pair(image)), to_json(pair(image)))
    with pytest.raises(InputFileError, match="line 2: the id 'one' stands in line 1 already"):
        read_pairs(path)


def test_blank_lines_and_a_byte_order_mark_do_not_count(tmp_path: Path, image: ImageRef) -> None:
    path = written(tmp_path, to_json(pair(image)))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\n \n")
    assert read_pairs(path) == [pair(image)]


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"No such file.*medrag align pairs"):
        read_pairs(tmp_path / "pairs.jsonl")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_whatever_stands_in_a_file_gives_pairs_or_an_error_with_its_line(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_bytes(content)
    if not content.strip():
        assert read_pairs(path) == []
        return
    with pytest.raises(InputFileError) as caught:
        read_pairs(path)
    assert (caught.value.place or "").startswith("line ")


def test_deep_json_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(InputFileError, match="line 1: no preference pair"):
        read_pairs(path)
