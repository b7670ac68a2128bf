"""Answers as one self-contained HTML file: no script, nothing fetched."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from medrag.prompting.templates import letter
from medrag.records import Answer, Hit, Question
from medrag.reporting.answer_parts import (
    claim_flags,
    confidence_words,
    left_out,
    quantity_list,
    removed_list,
    signal_rows,
    steps,
    thoughts,
)
from medrag.reporting.answer_regions import region_names
from medrag.reporting.cards import citation_card, hit_list, picture_figure
from medrag.reporting.evidence import question_pictures
from medrag.reporting.graph import evidence_graph
from medrag.reporting.head import head
from medrag.reporting.markup import Html, element, joined
from medrag.reporting.words import linked
from medrag.verification.abstention import held_back

_NOTICE = "For research. Not a medical device, and not for clinical use."


def answer_page(
    answers: Sequence[Answer], *, roots: Mapping[str, Path], title: str = "medrag: answers"
) -> str:
    """Write answers with their evidence as one HTML page.

    Pages and images are read from the corpora now, cut out, and put into the page; whatever is
    taken from a file, a question or an answer is escaped.

    Args:
        roots: folder of each corpus on this machine. Where one, or a file in it, is missing, the
            evidence is shown as text, and says so.

    Returns:
        HTML in UTF-8, without lone surrogates.
    """
    style = (files("medrag.reporting") / "style.css").read_text(encoding="utf-8")
    articles = [_article(answer, number, roots) for number, answer in enumerate(answers, start=1)]
    body = element(
        "body",
        element("header", element("h1", title), element("p", _NOTICE), class_="top"),
        _overview(answers) if len(answers) > 1 else "",
        element("main", *articles),
    )
    return f'<!doctype html>\n<html lang="en">{head(title, style)}{body}</html>\n'


def _overview(answers: Sequence[Answer]) -> Html:
    entries = [
        element(
            "li",
            element("a", _asked(answer.question), href=f"#q{number}"),
            element("span", _state(answer), class_=f"state {_state(answer).split()[0]}"),
        )
        for number, answer in enumerate(answers, start=1)
    ]
    return element("nav", element("ol", *entries), aria_label="Questions")


def _state(answer: Answer) -> str:
    if answer.error:
        return "error"
    if held_back(answer) is not None:
        return "not confident"
    if answer.abstained:
        return "no evidence"
    n = len(answer.citations)
    return f"{n} source{'' if n == 1 else 's'}"


def _article(answer: Answer, number: int, roots: Mapping[str, Path]) -> Html:
    anchor = f"q{number}-"
    known = {citation.marker for citation in answer.citations}
    words, first = linked(answer.text, known, anchor)
    cards = [
        citation_card(each, answer, roots, anchor=anchor, back=first.get(each.marker))
        for each in answer.citations
    ]
    graph = evidence_graph(answer, f"{anchor}e")
    return element(
        "article",
        _asked_and_answered(answer, number, words),
        element("section", graph, class_="facts scroll", aria_label="Facts") if graph else "",
        element("ol", *cards, class_="evidence", aria_label="Evidence") if cards else "",
        *_folds(answer, roots),
        id=f"q{number}",
    )


def _asked_and_answered(answer: Answer, number: int, words: Html) -> Html:
    question = answer.question
    pictures = question_pictures(question, answer.regions)
    shown = element("div", *map(picture_figure, pictures), class_="pictures") if pictures else ""
    named = region_names(question.regions)
    regions = element("p", "Region: ", named, class_="title") if named else ""
    asked = element(
        "section",
        element("p", f"Question {number}", class_="label"),
        element("h2", _asked(question), dir="auto"),
        regions,
        _options(question, answer.text),
        class_="question",
    )
    kind = "asked with-pictures" if pictures else "asked"
    return element("div", asked, shown, _answer(answer, words), class_=kind)


def _asked(question: Question) -> str:
    return question.text.strip() or "What does this picture show?"


def _options(question: Question, answered: str) -> Html:
    """List the options; the one that the answer begins with is marked."""
    entries = []
    for number, option in enumerate(question.options):
        chosen = answered.startswith(f"{letter(number)}. ")
        told = element("span", " chosen", class_="told") if chosen else ""
        words = element("span", option, dir="auto")
        entries.append(element("li", words, told, class_="chosen" if chosen else None))
    return element("ol", *entries, class_="options", type="A") if entries else Html("")


def _answer(answer: Answer, words: Html) -> Html:
    kind = "abstained" if answer.abstained else "given"
    label = "No answer" if answer.abstained else "Answer"
    confidence = (
        element(
            "span",
            confidence_words(answer.confidence),
            class_="confidence",
            title="It ranks answers; a probability only where the pipeline is calibrated.",
        )
        if answer.confidence is not None and not answer.abstained
        else ""
    )
    error = element("p", answer.error, class_="error", role="alert") if answer.error else ""
    held = held_back(answer)
    why = f"{held[:1].upper()}{held[1:]}. What was held back:" if held is not None else ""
    return element(
        "section",
        element("p", label, confidence, class_="label"),
        element("p", why, class_="held") if why else "",
        words if answer.text.strip() else "",
        error,
        claim_flags(answer),
        removed_list(answer),
        quantity_list(answer.quantities),
        class_=f"answer {kind}",
    )


def _folds(answer: Answer, roots: Mapping[str, Path]) -> list[Html]:
    cited = {citation.passage.id for citation in answer.citations}
    read = [hit for hit in answer.selection.kept if hit.passage.id not in cited]
    none_answers = answer.abstained and held_back(answer) is None
    about = "Closest passages; none of them answers" if none_answers else "Read, not cited"
    reason = f"Cut by the selection ({answer.selection.reason or 'no reason given'})"
    return [
        thoughts(answer),
        steps(answer, roots),
        left_out(answer),
        _fold("Kept out: the question's own picture, study or patient", answer.excluded),
        _fold("Looks like the question's picture", answer.near_duplicates),
        _fold(about, read),
        _fold(reason, answer.selection.dropped),
        _workings(answer),
    ]


def _fold(about: str, hits: Sequence[Hit]) -> Html:
    if not hits:
        return Html("")
    return element("details", element("summary", f"{about} ({len(hits)})"), hit_list(hits))


def _workings(answer: Answer) -> Html:
    rows = [(f"{name}", f"{seconds * 1000:.1f} ms") for name, seconds in answer.timings.items()]
    usage = answer.usage
    known = {"prompt tokens": usage.prompt_tokens, "completion tokens": usage.completion_tokens}
    rows += [(name, str(count)) for name, count in known.items() if count is not None]
    rows += [("generator", answer.model)] if answer.model else []
    rows += [("template", answer.template)] if answer.template else []
    rows += [("cost", f"{usage.cost:.4g}")] if usage.cost is not None else []
    rows += signal_rows(answer)
    if not rows:
        return Html("")
    cells = [joined(element("dt", name), element("dd", value)) for name, value in rows]
    return element(
        "details", element("summary", "Timings and workings"), element("dl", *cells), class_="quiet"
    )
