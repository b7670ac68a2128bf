"""One item to look at: question, picture, reference, the answer as it was read, its evidence."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import ascii_uppercase

from medrag.evaluation.scores import RIGHT, ScoreRow
from medrag.records import Answer, Citation, Item
from medrag.reporting.cards import hit_list, source_line
from medrag.reporting.evaluation.chosen import Example
from medrag.reporting.evaluation.names import arm_name, arm_told, words
from medrag.reporting.evaluation.pictures import PictureBudget
from medrag.reporting.evidence import passage_pictures, question_pictures
from medrag.reporting.markup import Html, element, joined
from medrag.reporting.words import highlighted, linked, shortened
from medrag.verification.others import of_another_patient

_PICTURED = 3
_PICTURES = 4
_LONG = 420
_ANSWER = 1200
_PARSED = 160
_KINDS = {"yes_no": "yes or no", "choices": "several choices"}


def item_article(
    example: Example,
    item: Item,
    roots: Mapping[str, Path],
    budget: PictureBudget,
    *,
    anchor: str,
) -> Html:
    """Show an item with what became of it.

    Args:
        roots: folder of each corpus on this machine; one that is missing leaves the words.
        anchor: what the ids of this item begin with.
    """
    answer = example.answer
    question = item.question
    pictures = question_pictures(question, answer.regions if answer else ())[:_PICTURES]
    return element(
        "article",
        # Before the words: it stands to the right of all of them.
        budget.figures(pictures),
        element("p", _badges(example), class_="badges"),
        element("h3", question.text.strip() or "What does this picture show?", dir="auto"),
        _options(item),
        _verdict(example, item),
        _said(answer, anchor),
        _others(example.others),
        _evidence(answer, roots, budget, anchor),
        _named(item),
        class_="item",
        id=anchor,
    )


def _badges(example: Example) -> Html:
    row = example.row
    parts = [_mark(row)]
    if row.confidence is not None and math.isfinite(row.confidence):
        parts.append(element("span", f"confidence {row.confidence:.0%}"))
    if example.change:
        parts.append(element("span", f"{example.change} by context", class_=example.change))
    return joined(*parts, by=" ")


def _mark(row: ScoreRow) -> Html:
    """Say right, wrong or which part of it, or why it is none of them."""
    if row.state != "answered":
        return element("span", row.state, class_=f"mark-{row.state}")
    if row.right in (0.0, 1.0) or not math.isfinite(row.right):
        word = "right" if row.right == 1 else "wrong" if row.right == 0 else "not counted"
        return element("span", word, class_=f"mark-{word.split()[0]}")
    kind = "right" if row.right >= RIGHT else "wrong"
    return element("span", f"{row.right:.0%} right", class_=f"mark-{kind}")


def _options(item: Item) -> Html:
    entries = []
    for option in item.question.options:
        meant = option in item.references
        told = element("span", " reference", class_="told") if meant else ""
        entries.append(element("li", element("span", option, dir="auto"), told,
                               class_="chosen" if meant else None))  # fmt: skip
    return element("ol", *entries, class_="options", type="A") if entries else Html("")


def _verdict(example: Example, item: Item) -> Html:
    """Set the reference above what the answer was read as."""
    references = " / ".join(item.references) or "none"
    unread = example.row.state not in ("answered", "unparsed")
    read = _read_as(item, example.row.parsed)
    return element(
        "dl",
        element("dt", "Reference"),
        element("dd", shortened(references, _ANSWER), dir="auto"),
        "" if unread else element("dt", "Read as"),
        "" if unread else element("dd", shortened(read, _PARSED), dir="auto"),
        class_="verdict",
    )


def _read_as(item: Item, parsed: str) -> str:
    """Put the words of the options behind their letters."""
    letters = parsed.split(", ")
    options = dict(zip(ascii_uppercase, item.question.options, strict=False))
    if all(each in options for each in letters):
        return "; ".join(f"{each}. {options[each]}" for each in letters)
    return parsed or "nothing"


def _said(answer: Answer | None, anchor: str) -> Html:
    if answer is None:
        return element("p", "There is no answer to this item.", class_="missing")
    known = {citation.marker for citation in answer.citations}
    text = answer.text if len(answer.text) <= _ANSWER else answer.text[:_ANSWER] + "…"
    spoken, _ = linked(text, known, anchor)
    error = element("p", answer.error, class_="error") if answer.error else ""
    if not answer.text.strip() and not error:
        return element("p", "The answer is empty.", class_="missing")
    return element("blockquote", spoken if answer.text.strip() else "", error)


def _others(rows: Sequence[ScoreRow]) -> Html:
    if not rows:
        return Html("")
    entries = [
        element(
            "li",
            element("span", arm_name(row.arm), title=arm_told(row.arm) or None),
            _mark(row),
            element("q", shortened(row.parsed, 48), dir="auto")
            if row.parsed and row.state == "answered"
            else "",
        )
        for row in rows
    ]
    about = element("summary", f"Other arms ({len(rows)})")
    return element("details", about, element("ul", *entries, class_="others"))


def _evidence(
    answer: Answer | None, roots: Mapping[str, Path], budget: PictureBudget, anchor: str
) -> Html:
    if answer is None:
        return Html("")
    cards = [
        _card(citation, answer, roots, budget if place < _PICTURED else None, anchor)
        for place, citation in enumerate(answer.citations)
    ]
    cited = {citation.passage.id for citation in answer.citations}
    read = [hit for hit in answer.selection.kept if hit.passage.id not in cited]
    folds = [
        element("details", element("summary", f"Evidence cited ({len(cards)})"),
                element("ol", *cards, class_="evidence")) if cards else "",
        element("details", element("summary", f"Read, not cited ({len(read)})"),
                hit_list(read)) if read else "",
        element("details", element("summary", f"Kept out by the guard ({len(answer.excluded)})"),
                hit_list(answer.excluded)) if answer.excluded else "",
    ]  # fmt: skip
    return joined(*folds)


def _card(
    citation: Citation,
    answer: Answer,
    roots: Mapping[str, Path],
    budget: PictureBudget | None,
    anchor: str,
) -> Html:
    """Show a citation in short: its words near the claims, and its picture if a budget is given."""
    passage = citation.passage
    other = of_another_patient(passage, answer.question)
    head = element(
        "header",
        element("span", str(citation.marker), class_="number"),
        element("span", passage.kind, class_="kind"),
        element("span", "another patient", class_="kind other") if other else "",
        element("span", source_line(passage), class_="source"),
        element("a", "↑ answer", href=f"#{anchor}", class_="back"),
    )
    claims = [claim.text for claim in answer.claims if citation.marker in claim.markers]
    said = element("div", *_words(passage.text, claims, passage.source.language), class_="words")
    root = roots.get(passage.source.corpus)
    shown = budget.figures(passage_pictures(passage, root)) if budget else ""
    body = element("div", said, shown, class_="body")
    return element(
        "li", head, body, class_=f"card {passage.kind}", id=f"{anchor}e{citation.marker}",
        tabindex="-1",
    )  # fmt: skip


def _words(text: str, claims: Sequence[str], language: str) -> list[Html]:
    if len(text) <= _LONG:
        return [element("p", highlighted(text, claims, language), dir="auto")]
    cut = text.rfind(" ", 0, _LONG)
    end = cut if cut > 0 else _LONG
    begin = element("p", highlighted(text[:end], claims, language), " …", dir="auto")
    rest = shortened(text[end:], 4 * _ANSWER)
    return [begin, element("details", element("summary", "rest of the passage"),
                           element("p", rest, dir="auto"))]  # fmt: skip


def _named(item: Item) -> Html:
    parts = [item.id, _KINDS.get(item.kind, item.kind), "closed" if item.closed else "open"]
    if item.inferred:
        parts[-1] += " (inferred from the reference)"
    parts += [f"image or patient {item.cluster}"] if item.cluster else []
    parts += [f"{words(str(k))}: {shortened(str(v), 60)}" for k, v in list(item.fields.items())[:6]]
    return element("p", " · ".join(parts), class_="named")
