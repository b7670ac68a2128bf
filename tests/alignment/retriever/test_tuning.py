"""From pairs to the folder of an encoder, for each kind that can be trained."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from medrag.alignment.retriever import (
    ReaderSignal,
    RetrieverModel,
    RetrieverPair,
    RetrieverSettings,
    tune_by_domain,
    tune_retriever,
)
from medrag.alignment.retriever.generators import memory_told
from medrag.encoding.clip import ClipEncoder
from medrag.encoding.page import PageEncoder
from medrag.encoding.projected import ProjectedEncoder
from medrag.encoding.sentence import SentenceEncoder
from medrag.errors import InputFileError, MedragError, RecipeError
from medrag.records import ImageRef, Passage, Question, Source
from tests.alignment.retriever.sources import phantom_pairs
from tests.encoding.tiny_pages import save_colbert, save_colmodernvbert, save_colpali
from tests.encoding.tiny_pictures import CLIPS
from tests.encoding.tiny_texts import WORDS, save_sentence

SETTINGS = RetrieverSettings(epochs=2, batch=8, k=3)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[RetrieverPair]:
    found = phantom_pairs(tmp_path_factory.mktemp("phantoms"), 40)
    return [replace(pair, domain="left" if n % 2 else "right") for n, pair in enumerate(found)]


@pytest.fixture(scope="module")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_sentence(tmp_path_factory.mktemp("texts") / "sentence")


@pytest.fixture
def head(sentence: str) -> RetrieverModel:
    told = {"kind": "sentence", "model": sentence}
    return RetrieverModel(text=told, dtype="float32", device="cpu")


def text_pairs(n: int = 40) -> list[RetrieverPair]:
    """Texts that ask for the text with the same word."""
    rng = np.random.default_rng(0)
    return [
        RetrieverPair(
            str(row), f"what is {WORDS[row % len(WORDS)]} {row}",
            " ".join([WORDS[row % len(WORDS)], *rng.choice(WORDS, 4), str(row)]),
        )
        for row in range(n)
    ]  # fmt: skip


def test_a_head_is_written_as_an_encoder_that_finds_as_was_measured(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    said: list[str] = []
    tuned = tune_retriever(
        pairs, folder=tmp_path / "out", model=head, settings=SETTINGS, say=said.append
    )
    assert tuned.encoder == {"kind": "projected", "folder": str(tmp_path / "out")}
    assert tuned.n_training + tuned.n_stopping + tuned.n_held_out == len(pairs)
    assert len(said) == len(tuned.losses) == 2
    assert tuned.before is not None
    assert tuned.difference is not None
    encoder = ProjectedEncoder(folder=tmp_path / "out", dtype="float32", device="cpu")
    asked = [Question(pair.passage) for pair in pairs[:3] if isinstance(pair.passage, str)]
    assert encoder.encode_questions(asked, "text").values.shape == (3, 32)
    told = json.loads((tmp_path / "out" / "tuning.json").read_text())
    assert told["settings"]["epochs"] == 2
    assert told["n_held_out"] == tuned.n_held_out
    assert len(told["pairs_sha256"]) == 64
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_closed_form_alone_may_be_written(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    settings = replace(SETTINGS, start="ridge", epochs=0, stopping=0.0)
    tuned = tune_retriever(pairs, folder=tmp_path / "out", model=head, settings=settings)
    assert (tuned.losses, tuned.best_epoch, tuned.n_stopping) == ((), 0, 0)
    assert tuned.before is not None
    assert tuned.after is not None
    assert tuned.after.forth != tuned.before.forth


def test_the_same_seed_writes_the_same_encoder(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    names = []
    for place in ("one", "two"):
        tune_retriever(pairs, folder=tmp_path / place, model=head, settings=SETTINGS)
        names.append(ProjectedEncoder(folder=tmp_path / place, dtype="float32").name)
    assert names[0] == names[1]


def test_each_domain_has_a_folder_of_its_own(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    tuned = tune_by_domain(pairs, folder=tmp_path / "all", model=head, settings=SETTINGS)
    assert sorted(tuned) == ["left", "right"]
    assert {path.name for path in (tmp_path / "all").iterdir()} == {"left", "right"}


@pytest.mark.parametrize("domain", [None, "../away", ""])
def test_a_domain_must_name_a_folder(
    pairs: list[RetrieverPair], tmp_path: Path, domain: str | None
) -> None:
    with pytest.raises(MedragError, match="expected a domain"):
        tune_by_domain([replace(pairs[0], domain=domain)], folder=tmp_path / "all")


def test_a_folder_that_is_taken_is_left_alone(
    pairs: list[RetrieverPair], tmp_path: Path, head: RetrieverModel
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("keep")
    with pytest.raises(RecipeError, match="is there already"):
        tune_retriever(pairs, folder=tmp_path / "out", model=head, settings=SETTINGS)
    assert (tmp_path / "out" / "mine.txt").read_text() == "keep"


def test_a_full_disk_leaves_nothing_behind(
    pairs: list[RetrieverPair],
    head: RetrieverModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("medrag.alignment.retriever.folders.write_atomically", full)
    with pytest.raises(InputFileError, match="No space left"):
        tune_retriever(pairs, folder=tmp_path / "out", model=head, settings=SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_too_few_pairs_are_refused(head: RetrieverModel, tmp_path: Path) -> None:
    with pytest.raises(MedragError, match="0 pairs of 0 subjects"):
        tune_retriever([], folder=tmp_path / "out", model=head, settings=SETTINGS)


def test_memory_that_runs_out_says_what_to_do() -> None:
    with pytest.raises(MedragError, match="with 8 pairs in a step"), memory_told(8):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="another matter"), memory_told(8):
        raise RuntimeError("another matter")


def test_a_signal_of_other_pairs_is_refused(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    signal = ReaderSignal(np.ones((1, 32), np.float32), np.zeros((2, 1), np.int64), np.ones((2, 1)))
    settings = replace(SETTINGS, reader_weight=1.0)
    with pytest.raises(ValueError, match="40 pairs need a signal of as many: 2"):
        tune_retriever(pairs, folder=tmp_path / "out", model=head, settings=settings, signal=signal)


def test_a_missing_picture_is_named(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    lacking = [*pairs, RetrieverPair("x", ImageRef(str(tmp_path / "gone.png")), "a ring")]
    with pytest.raises(InputFileError, match=r"gone\.png"):
        tune_retriever(lacking, folder=tmp_path / "out", model=head, settings=SETTINGS)


def test_pairs_of_the_wrong_sides_are_named(tmp_path: Path, head: RetrieverModel) -> None:
    with pytest.raises(ValueError, match="pair '0' cannot train head: expected a picture and a"):
        tune_retriever(text_pairs(), folder=tmp_path / "out", model=head, settings=SETTINGS)


def test_a_text_that_asks_is_as_good_as_a_picture_that_asks(
    pairs: list[RetrieverPair], head: RetrieverModel, tmp_path: Path
) -> None:
    turned = [replace(pair, query=pair.passage, passage=pair.query) for pair in pairs]
    one, two = (
        tune_retriever(each, folder=tmp_path / name, model=head, settings=SETTINGS)
        for name, each in (("one", pairs), ("two", turned))
    )
    assert one.losses == two.losses
    assert one.after == two.after


@pytest.mark.parametrize("name", ["open_clip", "biomed_clip", "clip"])
@pytest.mark.parametrize("layers", [None, 1])
def test_towers_are_trained_and_written_for_the_encoder_that_read_them(
    name: str, layers: int | None, pairs: list[RetrieverPair], tmp_path: Path
) -> None:
    folder = CLIPS[name](tmp_path / "start")
    model = RetrieverModel(train="clip", model=str(folder), layers=layers, device="cpu")
    settings = replace(SETTINGS, hard_negatives=1, stopping=0.0)
    tuned = tune_retriever(pairs, folder=tmp_path / "out", model=model, settings=settings)
    before, after = (
        ClipEncoder(model=str(each), dtype="float32", device="cpu")
        for each in (folder, tmp_path / "out")
    )
    assert tuned.encoder == {"kind": "clip", "model": str(tmp_path / "out")}
    assert before.name != after.name
    asked = [Question(images=(pairs[0].query,))]  # type: ignore[arg-type]
    shown = [each.encode_questions(asked, "image").values for each in (before, after)]
    assert np.abs(shown[0] - shown[1]).max() > 1e-4
    assert len(tuned.losses) == 2


def test_what_is_frozen_stays_as_it_was(pairs: list[RetrieverPair], tmp_path: Path) -> None:
    folder = CLIPS["open_clip"](tmp_path / "start")
    model = RetrieverModel(train="clip", model=str(folder), layers=1, device="cpu")
    settings = replace(SETTINGS, stopping=0.0, learning_rate=0.01)
    tune_retriever(pairs, folder=tmp_path / "out", model=model, settings=settings)
    before = torch.load(folder / "open_clip_pytorch_model.bin", weights_only=True)
    after = load_file(tmp_path / "out" / "open_clip_model.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "visual.transformer.resblocks.1.mlp.c_fc.weight" in changed
    assert not {name for name in changed if "resblocks.0" in name or "embedding" in name}


def test_training_leaves_the_generators_of_the_process_alone(
    pairs: list[RetrieverPair], sentence: str, tmp_path: Path
) -> None:
    clip = RetrieverModel(train="clip", model=str(CLIPS["clip"](tmp_path / "start")), device="cpu")
    text = RetrieverModel(train="text", model=sentence, device="cpu")
    for name, model, own in (("clip", clip, pairs), ("text", text, text_pairs())):
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002
        torch.manual_seed(3)
        expected = random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002
        torch.manual_seed(3)
        tune_retriever(own, folder=tmp_path / name, model=model, settings=SETTINGS)
        assert (random.random(), np.random.random(), torch.rand(1)) == expected  # noqa: NPY002


def test_a_tower_without_so_many_blocks_is_refused(
    pairs: list[RetrieverPair], tmp_path: Path
) -> None:
    model = RetrieverModel(
        train="clip", model=str(CLIPS["clip"](tmp_path / "start")), layers=3, device="cpu"
    )
    with pytest.raises(ValueError, match="has 2 blocks"):
        tune_retriever(pairs, folder=tmp_path / "out", model=model, settings=SETTINGS)


def test_a_model_that_compares_by_a_sigmoid_is_refused(
    pairs: list[RetrieverPair], tmp_path: Path
) -> None:
    model = RetrieverModel(train="clip", model=str(CLIPS["siglip"](tmp_path / "s")), device="cpu")
    with pytest.raises(RecipeError, match="SigLIP"):
        tune_retriever(pairs, folder=tmp_path / "out", model=model, settings=SETTINGS)


@pytest.mark.parametrize("hard_negatives", [0, 1])
def test_a_model_of_texts_is_trained_by_its_own_trainer(
    sentence: str, tmp_path: Path, hard_negatives: int
) -> None:
    model = RetrieverModel(train="text", model=sentence, device="cpu")
    settings = replace(
        SETTINGS, epochs=4, learning_rate=1e-3, patience=9, hard_negatives=hard_negatives
    )
    said: list[str] = []
    tuned = tune_retriever(
        text_pairs(), folder=tmp_path / "out", model=model, settings=settings, say=said.append
    )
    assert tuned.encoder == {"kind": "sentence", "model": str(tmp_path / "out")}
    assert tuned.losses[-1][1] < tuned.losses[0][1]
    assert len(said) == 4
    asked = [Question("what is the lung")]
    vectors = [
        SentenceEncoder(model=each, dtype="float32", device="cpu")
        .encode_questions(asked, "text").values
        for each in (sentence, str(tmp_path / "out"))
    ]  # fmt: skip
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3 or tuned.best_epoch == 0


def test_a_model_of_pages_learns_from_pages(
    pairs: list[RetrieverPair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = save_colpali(tmp_path / "start")
    model = RetrieverModel(train="page", model=str(start), device="cpu")
    settings = replace(SETTINGS, epochs=1, stopping=0.0, learning_rate=1e-3)
    tuned = tune_retriever(pairs[:12], folder=tmp_path / "out", model=model, settings=settings)
    assert tuned.encoder == {"kind": "page", "model": str(tmp_path / "out")}
    assert capsys.readouterr().out == ""
    picture = pairs[0].query
    assert isinstance(picture, ImageRef)
    page = Passage("p", "page", "", Source("corpus", "book.pdf", "0" * 64), (picture,))
    vectors = [
        PageEncoder(model=str(each), dtype="float32", device="cpu").encode_passages([page]).values
        for each in (start, tmp_path / "out")
    ]
    assert vectors[0].shape == vectors[1].shape
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-5


def test_pages_that_the_library_cannot_train_on_are_refused(
    pairs: list[RetrieverPair], tmp_path: Path
) -> None:
    start = save_colmodernvbert(tmp_path / "start")
    model = RetrieverModel(train="page", model=str(start), device="cpu")
    with pytest.raises(RecipeError, match="colmodernvbert"):
        tune_retriever(pairs, folder=tmp_path / "out", model=model, settings=SETTINGS)


def test_a_model_of_many_vectors_is_trained_likewise(tmp_path: Path) -> None:
    start = save_colbert(tmp_path / "start")
    model = RetrieverModel(train="page", model=str(start), device="cpu")
    tuned = tune_retriever(
        text_pairs(24), folder=tmp_path / "out", model=model,
        settings=replace(SETTINGS, learning_rate=1e-3),
    )  # fmt: skip
    encoder = PageEncoder(model=str(tmp_path / "out"), reads="texts", dtype="float32", device="cpu")
    assert tuned.encoder["reads"] == "texts"
    source = Source("corpus", "book.txt", "0" * 64)
    assert encoder.encode_passages([Passage("p", "text", "the lung", source)]).lengths[0] > 1
