"""An answer's text to a typed result, by the kind of the item."""

from medrag.evaluation.parsed import Abstained, Boxes, Letters, Parsed, Text, Unparsed
from medrag.evaluation.parsing.abstention import declined, says_nothing
from medrag.evaluation.parsing.boxes import read_boxes
from medrag.evaluation.parsing.cleaning import candidates, final_text, open_answer
from medrag.evaluation.parsing.display import shortened
from medrag.evaluation.parsing.letters import leading_letter, read_letter, read_letters
from medrag.evaluation.parsing.numerals import read_number
from medrag.evaluation.parsing.polarity import read_polarity
from medrag.records import Item

EMPTY = "empty answer"


def parse_answer(text: str, item: Item, *, abstained: bool = False) -> Parsed:
    """Read what an answer says, in the form that its item asks for.

    Reasoning, tags, boxes, bold type and citation markers are taken away first (`final_text`).
    For all kinds but reports, what follows "the answer is" is read before the whole text.

    - yes_no: the first sentence that decides, by whole words, see `read_polarity`.
    - choice, choices: letters, or texts of options, see `read_letter` and `read_letters`.
    - number: one number with its unit, see `read_number`.
    - boxes: see `read_boxes`.
    - text, report: the words.

    An answer abstains if `abstained` says so, or if it declines and says nothing else that decides;
    an open answer abstains if its first sentence declines and no "answer:" follows. Where an option
    itself says that nothing can be told, no phrase counts as abstention.

    Args:
        text: of the answer, as it was generated.
        item: the question it answers, with kind, options and language.
        abstained: whether the pipeline declined; then the text only says how.

    Returns:
        What was read; `Unparsed` with the reason where nothing of the form stands in the text.
    """
    if abstained:
        return Abstained(shortened(text))
    final = final_text(text, markers=item.kind == "boxes")
    if final.problem:
        return Unparsed(final.problem)
    if not final.text.strip(" .\n"):
        return Unparsed(EMPTY)
    if item.kind in ("text", "report"):
        return _open(final.text, item)
    return _closed(final.text, item)


def _closed(text: str, item: Item) -> Parsed:
    """Read a form other than words, with what the answer says besides declining."""
    if _declines_in_an_option(item) or _leads_with_letter(text, item):
        return _decided(text, item)
    refusal = declined(text)
    if refusal is None:
        return _decided(text, item)
    parsed = _decided(refusal.rest, item) if refusal.rest else Unparsed(EMPTY)
    if isinstance(parsed, Unparsed) or parsed in (Letters(()), Boxes(())):
        return Abstained(refusal.phrase)
    return parsed


def _open(text: str, item: Item) -> Parsed:
    refusal = declined(text)
    answered = text if item.kind == "report" else open_answer(text)
    if refusal is None or not refusal.first:
        return Text(answered)
    if item.kind == "text" and answered != text and declined(answered) is None:
        return Text(answered)
    return Abstained(refusal.phrase)


def _declines_in_an_option(item: Item) -> bool:
    return any(says_nothing(option) for option in item.question.options)


def _leads_with_letter(text: str, item: Item) -> bool:
    if item.kind not in ("choice", "choices"):
        return False
    return leading_letter(text, len(item.question.options)) is not None


def _decided(text: str, item: Item) -> Parsed:
    """Read each place where the answer may stand until one decides or contradicts itself."""
    if item.kind == "boxes":
        return read_boxes(text)
    reason = Unparsed(EMPTY)
    for part in candidates(text):
        parsed = _read(part, item)
        if not isinstance(parsed, Unparsed):
            return parsed
        if parsed.reason.startswith(("several", "contradictory")):
            return parsed
        reason = parsed
    return reason


def _read(text: str, item: Item) -> Parsed:
    options = item.question.options
    if item.kind == "yes_no":
        return read_polarity(text, language=item.language, question=item.question.text)
    if item.kind == "choice":
        return read_letter(text, options)
    if item.kind == "choices":
        return read_letters(text, options)
    return read_number(text, language=item.language)
