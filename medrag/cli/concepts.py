"""`medrag concepts`: visual questions from documents, and heads that answer them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medrag.cli.ask import need_folder
from medrag.cli.naming import GeneratorOption, Indexes, asked_indexes, check_names
from medrag.cli.output import message, show, show_json, table
from medrag.cli.progress import Bars
from medrag.errors import MedragError

if TYPE_CHECKING:
    from medrag.pipeline import Pipeline
    from medrag.verification.asking import GeneratorJudge

app = typer.Typer(no_args_is_help=True, help="Write concepts from documents; fit their heads.")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Modality = Annotated[str, typer.Option(help="What the pictures are, such as 'chest X-ray'.")]


@app.command()
def write(
    pipeline: Annotated[str, typer.Argument(help="Its retriever and its generator are used.")],
    out: Annotated[Path, typer.Option(help="The book of concepts; one that is there goes on.")],
    name: Annotated[
        list[str], typer.Option("--class", metavar="<str>", help="A class; may repeat.")
    ],
    index: Indexes = None,
    generator: GeneratorOption = None,
    modality: Modality = "medical image",
    n: Annotated[int, typer.Option(min=1, help="Concepts to write.")] = 150,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds at most.")] = 2000,
    prior: Annotated[bool, typer.Option(help="Ask which class shows which concept, too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Write yes-or-no questions about pictures from the documents of an index, with sources."""
    from medrag.concepts import ConceptBook, load_book, save_book, write_concepts
    from medrag.concepts.prior import with_prior

    need_folder(out)
    if not all(each.strip() for each in name):
        raise typer.BadParameter("a class has no name", param_hint="--class")
    built, judge = _parts(pipeline, index, generator)
    start = load_book(out) if out.is_file() else ConceptBook(())
    writer, source = judge.name, getattr(built.index, "fingerprint", "")
    if start.index and start.index != source:
        raise MedragError(f"{out} was written from another state of the index; name another file")
    concepts = list(start.concepts)

    with Bars() as bars:
        bars.start("concepts", n, "concepts")
        bars.advance("concepts", len(concepts))

        def found(concept: object) -> None:
            concepts.append(concept)  # type: ignore[arg-type]
            save_book(ConceptBook(tuple(concepts), tuple(name), (), writer, source), out)
            bars.advance("concepts")

        written = write_concepts(
            retriever=built.retriever, judge=judge, classes=name, modality=modality, n=n,
            rounds=rounds, known=start.concepts, allow=built.allow, found=found,
        )  # fmt: skip
        bars.finish("concepts")
    book = ConceptBook(tuple(written.concepts), tuple(name), (), writer, source)
    if prior and book.concepts:
        book = with_prior(book, name, judge, modality=modality)
    if book.concepts:
        save_book(book, out)
    told = {"n": len(book.concepts), "rounds": written.n_rounds, "refused": dict(written.refused)}
    if as_json:
        show_json({"book": str(out), **told})
        return
    show(table([(each.question, each.document) for each in book.concepts]))
    refused = ", ".join(f"{count} {why}" for why, count in written.refused.items() if count)
    message(f"wrote {len(book.concepts)} concepts to {out}; refused: {refused or 'none'}")
    if not book.concepts:
        raise MedragError("no concept came of it; the reasons are above")


@app.command()
def fit(
    book: Annotated[Path, typer.Argument(help="What `medrag concepts write` wrote.")],
    pipeline: Annotated[str, typer.Argument(help="Its generator reads the reports.")],
    out: Annotated[Path, typer.Option(help="The heads, an .npz file.")],
    index: Indexes = None,
    generator: GeneratorOption = None,
    channel: Annotated[str, typer.Option(help="The channel of the pictures' vectors.")] = "image",
    texts: Annotated[
        str | None,
        typer.Option(
            help="A channel of texts: of each concept the 1,000 nearest reports are read."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of which pictures are kept aside.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit a head for each concept on the pictures of an index and what their reports say."""
    from medrag.concepts import load_book
    from medrag.concepts.annotating import Annotator
    from medrag.concepts.fitting import fitted_heads, labelled

    need_folder(out)
    read = load_book(book)
    built, judge = _parts(pipeline, index, generator)
    check_names("channel", [channel, *([texts] if texts else [])], built.index.channels)
    vectors = built.index.channels[channel]
    encoder = built.index.channels[texts].encoder if texts else None
    with Bars() as bars:
        labels = labelled(
            built.index.store, vectors, read.concepts, Annotator(judge=judge),
            texts_encoder=encoder, progress=bars,
        )  # fmt: skip
    try:
        heads = fitted_heads(labels, read.concepts, encoder=vectors.encoder.name, seed=seed)
    except ValueError as error:
        raise MedragError(f"{book}: {error}") from error
    heads.save(out)
    accuracies = dict(zip(heads.questions, heads.accuracy.tolist(), strict=True))
    if as_json:
        show_json({"heads": str(out), "pictures": len(labels.rows), "accuracy": accuracies})
        return
    show(table([("concept", "accuracy"), *((q, f"{a:.3f}") for q, a in accuracies.items())]))
    n = len(read.concepts)
    message(f"{len(accuracies)} of {n} concepts fitted on {len(labels.rows)} pictures: {out}")


def _parts(
    pipeline: str, index: list[str] | None, model: str | None
) -> "tuple[Pipeline, GeneratorJudge]":
    from medrag.config import load_pipeline
    from medrag.verification.asking import GeneratorJudge

    built = load_pipeline(pipeline, **asked_indexes(index), generator=model)
    generator = getattr(built.answerer, "generator", None)
    if generator is None or not getattr(generator, "looks", True):
        raise MedragError(
            f"{pipeline} has no model that could write; use one such as local or remote, or name a "
            "model: --generator FOLDER"
        )
    return built, GeneratorJudge(generator=generator)
