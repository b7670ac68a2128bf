"""Cut a long text into chunks at sentence ends, as character spans, so that nothing is lost."""

import itertools
from functools import lru_cache, partial

from medrag.extras import Library, require
from medrag.language import sentences

# Bytes of UTF-8 for a token: WordPiece makes 13% fewer of medical English (physiology book, SciFact
# abstracts), so that a chunk fits an encoder that counts for itself; Chinese has 3 bytes a sign.
_BYTES_PER_TOKEN = 4


def count_tokens(text: str) -> int:
    """Estimate how many tokens a language model sees in a text, without loading a vocabulary.

    The estimate of a text is never more than the sum of those of its parts.
    """
    return -(-len(text.encode()) // _BYTES_PER_TOKEN)


def split(
    text: str, *, tokens: int = 256, overlap: int = 32, language: str = "en"
) -> list[tuple[int, int]]:
    """Cut a text into chunks that end at sentence ends where they can.

    Args:
        tokens: the most that a chunk may hold, as `count_tokens` counts.
        overlap: at most how many tokens of a chunk stand again at the start of the next: its last
            sentences, or none if the last one is longer.
        language: ISO 639-1 code, for abbreviations that end no sentence.

    Returns:
        Character spans (start, end) in ascending order, without surrounding white space; together
        they cover all of the text but white space. Empty for a blank text; one span for a text
        that fits, for which llama_index is not imported.

    Raises:
        ValueError: if tokens is not positive or overlap is not in [0, tokens).
    """
    if not 0 <= overlap < tokens:
        raise ValueError(f"need 0 <= overlap < tokens, got overlap {overlap} and tokens {tokens}")
    if not text.strip():
        return []
    if count_tokens(text) <= tokens:
        return [_stripped(text, 0, len(text))]
    spans = _partition(text, (0, len(text)), tokens - overlap, language)
    if not overlap:
        return spans
    starts = [_overlap_start(text, span, overlap, language) for span in spans[:-1]]
    later = zip(starts, spans[1:], strict=True)
    return [spans[0], *((earlier or start, end) for earlier, (start, end) in later)]


def _partition(
    text: str, span: tuple[int, int], tokens: int, language: str
) -> list[tuple[int, int]]:
    """Cut a stretch of a text without overlap: each chunk begins where the one before ended."""
    spans: list[tuple[int, int]] = []
    start = span[0]
    for chunk in _splitter(tokens, language).split_text(text[slice(*span)]):
        begin = text.index(chunk, start)
        start = begin + len(chunk)
        spans.append(_stripped(text, begin, start))
    return spans


def _overlap_start(text: str, before: tuple[int, int], overlap: int, language: str) -> int | None:
    """Find where the last sentences of a chunk that fit the overlap begin; None if none fits."""
    start = None
    tail = max(before[0] + 1, before[1] - overlap * _BYTES_PER_TOKEN)
    # The first of these sentences has lost its beginning.
    for first, _ in reversed(sentences(text[tail : before[1]], language)[1:]):
        if count_tokens(text[tail + first : before[1]]) > overlap:
            break
        start = tail + first
    return start


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


@lru_cache(maxsize=8)
def _splitter(tokens: int, language: str) -> Library:
    node_parser = require("llama_index.core.node_parser")
    # Its default tokenizer loads a vocabulary, and chunks must be measured as `split` measures;
    # its default sentences know no medical abbreviations and no language but English.
    return node_parser.SentenceSplitter(
        chunk_size=tokens,
        chunk_overlap=0,
        tokenizer=_as_tokens,
        chunking_tokenizer_fn=partial(_sentence_texts, language=language),
    )


def _as_tokens(text: str) -> list[int]:
    return [0] * count_tokens(text)


def _sentence_texts(text: str, *, language: str) -> list[str]:
    """Cut a text into sentences, each with the blanks after it, so that nothing is lost."""
    starts = [start for start, _ in sentences(text, language)]
    edges = [0, *starts[1:], len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]
