"""What a question asks of the concepts that it names: their kinds, symptoms, places, meaning."""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from medrag.indexing.graph.names import Word
from medrag.language import language_of

# Stands among the words of relations for those from a concept to a broader one.
KIND = "*kind"

# How people ask for a relation, and words that the names of such relations hold.
_CUES: tuple[tuple[re.Pattern[str], frozenset[str]], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), frozenset(words.split()))
    for pattern, words in (
        (
            "symptom(?:s|atic|atology)?|signs?|manifest(?:s|ations?)?|present(?:s|ing|ations?)?|"
            "complain(?:s|ts?|ing)?|notic(?:es?|ed|ing)|recogni[sz](?:es?|ed|ing)|feels?(?: like)?|"
            "suffer(?:s|ing)?|experienc(?:es?|ed|ing)|looks? like|shows? (?:itself|up)|spot|"
            "(?:know|tell|suspect) (?:if|whether|that)|comes? with|go(?:es)? with|warnings?|"
            "accompan(?:y|ies|ied)|clinical(?:ly)?|go(?:es)? through|happens? (?:to|when|if)",
            "symptom sign manifestation phenotype finding feature",
        ),
        (
            "where|locat(?:ed?|ion|ions)|locali[sz](?:ed?|ations?)|sites?|anatom(?:y|ic|ical)|"
            "aris(?:es?|ing)|organs?|body|parts?|affect(?:s|ed)?|grows?|growing|develops?|occurs?|"
            "originat(?:es?|ing)|begins?|starts?|tissues?|structures?|regions?|involv(?:es?|ed)|"
            "found|sits?|comes? from",
            "located location site anatomy anatomical organ affect part",
        ),
        (
            "kinds?|types?|sorts?|forms? of|subtypes?|subclass(?:es)?|class(?:es|ed|ified)?|"
            "classification|categor(?:y|ies)|categori[sz]ed|variet(?:y|ies)|broad(?:er|ly)|"
            "narrower|parents?|famil(?:y|ies)|group(?:s|ed)?|headings?|umbrella|general|"
            "belongs?|counts? as|regarded|considered|branch(?:es)?|falls?|filed|among|include[sd]?",
            KIND,
        ),
        ("caus(?:es?|ed)|etiology|aetiology|due to", "cause caused etiology agent basis"),
        (
            "treat(?:s|ed|ments?)?|drugs?|therap(?:y|ies)|medications?",
            "treat treatment therapy drug",
        ),
        ("genes?|genetic|mutations?", "gene genetic mutation"),
    )
)
# "Symptoms of X" and "a kind of X?" begin at X; "which diseases have X" and "kinds of X" end there.
_ENDS_THERE = re.compile(
    r"(?<!\bof )(?<!\bto )(?<!\binto )(?<!\bin )(?<!\bunder )"
    r"\b(?:which|what|name|list) (?:\w+ )?(?:diseases?|disorders?|conditions?|illness(?:es)?|"
    r"tumou?rs?|cancers?|neoplasms?)\b(?! (?:is|are|was)\b)|"
    r"\b(?:kinds|types|sorts|forms|subtypes|variet(?:y|ies)|examples) of\b|\bnarrower\b"
)
_DEFINE = re.compile(
    r"\b(?:synonym(?:s|ous)?|called?|known as|names? (?:for|of)|other names?|define[sd]?|"
    r"alternative(?:ly)?|definitions?|meanings?|means?|meant|describe[sd]?|stands? for|"
    r"other words?|different words?|(?:the|one and the) same|how else|a\.?k\.?a|terms? for|alias)\b"
)
# Words that say how something is asked for, and not what.
_CUE_WORD_FORMS = re.compile(
    r"(?:synonym|call|know|name|defin|mean|describ|stand|symptom|sign|manifest|present|complain|"
    r"notic|recogni|locat|locali|site|anatom|aris|organ|affect|kind|type|sort|form|subtype|class|"
    r"categor|variet|broad|narrow|parent|famil|group|heading|umbrella|general|belong|caus|etiolog|"
    r"aetiolog|due|treat|drug|therap|medicat|gene|mutat|disease|disorder|syndrome|condition|"
    r"illness|finding|tissue|structure|region|clinical|alternativ|alias|experienc|suspect)\w*"
)
# Words that say nothing of what a question is about: those of patients and asking, and the most
# common verbs and nouns of English.
_FILLERS = frozenset({
    "patient", "person", "people", "child", "adult", "someone", "anyone", "somebody", "man",
    "woman", "doctor", "physician", "clinician", "surgeon", "nurse", "case", "typical", "typically",
    "common", "commonly", "usual", "usually", "frequent", "frequently", "main", "medical",
    "primary", "likely", "first", "another", "different", "other", "older", "new", "good", "great",
    "certain", "term", "word", "thing", "way", "time", "year", "day", "life", "world", "question",
    "example", "exam", "list", "please", "correct", "true", "just", "really", "else", "possible",
    "be", "have", "do", "say", "get", "make", "go", "know", "take", "see", "come", "think", "look",
    "want", "give", "use", "find", "tell", "ask", "work", "seem", "feel", "try", "leave", "need",
    "become", "keep", "let", "begin", "help", "show", "turn", "start", "might", "run", "move",
    "like", "live", "believe", "hold", "bring", "happen", "write", "provide", "sit", "lose", "pay",
    "meet", "include", "continue", "set", "learn", "change", "lead", "understand", "watch",
    "follow", "stop", "create", "speak", "read", "allow", "add", "spend", "grow", "open", "walk",
    "win", "offer", "remember", "love", "consider", "appear", "buy", "wait", "serve", "die", "send",
    "expect", "build", "stay", "fall", "cut", "reach", "remain", "suggest", "raise", "pass",
    "require", "decide", "pull", "suffer", "occur", "involve", "develop", "originate", "point",
    "fit", "put", "count", "cover", "regard", "file", "belong", "would", "could", "should", "book",
    "textbook", "report", "body", "part", "place", "area",
})  # fmt: skip


class Asked(NamedTuple):
    """What a question asks for.

    Attributes:
        words: those that the name of a relation holds that is asked for, `KIND` among them.
        definition: what something is or is called.
        ends_there: facts whose tail is named.
    """

    words: frozenset[str]
    definition: bool
    ends_there: bool


def asked_for(text: str, words: Sequence[Word], named: Collection[int]) -> Asked:
    """Read what a question, in lower case, asks for; `named` are the numbers of words in names."""
    outside = telling(word for number, word in enumerate(words) if number not in named)
    targets = (held for pattern, held in _CUES if pattern.search(text))
    return Asked(
        outside.union(*targets), bool(_DEFINE.search(text)), bool(_ENDS_THERE.search(text))
    )


def share_about(words: Sequence[Word], named: Collection[int]) -> float:
    """Give the share of a question's telling words that are named or ask for something named."""
    if not named:
        return 0.0
    stop = language_of("en").stop_words
    n_about, n_others = len(named), 0
    for number, word in enumerate(words):
        lowered = word.written.lower().removesuffix("'s")
        passed_over = lowered in stop or len(lowered) < 2 or _is_filler(lowered, word.compared)
        if number in named or passed_over:
            continue
        if _CUE_WORD_FORMS.fullmatch(lowered):
            n_about += 1
        else:
            n_others += 1
    return n_about / (n_about + n_others)


def is_word_of_asking(word: Word) -> bool:
    """Tell whether a word belongs to how people ask, so that it is no name that is mistyped."""
    lowered = word.written.lower().removesuffix("'s")
    return bool(_CUE_WORD_FORMS.fullmatch(lowered)) or _is_filler(lowered, word.compared)


def telling(words: Iterable[Word]) -> frozenset[str]:
    """Give the words that are no stop words, in the form in which they are compared."""
    stop = language_of("en").stop_words
    return frozenset(word.compared for word in words if word.written.lower() not in stop)


def _is_filler(lowered: str, compared: str) -> bool:
    """Tell whether a word, or the verb that it is a form of, says nothing of what is asked."""
    forms = {lowered, compared, lowered.removesuffix("ing"), lowered.removesuffix("ed")}
    forms |= {f"{lowered.removesuffix('ing')}e", lowered.removesuffix("d")}
    return not forms.isdisjoint(_FILLERS)
