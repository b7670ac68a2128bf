"""The prompt of a model: a role, the numbered evidence, a warning, the question, the form.

What stands before the question depends on the evidence alone, so that questions on equal evidence
begin with the same tokens. Whatever a library or a model wrote stands between <<< and >>>. A change
of the words below is a change of every template: raise their versions.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from medrag.errors import InputFileError
from medrag.images.pointing import RegionView, pointed_images, region_views
from medrag.language import (
    asks_yes_or_no,
    fenced,
    sentences,
    untagged,
    without_markers,
)
from medrag.language.joining import joined_parts
from medrag.language.known import read_as
from medrag.places import place_in_document
from medrag.prompting.templates.loading import PLACEHOLDER, Template, label, load_template
from medrag.records import (
    Hit,
    ImageRef,
    Passage,
    Prompt,
    Question,
    QuestionRegion,
    Selection,
    Turn,
    is_of_a_patient,
)

_DAY = re.compile(r"(\d{4}(?:-\d\d){0,2})(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?", re.ASCII)
Parts = list[str | ImageRef]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much a prompt shows.

    Attributes:
        n_hits: of the evidence, from the first.
        n_images: of these hits, from the first; the others are told in words.
        pixels: of each image of the evidence at most; None for as many as it has.
        n_sentences: of the last of these hits; None for all.
        n_turns: of the history, the latest.
    """

    n_hits: int
    n_images: int
    pixels: int | None = None
    n_sentences: int | None = None
    n_turns: int = 0


def build_prompt(
    question: Question, selection: Selection, *, template: str | None = None
) -> Prompt:
    """Number the kept hits and write the whole prompt.

    Evidence texts are untrusted: what reads as a marker, as the fence around evidence, or as a
    tag of a chat template is rewritten, so that it can neither be cited nor end its fence.

    Args:
        template: a name, or the path of a file; None for "choice" where the question has options,
            else "vqa".

    Returns:
        A prompt whose `evidence` is `selection.kept`; `parts` interleaves texts and images, those
        of the evidence where they stand, those of the question before its text.

    Raises:
        RecipeError: if there is no such template, or its file breaks a rule.
    """
    kept = selection.kept
    return written(question, kept, template_for(question, template), full_extent(question, kept))


def template_for(question: Question, named: str | None) -> Template:
    """Read the template that is named, or else the one that the question calls for."""
    return load_template(named or ("choice" if question.options else "vqa"))


def full_extent(question: Question, hits: Sequence[Hit]) -> Extent:
    """Say how much there is to show."""
    n_images = sum(n_images_of(hit) for hit in hits)
    return Extent(len(hits), n_images, n_turns=len(question.history))


def written(question: Question, hits: Sequence[Hit], template: Template, extent: Extent) -> Prompt:
    """Write as much of a prompt as is asked for; its evidence is the hits that are shown."""
    shown = tuple(hits[: extent.n_hits])
    parts: Parts = [template.role, template.evidence if shown else template.no_evidence]
    images = extent.n_images
    for marker, hit in enumerate(shown, start=1):
        cut = extent.n_sentences if marker == len(shown) else None
        told = _Told(question, template, marker, hit, n_images=images, n_sentences=cut)
        parts += _example_parts(told) if _is_example(told) else _evidence_parts(told)
        images = max(0, images - n_images_of(hit))
    if any(_whose(question, hit.passage) == "of another patient" for hit in shown):
        parts.append(template.other_patient)
    parts += _pictures(question, template)
    parts.append(_asked(question, shown, template, extent.n_turns))
    forms = template.answer if shown else template.answer_without_evidence
    parts.append(forms[_form(question, hits)])
    return Prompt(question, shown, joined_parts(parts), label(template), extent.pixels)


def n_images_of(hit: Hit) -> int:
    """Count the pictures that a hit brings: none where a model's summary stands in its place."""
    return 0 if hit.summary else len(hit.passage.images)


def source_line(passage: Passage) -> str:
    """Say in one line what kind of passage it is and where it stands."""
    title = passage.fields.get("title")
    heading = title if isinstance(title, str) else ""
    where = filter(None, (passage.source.document, place_in_document(passage), heading))
    return f"{passage.kind} from {', '.join(where)}"


def letter(option: int) -> str:
    """Name an option by its letter: 0 is A."""
    return chr(ord("A") + option)


def sentence_ends(passage: Passage) -> list[int]:
    """Say after how many characters a text may be cut, ascending; the last is its end."""
    spans = sentences(passage.text, read_as(passage.source.language))
    return [end for _, end in spans]


@dataclass(frozen=True, slots=True)
class _Told:
    """A hit to be written, and how much of it; see `Extent`."""

    question: Question
    template: Template
    marker: int
    hit: Hit
    n_images: int
    n_sentences: int | None


def _evidence_parts(told: _Told) -> Parts:
    """Write a hit: its marker, its words between fences, and its pictures with the marker."""
    if told.hit.summary:
        return [_summary(told.question, told.marker, told.hit)]
    passage = told.hit.passage
    heading = " ".join(filter(None, (f"[{told.marker}]", _heading(told.question, passage))))
    text = _text(passage, told.n_sentences)
    return [f"{heading}\n{_fenced_body(passage, text)}", *_images(told)]


def _example_parts(told: _Told) -> Parts:
    """Write a hit as a worked example: its pictures come before question and answer."""
    passage = told.hit.passage
    heading = ", ".join((_heading(told.question, passage), told.template.example))
    text = _worked(passage) if told.n_sentences is None else _text(passage, told.n_sentences)
    first, *rest = (*_images(told), _fenced_body(passage, text))
    return [f"[{told.marker}] {heading}\n{first}", *rest]


def _is_example(told: _Told) -> bool:
    """Tell whether a hit is told as a worked example: what another patient has, and whole."""
    passage = told.hit.passage
    other = _whose(told.question, passage) == "of another patient"
    return bool(told.template.example) and other and not told.hit.summary


def _worked(passage: Passage) -> str:
    """Write question, options and answer of a case; of another kind, its text."""
    question, answer = passage.fields.get("question"), passage.fields.get("answer")
    listed = passage.fields.get("options")
    options = [str(each) for each in listed] if isinstance(listed, list | tuple) else []
    if not options or not isinstance(question, str) or not isinstance(answer, str):
        return _text(passage, None)
    named = [f"{letter(n)}. {option}" for n, option in enumerate(options)]
    right = named[options.index(answer)] if answer in options else answer
    return fenced("\n".join([f"Question: {question}", *named, f"Answer: {right}"]))


def _images(told: _Told) -> Parts:
    """Write the pictures of a hit that are shown, each under its marker, and tell of the others."""
    images, marker = told.hit.passage.images, told.marker
    names = _image_names(told)
    parts: Parts = []
    for name, image in zip(names, images[: told.n_images], strict=False):
        parts += [f"{name}:", image]
    n, hidden = len(images), len(images) - min(len(images), told.n_images)
    if hidden:
        said = f"Image [{marker}]" if n == 1 else f"{hidden} of the {n} images [{marker}]"
        parts.append(f"{said}: not shown.")
    return parts


def _image_names(told: _Told) -> list[str]:
    n, marker, template = len(told.hit.passage.images), told.marker, told.template
    if n == 1:
        return [f"Image [{marker}]"]
    pair = (template.earlier_image, template.current_image)
    if n == len(pair) and all(pair) and _is_example(told):
        return [f"Image [{marker}], {name}" for name in pair]
    return [f"Image [{marker}], {number} of {n}" for number in range(1, n + 1)]


def _fenced_body(passage: Passage, text: str) -> str:
    held = [each for each in (_source(passage), text, _caption(passage)) if each]
    body = "\n".join(held if len(held) > 1 else [*held, "(a picture without text)"])
    return f"<<<\n{body}\n>>>"


def _summary(question: Question, marker: int, hit: Hit) -> str:
    """Write what a model made of a hit, or its sentences that count, in place of the whole."""
    heading = " ".join(filter(None, (f"[{marker}]", _heading(question, hit.passage))))
    what = "an excerpt" if hit.history else "in summary"
    return f"{heading}, {what}\n<<<\n{_source(hit.passage)}\n{fenced(hit.summary)}\n>>>"


def _heading(question: Question, passage: Passage) -> str:
    """Say of whom a passage is, and of when; of words of others, a date alone is let through."""
    return ", ".join(filter(None, (_whose(question, passage), _day(passage.source.time))))


def _whose(question: Question, passage: Passage) -> str:
    if question.subject and passage.source.subject == question.subject:
        return "of the same patient"
    return "of another patient" if is_of_a_patient(passage) else ""


def _day(time: str | None) -> str:
    found = _DAY.fullmatch(time or "")
    return found.group(1) if found else ""


def _text(passage: Passage, n_sentences: int | None) -> str:
    if n_sentences is None:
        return fenced(passage.text).strip("\n")
    ends = sentence_ends(passage)
    if n_sentences >= len(ends):
        return fenced(passage.text).strip("\n")
    return f"{fenced(passage.text[: ends[n_sentences - 1]])} …".strip("\n")


def _source(passage: Passage) -> str:
    return " ".join(fenced(source_line(passage)).split())


def _caption(passage: Passage) -> str:
    """Give the caption where the text does not hold it; also beside its image, which may go."""
    caption = passage.fields.get("caption")
    if not isinstance(caption, str) or caption.strip() in passage.text:
        return ""
    return " ".join(fenced(f"Caption: {caption}").split())


def _pictures(question: Question, template: Template) -> Parts:
    pictures = pointed_images(question, _views(question))
    parts: Parts = []
    for number, picture in enumerate(pictures, start=1):
        last = number == len(pictures)
        form = template.current_picture if last and template.current_picture else template.picture
        day = _day(question.time) if last else ""
        values = {"number": str(number), "date": f", {day}" if day else ""}
        parts += [_filled(form, values), picture]
    return parts


def _asked(question: Question, shown: Sequence[Hit], template: Template, n_turns: int) -> str:
    turns = question.history[len(question.history) - n_turns :]
    return _filled(
        template.question,
        {
            "history": "\n".join(_turn(turn) for turn in turns),
            "regions": _places(question),
            "question": untagged(question.text) if question.text.strip() else template.no_text,
            "options": "\n".join(
                f"{letter(i)}. {untagged(option)}" for i, option in enumerate(question.options)
            ),
            "step": str(len(question.history) + 1),
            "meaning": _meaning(question, shown),
        },
    )


def _turn(turn: Turn) -> str:
    """Tell an earlier question and its answer, whose markers meant other evidence."""
    answered = " ".join(fenced(without_markers(turn.answer)).split())
    return f"Earlier question: {untagged(turn.question)}\nEarlier answer: <<< {answered} >>>"


def _places(question: Question) -> str:
    """Say which parts of its pictures a question means, and how they are shown."""
    views = _views(question)
    lines = [_shown_place(view, views) for view in views]
    return "\n".join(filter(None, lines or map(_place, question.regions)))


def _shown_place(view: RegionView, views: Sequence[RegionView]) -> str:
    said = f"The question is about a part of a picture: {untagged(view.words)}."
    if view.number is None:
        return said
    drawn = [v for v in views if v.region.image == view.region.image and v.number is not None]
    number = f" and numbered {view.number}" if len(drawn) > 1 else ""
    return f"{said} It is outlined in green{number} there."


# Asked for again and again while a prompt is made to fit, and a mask is read each time.
@lru_cache(maxsize=16)
def _views(question: Question) -> tuple[RegionView, ...]:
    try:
        return region_views(question)
    except (ValueError, InputFileError):
        # The pipeline refused it already, if it is a pipeline's: the words have to do.
        return ()


def _place(region: QuestionRegion) -> str:
    """Say in words which part of a picture the question means; nothing for a bare mask."""
    shape = ""
    if region.box is not None:
        shape = "box from ({:g}, {:g}) to ({:g}, {:g})".format(*region.box)
    elif region.point is not None:
        shape = "point ({:g}, {:g})".format(*region.point)
    said = ": ".join(part for part in (untagged(region.name or ""), shape) if part)
    return f"The question is about a part of picture {region.image + 1}: {said}." if said else ""


def _meaning(question: Question, shown: Sequence[Hit]) -> str:
    """Repeat how the first term of the evidence that the question names is defined."""
    asked = question.text.casefold()
    for marker, hit in enumerate(shown, start=1):
        fields = hit.passage.fields
        name, definition = fields.get("name"), fields.get("definition")
        if not isinstance(name, str) or not definition:
            continue
        synonyms = fields.get("synonyms")
        names = [name, *(synonyms if isinstance(synonyms, list | tuple) else ())]
        if any(_names(asked, str(each)) for each in names):
            said = " ".join(fenced(f"{name} means {definition}").split())
            return f"By [{marker}]: <<< {said} >>>"
    return ""


def _names(asked: str, name: str) -> bool:
    words = name.strip().casefold()
    return bool(words) and re.search(rf"(?<!\w){re.escape(words)}(?!\w)", asked) is not None


def _form(question: Question, hits: Sequence[Hit]) -> str:
    language = read_as(hits[0].passage.source.language) if hits else "en"
    polar = not question.options and asks_yes_or_no(question.text, language)
    return "yes_no" if polar else "open"


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Put values in the place of placeholders; a line that is one without a value goes."""
    lines = []
    for line in text.split("\n"):
        alone = PLACEHOLDER.fullmatch(line.strip())
        if alone is None or values[alone.group(1)]:
            # In one go: what a value holds in braces is no placeholder.
            lines.append(PLACEHOLDER.sub(lambda found: values[found.group(1)], line))
    return "\n".join(lines)
