"""The sections of alignment recipes that ask models: who weighs pairs, and who makes them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_type_hints

from medrag.alignment.noise import Noise, check_noise
from medrag.alignment.sampling.noised import NoisedFamily
from medrag.alignment.weighing.panel import MOST_ROUNDS, Panel
from medrag.alignment.weighing.remembering import RememberedGenerator
from medrag.config.components import Plan, planned
from medrag.config.place import Place, shown, unknown
from medrag.config.reading import parse_mapping
from medrag.config.settings import keyword_arguments, settings
from medrag.protocols import Generator

_SAMPLING = ("sampled", "written", "noised")


@dataclass(frozen=True, slots=True)
class WeightSettings:
    """How pairs are weighed; see `medrag.alignment.weighing`.

    Attributes:
        judges: generators that score how relevant a mistake is; without any, the weights that the
            pairs have are taken for scores, such as those of the released MMedPO files.
        rounds: of asking at most.
        tolerance: by which scores may differ and still agree.
        exact_mean: move the weights such that their mean is 1 after they are cut.
    """

    judges: tuple[Plan, ...] = ()
    rounds: int = MOST_ROUNDS
    tolerance: float = 0.1
    exact_mean: bool = False


@dataclass(frozen=True, slots=True)
class SampledSettings:
    """How answers are drawn of which the most hallucinated is rejected; see `sampled_pairs`.

    Attributes:
        sampler: the model to be aligned, with a temperature above 0.
        judge: says which answer is the most hallucinated.
    """

    sampler: Plan
    judge: Plan
    n: int = 5
    with_pictures: bool = False
    template: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenSettings:
    """How plausible wrong answers are made; see `written_pairs`.

    Attributes:
        writer: writes those of open questions; None leaves these out.
    """

    writer: Plan | None = None
    seed: int = 0
    with_pictures: bool = False
    template: str | None = None


@dataclass(frozen=True, slots=True)
class NoisedSettings:
    """How one answer is said of two pictures; see `noised_pairs`.

    Attributes:
        noise: of all items; of the family "lesion" without its box, which is each item's own.
        tool: finds the lesions of items; None for the boxes of their right answers.
    """

    family: NoisedFamily
    noise: Noise
    tool: Plan | None = None
    exact_mean: bool = False
    template: str | None = None


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How pairs are made of the items of a benchmark; None or empty for a way that is not taken."""

    sampled: SampledSettings | None
    written: WrittenSettings | None
    noised: tuple[NoisedSettings, ...]


def planned_weights(spec: Any, place: Place) -> WeightSettings:
    """Check the section "weights".

    Raises:
        RecipeError: if it says something that cannot be.
    """
    given = _mapping(spec, place, "{judges: [{kind: local, model: NAME}]}")
    judges = given.get("judges", [])
    if not isinstance(judges, list):
        problem = "expected a list of generators, such as [{kind: local, model: NAME}], got "
        raise place.at("judges").error(problem + shown(judges))
    plans = tuple(
        planned("generator", each, place.at("judges").at(position))
        for position, each in enumerate(judges)
    )
    made = WeightSettings(plans, **_rest(WeightSettings, given, ("judges",), place))
    # What is not asked need not be able to answer: only the numbers are looked at.
    unasked = cast("Sequence[Generator]", plans or (None,))
    checked(place, lambda: Panel(judges=unasked, rounds=made.rounds, tolerance=made.tolerance))
    return made


def built_panel(weights: WeightSettings, *, kept: Path) -> Panel:
    """Build the judges of weights, whose replies are kept in a file, and put them together."""
    judges = [RememberedGenerator(generator=plan(), path=kept) for plan in weights.judges]
    return Panel(judges=judges, rounds=weights.rounds, tolerance=weights.tolerance)


def planned_sampling(spec: Any, place: Place) -> SamplingSettings:
    """Check the section "sampling".

    Raises:
        RecipeError: if it says something that cannot be.
    """
    given = _mapping(spec, place, "{written: {seed: 0}}")
    for key in given:
        if key not in _SAMPLING:
            raise place.at(key).error(unknown("key of 'sampling'", key, _SAMPLING))
    noised = given.get("noised") or []
    if not isinstance(noised, list):
        problem = "expected a list such as [{family: global_noise, noise: {...}}], got "
        raise place.at("noised").error(problem + shown(noised))
    return SamplingSettings(
        _sampled(given["sampled"], place.at("sampled")) if "sampled" in given else None,
        _written(given["written"] or {}, place.at("written")) if "written" in given else None,
        tuple(_noised(each, place.at("noised").at(n)) for n, each in enumerate(noised)),
    )


def noise_of(said: str, place: Place) -> Noise:
    """Read a noise that is said in one line, such as "{kind: diffusion, step: 500}".

    Raises:
        RecipeError: if it is no mapping, or cannot be.
    """
    noise = settings(Noise, parse_mapping(said, file=place.file), place)
    checked(place, lambda: check_noise(noise))
    return noise


def checked(place: Place, check: Callable[[], object]) -> None:
    """Put the place before what a check of values says."""
    try:
        check()
    except ValueError as error:
        raise place.error(str(error)) from error


def _sampled(spec: Any, place: Place) -> SampledSettings:
    given = _mapping(spec, place, "{sampler: {kind: local, ...}, judge: {kind: remote, ...}}")
    parts: dict[str, Any] = {}
    for name in ("sampler", "judge"):
        if name not in given:
            raise place.error(f"needs the key {name!r}, a generator, which is missing")
        parts[name] = planned("generator", given[name], place.at(name))
    made = SampledSettings(**parts, **_rest(SampledSettings, given, tuple(parts), place))
    if made.n < 1:
        raise place.at("n").error(f"expected at least 1, got {made.n}")
    return made


def _written(spec: Any, place: Place) -> WrittenSettings:
    given = _mapping(spec, place, "{seed: 0}")
    writer = None
    if given.get("writer") is not None:
        writer = planned("generator", given["writer"], place.at("writer"))
    return WrittenSettings(writer, **_rest(WrittenSettings, given, ("writer",), place))


def _noised(spec: Any, place: Place) -> NoisedSettings:
    given = _mapping(spec, place, "{family: global_noise, noise: {kind: diffusion, step: 500}}")
    for name in ("family", "noise"):
        if name not in given:
            raise place.error(f"needs the key {name!r}, which is missing")
    rest = _rest(NoisedSettings, given, ("tool",), place)
    tool = planned("tool", given["tool"], place.at("tool")) if given.get("tool") else None
    made = NoisedSettings(**rest, tool=tool)
    if tool is not None and made.family != "lesion":
        raise place.at("tool").error("only the family lesion looks for a place")
    if made.family != "lesion":
        checked(place.at("noise"), lambda: check_noise(made.noise))
    elif made.noise.kind != "lesion_mask" or made.noise.step is None or _placed(made.noise):
        problem = "the family lesion takes {kind: lesion_mask, step: ...}; where is each item's own"
        raise place.at("noise").error(problem)
    return made


def _placed(noise: Noise) -> bool:
    return noise.box is not None or noise.heat_map is not None


def _rest(
    made: type[Any], given: Mapping[str, Any], taken: Sequence[str], place: Place
) -> dict[str, Any]:
    """Check the keys of a section that are no components."""
    hints = {key: each for key, each in get_type_hints(made).items() if key not in taken}
    told = {key: value for key, value in given.items() if key not in taken}
    return keyword_arguments(hints, told, place)


def _mapping(spec: Any, place: Place, example: str) -> Mapping[str, Any]:
    if not isinstance(spec, Mapping):
        raise place.error(f"expected a mapping such as {example}, got {shown(spec)}")
    return spec
