"""What medrag knows of texts: sentences, stems, which words are denied, and how to quote others.

A corpus names its language by ISO 639-1 code; an unknown code is a `ValueError` that names the
known ones.
"""

from medrag.language.analysis import analyzer, stems, words
from medrag.language.asking import asks_yes_or_no
from medrag.language.foreign import CONTROLS, fenced, neutralised, printable, untagged
from medrag.language.markers import Markers, leading_markers, markers, without_markers
from medrag.language.negation import Mention, is_negated, mention, negated_spans
from medrag.language.splitting import sentences
from medrag.language.tables import LANGUAGES, Language, language_of

__all__ = [
    "CONTROLS",
    "LANGUAGES",
    "Language",
    "Markers",
    "Mention",
    "analyzer",
    "asks_yes_or_no",
    "fenced",
    "is_negated",
    "language_of",
    "leading_markers",
    "markers",
    "mention",
    "negated_spans",
    "neutralised",
    "printable",
    "sentences",
    "stems",
    "untagged",
    "without_markers",
    "words",
]
