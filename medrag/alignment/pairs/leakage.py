"""Keeping what is trained on apart from what is tested: by picture, study and subject."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.pairs.checking import pictures_of
from medrag.alignment.pairs.pair import PreferencePair
from medrag.errors import EvaluationError, MedragError
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.images import asked_parts, identified
from medrag.records import ImageRef, Item

By = Literal["picture", "study", "subject", "similar picture"]
_SHOWN = 5
_HASH = re.compile(r"[0-9a-f]{16}")
# How many bits of a byte are set.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)


@dataclass(frozen=True, slots=True)
class Leak:
    """A pair and an item of a test set that share something.

    Attributes:
        by: the first of what they share, in the order of `By`.
    """

    pair: str
    item: str
    by: By


@dataclass(frozen=True, slots=True)
class Separated:
    """The pairs that share nothing with a test set, and what the others share."""

    pairs: tuple[PreferencePair, ...]
    leaks: tuple[Leak, ...]


def check_leakage(
    pairs: Sequence[PreferencePair],
    test_items: Iterable[Item],
    *,
    similar_bits: int | None = None,
    key: bytes | None = None,
) -> None:
    """Refuse pairs that share a picture, a study or a subject with a test set.

    All pictures of both prompts count, those of the evidence too: a test picture that stands there
    stands beside its report. Pairs of published files name no study and no subject.

    Args:
        similar_bits: pictures whose perceptual hashes differ in at most so many of 64 bits count
            as the same (8 finds copies that were scaled or saved anew); None for equal pixels only.
        key: of the pseudonyms in the pairs; None reads this user's key if an item names anybody.

    Raises:
        EvaluationError: if there are any; names the first and says how many.
        MedragError: if a picture cannot be read; names the pair or the item.
    """
    leaks = separated(pairs, test_items, similar_bits=similar_bits, key=key).leaks
    if not leaks:
        return
    named = "; ".join(f"{each.pair} has the {each.by} of {each.item}" for each in leaks[:_SHOWN])
    more = f"; and {len(leaks) - _SHOWN} more" if len(leaks) > _SHOWN else ""
    raise EvaluationError(
        f"{len(leaks)} of {len(pairs)} pairs share a picture, a study or a subject with the test "
        f"items: {named}{more}; leave them out: medrag.alignment.pairs.separated"
    )


def separated(
    pairs: Sequence[PreferencePair],
    test_items: Iterable[Item],
    *,
    similar_bits: int | None = None,
    key: bytes | None = None,
) -> Separated:
    """Part the pairs that share nothing with a test set from those that do; see `check_leakage`.

    Raises:
        ValueError: if `similar_bits` is not in [0, 64].
        MedragError: if a picture cannot be read; names the pair or the item.
    """
    if similar_bits is not None and not 0 <= similar_bits <= 64:
        raise ValueError(f"similar_bits must be in [0, 64], got {similar_bits}")
    held_out = _held_out(without_identifiers(test_items, key))
    known: dict[ImageRef, tuple[ImageRef, ...]] = {}
    kept: list[PreferencePair] = []
    leaks: list[Leak] = []
    for pair in pairs:
        leak = _leak(pair, held_out, similar_bits, known)
        if leak is None:
            kept.append(pair)
        else:
            leaks.append(leak)
    return Separated(tuple(kept), tuple(leaks))


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """What training must not see, each with the first item that has it.

    Attributes:
        hashes: perceptual, (n, 8) bytes.
        hashed: the items of these, in order.
    """

    pictures: Mapping[str, str] = field(hash=False)
    studies: Mapping[str, str] = field(hash=False)
    subjects: Mapping[str, str] = field(hash=False)
    hashes: NDArray[np.uint8]
    hashed: tuple[str, ...]


def _held_out(items: Sequence[Item]) -> _HeldOut:
    pictures: dict[str, str] = {}
    studies: dict[str, str] = {}
    subjects: dict[str, str] = {}
    alike: dict[str, str] = {}
    known: dict[ImageRef, tuple[ImageRef, ...]] = {}
    for item in items:
        if item.question.study:
            studies.setdefault(item.question.study, item.id)
        if item.question.subject:
            subjects.setdefault(item.question.subject, item.id)
        try:
            for image in item.question.images:
                for shown in _shown(image, known):
                    pictures.setdefault(shown.sha256 or "", item.id)
                    if _tells(shown.phash):
                        alike.setdefault(shown.phash or "", item.id)
        except (MedragError, OSError) as error:
            raise EvaluationError(f"test item {item.id!r}: {error}") from error
    hashes = np.frombuffer(bytes.fromhex("".join(alike)), dtype=np.uint8).reshape(-1, 8)
    return _HeldOut(pictures, studies, subjects, hashes, tuple(alike.values()))


def _leak(
    pair: PreferencePair,
    held_out: _HeldOut,
    similar_bits: int | None,
    known: dict[ImageRef, tuple[ImageRef, ...]],
) -> Leak | None:
    """Find the first thing that a pair shares with a test set."""
    try:
        pictures = [shown for image in _pictures(pair) for shown in _shown(image, known)]
    except (MedragError, OSError) as error:
        raise MedragError(f"pair {pair.id!r}: {error}") from error
    for image in pictures:
        if item := held_out.pictures.get(image.sha256 or ""):
            return Leak(pair.id, item, "picture")
    if item := held_out.studies.get(pair.study or ""):
        return Leak(pair.id, item, "study")
    if item := held_out.subjects.get(pair.subject or ""):
        return Leak(pair.id, item, "subject")
    if similar_bits is not None:
        for image in pictures:
            if item := _similar(image.phash, held_out, similar_bits):
                return Leak(pair.id, item, "similar picture")
    return None


def _pictures(pair: PreferencePair) -> Iterator[ImageRef]:
    yield from pictures_of(pair.prompt)
    yield from pictures_of(pair.rejected_prompt or ())
    if pair.noise is not None and pair.noise.other is not None:
        yield ImageRef(pair.noise.other)


def _shown(
    image: ImageRef | str | Path, known: dict[ImageRef, tuple[ImageRef, ...]]
) -> tuple[ImageRef, ...]:
    """Hash what a reference shows, and the whole picture behind a part or under outlines."""
    ref = image if isinstance(image, ImageRef) else ImageRef(str(image))
    ref = replace(ref, path=str(Path(ref.path).expanduser().absolute()))
    if ref not in known:
        parts = (ref,) if ref.sha256 and ref.phash else asked_parts(ref)
        whole = replace(ref, box=None, marks=(), sha256=None, phash=None)
        cut = ref.box is not None or bool(ref.marks)
        known[ref] = (*parts, identified(whole)) if cut else parts
    return known[ref]


def _similar(phash: str | None, held_out: _HeldOut, most: int) -> str:
    """Find the item whose picture looks like one; empty if none does."""
    if not _tells(phash) or not len(held_out.hashes):
        return ""
    own = np.frombuffer(bytes.fromhex(phash or ""), dtype=np.uint8)
    differing = _BITS[held_out.hashes ^ own].sum(axis=1)
    nearest = int(differing.argmin())
    return held_out.hashed[nearest] if differing[nearest] <= most else ""


def _tells(phash: str | None) -> bool:
    """Tell whether a hash says how a picture looks: that of one colour is all zero."""
    return bool(phash and _HASH.fullmatch(phash) and phash.strip("0"))
