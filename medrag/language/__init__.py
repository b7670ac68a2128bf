"""What medrag knows of languages: sentences, word stems, and which words are denied.

A corpus names its language by ISO 639-1 code; an unknown code is a `ValueError` that names the
known ones.
"""

from medrag.language.analysis import analyzer, stems, words
from medrag.language.markers import Markers, leading_markers, markers, neutralised, without_markers
from medrag.language.negation import Mention, is_negated, mention, negated_spans
from medrag.language.splitting import sentences
from medrag.language.tables import LANGUAGES, Language, language_of

__all__ = [
    "LANGUAGES",
    "Language",
    "Markers",
    "Mention",
    "analyzer",
    "is_negated",
    "language_of",
    "leading_markers",
    "markers",
    "mention",
    "negated_spans",
    "neutralised",
    "sentences",
    "stems",
    "without_markers",
    "words",
]
