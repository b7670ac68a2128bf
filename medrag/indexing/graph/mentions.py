"""Names of concepts in a text: as they are written, in another form, short, or mistyped."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph.abbreviations import definitions
from medrag.indexing.graph.asking import is_word_of_asking
from medrag.indexing.graph.names import (
    LONGEST_NAME,
    Word,
    bag_key,
    compared_key,
    initials_key,
    joined_key,
    lowered_key,
    words_of,
    written_key,
)
from medrag.indexing.graph.vocabulary import Correction, corrections, is_known
from medrag.language import language_of, negated_spans

Way = Literal["name", "joined", "form", "mistyped", "initials"]

READ_WORDS = 1024
# How surely a run of words means a concept, by how it names it.
_SURE: Mapping[Way, float] = {
    "name": 1.0, "joined": 0.97, "form": 0.9, "mistyped": 0.85, "initials": 0.7,
}  # fmt: skip
_ORDER: Mapping[Way, int] = {way: place for place, way in enumerate(_SURE)}
_SYNONYM = 0.95
# What counts less: a synonym that is also what another concept is called, a word alone that is only
# like a name, a second mistake, what a question denies, a name that is also a word of asking.
_OUTDONE, _ALONE, _MISTAKE, _CUE_WORD = 0.6, 0.85, 0.85, 0.3
DENIED = 0.15
# Concepts of one name, beyond which it is not guessed which is meant.
_AMBIGUOUS = 8
_MOST_MISTYPED, _MOST_READINGS = 12, 12
# Stop words that may stand within a name in another order: "carcinoma of the breast".
_JOINING = frozenset({"of", "the", "in", "with", "by", "from", "to", "due", "at", "on"})
# Letters of initials, and how surely as many mean the name; a numeral is none.
_INITIALS = {2: 0.4, 3: 0.55}
_NUMERAL = re.compile(r"[IVX]+")
# Letters below which a word alone is not taken for a name mistyped once, or twice.
_SHORTEST_ALONE = {1: 6, 2: 9}
_BREAK = re.compile(r"[.?!;:()\n]")
_CUE_WORDS = frozenset({
    "symptom", "sign", "disease", "disorder", "syndrome", "condition", "location", "site",
    "kind", "type", "form", "finding", "cause", "treatment", "name", "synonym", "definition",
    "patient", "diagnose", "anatomy", "organ", "body", "part",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mention:
    """Concepts that a run of words names.

    Attributes:
        start: of the run in the text, and `stop` behind its last character.
        nodes: numbers of concepts, ascending.
        weights: (len(nodes),) in (0, 1], how surely each is meant.
        words: numbers of the words of the text that name them.
        way: how they are named; "form" is another order, number or part of speech, "joined" other
            spaces and hyphens.
        negated: the text denies the concept.
    """

    start: int
    stop: int
    nodes: NDArray[np.int32]
    weights: NDArray[np.float32]
    words: range
    way: Way
    negated: bool = False


class _Reading(NamedTuple):
    """A run of words, a key that it may stand for, and how surely it does."""

    start: int
    stop: int
    key: int
    way: Way
    sure: float


def find_mentions(text: str, arrays: Mapping[str, Any], *, typos: bool = True) -> list[Mention]:
    """Find names in a text, the longest first, none within another; in the order of the text.

    An exact name goes before another form of as many words, and that before a mistyped one. A short
    form that the text defines means what its long form means.

    Args:
        arrays: those of a compiled graph.
        typos: find mistyped names, too.
    """
    words = words_of(text)[:READ_WORDS]
    readings = list(_readings(text, words, arrays, typos=typos))
    if not readings or not len(arrays["name_keys"]):
        return []
    keys = np.array([reading.key for reading in readings], dtype=np.uint64)
    left, right = (np.searchsorted(arrays["name_keys"], keys, side=s) for s in ("left", "right"))
    mentions: list[Mention] = []
    taken: set[int] = set()
    for i in sorted(np.flatnonzero(right > left).tolist(), key=lambda i: _rank(readings[i])):
        here = range(readings[i].start, readings[i].stop)
        if taken.isdisjoint(here):
            mention = _mention(slice(int(left[i]), int(right[i])), readings[i], words, arrays)
            if mention is not None:
                mentions.append(mention)
                taken.update(here)
    mentions.sort(key=lambda each: each.start)
    return _denied(text, _defined(text, words, mentions))


def _rank(reading: _Reading) -> tuple[int, int, float, int]:
    return (reading.start - reading.stop, _ORDER[reading.way], -reading.sure, reading.start)


def _readings(
    text: str, words: Sequence[Word], arrays: Mapping[str, Any], *, typos: bool
) -> Iterator[_Reading]:
    stop = language_of("en").stop_words
    is_stop = [word.written.lower() in stop for word in words]
    # How many breaks stand before each word: a run in another order holds none.
    breaks = [0, *itertools.accumulate(
        bool(_BREAK.search(text, one.stop, other.start)) for one, other in itertools.pairwise(words)
    )]  # fmt: skip
    lowered = text == text.lower()
    shouted = text == text.upper()
    mistyped = _mistyped(words, is_stop, arrays) if typos else {}
    for first in range(len(words)):
        for last in range(first, min(first + LONGEST_NAME, len(words))):
            run = words[first : last + 1]
            yield from _exact(first, run, lowered=lowered)
            if is_stop[first] or is_stop[last] or breaks[first] != breaks[last]:
                continue
            inner = [word for word, no in zip(run, is_stop[first : last + 1], strict=True) if no]
            if not inner:
                yield _Reading(first, last + 1, joined_key(run), "joined", _SURE["joined"])
            if all(word.compared in _JOINING for word in inner):
                yield from _other_forms(first, run, {
                    at - first: found for at, found in mistyped.items() if first <= at <= last
                })  # fmt: skip
        short = words[first].written
        if _may_be_initials(short) and not is_stop[first] and not shouted:
            sure = _INITIALS.get(len(short), _SURE["initials"])
            yield _Reading(first, first + 1, initials_key(short), "initials", sure)


def _may_be_initials(written: str) -> bool:
    return len(written) >= 2 and written.isupper() and not _NUMERAL.fullmatch(written)


def _exact(first: int, run: Sequence[Word], *, lowered: bool) -> Iterator[_Reading]:
    stop = first + len(run)
    yield _Reading(first, stop, compared_key(word.compared for word in run), "name", 1.0)
    yield _Reading(first, stop, written_key(run), "name", 1.0)
    if lowered:
        yield _Reading(first, stop, lowered_key(run), "name", 1.0)


def _other_forms(
    first: int, run: Sequence[Word], mistyped: Mapping[int, Sequence[Correction]]
) -> Iterator[_Reading]:
    written = [word.compared for word in run]
    stop = first + len(run)
    alone = _ALONE if len(run) == 1 else 1.0
    for choice in itertools.islice(itertools.product(*mistyped.values()), _MOST_READINGS):
        meant = list(written)
        for at, correction in zip(mistyped, choice, strict=True):
            meant[at] = correction.word
        n = sum(correction.n_mistakes for correction in choice)
        bag = bag_key(meant)
        if not n:
            if bag is not None:
                yield _Reading(first, stop, bag, "form", _SURE["form"] * alone)
        elif len(run) > 1 or _is_plainly(run[0], meant[0], n):
            sure = _SURE["mistyped"] * alone * _MISTAKE ** (n - 1)
            yield _Reading(first, stop, compared_key(meant), "mistyped", sure)
            if bag is not None:
                yield _Reading(first, stop, bag, "mistyped", sure * _SURE["form"])


def _is_plainly(word: Word, meant: str, n_mistakes: int) -> bool:
    """Tell whether a word alone is long enough, and begins like the one that may be meant."""
    long_enough = len(word.written) >= _SHORTEST_ALONE[min(n_mistakes, 2)]
    return long_enough and word.compared[:1] == meant[:1]


def _mistyped(
    words: Sequence[Word], is_stop: Sequence[bool], arrays: Mapping[str, Any]
) -> dict[int, list[Correction]]:
    """Find words that stand nowhere in the graph, and those that may be meant, by their number."""
    found: dict[int, list[Correction]] = {}
    for number, word in enumerate(words):
        if is_stop[number] or is_word_of_asking(word) or is_known(word.compared, arrays):
            continue
        if near := corrections(word, arrays):
            found[number] = near
        if len(found) == _MOST_MISTYPED:
            break
    return found


def _mention(
    entries: slice, reading: _Reading, words: Sequence[Word], arrays: Mapping[str, Any]
) -> Mention | None:
    nodes = np.asarray(arrays["name_nodes"][entries])
    synonym = np.asarray(arrays["name_synonym"][entries])
    if len(nodes) > _AMBIGUOUS:
        # What is called so outdoes what may be called so.
        nodes, synonym = nodes[~synonym], synonym[~synonym]
    if not 0 < len(nodes) <= _AMBIGUOUS:
        return None
    weights = np.where(synonym, _SYNONYM if synonym.all() else _OUTDONE, 1.0)
    weights = weights * reading.sure / np.sqrt((~synonym).sum() or len(nodes))
    here = range(reading.start, reading.stop)
    if all(words[number].compared in _CUE_WORDS for number in here):
        if reading.way != "name":
            return None
        weights = weights * _CUE_WORD
    start, stop = words[here[0]].start, words[here[-1]].stop
    return Mention(start, stop, nodes, weights.astype(np.float32), here, reading.way)


def _defined(text: str, words: Sequence[Word], mentions: Sequence[Mention]) -> list[Mention]:
    """Give short forms that a text defines the meaning of their long forms."""
    found = list(mentions)
    for short, long in definitions(text):
        meant = next((m for m in found if m.start < long[1] and m.stop > long[0]), None)
        if meant is None or long[1] > meant.stop:
            continue
        letters = text[slice(*short)]
        numbers = [n for n, word in enumerate(words) if word.written == letters]
        found = [m for m in found if not (len(m.words) == 1 and m.words[0] in numbers)]
        inside = {number for m in found for number in m.words}
        found += [
            replace(
                meant, start=words[n].start, stop=words[n].stop, words=range(n, n + 1), way="name"
            )
            for n in numbers
            if n not in inside
        ]
    return sorted(found, key=lambda each: each.start)


def _denied(text: str, mentions: Iterable[Mention]) -> list[Mention]:
    """Mark what a text denies. A "non-" or "no" within a name denies nothing."""
    mentions = list(mentions)
    masked = list(text)
    for each in mentions:
        masked[each.start : each.stop] = "x" * (each.stop - each.start)
    spans = [
        (start + at, start + end)
        for start, sentence in _sentences("".join(masked))
        for at, end in negated_spans(sentence)
    ]
    return [
        replace(each, negated=True, weights=each.weights * np.float32(DENIED))
        if any(start <= each.start and each.stop <= end for start, end in spans)
        else each
        for each in mentions
    ]


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    for match in re.finditer(r"[^.?!\n]+(?:[.?!](?=\S)[^.?!\n]*)*", text):
        yield match.start(), match.group()
