"""Yes or no in an answer: by whole words, in the first sentence that decides.

The rules, in order, for one sentence:

1. LEADING: its first word is yes or no ("No, it is not"). Also "true", "correct", "positive",
   "false", "incorrect", "negative", which decide nowhere else.
2. WORD: yes or no stands in it as a whole word ("The answer is yes", "There is no fracture").
   "Normal", "not", "node" and "none" are other words.
3. STATED: it says without either word that what is asked for is there or is not. Only three forms
   count: a word such as "seen", "present" or "absent", denied or not, in a sentence that shares a
   word with the question, begins with "it" or has three words at most ("The fracture is not seen",
   "Not present"); "there is", likewise; and a sentence that is nothing but a pronoun and a verb
   ("It does not."). "Normal" denies nothing and affirms nothing.

A sentence that says both, or a later one that flatly says the other ("Yes. No."), contradicts.
Questions repeated in an answer are passed over. Chinese and Arabic have words of their own for all
three rules.
"""

import re
from typing import NamedTuple

from medrag.evaluation.parsed import Unparsed, YesNo
from medrag.evaluation.parsing.abstention import split_sentences

CONTRADICTORY = Unparsed("contradictory: yes and no")
UNDECIDED = Unparsed("neither yes nor no")


class _Words(NamedTuple):
    yes: frozenset[str]
    no: frozenset[str]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _words(yes: str, no: str) -> _Words:
    return _Words(_set(yes), _set(no))


_LANGUAGES = {
    "en": _words("yes yeah yep", "no nope"),
    "de": _words("ja jawohl", "nein kein keine keinen keiner"),
    "fr": _words("oui", "non aucun aucune"),
    "es": _words("sí si", "no ningún ninguna"),
    "it": _words("sì si", "no nessun nessuna"),
    "pt": _words("sim", "não nao nenhum nenhuma"),
    "nl": _words("ja", "nee geen"),
}
# STATED knows English words, some of which are others elsewhere ("visible").
_OTHER = frozenset(_LANGUAGES) - {"en"}
_ARABIC = _words("نعم أجل اجل بلى", "لا كلا ليس ليست لم غير")
_LEADS = _words("true correct positive affirmative", "false incorrect negative")
_ARABIC_LEADS = _words("يوجد توجد صحيح", "خطأ")
# One opinion, asked for in words that hold both.
_ECHO = re.compile(r"\byes ?(?:or|/) ?no\b ?[:?]?|是否|有没有|是不是|有无", re.IGNORECASE)
_NO_DOUBT = re.compile(r"\bno (?:doubt|question)\b", re.IGNORECASE)
# "Yes and no", "yes/no"; but "Yes, and no other bone is broken" is a yes.
_JOINED = re.compile(r" ?(?:and |or |/ ?)([^\W\d_]+)(?! ?[^\W\d_])")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_HAN = re.compile(r"[\u3400-\u9fff]")
_ARABIC_LETTER = re.compile(r"[\u0600-\u06ff]")
_ARABIC_MARKS = re.compile(r"[\u064b-\u0652\u0640]")
_HAN_LEADS_NO = re.compile(r"[ (「“\"]*(?:不|没|否|无|未|错|并非|并没)")
_HAN_LEADS_YES = re.compile(r"[ (「“\"]*(?:是|有|对|存在|正确|可见|会|能|可以)")
_HAN_NO = re.compile(r"没有|不存在|未见|不是|并非|不包含|看不到|不能|否")
_HAN_YES = re.compile(r"是的|有|存在|可见|包含")
_SEEN = _set(
    "present seen visible visualized visualised identified noted evident observed detected "
    "demonstrated shown appreciated found absent"
)
_DENIES = _set("not never cannot without neither nor")
_HEDGES = _set("if whether should unless would may might")
_PRONOUN = re.compile(
    r"(?:it|they|this|that|these|those|he|she|there) (?:is|are|was|were|does|do|did|has|have|can)"
    r"( not|n't)?"
)
_THERE = re.compile(r"\bthere (?:is|are|was|were)( not|n't)?\b")
_NEUTRAL = _set("normal unremarkable clear intact")
# Letters by which two words count as the same: "fracture" and "fractures".
_SHARED = 5
# "Not present." speaks of what was asked without naming it.
_SHORT = 3


def read_polarity(text: str, *, language: str = "en", question: str = "") -> YesNo | Unparsed:
    """Read yes or no; see the rules in the module.

    Args:
        text: of an answer or of a reference, without tags.
        language: whose words count, beside those of English; Chinese and Arabic are told by their
            script.
        question: what was asked, for STATED; empty lets any sentence state something.
    """
    asked = _ECHO.search(text) is not None
    sentences = split_sentences(_ECHO.sub(" ", text))
    plain = [each for each in sentences if not each.endswith(("?", "？", "؟"))]
    for position, sentence in enumerate(plain):
        value = _sentence(sentence, language, question)
        if value is None:
            continue
        if value == "both" or _denied_later(plain[position + 1 :], value is True, language):
            return CONTRADICTORY
        return YesNo(value is True)
    return CONTRADICTORY if asked and not plain else UNDECIDED


def _sentence(sentence: str, language: str, question: str) -> bool | str | None:
    """Give yes, no, "both" or None for one sentence."""
    if _HAN.search(sentence):
        return _chinese(sentence)
    lowered = _NO_DOUBT.sub(" ", sentence.lower()).replace("’", "'")
    words, leads = _known(lowered, language)
    tokens = _WORD.findall(lowered)
    if not tokens:
        return None
    for value, some in ((True, words.yes | leads.yes), (False, words.no | leads.no)):
        if tokens[0] in some:
            other = words.no if value else words.yes
            joined = _JOINED.match(lowered, lowered.index(tokens[0]) + len(tokens[0]))
            return "both" if joined and joined.group(1) in other else value
    yes, no = (any(each in some for each in tokens) for some in words)
    if yes or no:
        return "both" if yes and no else yes
    return _stated(lowered, tokens, question) if language not in _OTHER else None


def _known(lowered: str, language: str) -> tuple[_Words, _Words]:
    if _ARABIC_LETTER.search(lowered):
        return _ARABIC, _ARABIC_LEADS
    english, own = _LANGUAGES["en"], _LANGUAGES.get(language, _LANGUAGES["en"])
    return _Words(english.yes | own.yes, english.no | own.no), _LEADS


def _denied_later(sentences: list[str], value: bool, language: str) -> bool:
    """Tell whether a later sentence begins with the other word, standing by itself."""
    for sentence in sentences:
        lowered = _ARABIC_MARKS.sub("", sentence.lower())
        if _HAN.search(lowered):
            flat = lowered.strip("。.!！ ") in (("否", "不是", "没有") if value else ("是", "是的"))
        else:
            words, _ = _known(lowered, language)
            first = _WORD.match(lowered)
            flat = (
                first is not None
                and first.group() in (words.no if value else words.yes)
                and lowered[first.end() : first.end() + 1] in ("", ".", ",", "!", "،")
            )
        if flat:
            return True
    return False


def _chinese(sentence: str) -> bool | None:
    if _HAN_LEADS_NO.match(sentence):
        return False
    if _HAN_LEADS_YES.match(sentence):
        return True
    if _HAN_NO.search(sentence):
        return False
    return True if _HAN_YES.search(sentence) else None


def _stated(lowered: str, tokens: list[str], question: str) -> bool | None:
    if whole := _PRONOUN.fullmatch(lowered.strip(" .!")):
        return whole.group(1) is None
    short = len(tokens) <= _SHORT or tokens[0] in ("it", "they", "these", "this")
    if not _HEDGES.isdisjoint(tokens):
        return None
    if question and not short and not _shares_a_word(tokens, question):
        return None
    values = {_seen(tokens, place) for place, each in enumerate(tokens) if each in _SEEN}
    if not values and _NEUTRAL.isdisjoint(tokens) and (there := _THERE.search(lowered)):
        values = {there.group(1) is None and _DENIES.isdisjoint(tokens)}
    return values.pop() if len(values) == 1 else None


def _seen(tokens: list[str], place: int) -> bool:
    before = tokens[max(0, place - 4) : place]
    denied = any(each in _DENIES or each.endswith("n't") for each in before)
    return (tokens[place] != "absent") != denied


def _shares_a_word(tokens: list[str], question: str) -> bool:
    asked = {each[:_SHARED] for each in _WORD.findall(question.lower()) if len(each) >= _SHARED - 1}
    asked -= {"there", "prese", "seen", "visib", "image", "evide", "shown", "this"}
    return any(each[:_SHARED] in asked for each in tokens if len(each) >= _SHARED - 1)
