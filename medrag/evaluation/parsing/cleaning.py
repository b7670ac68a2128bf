"""What a model finally says: its text without reasoning, tags, boxes, bold type and markers.

Every pattern here runs in linear time: blanks are made single first, so that no two parts of a
pattern can share a long run, and tags are found one by one instead of by one greedy pattern.
"""

import re
import unicodedata
from typing import NamedTuple

from medrag.language import without_markers

UNCLOSED = "reasoning was not closed"
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\n+")
_REASONING_OPENS = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_REASONING_CLOSES = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_REASONING = re.compile(
    r"<(think|thinking|thought|reasoning)>.*?</(?:think|thinking|thought|reasoning)>",
    re.IGNORECASE | re.DOTALL,
)
_ANSWER_OPENS = re.compile(r"<answer>", re.IGNORECASE)
_ANSWER_CLOSES = re.compile(r"</answer>", re.IGNORECASE)
_BOXED = "\\boxed{"
_COMMAND = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}")
_KEY = re.compile(r'"(?:answer_choice|final_answer|answer)" ?: ?"([^"\n]*)"')
_HEADING = re.compile(r"^[#>]+ ?", re.MULTILINE)
_EXPLANATION = re.compile(
    r"\n(?:explanation|rationale|reasoning|justification) ?:.*", re.IGNORECASE | re.DOTALL
)
_LEAD = re.compile(
    r"\b(?:(?:final|correct|best|right) )?answers?(?: to [^.:\n]{0,80})?"
    r" ?(?:\bis\b|\bare\b|would be|should be|[:=])[: ]*"
    r"|\b(?:antwort|réponse|respuesta|risposta|resposta|antwoord)"
    r"(?: (?:ist|lautet|est|es|è|é|is)\b ?:?| ?:) ?"
    r"|答案(?:应该|应)?(?:[是为选] ?:?|:) ?"
    r"|(?:الإجابة|الاجابة|الجواب)(?: الصحيحة| النهائية| الصحيح)?(?: (?:هي|هو)\b ?:?| ?:) ?",
    re.IGNORECASE,
)
# Leads that are tried; more stand only in a text that repeats itself.
_MOST_LEADS = 4


class Final(NamedTuple):
    """The final text, and why there is none: empty where there is one."""

    text: str
    problem: str = ""


def final_text(text: str, *, markers: bool = False) -> Final:
    r"""Find what a model says in the end.

    In this order: reasoning between tags is dropped, together with all that stands before a closing
    tag; the last answer tag that is not empty, also one left open, holds the answer; so does the
    last \boxed{}; so does the key "answer_choice", "final_answer" or "answer" of a JSON object.
    Then bold type, headings and citation markers go.

    Args:
        text: of a model, as it came.
        markers: whether to leave citation markers in, because lists of numbers look alike.
    """
    kept = _after_reasoning(spaced(text))
    if kept is None:
        return Final("", UNCLOSED)
    kept = _boxed(_in_answer_tag(kept))
    if keyed := _KEY.findall(kept):
        kept = keyed[-1]
    plain = _HEADING.sub("", kept.replace("**", "").replace("__", "").replace("`", ""))
    # What was taken out may have left runs of blanks, on which the pattern of markers is slow.
    plain = _BLANKS.sub(" ", plain)
    return Final(plain.strip() if markers else without_markers(plain))


def spaced(text: str) -> str:
    """Make blanks and line breaks single, and letters of full width (ＡＢ：) plain."""
    plain = unicodedata.normalize("NFKC", text)
    plain = _BLANKS.sub(" ", plain).replace(" \n", "\n").replace("\n ", "\n")
    return _LINES.sub("\n", plain).strip()


def candidates(text: str) -> list[str]:
    """List where an answer may stand: after "the answer is", the last first, then anywhere."""
    ends = [match.end() for match in _LEAD.finditer(text)][-_MOST_LEADS:]
    parts = [text[end:].strip() for end in reversed(ends)]
    return [part for part in parts if part] + [text]


def open_answer(text: str) -> str:
    """Cut "The answer is" before, and an explanation on lines of its own behind, an open answer."""
    return _EXPLANATION.sub("", candidates(text)[0]).strip()


def _after_reasoning(text: str) -> str | None:
    closes = [match.end() for match in _REASONING_CLOSES.finditer(text)]
    rest = text[closes[-1] :] if closes else text
    if closes and not rest.strip():
        # The answer came first, and the reasoning behind it.
        rest = _REASONING.sub(" ", text[: closes[-1]])
        rest = _REASONING_CLOSES.split(rest)[-1]
    opened = _REASONING_OPENS.search(rest)
    if opened is None:
        return rest.strip()
    answer = _ANSWER_OPENS.search(rest, opened.end())
    return None if answer is None else rest[answer.start() :]


def _in_answer_tag(text: str) -> str:
    opens = list(_ANSWER_OPENS.finditer(text))
    for position in range(len(opens) - 1, -1, -1):
        start = opens[position].end()
        end = opens[position + 1].start() if position + 1 < len(opens) else len(text)
        close = _ANSWER_CLOSES.search(text, start, end)
        if inside := text[start : close.start() if close else end].strip():
            return inside
    return "" if opens else _ANSWER_CLOSES.sub("", text)


def _boxed(text: str) -> str:
    """Give what the last box holds, its braces matched; to the end if it is left open."""
    start = text.rfind(_BOXED)
    if start < 0:
        return text
    depth, end = 1, len(text)
    for match in re.compile(r"[{}]").finditer(text, start + len(_BOXED)):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            end = match.start()
            break
    inside = _COMMAND.sub(r"\1", text[start + len(_BOXED) : end]).strip()
    return inside or text.replace(_BOXED, "")
