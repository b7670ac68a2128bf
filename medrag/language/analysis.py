"""Words and their stems, by tantivy's analyzers, so that scoring and BM25 see the same words."""

import re
from functools import cache

from medrag.extras import Library, require
from medrag.language.tables import language_of

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


def words(text: str) -> list[str]:
    """List the words of a text as written, in order; an apostrophe inside belongs to its word."""
    return _WORD.findall(text)


def stems(text: str, language: str = "en") -> list[str]:
    """List the stems of the words of a text in order: lower case, no stop words, no accents.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    try:
        found: list[str] = analyzer(language).analyze(text)
    except UnicodeEncodeError:  # halves of UTF-16 pairs, which JSON may hold and UTF-8 may not
        found = analyzer(language).analyze(text.encode("utf-8", "replace").decode())
    return found


@cache
def analyzer(language: str = "en") -> Library:
    """Build tantivy's `TextAnalyzer` of a language: split, lower-case, stop words, stem, fold.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    known = language_of(language)
    tantivy = require("tantivy")
    filters = tantivy.Filter
    chain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(filters.lowercase())
    if known.tantivy_stop_words:
        chain = chain.filter(filters.stopword(known.name))
    chain = chain.filter(filters.custom_stopword(sorted(known.stop_words)))
    return chain.filter(filters.stemmer(known.name)).filter(filters.ascii_fold()).build()
