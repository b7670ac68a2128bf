"""`medrag eval router`: fit what tells domains apart to labelled pictures, and measure it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from medrag.cli.ask import need_folder
from medrag.cli.evaluate.options import AsJson, Seed
from medrag.cli.output import message, number, show, show_json, table
from medrag.cli.progress import Bars

if TYPE_CHECKING:
    from medrag.encoding.heads import CalibratedHead
    from medrag.evaluation.routing.fitting import RouterOptions
    from medrag.evaluation.routing.judging import Judged
    from medrag.evaluation.routing.labelled import LabelledPicture
    from medrag.evaluation.routing.scores import Rejected, RouterScores
    from medrag.protocols import Encoder

_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
_MEASURES = {
    "balanced_accuracy": "balanced accuracy of the likeliest domain",
    "accuracy": "accuracy",
    "in_two": "right among the likeliest two",
    "known": "called known",
    "accuracy_known": "accuracy of these",
    "rejected": "called unlike every domain",
    "ece_before": "calibration error before the temperature",
    "ece_after": "calibration error after it",
}

Pictures = tuple["LabelledPicture", ...]

Source = Annotated[
    str,
    typer.Argument(
        help="Labelled pictures: an index, a table (CSV, JSON lines) with the columns image, "
        "domain and group, or a folder with one folder of pictures for each domain."
    ),
]
Classifier = Annotated[
    str,
    typer.Option(
        metavar="KIND|{kind: ...}",
        help="As in a recipe. linear without a head is fitted; others are measured as they stand.",
    ),
]
Group = Annotated[
    str | None,
    typer.Option(
        metavar="<str>",
        help="The field of an index's passages that names the group; else subject, study or file.",
    ),
]
Unknown = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="<path>", help="A folder of pictures of no domain, to be rejected; may repeat."
    ),
]


def router(
    source: Source,
    classifier: Classifier = "linear",
    out: Annotated[
        Path | None, typer.Option(help="Write the head, fitted to all pictures (an .npz file).")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(metavar="<str>", help="Only these domains; may repeat.")
    ] = None,
    group: Group = None,
    folds: Annotated[int, typer.Option(min=3, help="Parts that are held out in turn.")] = 5,
    reject: Annotated[
        float, typer.Option(help="Share of pictures of known domains that may count as unlike all.")
    ] = 0.05,
    error: Annotated[
        float, typer.Option(help="Share of wrong domains that may be among the known ones.")
    ] = 0.05,
    unknown: Unknown = None,
    test: Annotated[
        str | None, typer.Option(help="Further labelled pictures, to which nothing is fitted.")
    ] = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Learn domains from labelled pictures, and show which are taken for which.

    Where a head is fitted, what is shown was measured on pictures of groups that neither it nor its
    temperature and thresholds had seen. Name its file in a recipe: {kind: linear, head: FILE}.
    """
    from medrag.encoding.heads import save_head
    from medrag.evaluation.routing.labelled import few_groups

    options = _options(folds, reject, error, seed)
    if out is not None:
        need_folder(out)
    spec = _spec(classifier)
    pictures = _labelled(source, group, domain, folds)
    tested = _pictures(test, group, domain) if test else ()
    problems = list(few_groups(pictures, folds))
    fits = spec["kind"] == "linear" and "head" not in spec
    if out is not None and not fits:
        raise typer.BadParameter(
            f"a classifier of kind {spec['kind']!r} is not fitted here", param_hint="--out"
        )
    found = (_fitted if fits else _measured)(spec, pictures, tested, unknown or (), options)
    if out is not None and found.head is not None:
        save_head(found.head, out)
    _tell(found, [*problems, *_too_good(found.n_alike)], as_json=as_json)
    if out is not None:
        message(f"wrote {out}; name it in a recipe: {{kind: linear, head: {out}}}")


@dataclass(frozen=True, slots=True)
class _Found:
    scores: "RouterScores"
    unknown: "Mapping[str, Rejected]"
    tested: "RouterScores | None" = None
    head: "CalibratedHead | None" = None
    temperature: float | None = None
    n_alike: int = 0


def _options(folds: int, reject: float, error: float, seed: int) -> "RouterOptions":
    from medrag.evaluation.routing.fitting import RouterOptions

    for value, option in ((reject, "--reject"), (error, "--error")):
        if not 0 < value < 1:
            raise typer.BadParameter(
                f"expected a number between 0 and 1, got {value:g}", param_hint=option
            )
    return RouterOptions(folds=folds, reject=reject, error=error, seed=seed)


def _spec(text: str) -> dict[str, Any]:
    """Read a classifier as a recipe writes it, or its kind alone; all but a linear one is checked.

    Raises:
        RecipeError: if it cannot be built.
    """
    from medrag.config.components import planned
    from medrag.config.place import Place
    from medrag.config.reading import parse_mapping
    from medrag.errors import RecipeError

    said = text.strip()
    try:
        spec = parse_mapping(said, file="it") if said.startswith("{") else {"kind": said}
    except RecipeError as problem:
        raise typer.BadParameter(
            f"expected a kind or {{kind: ...}}; {problem}", param_hint="--classifier"
        ) from problem
    if spec.get("kind") != "linear" or "head" in spec:
        planned("classifier", spec, Place("--classifier"))
    elif further := sorted(set(spec) - {"kind", "encoder"}):
        raise typer.BadParameter(
            f"{further[0]!r} is learnt here; give an encoder alone, or the head to measure",
            param_hint="--classifier",
        )
    return spec


def _labelled(
    source: str, group: str | None, domains: Sequence[str] | None, folds: int
) -> "Pictures":
    from medrag.evaluation.routing.labelled import check_labelled

    pictures = _pictures(source, group, domains)
    check_labelled(pictures, folds)
    return pictures


def _pictures(source: str, group: str | None, domains: Sequence[str] | None) -> "Pictures":
    """Read labelled pictures of any source, and keep those of some domains."""
    from medrag.cli.naming import check_names
    from medrag.evaluation.routing.labelled import pictures_of_folders, pictures_of_table

    path = Path(source).expanduser()
    if path.suffix.lower() in _TABLES:
        pictures = pictures_of_table(path)
    elif path.is_dir() and not (path / "manifest.json").is_file():
        pictures = pictures_of_folders(path)
    else:
        pictures = _pictures_of_index(source, group)
    check_names("domain", domains, sorted({each.domain for each in pictures}))
    return tuple(each for each in pictures if not domains or each.domain in domains)


def _pictures_of_index(name: str, group: str | None) -> "Pictures":
    from medrag.config import open_index
    from medrag.errors import EvaluationError
    from medrag.evaluation.routing.labelled import pictures_of_passages

    with open_index(name) as index:
        pictures = pictures_of_passages(index.passages, index.resolve, field=group)
    if not pictures:
        raise EvaluationError(
            f"{name} holds no pictures whose domain is known; give the corpora a domain in their "
            "cards, or name a table or a folder of labelled pictures"
        )
    return pictures


def _fitted(
    spec: Mapping[str, Any], pictures: "Pictures", tested: "Pictures", unknown: Sequence[Path],
    options: "RouterOptions",
) -> _Found:  # fmt: skip
    """Fit a head, and measure heads like it on what they have not seen."""
    from medrag.evaluation.routing.fitting import encoded, fit_router
    from medrag.evaluation.routing.judging import judge_head, judge_held_out
    from medrag.evaluation.routing.labelled import alike
    from medrag.evaluation.routing.scores import rejected, score_router

    encoder = _encoder(spec)
    others = {str(folder): _unlabelled(folder) for folder in unknown}
    with Bars() as bars:
        vectors = encoded(encoder, [each.image for each in pictures], progress=bars)
        head = fit_router(vectors, pictures, encoder.name, options)
        judged = judge_held_out(vectors, pictures, encoder.name, options)
        none = {
            name: rejected(judge_head(head, encoded(encoder, images, progress=bars)))
            for name, images in others.items()
        }
        scores = None
        if tested:
            further = encoded(encoder, [each.image for each in tested], progress=bars)
            scores = score_router(judge_head(head, further), tested, seed=options.seed)
    own = score_router(judged, pictures, seed=options.seed)
    return _Found(own, none, scores, head, head.temperature, alike(vectors, pictures))


def _measured(
    spec: Mapping[str, Any], pictures: "Pictures", tested: "Pictures", unknown: Sequence[Path],
    options: "RouterOptions",
) -> _Found:  # fmt: skip
    """Measure a classifier as it stands."""
    from medrag.config.components import planned
    from medrag.config.place import Place
    from medrag.evaluation.routing.judging import best_temperature, judge_router
    from medrag.evaluation.routing.scores import rejected, score_router

    made = planned("classifier", spec, Place("--classifier"))()
    others = {str(folder): _unlabelled(folder) for folder in unknown}
    with Bars() as bars:

        def judged(given: "Pictures") -> "Judged":
            images = [each.image for each in given]
            return judge_router(made, images, pictures=given, options=options, progress=bars)

        own = judged(pictures)
        further = score_router(judged(tested), tested, seed=options.seed) if tested else None
        none = {
            name: rejected(judge_router(made, images, progress=bars))
            for name, images in others.items()
        }
    temperature = best_temperature(own, pictures)
    scores = score_router(own, pictures, seed=options.seed)
    return _Found(scores, none, further, None, temperature)


def _encoder(spec: Mapping[str, Any]) -> "Encoder":
    from medrag.config.components import planned
    from medrag.config.place import Place

    wanted = spec.get("encoder", {"kind": "descriptor"})
    made: Encoder = planned("encoder", wanted, Place("--classifier").at("encoder"))()
    return made


def _unlabelled(folder: Path) -> Any:
    from medrag.evaluation.routing.labelled import picture_files
    from medrag.records import ImageRef

    return [ImageRef(str(path.absolute())) for path in picture_files(folder)]


def _too_good(n_alike: int) -> list[str]:
    if not n_alike:
        return []
    return [
        f"{number(n_alike, 'picture')} look exactly like one of another group: what is measured is "
        "too good; give them one group"
    ]


def _tell(found: _Found, problems: Sequence[str], *, as_json: bool) -> None:
    from medrag.evaluation.routing.scores import router_json

    if as_json:
        show_json(
            router_json(
                found.scores,
                head=found.head,
                temperature=found.temperature,
                unknown=found.unknown,
                tested=found.tested,
                problems=problems,
            )
        )
    else:
        _show_found(found)
    for problem in problems:
        message(problem)


def _show_found(found: _Found) -> None:
    fitted = found.head is not None
    _show(found.scores, "held out in turn" if fitted else "as the classifier stands")
    _show_rules(found)
    for folder, each in found.unknown.items():
        taken = ", ".join(f"{n} as {name}" for name, n in each.taken.items())
        show(
            f"{folder}: {each.unlike + each.unsure} of {number(each.n, 'picture')} rejected "
            f"({each.rate:.1%}): {each.unlike} unlike, {each.unsure} unsure"
            + (f"; taken: {taken}" if taken else "")
        )
    if found.tested is not None:
        _show(found.tested, "further pictures")


def _show(scores: "RouterScores", what: str) -> None:
    show(f"{what}: {number(scores.n, 'picture')} of {number(scores.n_groups, 'group')}")
    head = ["is / called", *scores.columns, "unknown", "recall of the likeliest"]
    rows = [
        [
            domain,
            *map(str, counts),
            f"{scores.measures[f'recall: {domain}'].value:.3f}",
        ]
        for domain, counts in zip(scores.domains, scores.routed.tolist(), strict=True)
    ]
    show(table([head, *rows], indent="  "))
    measures = [[told, _written(scores, name)] for name, told in _MEASURES.items()]
    show(table(measures, indent="  "))


def _written(scores: "RouterScores", name: str) -> str:
    each = scores.measures[name]
    if each.value != each.value:
        return "-"
    if each.low != each.low:
        return f"{each.value:.3f}"
    return f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]"


def _show_rules(found: _Found) -> None:
    if found.head is None:
        if found.temperature is not None:
            show(f"its own temperature times {found.temperature:.3f} would be calibrated best")
        return
    rules = f"temperature {found.head.temperature:.3f}, least {found.head.least:.3f}"
    rules += f", margin {found.head.margin:g}"
    if found.head.neighbours is not None:
        rules += f", furthest {found.head.neighbours.furthest:.3f}"
    show(rules)
