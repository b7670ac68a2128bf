"""`medrag search` and `medrag ask`: a ranking, and a cited answer."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medrag.cli.hearing import WHISPER, Audio, Speech, asked_text
from medrag.cli.naming import GeneratorOption, Indexes, asked_indexes, check_names
from medrag.cli.output import line, message, number, shortened, show, show_json, table, typed
from medrag.cli.pointing import Boxes, Masks, Names, Points, check_pointing, typed_regions
from medrag.errors import MedragError

if TYPE_CHECKING:
    from medrag.config import Index
    from medrag.pipeline import Pipeline
    from medrag.records import (
        Answer,
        Filter,
        Hit,
        Passage,
        Quantity,
        Question,
        QuestionRegion,
        Region,
    )

Images = Annotated[
    list[Path] | None,
    typer.Option(
        "--image", metavar="<path>", help="A picture or scan that it is about; may repeat."
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="<str>", help="Only passages of this kind; may repeat."),
]
Domains = Annotated[
    list[str] | None,
    typer.Option("--domain", metavar="<str>", help="Only this domain; may repeat."),
]
Corpora = Annotated[
    list[str] | None,
    typer.Option("--corpus", metavar="<str>", help="Only this corpus; may repeat."),
]
Channels = Annotated[
    list[str] | None, typer.Option(metavar="<str>", help="Use only this channel; may repeat.")
]
Options = Annotated[
    list[str] | None,
    typer.Option(metavar="<str>", help="An option of a multiple-choice question; may repeat."),
]
Subject = Annotated[str | None, typer.Option(help="The patient, whose passages stay out.")]
Study = Annotated[str | None, typer.Option(help="The study, whose passages stay out.")]
Time = Annotated[str | None, typer.Option(help="When it is asked, as 2024-05-31.")]
NoGuard = Annotated[
    bool, typer.Option("--no-guard", help="Let the question's own picture and patient count.")
]
Template = Annotated[
    str | None,
    typer.Option(
        help="What a model is asked for: report, longitudinal, few_shot, grounding, summary "
        "..., or a file; by default what the pipeline says."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Stream = Annotated[
    bool | None,
    typer.Option(
        "--stream/--no-stream",
        help="Print the answer while it is written; by default only to a terminal.",
    ),
]

_WIDTH = 160


def search(
    name: Annotated[str, typer.Argument(help="An index: a name under ./indexes, or a folder.")],
    text: Annotated[str, typer.Argument(help="What to look for.")] = "",
    image: Annotated[Path | None, typer.Option(help="A picture or scan to look for.")] = None,
    channel: Channels = None,
    k: Annotated[int, typer.Option(min=1, help="Hits at most.")] = 10,
    kind: Kinds = None,
    domain: Domains = None,
    corpus: Corpora = None,
    boxes: Annotated[
        bool, typer.Option("--boxes", help="Say where on a page a page encoder found the text.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Rank the passages of an index for a text, a picture or scan, or both."""
    text = typed(text)
    _need_question(text, image)
    from medrag.cli.shapes import search_json
    from medrag.config import open_index

    with open_index(name) as index:
        check_names("channel", channel, index.channels)
        wanted = _filter(index, kind, domain, corpus)
        hits = index.search(text, image=image, k=k, channels=channel, filter=wanted)
        shown = {hit.rank: index.boxes(text, hit) for hit in hits if boxes and text}
    if as_json:
        show_json(search_json(text, hits, shown if boxes else None))
    elif hits:
        show("\n".join(_hit_lines(hits, shown)))
    else:
        message("nothing found")


def ask(
    pipeline: Annotated[str, typer.Argument(help="A pipeline, such as sample, or a YAML file.")],
    text: Annotated[str, typer.Argument(help="The question.")] = "",
    image: Images = None,
    box: Boxes = None,
    point: Points = None,
    mask: Masks = None,
    region: Names = None,
    audio: Audio = None,
    speech: Speech = WHISPER,
    index: Indexes = None,
    generator: GeneratorOption = None,
    option: Options = None,
    subject: Subject = None,
    study: Study = None,
    time: Time = None,
    kind: Kinds = None,
    domain: Domains = None,
    corpus: Corpora = None,
    no_guard: NoGuard = False,
    k: Annotated[int | None, typer.Option(min=1, help="Hits to retrieve.")] = None,
    template: Template = None,
    html: Annotated[Path | None, typer.Option(help="Write the answer as a page, too.")] = None,
    stream: Stream = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from an index, with citations."""
    text = asked_text(text, audio, speech)
    question = _question(text, image or (), option or (), subject, study, time)
    pointed = typed_regions(box or (), point or (), mask or (), region or ())
    question = replace(question, regions=pointed)
    check_pointing(question)
    need_folder(html)
    from medrag.config import load_pipeline

    settings: dict[str, Any] = ({} if k is None else {"k": k}) | (
        {"guard": False} if no_guard else {}
    )
    built = load_pipeline(pipeline, **asked_indexes(index), generator=generator, **settings)
    if template is not None:
        _use_template(built, template)
    allow = _filter(built.index, kind, domain, corpus, getattr(built, "allow", None))
    streams = not as_json and (sys.stdout.isatty() if stream is None else stream)
    if streams and hasattr(built, "stream"):
        answer = _streamed(built, question, allow)
    else:
        answer = built.answer(question, allow=allow)
        _tell(answer, as_json=as_json)
    if built.calibration is not None and answer.confidence is not None and not answer.abstained:
        message(f"confidence {answer.confidence:.0%}, calibrated")
    if html is not None:
        from medrag.reporting import answer_page

        write_page(html, answer_page([answer], roots=built.index.roots))
        message(f"wrote {html}")
    if answer.error:
        message(answer.error, error=True)
        raise typer.Exit(1)


def _use_template(pipeline: "Pipeline", template: str) -> None:
    from medrag.prompting import load_template

    load_template(template)
    if not hasattr(pipeline.answerer, "template"):
        raise typer.BadParameter("this pipeline writes no prompts", param_hint="--template")
    pipeline.answerer.template = template


def write_page(path: Path, page: str) -> None:
    """Write a page whole or not at all.

    Raises:
        OSError: if that is not possible.
    """
    from medrag.indexing.durable import write_atomically

    write_atomically(path, page.encode("utf-8", "replace"))


def show_answer(answer: "Answer", *, with_text: bool = True) -> None:
    """Print an answer and, below it, what was found wanting and what its markers point to."""
    from medrag.language import neutralised
    from medrag.verification.abstention import held_back
    from medrag.verification.others import resting_on_others
    from medrag.verification.revising import taken_out

    if (reason := held_back(answer)) is not None:
        show(f"{line(reason)}. What was held back:")
    if with_text:
        show("\n".join(line(each) for each in answer.text.splitlines()) or "(no text)")
    for claim in answer.claims:
        if claim.support in ("unsupported", "contradicted"):
            show(f"  [{claim.support}] {shortened(claim.text, _WIDTH)}")
    for place in sorted(resting_on_others(answer)):
        show(f"  [of another patient] {shortened(answer.claims[place].text, _WIDTH)}")
    for claim in taken_out(answer):
        show(f"  [taken out: {claim.support}] {shortened(claim.text, _WIDTH)}")
    for region in answer.regions:
        show(f"  region: {neutralised(region_words(region, len(answer.question.images)))}")
    for quantity in answer.quantities:
        show(f"  quantity: {neutralised(quantity_words(quantity))}")
    for citation in answer.citations:
        # A wrapped line of a quotation must not read as the next marker.
        show(f"  [{citation.marker}] {neutralised(place_of(citation.passage))}")
        show(f"      {neutralised(shortened(_words(citation.passage), _WIDTH))}")
    _tell_beside(answer)


def _tell_beside(answer: "Answer") -> None:
    if answer.excluded:
        kept_out = number(len(answer.excluded), "passage")
        message(f"kept out: {kept_out} of the question's own picture or patient")
    if answer.near_duplicates:
        alike = number(len(answer.near_duplicates), "hit")
        message(f"{alike} with a picture that looks like the question's")
    for omission in answer.left_out:
        of = f"[{omission.marker}]" if omission.marker else "the question"
        message(f"not all shown to the model: {of}: {line(omission.detail)}")
    for step in answer.trace:
        if step.get("tool") and step.get("error"):
            message(f"the tool {step['tool']} did not work: {line(str(step['error']))}")


def region_words(region: "QuestionRegion", n_images: int) -> str:
    """Say on one line where a region lies; which picture only where there are several."""
    place = ""
    if region.box is not None:
        place = "box ({:.0f}, {:.0f}) to ({:.0f}, {:.0f})".format(*region.box)
    elif region.point is not None:
        place = "point ({:.0f}, {:.0f})".format(*region.point)
    elif region.mask is not None:
        place = f"mask {region.mask}"
    said = ", ".join(part for part in (line(region.name or ""), line(place)) if part)
    return f"{said} in picture {region.image + 1}" if n_images > 1 else said


def quantity_words(quantity: "Quantity") -> str:
    """Say a number with its unit and what it is of, as in "2.3 cm" and "3 nodules"."""
    value = f"{quantity.value:.6g}"
    joint = "" if quantity.unit in ("%", "°") else " "
    measure = f"{value}{joint}{quantity.unit}" if quantity.unit else value
    if not quantity.name:
        return measure
    return line(f"{quantity.name} {measure}" if quantity.unit else f"{value} {quantity.name}")


def place_of(passage: "Passage") -> str:
    """Say where a passage stands: kind, corpus, document, place."""
    from medrag.places import place_in_document

    source = passage.source
    where = ", ".join(filter(None, (source.document, place_in_document(passage))))
    return line(f"{passage.kind}, {source.corpus}: {where}")


def _words(passage: "Passage") -> str:
    return passage.text or ", ".join(image.path for image in passage.images)


def _hit_lines(hits: Iterable["Hit"], boxes: Mapping[int, Sequence["Region"]]) -> Iterable[str]:
    for hit in hits:
        parts = ", ".join(f"{name} {part.rank}" for name, part in hit.parts.items())
        yield table([[f"{hit.rank}.", f"{hit.score:.4f}", f"{place_of(hit.passage)} ({parts})"]])
        yield f"    {shortened(_words(hit.passage), _WIDTH)}"
        for region in boxes.get(hit.rank, ()):
            corners = ", ".join(f"{each:.0f}" for each in region.box or ())
            yield f"    most like the text: box {corners}"


def _tell(answer: "Answer", *, as_json: bool) -> None:
    from medrag.cli.shapes import answer_json

    if as_json:
        show_json(answer_json(answer))
    else:
        show_answer(answer)


def _streamed(pipeline: "Pipeline", question: "Question", allow: "Filter") -> "Answer":
    """Print an answer while it is written, and then what belongs to it."""
    from medrag.cli.streaming import StreamPrinter, warnings_beside
    from medrag.language import printable

    printer = StreamPrinter(_write_now)
    try:
        with warnings_beside(printer, message):
            answer: Answer = pipeline.stream(question, printer, allow=allow)
    finally:
        printer.finish()
    # Markers may have been attached since, and sentences removed.
    is_other = printer.text.split() != printable(answer.text).split()
    if printer.text and is_other:
        message("the answer as it stands after it was checked:")
    show_answer(answer, with_text=is_other)
    return answer


def _write_now(text: str) -> None:
    typer.echo(text, nl=False)
    sys.stdout.flush()


def _question(
    text: str,
    images: Sequence[Path],
    options: Sequence[str],
    subject: str | None,
    study: str | None,
    time: str | None,
) -> "Question":
    """Put a question together, or say which of its options cannot be meant."""
    from medrag.records import Question

    text, choices = typed(text), tuple(typed(each) for each in options)
    _need_question(text, *images)
    _need_time(time)
    _need_options(choices)
    _need_name("--subject", subject)
    _need_name("--study", study)
    return Question(
        text=text, images=tuple(images), options=choices, subject=subject, study=study, time=time
    )


def _need_question(text: str, *images: Path | None) -> None:
    if not text.strip() and not any(images):
        raise typer.BadParameter("give a text, an --image, or both")
    for image in images:
        if image is not None and not image.is_file():
            raise typer.BadParameter(f"{image} is not a file", param_hint="--image")


def _need_time(time: str | None) -> None:
    from datetime import datetime

    try:
        datetime.fromisoformat(time or "2000-01-01")
    except ValueError as error:
        raise typer.BadParameter(
            f"expected a day such as 2024-05-31, got {time!r}", param_hint="--time"
        ) from error


def _need_options(options: tuple[str, ...]) -> None:
    if not all(each.strip() for each in options):
        raise typer.BadParameter("an option is empty", param_hint="--option")
    if len(options) == 1 or len(set(options)) < len(options):
        raise typer.BadParameter(
            "a choice needs at least two options, each given once", param_hint="--option"
        )


def _need_name(hint: str, value: str | None) -> None:
    if value is not None and not value.strip("\0 \t\r\n"):
        raise typer.BadParameter("is blank; leave it out if there is none", param_hint=hint)


def need_folder(page: Path | None) -> None:
    """Refuse a page that cannot be written before the question is answered."""
    if page is not None and (page.is_dir() or not page.absolute().parent.is_dir()):
        problem = "is a folder" if page.is_dir() else "lies in a folder that does not exist"
        raise MedragError(f"{page} {problem}; name a file in a folder that is there")


def _filter(
    index: "Index",
    kinds: list[str] | None,
    domains: list[str] | None,
    corpora: list[str] | None,
    allow: "Filter | None" = None,
) -> "Filter":
    """Give what a question may see: what is said here in the place of what the recipe says."""
    from medrag.records import KINDS, Filter

    check_names("kind", kinds, KINDS)
    check_names("corpus", corpora, index.corpora)
    check_names("domain", domains, index.domains if domains else ())
    allowed = allow or Filter()
    return replace(
        allowed,
        kinds=frozenset(kinds or allowed.kinds),
        domains=frozenset(domains or allowed.domains),
        corpora=frozenset(corpora or allowed.corpora),
    )
