"""One citation, as a card: its words, its picture, where it is from and how it was found."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from medrag.places import place_in_document
from medrag.records import Answer, Citation, Hit, Part, Passage, Question
from medrag.reporting.answer_regions import legend, overlay
from medrag.reporting.evidence import Picture, passage_pictures
from medrag.reporting.graph import readable
from medrag.reporting.markup import Html, element, joined
from medrag.reporting.words import highlighted, repeated, shortened
from medrag.verification.others import of_another_patient

_LONG = 1500
_ROWS = 40
_HIT_CHARACTERS = 220
_NOT_SURE = ("absent", "uncertain")


def citation_card(
    citation: Citation, answer: Answer, roots: Mapping[str, Path], *, anchor: str, back: str | None
) -> Html:
    """Show what a marker points to.

    Args:
        roots: folder of each corpus on this machine; one that is missing leaves the words.
        anchor: what the ids of this answer begin with.
        back: id of the place where the answer uses the marker; None if its text does not.
    """
    passage, marker = citation.passage, citation.marker
    claims = [claim.text for claim in answer.claims if marker in claim.markers]
    head = element(
        "header",
        element("span", str(marker), class_="number"),
        element("span", passage.kind, class_="kind"),
        _warning(passage, answer.question),
        element("span", source_line(passage), class_="source"),
        _back(back),
    )
    pictures = passage_pictures(passage, roots.get(passage.source.corpus))
    shown = element("div", *map(picture_figure, pictures), class_="pictures") if pictures else ""
    words = element("div", *_words(passage, claims), class_="words", lang=passage.source.language)
    body = element("div", words, shown, class_="body")
    return element(
        "li", head, body, _found(citation, answer), class_=f"card {passage.kind}",
        id=f"{anchor}e{marker}", tabindex="-1",
    )  # fmt: skip


def source_line(passage: Passage) -> str:
    """Say where a passage stands: corpus, document, place, domain, time, licence."""
    source = passage.source
    parts = [
        source.corpus,
        source.document,
        place_in_document(passage),
        source.domain or "",
        source.time or "",
        source.licence or "",
    ]
    return " · ".join(part for part in parts if part)


def picture_figure(picture: Picture) -> Html:
    """Show a picture with its outlines, its place and what was outlined; or why there is none."""
    places = legend(picture.outlines)
    if picture.uri is None:
        where = f"{picture.place}: " if picture.place else ""
        return joined(element("p", where, picture.problem, class_="missing"), places)
    image = element(
        "img", src=picture.uri, alt=picture.alt, width=picture.width, height=picture.height
    )
    if picture.outlines:
        image = element("div", image, overlay(picture.outlines, picture.size), class_="canvas")
    below = element("figcaption", picture.place) if picture.place else ""
    return element("figure", image, below, places)


def hit_list(hits: Iterable[Hit]) -> Html:
    """List hits in a line or two each, without pictures."""
    return element("ul", *map(_hit, hits), class_="hits")


def _hit(hit: Hit) -> Html:
    passage = hit.passage
    return element(
        "li",
        element("span", passage.kind, class_="kind"),
        element("span", source_line(passage), class_="source"),
        element("span", f"rank {hit.rank}, score {_number(hit.score)}", class_="score"),
        element(
            "p",
            shortened(passage.text or ", ".join(i.path for i in passage.images), _HIT_CHARACTERS),
            dir="auto",
        ),
    )


def _warning(passage: Passage, question: Question) -> Html:
    if not of_another_patient(passage, question):
        return Html("")
    told = "This is another patient's. It says nothing of the patient in question."
    return element("span", "another patient", class_="kind other", title=told)


def _back(back: str | None) -> Html:
    if back is None:
        return Html("")
    return element("a", "↑ answer", href=f"#{back}", class_="back")


def _words(passage: Passage, claims: Sequence[str]) -> list[Html]:
    fields, language = passage.fields, passage.source.language
    if passage.kind == "fact":
        return [_fact(passage)]
    if passage.kind == "table" and _is_grid(fields.get("rows")):
        caption = _paragraph(_first_line(passage.text), claims, language)
        return [caption, _grid(fields["rows"], claims, language)]
    if isinstance(sections := fields.get("sections"), Mapping) and sections:
        return [
            element("p", element("b", f"{str(name).capitalize()}. "),
                    highlighted(str(words), claims, language), dir="auto")
            for name, words in sections.items()
        ]  # fmt: skip
    titles = [_title(fields)] if fields.get("title") else []
    if len(passage.text) > _LONG:
        return [*titles, _folded(passage.text, claims, language)]
    paragraphs = [each for each in passage.text.split("\n") if each.strip()]
    return [*titles, *(_paragraph(each, claims, language) for each in paragraphs)]


def _paragraph(words: str, claims: Sequence[str], language: str) -> Html:
    return element("p", highlighted(words, claims, language), dir="auto")


def _folded(words: str, claims: Sequence[str], language: str) -> Html:
    """Fold a long passage away behind its beginning."""
    cut = words.rfind(" ", 0, 420)
    begin = words[: cut if cut > 0 else 420]
    return element(
        "details",
        element("summary", begin, " … ", element("span", "whole passage", class_="more")),
        element("p", highlighted(words, claims, language), dir="auto"),
    )


def _title(fields: Mapping[str, Any]) -> Html:
    return element("p", str(fields["title"]), class_="title", dir="auto")


def _fact(passage: Passage) -> Html:
    fields, words = passage.fields, passage.text
    if not (fields.get("head") and fields.get("tail")):
        return element("p", words, dir="auto")
    support = fields.get("support")
    # Of a table, which has no studies, the rows are counted.
    n_studies = support if passage.source.study and isinstance(support, int) else 0
    # Of what a report denies or doubts, head and tail alone would say the contrary.
    said = element("p", words, dir="auto") if fields.get("polarity") in _NOT_SURE else ""
    stated = element("p", f"stated by {n_studies} studies", class_="title") if n_studies > 1 else ""
    return joined(said, _triple(fields), stated)


def _triple(fields: Mapping[str, Any]) -> Html:
    return element(
        "p",
        element("b", str(fields["head"])),
        element("span", f" {readable(str(fields.get('relation', '')))} ", class_="relation"),
        element("b", str(fields["tail"])),
        dir="auto",
    )


def _is_grid(rows: object) -> bool:
    return isinstance(rows, list | tuple) and all(isinstance(row, list | tuple) for row in rows)


def _grid(rows: Sequence[Sequence[object]], claims: Sequence[str], language: str) -> Html:
    """Set a table; the rows that claims repeat are marked."""
    lines = []
    for number, row in enumerate(rows[:_ROWS]):
        cells = ["" if cell is None else str(cell) for cell in row]
        name = "th" if number == 0 else "td"
        marked = number > 0 and repeated(" ".join(cells), claims, language)
        written = (element(name, cell, dir="auto") for cell in cells)
        lines.append(element("tr", *written, class_="marked" if marked else None))
    left = len(rows) - _ROWS
    more = element("p", f"{left} more rows not shown", class_="missing") if left > 0 else ""
    return joined(element("div", element("table", *lines), class_="scroll"), more)


def _first_line(words: str) -> str:
    return words.split("\n", 1)[0]


def _found(citation: Citation, answer: Answer) -> Html:
    """Say with which score the passage was found, and what each channel thought of it."""
    parts: Mapping[str, Part] = {}
    for hit in answer.selection.kept:
        if hit.passage.id == citation.passage.id:
            parts = hit.parts
    channels = [
        element("span", element("b", name), f" rank {part.rank}, {_number(part.score)}")
        for name, part in parts.items()
    ]
    score = element("span", element("b", "score"), f" {_number(citation.score)}")
    return element("footer", score, *channels, class_="found")


def _number(value: float) -> str:
    return f"{value:.4g}"
