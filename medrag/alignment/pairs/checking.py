"""What a preference pair must be, wherever it comes from."""

import math
from collections.abc import Sequence
from dataclasses import replace

from medrag.alignment.noise import check_noise
from medrag.alignment.pairs.pair import FAMILIES, Parts, PreferencePair
from medrag.records import ImageRef


def pictures_of(parts: Parts) -> tuple[ImageRef, ...]:
    """List the pictures of a prompt, in the order in which they are shown."""
    return tuple(part for part in parts if isinstance(part, ImageRef))


def check_pair(pair: PreferencePair) -> None:
    """Refuse a pair that no loss could be made of, or that prefers nothing to anything.

    No file is looked at.

    Raises:
        ValueError: if a text is empty, a number is out of range, the noise is for a picture that is
            not there, or both sides say the same of the same pictures; names the pair and the
            field.
    """
    if problem := _problem(pair):
        raise ValueError(f"pair {pair.id!r}: {problem}")


def shows_other_pictures(pair: PreferencePair) -> bool:
    """Tell whether the rejected side is said of other pictures than the chosen one.

    Pictures are compared by their pixels where these are hashed, else by where they lie.
    """
    if pair.rejected_prompt is None:
        return pair.noise is not None and bool(pair.noised)
    one, other = pictures_of(pair.prompt), pictures_of(pair.rejected_prompt)
    return len(one) != len(other) or not all(map(_same, one, other))


def _problem(pair: PreferencePair) -> str:
    if pair.family not in FAMILIES:
        return f"family must be one of {', '.join(FAMILIES)}; got {pair.family!r}"
    for name in ("id", "chosen", "rejected"):
        if not str(getattr(pair, name)).strip():
            return f"{name} is empty; leave the pair out"
    for name in ("prompt", "rejected_prompt"):
        parts = getattr(pair, name)
        if parts is not None and not any(_says(part) for part in parts):
            return f"{name} is empty; leave the pair out"
    if not 0 <= pair.weight < math.inf:
        return f"weight must be a number of at least 0, got {pair.weight}"
    return _noise_problem(pair) or _equality_problem(pair)


def _says(part: str | ImageRef) -> bool:
    return isinstance(part, ImageRef) or bool(part.strip())


def _noise_problem(pair: PreferencePair) -> str:
    if pair.noise is None:
        return ""
    try:
        check_noise(pair.noise)
    except ValueError as error:
        return f"noise: {error}"
    n = len(pictures_of(pair.prompt))
    if not pair.noised:
        return "noised is empty, but there is a noise; name the pictures that it is for"
    if outside := [place for place in pair.noised if not 0 <= place < n]:
        return f"noised names picture {outside[0]}, but prompt has {n}, counted from 0"
    return "noised names a picture twice" if _repeats(pair.noised) else ""


def _equality_problem(pair: PreferencePair) -> str:
    if pair.chosen.strip() != pair.rejected.strip() or shows_other_pictures(pair):
        return ""
    return (
        "chosen and rejected are equal and said of equal pictures, so that nothing is preferred; "
        "leave the pair out, or give it a noise"
    )


def _repeats(places: Sequence[int]) -> bool:
    return len(set(places)) < len(places)


def _same(one: ImageRef, other: ImageRef) -> bool:
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    return replace(one, sha256=None, phash=None) == replace(other, sha256=None, phash=None)
