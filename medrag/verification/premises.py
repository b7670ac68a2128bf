"""What a model of limited length reads of the passages that a claim cites."""

import re
from collections.abc import Callable, Sequence

from medrag.language import sentences
from medrag.records import Passage
from medrag.verification.contradictions import known_language, stem_set

# Counts the tokens of each text.
Count = Callable[[Sequence[str]], list[int]]
# Sentences that are joined may take a token more than each alone.
_JOINT = 1
_WORD = re.compile(r"\S+\s*")


def premises(
    claim: str, passages: Sequence[Passage], *, room: int, most: int, count: Count
) -> list[str]:
    """Cut passages into windows of whole sentences that are read with a claim, one at a time.

    Texts that fit together are one window. Otherwise the first holds the sentences that share most
    words with the claim, wherever they stand, in their order; the others are the texts passage by
    passage, those first that hold such a sentence.

    Args:
        room: tokens of a window at most; a sentence that is longer is cut between words.
        most: windows at most.
        count: of tokens.

    Returns:
        At least one window if a passage has a text.
    """
    texts = [_pieces(each, room, count) for each in passages]
    flat = [piece for text in texts for piece in text]
    if sum(piece.n for piece in flat) <= room:
        return [_joined(flat)] if flat else []
    language = known_language(passages[0])
    shares = {id(piece): _share(claim, piece.text, language) for piece in flat}
    best: list[_Piece] = []
    for piece in sorted(flat, key=lambda each: -shares[id(each)]):
        if sum(each.n for each in best) + piece.n <= room:
            best.append(piece)
    chosen = {id(piece) for piece in best}
    first = [piece for piece in flat if id(piece) in chosen]
    packed = [window for text in texts for window in _packed(text, room)]
    packed.sort(key=lambda window: -max(shares[id(piece)] for piece in window))
    windows = dict.fromkeys(_joined(each) for each in [first, *packed])
    return list(windows)[:most]


class _Piece:
    """A sentence, or a part of one, and its tokens."""

    __slots__ = ("n", "text")

    def __init__(self, text: str, n: int) -> None:
        self.text = text
        self.n = n + _JOINT


def _pieces(passage: Passage, room: int, count: Count) -> list[_Piece]:
    spans = sentences(passage.text, known_language(passage))
    texts = [passage.text[start:end] for start, end in spans]
    pieces: list[_Piece] = []
    for text, n in zip(texts, count(texts) if texts else [], strict=True):
        pieces += [_Piece(text, n)] if n + _JOINT <= room else _cut(text, room, count)
    return pieces


def _cut(text: str, room: int, count: Count) -> list[_Piece]:
    """Halve a text between words until its parts fit; a word that does not is left as it is."""
    words = _WORD.findall(text)
    if len(words) < 2:
        return [_Piece(text, min(*count([text]), room - _JOINT))]
    half = len(words) // 2
    parts = ["".join(words[:half]).strip(), "".join(words[half:]).strip()]
    found: list[_Piece] = []
    for part, n in zip(parts, count(parts), strict=True):
        found += [_Piece(part, n)] if n + _JOINT <= room else _cut(part, room, count)
    return found


def _packed(pieces: Sequence[_Piece], room: int) -> list[list[_Piece]]:
    windows: list[list[_Piece]] = []
    left = 0
    for piece in pieces:
        if not windows or piece.n > left:
            windows.append([])
            left = room
        windows[-1].append(piece)
        left -= piece.n
    return windows


def _joined(pieces: Sequence[_Piece]) -> str:
    return " ".join(piece.text for piece in pieces)


def _share(claim: str, text: str, language: str) -> float:
    wanted = stem_set(claim, language)
    return len(wanted & stem_set(text, language)) / max(1, len(wanted))
