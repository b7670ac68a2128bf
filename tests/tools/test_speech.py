"""Spoken questions as text."""

import logging
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from medrag.errors import InputFileError, RecipeError
from medrag.tools.sound import read_sound, windows
from medrag.tools.speech import Transcriber
from tests.images.scenes import ANY_FOLDER
from tests.tools.tiny_whisper import RATE, TONES, tiny_whisper, tone

LOW, HIGH = TONES.values()
PAUSE = np.zeros(RATE // 10, dtype=np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that hears 2 s at once, and says "low" and "high" for two tones."""
    return tiny_whisper(tmp_path_factory.mktemp("whisper") / "trained", steps=60)


def recorded(path: Path, samples: NDArray[np.float32], *, rate: int = RATE, width: int = 2) -> Path:
    """Save samples, (n,) or (n, channels) in [-1, 1], as WAV."""
    values = np.round(samples.astype(np.float64) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        values = values + 128
    raw = values.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :width].tobytes()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def transcriber(folder: Path, **settings: Any) -> Transcriber:
    fixed = {"device": "cpu", "dtype": "float32", "max_tokens": 20, **settings}
    return Transcriber(model=str(folder), **fixed)


def read(path: Path, **settings: Any) -> NDArray[np.float32]:
    return read_sound(path, **{"rate": RATE, "max_seconds": 10.0, **settings})


def test_what_was_said_is_written_down(folder: Path, tmp_path: Path) -> None:
    heard = transcriber(folder)
    assert heard.transcribe(recorded(tmp_path / "a.wav", tone(LOW, 1.8))) == "low"
    assert heard.transcribe(str(recorded(tmp_path / "b.wav", tone(HIGH, 1.8)))) == "high"


def test_a_long_recording_is_written_down_stretch_by_stretch(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = [tone(LOW, 1.9), PAUSE, tone(HIGH, 1.9), PAUSE, tone(LOW, 1.4)]
    path = recorded(tmp_path / "a.wav", np.concatenate(said))
    with caplog.at_level(logging.WARNING):
        assert transcriber(folder).transcribe(path) == "low high low"
    assert transcriber(folder, batch_size=1).transcribe(path) == "low high low"
    assert caplog.messages == []


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
def test_recordings_of_every_rate_are_heard(folder: Path, tmp_path: Path, rate: int) -> None:
    path = recorded(tmp_path / "a.wav", tone(HIGH, 1.8, rate), rate=rate)
    assert transcriber(folder).transcribe(path) == "high"


@ANY_FOLDER
@given(
    st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=40), st.sampled_from([1, 2, 3, 4]),
    st.integers(1, 3),
)  # fmt: skip
def test_samples_come_back_from_wav_of_every_width(
    tmp_path: Path, values: list[float], width: int, channels: int
) -> None:
    samples = np.float32([*values, 0.5])
    path = recorded(tmp_path / "a.wav", np.stack([samples] * channels, axis=1), width=width)
    # Half a step of the rounding, and one for the scale that is asymmetric about zero.
    np.testing.assert_allclose(read(path), samples, atol=1.5 / 2 ** (8 * width - 1) + 1e-6)


def test_channels_are_averaged(tmp_path: Path) -> None:
    both = np.stack([tone(LOW, 0.1), np.zeros(1600, dtype=np.float32)], axis=1)
    # 16 bits
    np.testing.assert_allclose(
        read(recorded(tmp_path / "a.wav", both)), tone(LOW, 0.1) / 2, atol=1e-4
    )


def test_resampling_keeps_a_tone(tmp_path: Path) -> None:
    samples = read(recorded(tmp_path / "a.wav", tone(LOW, 1.0, 44_100), rate=44_100))
    assert abs(len(samples) - RATE) <= 1
    # Away from the ends, where the filter meets silence; its ripple is below a hundredth.
    np.testing.assert_allclose(samples[200:-200], tone(LOW, 1.0)[200 : len(samples) - 200],
                               atol=0.01)  # fmt: skip


def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", tone(LOW, 1.0))
    path.write_bytes(path.read_bytes()[:-1001])
    # 1,001 bytes are 500 samples and a half.
    assert len(read(path)) == RATE - 501


WRONG: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: None, "is no file"),
    ("a folder", lambda path: path.mkdir(), "is no file"),
    ("nothing", lambda path: path.write_bytes(b""), "is no WAV; convert it"),
    ("text", lambda path: path.write_bytes(b"Is there an effusion?"), "is no WAV"),
    ("no frames", lambda path: recorded(path, np.float32([])), "holds no sound"),
    ("silence", lambda path: recorded(path, np.zeros(RATE, np.float32)), "silence alone"),
    ("too long", lambda path: recorded(path, tone(LOW, 11)), "is 11 s long, expected 10 s"),
    ("slow", lambda path: recorded(path, tone(LOW, 1), rate=10), "10 samples in a second"),
    ("head alone", lambda path: path.write_bytes(b"RIFF\x00\x00\x00\x00WAVE"), "convert it"),
    ("floats", lambda path: path.write_bytes(floats()), "convert it"),
]  # fmt: skip


def floats() -> bytes:
    """WAV whose samples are floating point, which the standard library does not read."""
    form = b"fmt " + (16).to_bytes(4, "little") + b"\x03\x00\x01\x00" + RATE.to_bytes(4, "little")
    form += (4 * RATE).to_bytes(4, "little") + b"\x04\x00\x20\x00"
    body = b"data" + (8).to_bytes(4, "little") + np.float32([0.5, -0.5]).tobytes()
    return b"RIFF" + (4 + len(form) + len(body)).to_bytes(4, "little") + b"WAVE" + form + body


@pytest.mark.parametrize(("make", "problem"), [each[1:] for each in WRONG],
                         ids=[each[0] for each in WRONG])  # fmt: skip
def test_what_is_no_recording_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], problem: str
) -> None:
    # The same on machines that have soundfile.
    monkeypatch.setattr("medrag.tools.sound.find_spec", lambda name: None)
    make(tmp_path / "a.wav")
    with pytest.raises(InputFileError, match=problem) as caught:
        read(tmp_path / "a.wav")
    assert "a.wav" in str(caught.value)


@ANY_FOLDER
@given(st.binary(max_size=200), st.sampled_from([b"", b"RIFF\x24\x00\x00\x00WAVE", floats()[:40]]))
def test_bytes_that_are_no_recording_raise_the_one_error(
    tmp_path: Path, noise: bytes, start: bytes
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(start + noise)
    with pytest.raises(InputFileError, match="wav"):
        read(path)


@given(st.integers(0, 5000), st.integers(2, 30), st.integers(0, 99))
def test_windows_put_together_are_the_recording(n: int, seconds: int, seed: int) -> None:
    samples = np.random.default_rng(seed).random(n).astype(np.float32)
    cut = windows(samples, 20, seconds)
    np.testing.assert_array_equal(np.concatenate(cut), samples)
    assert all(len(each) <= 20 * seconds for each in cut)
    assert all(len(each) >= 10 * min(seconds, seconds - 5 if seconds > 10 else seconds / 2)
               for each in cut[:-1])  # fmt: skip


def test_a_recording_is_cut_where_it_is_quietest() -> None:
    loud = np.ones(400, dtype=np.float32)
    loud[270:290] = 0
    # Windows of 15 s at 20 samples a second: the quiet second begins at 13.5 s.
    first = windows(loud, 20, 15)[0]
    assert 270 <= len(first) <= 290


def test_a_model_without_words_for_it_says_so(folder: Path, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", tone(LOW, 1.0))
    silent = transcriber(folder)
    silent._heard = lambda several: [" "] * len(several)  # type: ignore[method-assign]
    with pytest.raises(InputFileError, match="no words were heard"):
        silent.transcribe(path)


def test_languages_are_asked_of_models_that_know_them(folder: Path, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", tone(LOW, 1.0))
    many = tiny_whisper(tmp_path / "many", many=True)
    assert transcriber(many, language="de")._spoken == {"language": "de", "task": "transcribe"}
    transcriber(many, language="German").transcribe(path)
    transcriber(many).transcribe(path)
    with pytest.raises(ValueError, match="xx"):
        transcriber(many, language="xx").transcribe(path)
    assert transcriber(folder, language="en").transcribe(path) == "low"
    with pytest.raises(RecipeError, match="English only"):
        transcriber(folder, language="de").transcribe(path)


def test_a_model_whose_languages_are_not_told_hears_without(folder: Path, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", tone(LOW, 1.8))
    untold = transcriber(folder, language="de")
    del untold._loaded.generation_config.is_multilingual
    with pytest.raises(RecipeError, match=r"does not tell its languages.*leave out"):
        untold.transcribe(path)


def test_more_tokens_than_the_decoder_takes_are_not_asked_for(folder: Path, tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", tone(LOW, 1.8))
    assert transcriber(folder, max_tokens=400).transcribe(path) == "low"


def test_a_folder_without_a_model_of_speech_is_named(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", tone(LOW, 1.0))
    with pytest.raises(RecipeError, match="none"):
        transcriber(tmp_path / "none").transcribe(path)


def test_the_name_tells_models_and_languages_apart(folder: Path) -> None:
    assert transcriber(folder).name == transcriber(folder).name
    assert transcriber(folder).name != transcriber(folder, language="en").name
    assert transcriber(folder).numerics == "cpu float32"


@pytest.mark.parametrize(
    "settings", [{"max_seconds": 0}, {"max_tokens": 0}, {"language": " "}, {"batch_size": 0}]
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))):
        Transcriber(model="m", **settings)
