"""Pipeline recipes: how a question is answered, and on which index."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medrag.config.components import Plan, planned
from medrag.config.index import Index, open_index
from medrag.config.joined import JoinedIndex, joined, resources
from medrag.config.lookup import found
from medrag.config.place import Place, shown, unknown
from medrag.config.reading import read_mapping
from medrag.config.resources import named_indexes
from medrag.config.swapping import generator_spec, with_generator
from medrag.config.values import converted
from medrag.errors import InputFileError, RecipeError
from medrag.records import KINDS, Filter

if TYPE_CHECKING:
    from medrag.pipeline import Pipeline

_KEYS = ("about", "index", "retrieve", "select", "answer", "k", "guard", "allow", "calibration")
# What the identity of a recipe leaves out: what does not change its answers, or has its own hash.
_BESIDE = frozenset({"about", "index", "calibration"})
_ALLOWED = ("kinds", "domains", "corpora")


@dataclass(frozen=True, slots=True)
class PipelineRecipe:
    """A checked pipeline recipe."""

    name: str
    index: str | None
    retrieve: Plan
    select: Plan
    answer: Plan
    options: Mapping[str, Any]
    calibration: Path | None
    place: Place
    spec: Mapping[str, Any]


def load_pipeline(
    recipe: str | Path,
    *,
    index: Index | str | Path | None = None,
    indexes: Mapping[str, Index | str | Path] | None = None,
    generator: Mapping[str, Any] | str | None = None,
    **options: Any,
) -> "Pipeline":
    """Put a pipeline together.

    Args:
        recipe: a name in ./pipelines or among those shipped with medrag, or a path.
        index: an open index, its name or its folder; needed where the recipe names none.
        indexes: what to open instead of the indexes that retrievers of the recipe name, by these
            names.
        generator: in the place of every generator of the recipe: as a recipe has it, a kind, or a
            model to load in this process.
        options: keywords of `Pipeline` that replace the recipe's, such as k and guard.

    Raises:
        RecipeError: if the recipe says something that cannot be built, or no index is named.
        IndexFormatError: if the index cannot be opened.
    """
    plan = read_pipeline_recipe(recipe, generator=generator)
    named = dict.fromkeys(named_indexes((plan.retrieve, plan.select, plan.answer)))
    for name in indexes or {}:
        if name not in named:
            raise plan.place.error(unknown("index that a retriever names", name, named))
    given = {**{name: name for name in named}, **(indexes or {})}
    wanted = index if index is not None else plan.index or next(iter(given.values()), None)
    if wanted is None:
        raise plan.place.error(
            "names no index; give one: --index NAME, or load_pipeline(index=...)"
        )
    others = {name: _opened(each) for name, each in given.items()}
    return assembled(plan, _opened(wanted), others=others, **options)


def _opened(index: Index | str | Path) -> Index:
    return index if isinstance(index, Index) else open_index(index)


def read_pipeline_recipe(
    name: str | Path, *, generator: Mapping[str, Any] | str | None = None
) -> PipelineRecipe:
    """Find, read and check a pipeline recipe; `generator` as for `load_pipeline`.

    Raises:
        RecipeError: if there is no such recipe, or it says something that cannot be built.
    """
    path = found("pipelines", name)
    spec: Mapping[str, Any] = read_mapping(path)
    if generator is not None:
        told = generator_spec(generator) if isinstance(generator, str) else generator
        spec = with_generator(spec, told)
    return planned_pipeline(spec, path)


def planned_pipeline(spec: Mapping[str, Any], path: Path) -> PipelineRecipe:
    """Check what a pipeline recipe says."""
    place = Place(str(path))
    for key in spec:
        if key not in _KEYS:
            raise place.at(key).error(unknown("key of a pipeline", key, _KEYS))
    retrieve = planned(
        "retriever", spec.get("retrieve", {"kind": "channels"}), place.at("retrieve")
    )
    answer = planned("answerer", _answer(spec, place), place.at("answer"))
    _check_template(answer)
    return PipelineRecipe(
        name=path.stem,
        index=converted(spec.get("index"), str | None, place.at("index")),
        retrieve=retrieve,
        select=planned("selector", spec.get("select", {"kind": "top_k"}), place.at("select")),
        answer=answer,
        options=_options(spec, place),
        calibration=_calibration(spec, path, place),
        place=place,
        spec=spec,
    )


def assembled(
    plan: PipelineRecipe, index: Index, *, others: Mapping[str, Index] | None = None, **options: Any
) -> "Pipeline":
    """Build a pipeline on an open index, and on those that its retrievers name beside it.

    Raises:
        RecipeError: if the recipe names a channel that the index does not have.
    """
    from medrag.pipeline import Pipeline

    given = resources(index, others or {})
    whole = joined(index, others or {})
    return Pipeline(
        retriever=plan.retrieve(given),
        selector=plan.select(given),
        answerer=plan.answer(given),
        check_key=whole.check_key,
        resolve=whole.resolve,
        index=whole,
        identity=_identity(plan, whole),
        **{**_calibrated(plan), **plan.options, **options},
    )


def _identity(plan: PipelineRecipe, index: Index | JoinedIndex) -> dict[str, Any]:
    """Say what answers depend on: the recipe and the index, each by name and hash."""
    recipe = {key: value for key, value in plan.spec.items() if key not in _BESIDE}
    parts = {"retrieve": plan.retrieve, "select": plan.select, "answer": plan.answer}
    recipe |= {key: _deciding(recipe[key], part) for key, part in parts.items() if key in recipe}
    written = json.dumps(recipe, sort_keys=True, default=str).encode()
    return {
        "pipeline": {
            "name": plan.name,
            "sha256": hashlib.sha256(written).hexdigest(),
            "recipe": recipe,
        },
        "index": {"name": index.folder.name, "sha256": index.fingerprint},
        "calibration": _told(plan.calibration),
    }


def _deciding(spec: Any, plan: Any) -> Any:
    """Leave out of a component what its class says that no answer depends on (`beside`).

    A run goes on with another address of the same model, or with more to spend. A file is named by
    its bytes.
    """
    if isinstance(plan, tuple):
        return [_deciding(each, built) for each, built in zip(spec, plan, strict=True)]
    if isinstance(plan, Mapping) and isinstance(spec, Mapping):
        return {key: _deciding(each, plan.get(key)) for key, each in spec.items()}
    if isinstance(plan, Path):
        return _told(plan)
    if not isinstance(plan, Plan):
        return spec
    beside: frozenset[str] = getattr(plan.constructor(), "beside", frozenset())
    return {
        key: _deciding(value, plan.arguments.get(key))
        for key, value in spec.items()
        if key not in beside
    }


def _calibrated(plan: PipelineRecipe) -> dict[str, Any]:
    if plan.calibration is None:
        return {}
    from medrag.verification.calibrated import load_calibration

    return {"calibration": load_calibration(plan.calibration)}


def _told(file: Path | None) -> dict[str, str] | None:
    """Name a file by its bytes, so that answers of two of its states are not mixed in a run."""
    if file is None:
        return None
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputFileError(file, f"cannot be read ({error.strerror})") from error
    return {"name": file.name, "sha256": hashlib.sha256(content).hexdigest()}


def _calibration(spec: Mapping[str, Any], path: Path, place: Place) -> Path | None:
    """Give the file of a calibration; a relative path is from the recipe's folder."""
    given = converted(spec.get("calibration"), str | None, place.at("calibration"))
    return None if given is None else path.parent / Path(given).expanduser()


def _answer(spec: Mapping[str, Any], place: Place) -> Any:
    if "answer" not in spec:
        raise place.error(
            "the key 'answer' is missing; say how to answer, such as {kind: one_pass}"
        )
    return spec["answer"]


def _check_template(answer: Plan) -> None:
    """Read the template of prompts that is named, so that a mistake in it is told at once."""
    template = answer.arguments.get("template")
    if isinstance(template, str):
        from medrag.prompting import load_template

        try:
            load_template(template)
        except RecipeError as error:
            raise answer.place.at("template").error(str(error)) from error


def _options(spec: Mapping[str, Any], place: Place) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "k" in spec:
        options["k"] = converted(spec["k"], int, place.at("k"))
        if options["k"] < 1:
            raise place.at("k").error(f"expected at least 1, got {options['k']}")
    if "guard" in spec:
        options["guard"] = converted(spec["guard"], bool, place.at("guard"))
    if "allow" in spec:
        options["allow"] = _allow(spec["allow"], place.at("allow"))
    return options


def _allow(spec: Any, place: Place) -> Filter:
    """Read what every question may see; a list that is named must name something."""
    if not isinstance(spec, Mapping):
        raise place.error(f"expected a mapping such as {{kinds: [case]}}, got {shown(spec)}")
    allowed: dict[str, Any] = {}
    for key, value in spec.items():
        if key not in _ALLOWED:
            raise place.at(key).error(unknown("key of 'allow'", key, _ALLOWED))
        allowed[key] = converted(value, frozenset[str], place.at(key))
        if not allowed[key]:
            raise place.at(key).error("names nothing; leave the key out to allow all")
    for kind in sorted(allowed.get("kinds", frozenset()) - set(KINDS)):
        raise place.at("kinds").error(unknown("kind of passage", kind, KINDS))
    return Filter(**allowed)
