"""The option whose letters are most like an answer's, as PMC-VQA and others choose it."""

from collections.abc import Sequence
from difflib import SequenceMatcher


def nearest(options: Sequence[str], text: str) -> tuple[int, float]:
    """Find the option most similar to a text, and how similar it is.

    The measure is `difflib`'s ratio with the text as second sequence, and of equal ratios the first
    wins. Bounds that cost less are tried before it, which changes no result.

    Returns:
        Index and ratio in [0, 1]; (0, 0.0) if nothing is shared with any option.
    """
    matcher = SequenceMatcher(None, "", text)
    best, highest = 0, 0.0
    for index, option in enumerate(options):
        matcher.set_seq1(option)
        if matcher.real_quick_ratio() <= highest or matcher.quick_ratio() <= highest:
            continue
        ratio = matcher.ratio()
        if ratio > highest:
            best, highest = index, ratio
    return best, highest
