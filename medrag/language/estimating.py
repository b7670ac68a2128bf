"""How many tokens a text takes, without any tokenizer."""

_BYTES = 3


def text_tokens(text: str) -> int:
    """Count a token for every three bytes of UTF-8, rounded up.

    English medical prose has four to five characters to a token of a language model, names of
    drugs and numbers about three, and a Chinese or Japanese character (three bytes) is about one:
    the count is rather too large than too small (1.5 times the WordPieces of an anatomy textbook,
    and above them for each of its sections).
    """
    return -(-len(text.encode("utf-8", "replace")) // _BYTES)
