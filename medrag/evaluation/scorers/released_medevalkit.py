"""What MedEvalKit's released code does with a response, rule by rule, defects included.

Source:
    Lingshu team, MedEvalKit (arXiv 2506.07044), head of February 2026: the shared functions and
    the scorers of VQA-RAD, PathVQA and SLAKE; written from their behaviour.
"""

from collections.abc import Sequence

from medrag.evaluation.scorers.nearest import nearest
from medrag.evaluation.text_measures import Overlap, set_overlap
from medrag.prompting.templates import letter
from medrag.records import Item

_BOXED = "\\boxed{"
# In this order; each cuts what stands before its last mention.
_LEADS = (
    "**answer**:", "**answer**", "*answer*:", "**answer:**", "answer is", "answer:", "答案:",
    "final answer", "final answer is",
)  # fmt: skip
# Columns that SLAKE has and the other two lack.
_SLAKE = ("answer_type", "q_lang", "base_type", "content_type")


def is_slake(item: Item) -> bool:
    """Tell whether the rule of SLAKE applies, by the columns that an item kept."""
    return any(column in item.fields for column in _SLAKE)


def is_closed(item: Item) -> bool:
    """Tell whether a row counts as closed: SLAKE says so, elsewhere the reference is yes or no."""
    if is_slake(item):
        written = item.fields.get("answer_type")
        return item.closed if written is None else str(written).strip().upper() != "OPEN"
    return reference(item).strip().lower() in ("yes", "no")


def reference(item: Item) -> str:
    """Give the reference; empty without one."""
    return item.references[0] if item.references else ""


def extracted(text: str) -> str:
    """Take the last closed box, or what stands between answer tags, else the whole text."""
    boxed = boxed_content(text)
    return boxed if boxed != "None" else between_tags(text, "answer")


def boxed_content(text: str) -> str:
    """Give what the last box holds; the word "None" if there is none or it is left open."""
    start = text.rfind(_BOXED)
    depth = 1
    for place in range(start + len(_BOXED), len(text) if start >= 0 else 0):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start + len(_BOXED) : place].strip()
    return "None"


def between_tags(text: str, tag: str) -> str:
    """Join what stands between closed tags; the whole text if there is nothing."""
    parts = []
    for part in text.split(f"<{tag}>")[1:]:
        inside, close, _ = part.partition(f"</{tag}>")
        parts += [inside] if close else []
    return " ".join(parts).strip() or text


def parsed_response(text: str) -> str:
    """Read a response in small letters; what follows the last lead keeps its leading blank."""
    text = text.lower()
    if "boxed" in text:
        text = boxed_content(text)
    elif "<answer>" in text:
        text = between_tags(text, "answer")
    for lead in _LEADS:
        text = text.rsplit(lead, 1)[-1]
    return text


def judged_yes_no(answer: str, response: str) -> bool:
    """Compare yes and no as letters: one of the two must stand there, and be the reference."""
    said = parsed_response(response).replace("\n", "").replace(".", "")
    return ("yes" in said) != ("no" in said) and answer.lower() in said


def judged_closed(answer: str, response: str) -> bool:
    """Compare whole texts, without line breaks and full stops; blanks count."""
    return parsed_response(response).replace("\n", "").replace(".", "") == answer.lower()


def chosen_option(options: Sequence[str], response: str) -> int:
    """Find the option that a response chooses: its letter, its text, else the nearest one."""
    lowered = response.lower()
    letters = [letter(place).lower() for place in range(len(options))]
    parts = lowered.split("\n\n")
    if parts[0] in letters:
        lowered = parts[0]
    elif parts[-1].split(".")[0] in letters:
        lowered = parts[-1].split(".")[0]
    said = parsed_response(lowered).strip().replace("\n", "")
    first = said.split(".")[0].split(":")[-1]
    texts = [option.lower() for option in options]
    if first in letters:
        return letters.index(first)
    return texts.index(first) if first in texts else nearest(texts, said)[0]


def released_overlap(response: str, answer: str) -> Overlap:
    """Compare sets of words. Where either has none, the released code fails: nan."""
    given, wanted = response.lower().split(), answer.lower().split()
    if not given or not wanted:
        return Overlap(float("nan"), float("nan"), float("nan"))
    return set_overlap(given, wanted)


def released_verdict(reply: str | None) -> float:
    """Read a judge's reply: 1.0 only for a 0 between tags or as the whole reply, else 0.0."""
    return float(reply is not None and between_tags(reply, "judge") == "0")
