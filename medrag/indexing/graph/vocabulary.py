"""Words that names hold, and the ones among them that a mistyped word may stand for."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph.names import Word, word_key
from medrag.indexing.graph.spelling import compared, plain_letters
from medrag.language import language_of

ARRAYS = ("known_words", "word_letters", "word_starts", "word_masks")
_SHORTEST, _SHORTEST_TWICE = 5, 8
_LONGEST = 40
_MOST = 4
# A word that only one text holds may be a mistake of its author.
_COMMON = 2


class Correction(NamedTuple):
    """A word that may be meant, as it is compared, and how many mistakes the written one has."""

    word: str
    n_mistakes: int


def compiled_words(
    names: Iterable[str], texts: Mapping[str, int]
) -> dict[str, NDArray[np.generic]]:
    """Make the arrays of a vocabulary.

    Args:
        names: words of names, which mistyped ones are corrected to.
        texts: compared words of what terms say, and in how many; a word of more than one, or of
            names alone, is no mistake.
    """
    written = set(names)
    stop = language_of("en").stop_words
    plain = {plain_letters(word) for word in written} - stop
    spelled = {word.encode("utf-8", "surrogatepass") for word in plain}
    ordered = sorted((word for word in spelled if len(word) <= _LONGEST), key=lambda w: (len(w), w))
    starts = np.zeros(len(ordered) + 1, dtype=np.int64)
    np.cumsum([len(word) for word in ordered], out=starts[1:])
    letters = np.frombuffer(b"".join(ordered), dtype=np.uint8)
    known = {word_key(word) for word in map(compared, written) if word not in texts}
    known.update(word_key(word) for word, n in texts.items() if n >= _COMMON)
    return {
        "known_words": np.array(sorted(known), dtype=np.uint64),
        "word_letters": letters,
        "word_starts": starts,
        "word_masks": np.array([_mask(word) for word in ordered], dtype=np.uint32),
    }


def is_known(word: str, arrays: Mapping[str, Any]) -> bool:
    """Tell whether a compared word stands in any name or text of the graph."""
    known = arrays["known_words"]
    key = np.uint64(word_key(word))
    place = int(np.searchsorted(known, key))
    return place < len(known) and bool(known[place] == key)


def corrections(word: Word, arrays: Mapping[str, Any]) -> list[Correction]:
    """Find words of names that a word may stand for, the most likely first, four at most.

    One letter may be wrong, missing, too many or swapped with the next in a word of five letters,
    two in one of eight; with two, the first letter is right.

    Source:
        Damerau, "A technique for computer detection and correction of spelling errors", CACM 1964.
    """
    written = plain_letters(word.written).encode("utf-8", "surrogatepass")
    if not _SHORTEST <= len(written) <= _LONGEST or any(byte in b"0123456789" for byte in written):
        return []
    most = 2 if len(written) >= _SHORTEST_TWICE else 1
    starts, letters = arrays["word_starts"], arrays["word_letters"]
    near = _near(written, most, arrays)
    found = []
    for place, n in zip(near.tolist(), _distances(written, near, arrays).tolist(), strict=True):
        spelled = letters[starts[place] : starts[place + 1]].tobytes()
        if n <= most and (n <= 1 or spelled[:1] == written[:1]):
            # A wrong first letter is rarer than any other.
            found.append((n, spelled[:1] != written[:1], abs(len(spelled) - len(written)), spelled))
    # A word and its plural are one.
    meant: dict[str, int] = {}
    for n, _, _, spelled in sorted(found):
        meant.setdefault(compared(spelled.decode("utf-8", "surrogatepass")), n)
    return [Correction(each, n) for each, n in list(meant.items())[:_MOST]]


def _near(written: bytes, most: int, arrays: Mapping[str, Any]) -> NDArray[np.int64]:
    """Find words of about the same length and letters, among which the near ones are."""
    lengths = np.diff(arrays["word_starts"])
    first, stop = np.searchsorted(lengths, [len(written) - most, len(written) + most + 1])
    # A mistake takes at most one letter away and brings at most one.
    differing = np.bitwise_count(arrays["word_masks"][first:stop] ^ np.uint32(_mask(written)))
    near: NDArray[np.int64] = np.flatnonzero(differing <= 2 * most) + first
    return near


def _distances(
    written: bytes, near: NDArray[np.int64], arrays: Mapping[str, Any]
) -> NDArray[np.int64]:
    """Count the mistakes between a word and others, a swap of neighbours as one."""
    starts = arrays["word_starts"]
    lengths = starts[near + 1] - starts[near]
    longest = int(lengths.max(initial=0))
    columns = np.arange(longest)
    places = np.minimum(starts[near][:, None] + columns, max(len(arrays["word_letters"]) - 1, 0))
    others = np.where(columns < lengths[:, None], arrays["word_letters"][places], 0)
    rows = [np.broadcast_to(np.arange(longest + 1), (len(near), longest + 1)).copy()]
    for i, letter in enumerate(written, start=1):
        row = np.full((len(near), longest + 1), i, dtype=np.int64)
        for j in range(1, longest + 1):
            same = others[:, j - 1] == letter
            row[:, j] = np.minimum(rows[-1][:, j], row[:, j - 1]) + 1
            np.minimum(row[:, j], rows[-1][:, j - 1] + ~same, out=row[:, j])
            if i > 1 and j > 1:
                swapped = (others[:, j - 2] == letter) & (others[:, j - 1] == written[i - 2])
                swap = np.where(swapped, rows[-2][:, j - 2] + 1, row[:, j])
                np.minimum(row[:, j], swap, out=row[:, j])
        rows.append(row)
    counted: NDArray[np.int64] = rows[-1][np.arange(len(near)), lengths]
    return counted


def _mask(word: bytes) -> int:
    """Set a bit for each letter of a word."""
    mask = 0
    for byte in word:
        mask |= 1 << (byte & 31)
    return mask
