"""How a text becomes tokens, by name: a measure of overlap means nothing without it."""

import re
import string
import unicodedata
from collections.abc import Callable, Mapping
from functools import cache

from medrag.evaluation.text_measures.reports import cleaned_report

Normaliser = Callable[[str], list[str]]

# Han, the kana and the Han of the further planes: scripts written without spaces.
_UNSPACED = "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Vowel signs of Arabic, which a writer may leave out, and its lengthening stroke.
_OPTIONAL_MARKS = re.compile("[\u0610-\u061a\u0640\u064b-\u065f\u0670]")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ROUGE_WORD = re.compile(r"[a-z0-9]+")
# All ASCII punctuation but the apostrophe, comma, hyphen and full stop.
_PUNCTUATION_13A = re.compile(r"([!-&(-+/:-@\[-`{-~])")
_ENTITIES_13A = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def tokens(text: str, normaliser: str = "words") -> list[str]:
    """Split a text by a normaliser of this name.

    - "words": any script; NFKC, case folded; numbers keep their inner points and commas; Han and
      kana one character each; Arabic without vowel signs; punctuation is dropped.
    - "split": lower case, split at white space, nothing dropped; what pycocoevalcap expects.
    - "squad": lower case, without ASCII punctuation and the articles a, an, the.
    - "rouge": runs of a-z and 0-9 in lower case, as rouge-score has it; other scripts vanish.
    - "13a": case kept, punctuation apart from words, as sacrebleu's default (mteval-v13a).
    - "r2gen_iu_xray", "r2gen_mimic_cxr": `cleaned_report`, then split.

    Raises:
        ValueError: if there is no normaliser of this name.

    Source:
        Rajpurkar et al., EMNLP 2016 ("squad"); Post, WMT 2018 ("13a").
    """
    known = NORMALISERS.get(normaliser)
    if known is None:
        raise ValueError(
            f"unknown normaliser {normaliser!r}; known are {', '.join(sorted(NORMALISERS))}"
        )
    return known(text)


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    if folded.isascii():
        return _word().findall(folded)
    return _word().findall(_OPTIONAL_MARKS.sub("", folded))


@cache
def _word() -> re.Pattern[str]:
    # Marks (Mn, Mc, Me) are no word characters to `re`, but parts of words in many scripts.
    marks = "".join(
        chr(code) for code in range(0x300, 0xFE30) if unicodedata.category(chr(code))[0] == "M"
    )
    return re.compile(
        rf"[{_UNSPACED}]|[0-9]+(?:[.,][0-9]+)+|(?:[^\W_{_UNSPACED}]|(?<=[^\W_])[{marks}]+)+"
    )


def _split(text: str) -> list[str]:
    return text.lower().split()


def _squad(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


def _rouge(text: str) -> list[str]:
    return _ROUGE_WORD.findall(text.lower())


def _13a(text: str) -> list[str]:
    line = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in _ENTITIES_13A:
        line = line.replace(entity, character)
    line = _PUNCTUATION_13A.sub(r" \1 ", f" {line} ")
    line = re.sub(r"([^0-9])([.,])", r"\1 \2 ", line)
    line = re.sub(r"([.,])([^0-9])", r" \1 \2", line)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", line).split()


def _r2gen(dataset: str) -> Normaliser:
    return lambda text: cleaned_report(text, dataset=dataset).split()


NORMALISERS: Mapping[str, Normaliser] = {
    "words": _words,
    "split": _split,
    "squad": _squad,
    "rouge": _rouge,
    "13a": _13a,
    "r2gen_iu_xray": _r2gen("iu_xray"),
    "r2gen_mimic_cxr": _r2gen("mimic_cxr"),
}
