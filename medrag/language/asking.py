"""What form of answer a question wants."""

import re

from medrag.language.tables import language_of

_LAST_SENTENCE = re.compile(r"(?<=[.!:;])\s+")


def asks_yes_or_no(text: str, language: str = "en") -> bool:
    """Tell whether a question is answered by yes or no; "is it A or B?" is not.

    Raises:
        ValueError: if the language is not in `LANGUAGES`.
    """
    last = _LAST_SENTENCE.split(text.strip().lower())[-1]
    verbs = "|".join(re.escape(verb) for verb in language_of(language).question_verbs)
    if not re.match(rf"(?:{verbs})(?!\w)", last):
        return False
    return not re.search(r"\bor\b(?! not\b)", last)
