"""Which parts of the body a question is about, and which sentences of a report are about them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medrag.language import sentences
from medrag.language.known import read_as
from medrag.records import Passage, Question
from medrag.retrieval.history.anatomy import NAMES, WHOLES, within

# Words between a part and its side at most, as in "effusion on the right".
_NEAR = 4
_SIDES = {
    "right": "right", "rt": "right", "rightward": "right", "left": "left", "lt": "left",
    "leftward": "left", "bilateral": "both", "bilaterally": "both", "both": "both",
    "bibasilar": "both", "bibasal": "both", "biapical": "both",
}  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
# Sections that say what was seen; an indication names places that were only asked about.
_SEEN = ("findings", "impression", "diagnosis", "text")


@dataclass(frozen=True, slots=True)
class Place:
    """A part of the body, and "left", "right", or None for either side or both."""

    part: str
    side: str | None = None


class Anatomy:
    """Names of parts of the body: those of `anatomy`, and further ones.

    Args:
        further: part to its names; a part that is there gets them beside its own.

    Raises:
        ValueError: if a name holds no word.
    """

    def __init__(self, *, further: Mapping[str, Sequence[str]] | None = None) -> None:
        self._names = dict(NAMES)
        for part, names in (further or {}).items():
            for name in (part, *names):
                key = " ".join(_WORD.findall(name.lower()))
                if not key:
                    raise ValueError(f"regions: {part!r} has a name without a word: {name!r}")
                self._names[key] = (*self._names.get(key, ()), (part, None))
        self._longest = max(len(name.split()) for name in self._names)

    def places(self, text: str) -> tuple[Place, ...]:
        """List the parts that a sentence names, with their sides, each once and in order."""
        lowered = text.lower()
        words = list(_WORD.finditer(lowered))
        sides = [(n, _SIDES[word[0]]) for n, word in enumerate(words) if word[0] in _SIDES]
        places: dict[Place, None] = {}
        at = 0
        while at < len(words):
            name, n = self._name_at(lowered, words, at)
            near = _side(sides, at, at + n - 1)
            for part, side in self._names.get(name, ()):
                places[Place(part, side or near)] = None
            at += n
        return tuple(places)

    def asked(self, question: Question) -> tuple[str, ...]:
        """List the regions that a question names: its own, or else the words that name one."""
        named = tuple(dict.fromkeys(each.name for each in question.regions if each.name))
        return named or tuple(dict.fromkeys(map(told, self.places(question.text))))

    def attached(self, passage: Passage, regions: Sequence[str]) -> list[str]:
        """List the sentences of a report that are about regions, in order.

        A sentence is about a region that it names, about what it lies within ("the lungs are
        clear" is about the left base) and about what lies within it; a side that either leaves
        open holds for both. Sentences that the report itself attaches to a region (`fields`
        "regions": name to sentences) come first.
        """
        wanted = [(region, self.places(region)) for region in regions]
        found = [text for name, text in _tagged(passage.fields) if self._is_about(name, wanted)]
        for text in seen(passage):
            spans = sentences(text, read_as(passage.source.language))
            said = (text[start:end] for start, end in spans)
            found += [each for each in said if self._is_about(each, wanted)]
        return list(dict.fromkeys(found))

    def _name_at(self, text: str, words: Sequence[re.Match[str]], at: int) -> tuple[str, int]:
        """Find the longest name that begins at a word, and of how many words it is; "" for none.

        "Lung base" is no mention of the lung.
        """
        joined = [words[at][0]]
        for one, other in zip(words[at:], words[at + 1 : at + self._longest], strict=False):
            if text[one.end() : other.start()].strip(" \t\n-"):
                break
            joined.append(other[0])
        for n in range(len(joined), 0, -1):
            if (name := " ".join(joined[:n])) in self._names:
                return name, n
        return "", 1

    def _is_about(self, text: str, wanted: Sequence[tuple[str, tuple[Place, ...]]]) -> bool:
        said = self.places(text)
        return any(
            any(_meet(one, other) for one in said for other in places) if places
            else _names_it(text, region)
            for region, places in wanted
        )  # fmt: skip


def told(place: Place) -> str:
    """Write a place in words: "left lower lung zone"."""
    if place.side is None or place.part.startswith(place.side):
        return place.part
    return f"{place.side} {place.part}"


def seen(passage: Passage) -> list[str]:
    """Give what a report says was seen: findings, impression and the like, or all of it."""
    sections = passage.fields.get("sections")
    named = sections if isinstance(sections, Mapping) else {}
    texts = [str(named[name]) for name in _SEEN if isinstance(named.get(name), str)]
    return texts or [passage.text]


def _side(sides: Sequence[tuple[int, str]], first: int, last: int) -> str | None:
    """Find the side of a mention: the nearest before it, or after, or the only one there is."""
    before = [side for at, side in sides if first - _NEAR <= at <= last]
    after = [side for at, side in sides if last < at <= last + _NEAR]
    only = {side for _, side in sides}
    near = before[-1:] or after[:1] or (list(only) if len(only) == 1 else [])
    return near[0] if near and near[0] != "both" else None


def _meet(one: Place, other: Place) -> bool:
    if one.side and other.side and one.side != other.side:
        return False
    return within(one.part, other.part, WHOLES) or within(other.part, one.part, WHOLES)


def _names_it(text: str, region: str) -> bool:
    """Tell whether a sentence holds all words of a region that no list of names has."""
    wanted = _WORD.findall(region.lower())
    words = set(_WORD.findall(text.lower()))
    return bool(wanted) and words.issuperset(wanted)


def _tagged(fields: Mapping[str, Any]) -> list[tuple[str, str]]:
    tagged = fields.get("regions")
    if not isinstance(tagged, Mapping):
        return []
    return [
        (str(name), sentence)
        for name, value in tagged.items()
        for sentence in ([value] if isinstance(value, str) else value)
        if isinstance(sentence, str)
    ]
