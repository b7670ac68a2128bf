"""Recordings as samples: WAV by the standard library, other files through soundfile."""

import struct
import wave
from importlib.util import find_spec
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import InputFileError
from medrag.extras import require

Samples = NDArray[np.float32]

# Of 2^15 steps of a recording of 16 bits, about three: below it there is the noise of a converter.
_SILENCE = 1e-4
_RATES = range(1000, 768_001)
# A cut falls into the quietest tenth of a second of the last seconds of a window.
_SEARCHED, _STRETCH = 5.0, 0.1
# What the standard library raises on a WAV that is damaged, or of a kind that it does not read.
_DAMAGED = (wave.Error, EOFError, ValueError, RuntimeError, ArithmeticError, struct.error)
_CONVERT = "convert it: ffmpeg -i IN -ac 1 -ar 16000 OUT.wav"


def read_sound(path: Path, *, rate: int, max_seconds: float) -> Samples:
    """Read a recording as one channel at a rate.

    Args:
        path: WAV of 8, 16, 24 or 32 bits; where soundfile is installed, what it reads as well
            (FLAC, OGG, MP3, WAV of floating point).
        rate: samples in a second.
        max_seconds: of the recording.

    Returns:
        (n,) about in [-1, 1]; the mean of all channels.

    Raises:
        InputFileError: if it is no sound, is damaged, empty, silent or too long.
    """
    if not path.is_file():
        raise InputFileError(path, "is no file; name a recording")
    samples, own = _read(path, max_seconds)
    mono: Samples = samples.mean(axis=1, dtype=np.float32)
    if not mono.size:
        raise InputFileError(path, "holds no sound; record it again")
    if not np.isfinite(mono).all():
        raise InputFileError(path, f"holds samples that are no numbers; {_CONVERT}")
    if float(np.abs(mono).max()) < _SILENCE:
        raise InputFileError(path, "holds silence alone; is the microphone on?")
    if own == rate:
        return mono
    shared = gcd(own, rate)
    resampled = require("scipy.signal").resample_poly(mono, rate // shared, own // shared)
    return np.asarray(resampled, dtype=np.float32)


def windows(samples: Samples, rate: int, seconds: float) -> list[Samples]:
    """Cut a recording into stretches of at most so many seconds, where it is quietest.

    Returns:
        At least one stretch; joined they are the recording.
    """
    longest, searched = int(seconds * rate), int(min(_SEARCHED, seconds / 2) * rate)
    step = max(1, int(_STRETCH * rate))
    cut: list[Samples] = []
    while len(samples) > longest:
        last = samples[longest - searched : longest]
        n = len(last) // step
        loudness = np.square(last[: n * step].reshape(n, step)).mean(axis=1)
        # Of equally quiet ones the last: a window should not be shorter than it must.
        quietest = n - 1 - int(np.argmin(loudness[::-1]))
        end = longest - searched + quietest * step + step // 2
        cut.append(samples[:end])
        samples = samples[end:]
    return [*cut, samples]


def _read(path: Path, max_seconds: float) -> tuple[Samples, int]:
    """Give (n, channels) samples and their rate."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(0)
            if head[:4] == b"RIFF" and head[8:] == b"WAVE":
                with wave.open(file) as sound:
                    return _pcm(path, sound, max_seconds)
    except OSError as error:
        raise InputFileError(path, f"cannot be read: {error}") from error
    except _DAMAGED as error:
        if not find_spec("soundfile"):
            problem = f"is WAV that cannot be read ({error or 'it ends too early'}); {_CONVERT}"
            raise InputFileError(path, problem) from error
    if not find_spec("soundfile"):
        raise InputFileError(
            path, f"is no WAV; {_CONVERT}, or install what reads others: pip install soundfile"
        )
    return _by_soundfile(path, max_seconds)


def _pcm(path: Path, sound: wave.Wave_read, max_seconds: float) -> tuple[Samples, int]:
    rate, channels, width = sound.getframerate(), sound.getnchannels(), sound.getsampwidth()
    _check(path, sound.getnframes(), rate, max_seconds)
    raw = sound.readframes(sound.getnframes())
    # A recording that was cut off may end within a sample.
    raw = raw[: len(raw) - len(raw) % (channels * width)]
    values = _whole_numbers(raw, width).reshape(-1, channels)
    return (values / np.float32(2 ** (8 * width - 1))).astype(np.float32), rate


def _whole_numbers(raw: bytes, width: int) -> NDArray[Any]:
    if width == 1:
        return np.frombuffer(raw, dtype=np.uint8).astype(np.int16) - 128
    if width == 3:
        # As the upper three bytes of four, so that the sign stands where it must.
        wide = np.zeros((len(raw) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3)
        return wide.view("<i4").ravel() >> 8
    if width not in (2, 4):
        raise ValueError(f"samples of {width} bytes")
    return np.frombuffer(raw, dtype=f"<i{width}")


def _by_soundfile(path: Path, max_seconds: float) -> tuple[Samples, int]:
    library = require("soundfile")
    try:
        header = library.info(str(path))
        _check(path, header.frames, header.samplerate, max_seconds)
        # Headers of some formats do not tell how long it is.
        most = int(max_seconds * header.samplerate) + 1
        samples, rate = library.read(str(path), frames=most, dtype="float32", always_2d=True)
    except (library.SoundFileError, OSError, RuntimeError) as error:
        raise InputFileError(path, f"cannot be read as sound: {error}; {_CONVERT}") from error
    _check(path, len(samples), rate, max_seconds)
    return samples, int(rate)


def _check(path: Path, n: int, rate: int, max_seconds: float) -> None:
    if rate not in _RATES:
        raise InputFileError(
            path, f"has {rate} samples in a second, expected {_RATES[0]} to {_RATES[-1]}"
        )
    if n > max_seconds * rate:
        raise InputFileError(
            path, f"is {n / rate:.0f} s long, expected {max_seconds:g} s at most; cut it"
        )
