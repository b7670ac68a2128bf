"""Words to what they mean: one key for all that may stand for one another.

English words are read through spelling (British as American), stem, and the groups of
`medrag.verification.synonyms`; those of other languages through their stems alone.
"""

import re
from functools import cache, lru_cache

from medrag.language import stems
from medrag.verification import synonyms, vocabulary
from medrag.verification.folded import Folded

# "ae" and "oe" are written "e" in American, and so on; both sides of a comparison are changed
# alike, so that a word that only looks British does no harm.
_SPELLING = (
    (re.compile(r"(?<=[a-z]{2})ae\b"), "a"),  # vertebrae
    (re.compile(r"ae|oe"), "e"),
    (re.compile(r"(?<=[a-z]{3})our(?=s?\b|ed|ing|al)"), "or"),
    (re.compile(r"(?<=[a-z]{3})is(?=e\b|es\b|ed\b|ing\b|ation)"), "iz"),
    (re.compile(r"ys(?=e\b|es\b|ed\b|ing\b)"), "yz"),
    (re.compile(r"(?<=[a-z]{2}[tb])re(?=s?\b)"), "er"),
    (re.compile(r"sulph"), "sulf"),
    (re.compile(r"\bgrey"), "gray"),
    (re.compile(r"ll(?=ed\b|ing\b)"), "l"),
)
# Greek adjectives and plurals that a stemmer takes for words of their own.
_GREEK = (
    (re.compile(r"(?<=[a-z]{3})otic(?:s|ally)?\b"), "osis"),
    (re.compile(r"(?<=[a-z]{3})oses\b"), "osis"),
    (re.compile(r"(?<=[a-z]{3})[st]tatic\b|(?<=[a-z]{2})stases\b"), "stasis"),
    (re.compile(r"(?<=[a-z]{2})(?:emic|emias)\b"), "emia"),
    (re.compile(r"(?<=[a-z]{2})plegic\b"), "plegia"),
    (re.compile(r"(?<=[a-z]{2})trophic\b"), "trophy"),
    (re.compile(r"(?<=[a-z]{2})pathic\b|(?<=[a-z]{2})pathies\b"), "pathy"),
    (re.compile(r"(?<=[a-z]{3})itic\b|(?<=[a-z]{3})itides\b"), "itis"),
    (re.compile(r"(?<=[a-z]{3})omata\b|(?<=[a-z]{3})omatous\b"), "oma"),
    (re.compile(r"(?<=[a-z]{3})cocci\b|(?<=[a-z]{3})coccal\b"), "coccus"),
    (re.compile(r"(?<=[a-z]{3})oscopic\b"), "oscopy"),
    (re.compile(r"(?<=[a-z]{3})graphic(?:ally)?\b"), "graphy"),
    (re.compile(r"(?<=[a-z]{3})uric\b"), "uria"),
    (re.compile(r"(?<=(?:io|mo|no|so)|(?:di|ye|lo))grams?\b(?<!kilogram)(?<!kilograms)"), "graphy"),
)


_GROUP = "/"
# Prefixes that deny what they stand before, and how the key of such a word begins.
_NOT = ("non", "un")
# Words that begin like one that is denied.
_NO_PREFIX = (
    "under", "unilat", "unifo", "uniqu", "unit", "union", "unicel", "unipar", "unipo", "uniloc",
    "uniface", "until", "uncle", "unguent", "ungual", "nonet",
)  # fmt: skip
OTHER = "not:"
# Beginnings of words that tell one of two.
_OPPOSED = (
    ("hypo", "hyper"), ("tachy", "brady"), ("poly", "oligo"), ("ante", "retro"), ("intra", "extra"),
    ("pre", "post"), ("micro", "macro"), ("supra", "infra"), ("hetero", "homo"), ("endo", "exo"),
    ("under", "over"), ("ab", "ad"),
)  # fmt: skip
_NON = re.compile(r"\bnon-(?=[a-z])", re.IGNORECASE)
# How sides are written shortly.
_SHORT_SIDES = (
    (re.compile(r"(?<![\d.] )(?<![\w./])R(?=\s[a-z]{3})"), "right"),
    (re.compile(r"(?<![\d.] )(?<![\w./])L(?=\s[a-z]{3})"), "left"),
    (re.compile(r"\b[Rr]t\b\.?"), "right"), (re.compile(r"\b[Ll]t\b\.?"), "left"),
    (re.compile(r"\bOD\b"), "right eye"), (re.compile(r"\bOS\b"), "left eye"),
    (re.compile(r"\bOU\b"), "both eyes"),
)  # fmt: skip
# "lower", unless it tells where.
_LESS = re.compile(
    r"\blower(?!\s+(?:left|right|lobe|limb|leg|extremit|pole|zone|lung|back|abdom|quadrant|o?esoph|"
    r"jaw|lip|eyelid|lid|teeth|molar|incisor|third|half|part|portion|border|end|motor|urinary|"
    r"respiratory|gastro|gi\b|airway|uterine|segment|margin|outer|inner|face|body|chest|lateral|"
    r"medial|cervical|thoracic|lumbar|rib|field|region|area|edge|arm|genital|tract))"
    r"(?=\s+\w)",
    re.IGNORECASE,
)
_FREE = re.compile(r"\b([a-z]+)-free\b", re.IGNORECASE)


@lru_cache(maxsize=1 << 15)
def keys_of(word: str, language: str) -> tuple[str, ...]:
    """Give what a word means, in lower case; nothing for a stop word.

    A word that is made of others ("cardiomegaly") means each of them.
    """
    if language != "en":
        return tuple(stems(word, language))
    if not stems(word, "en"):
        return ()
    plain = _plain(word)
    if plain in _composed():
        return _composed()[plain]
    # Spelt the American way, a word may look like a stop word: "shoe".
    roots = _roots(plain) or stems(word, "en")
    found = tuple(_groups().get(stem, stem) for stem in roots)
    if any(stem in _groups() for stem in roots):
        return found
    denied = _denied().get(found[0]) or _affix(plain)
    if len(denied) < 4:
        return found
    return tuple(f"{OTHER}{key}" for key in keys_of(denied, "en")) or found


def _affix(word: str) -> str:
    """Give what a word denies by its beginning or end: "nontender", "painless"; else ""."""
    if word.endswith("less") and word not in ("unless", "regardless", "nevertheless"):
        return word.removesuffix("less")
    if word.startswith(("in", "im", "ir")) and word.endswith(("able", "ible")):
        return word[2:]
    if word.startswith(_NO_PREFIX):
        return ""
    return next((word.removeprefix(each) for each in _NOT if word.startswith(each)), "")


def key_of(word: str) -> str:
    """Give the key of an English word of the tables."""
    return next(iter(keys_of(word, "en")), word)


@cache
def light_keys() -> frozenset[str]:
    """What adds nothing to what is said to be so."""
    return _keys(vocabulary.LIGHT)


@cache
def soft_keys() -> frozenset[str]:
    """What a paraphrase may leave out."""
    return _keys(vocabulary.SOFT)


@cache
def well_keys() -> frozenset[str]:
    """What says that nothing is wrong."""
    return _keys(vocabulary.WELL)


@cache
def abnormal_keys() -> frozenset[str]:
    """What a normal part does not show."""
    return _keys(vocabulary.ABNORMAL)


@cache
def kin_keys() -> frozenset[str]:
    """Relatives: what is said of them is not said of a patient."""
    return _keys(vocabulary.KIN)


@cache
def turning_keys() -> frozenset[str]:
    """Verbs that say something else when their subject and object change places."""
    return _keys(vocabulary.TURNING)


@cache
def size_keys() -> frozenset[str]:
    """What a part of normal size is not."""
    return _keys(vocabulary.OF_SIZE)


@cache
def extent_keys() -> frozenset[str]:
    """What extent is told by."""
    return _keys(vocabulary.EXTENT)


@cache
def body_keys() -> frozenset[str]:
    """Parts of the body."""
    return _keys(vocabulary.BODY)


@cache
def part_keys() -> frozenset[str]:
    """Parts of parts of the body."""
    return _keys(vocabulary.PARTS)


@lru_cache(maxsize=1 << 12)
def partners(key: str) -> frozenset[str]:
    """Give what a thing is not while it is this: the other values of the same attribute."""
    found = {*_exclusive().get(key, frozenset()), *opposites(key)}
    for one, other in _OPPOSED:
        for first, second in ((one, other), (other, one)):
            if key.startswith(first) and len(key) > len(first) + 3:
                found.add(second + key.removeprefix(first))
    return frozenset(found)


@lru_cache(maxsize=1 << 12)
def values(key: str) -> frozenset[str]:
    """Give the other values of an attribute that are words of their own."""
    return frozenset(_exclusive().get(key, frozenset()))


@lru_cache(maxsize=1 << 12)
def opposites(key: str) -> frozenset[str]:
    """Give what a thing is that is not this: "displaced", "nondisplaced"."""
    rest = key.removeprefix(OTHER)
    return frozenset({rest} if rest != key else {f"{OTHER}{key}"})


@cache
def phrase_pattern() -> Folded:
    """Find the phrases that words stand for."""
    ordered = sorted(_phrases(), key=len, reverse=True)
    bodies = "|".join(re.escape(each).replace(r"\ ", r"\s+") for each in ordered)
    return Folded(rf"(?<![\w-])(?:{bodies})(?![\w-])")


def rewritten(text: str) -> str:
    """Put single words in the place of phrases that mean the same."""
    text = phrase_pattern().replaced(text, lambda said: _phrases()[" ".join(said.lower().split())])
    # "non-" denies its own word and no other.
    for pattern, side in _SHORT_SIDES:
        text = pattern.sub(side, text)
    text = _FREE.sub(r"free of \1", _NON.sub("non", text))
    return _LESS.sub("reduced", text)


def _roots(plain: str) -> list[str]:
    """Give the stems of a word; an inflammation is not its organ ("hepatitis", "hepatic")."""
    return [plain] if plain.endswith("itis") else stems(plain, "en")


def _plain(word: str) -> str:
    for pattern, plain in (*_SPELLING, *_GREEK):
        word = pattern.sub(plain, word)
    return word


@cache
def _groups() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in synonyms.SYNONYMS.split(_GROUP):
        several = [stem for word in line.split() for stem in _roots(_plain(word))[:1]]
        for stem in several:
            found.setdefault(stem, found.get(several[0], several[0]))
    return found


@cache
def _composed() -> dict[str, tuple[str, ...]]:
    groups = _groups()
    return {
        _plain(word): tuple(
            groups.get(stem, stem) for each in parts.split() for stem in stems(_plain(each), "en")
        )
        for word, parts in _pairs(synonyms.COMPOSED).items()
    }


@cache
def _exclusive() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in synonyms.EXCLUSIVE.split(_GROUP):
        values = {key for word in line.split() for key in keys_of(word, "en")}
        for key in values:
            found.setdefault(key, set()).update(values - {key})
    return found


@cache
def _denied() -> dict[str, str]:
    return {
        stem: rest
        for word, rest in _pairs(synonyms.NOT).items()
        for stem in stems(_plain(word), "en")
    }


@cache
def _phrases() -> dict[str, str]:
    return _pairs(synonyms.PHRASES)


def _pairs(text: str) -> dict[str, str]:
    entries = (" ".join(each.split()).partition(": ") for each in text.split(_GROUP))
    return {name: meaning for name, _, meaning in entries}


def _keys(text: str) -> frozenset[str]:
    return frozenset(key for word in text.split() for key in keys_of(word, "en"))
