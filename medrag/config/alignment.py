"""Alignment recipes: what a model or a retriever is tuned by, step by step, in one file.

Each section is the settings of one step, and a step whose section is missing takes the defaults,
or, where it needs to be told something, says so. Relative paths of models are from where medrag
runs, as in pipelines.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, get_type_hints

from medrag.alignment.grpo.settings import GrpoSettings, check_grpo
from medrag.alignment.noise import check_noise
from medrag.alignment.pairs.mining import NEEDS, mine_pairs
from medrag.alignment.retriever.settings import RetrieverModel, RetrieverSettings, check_settings
from medrag.alignment.rewards import Reward, WeightedRewards, read_rules
from medrag.alignment.training.settings import (
    LoraSettings,
    ModelSettings,
    PreferenceSettings,
    TrainingSettings,
    check_lora,
    check_preference,
    check_training,
)
from medrag.config.components import Plan, planned
from medrag.config.lookup import found
from medrag.config.place import Place, shown, unknown
from medrag.config.reading import read_mapping
from medrag.config.sampling import (
    SamplingSettings,
    WeightSettings,
    checked,
    planned_sampling,
    planned_weights,
)
from medrag.config.settings import keyword_arguments, settings, several_settings
from medrag.config.values import converted

SECTIONS = (
    "about", "note", "model", "lora", "pairs", "weights", "sampling", "sft", "dpo", "grpo",
    "rewards", "retriever",
)  # fmt: skip
# What the command line gives to the miner, and no recipe may.
_GIVEN = frozenset({"runs", "protocol", "resolve", "return"})


@dataclass(frozen=True, slots=True)
class PreferenceStep:
    """How preferences are learned."""

    preference: PreferenceSettings
    training: TrainingSettings


@dataclass(frozen=True, slots=True)
class GrpoStep:
    """How rewards are learned from."""

    grpo: GrpoSettings
    training: TrainingSettings


@dataclass(frozen=True, slots=True)
class RetrieverStep:
    """How a retriever is tuned."""

    model: RetrieverModel
    settings: RetrieverSettings


@dataclass(frozen=True, slots=True)
class RewardPlan:
    """A reward that can be built, and its weight in the sum; `tree` is the file of its rules."""

    reward: Plan
    weight: float
    tree: Path | None = None


@dataclass(frozen=True, slots=True)
class AlignmentRecipe:
    """A checked alignment recipe; a step without a section of its own is None.

    Attributes:
        note: what the reader of a report must know first.
        lora: None where the recipe says null: all weights are tuned.
        pairs: keywords of `mine_pairs`.
        place: of the file, for errors about what a step lacks.
    """

    name: str
    about: str
    note: str | None
    model: ModelSettings | None
    lora: LoraSettings | None
    pairs: Mapping[str, Any]
    weights: WeightSettings | None
    sampling: SamplingSettings | None
    sft: TrainingSettings | None
    dpo: PreferenceStep | None
    grpo: GrpoStep | None
    rewards: tuple[RewardPlan, ...]
    retriever: RetrieverStep | None
    place: Place


def load_alignment(name: str | Path) -> AlignmentRecipe:
    """Find, read and check an alignment recipe; nothing is built and no torch is imported.

    Args:
        name: a name in ./pipelines/align or among those shipped with medrag, or a path.

    Raises:
        RecipeError: if there is no such recipe, or it says something that cannot be.
    """
    path = found("pipelines/align", name)
    return planned_alignment(read_mapping(path), path)


def planned_alignment(spec: Mapping[str, Any], path: Path) -> AlignmentRecipe:
    """Check what an alignment recipe says."""
    place = Place(str(path))
    for key in spec:
        if key not in SECTIONS:
            raise place.at(key).error(unknown("section of an alignment recipe", key, SECTIONS))
    return AlignmentRecipe(
        name=path.stem,
        about=converted(spec.get("about", ""), str, place.at("about")),
        note=converted(spec.get("note"), str | None, place.at("note")),
        model=_section(spec, "model", place, _model),
        lora=_section(spec, "lora", place, _lora) if "lora" in spec else LoraSettings(),
        pairs=_pairs(spec.get("pairs") or {}, place.at("pairs")),
        weights=_section(spec, "weights", place, planned_weights),
        sampling=_section(spec, "sampling", place, planned_sampling),
        sft=_section(spec, "sft", place, _sft),
        dpo=_section(spec, "dpo", place, _dpo),
        grpo=_section(spec, "grpo", place, _grpo),
        rewards=_rewards(spec.get("rewards") or [], place.at("rewards")),
        retriever=_section(spec, "retriever", place, _retriever),
        place=place,
    )


def built_rewards(recipe: AlignmentRecipe) -> WeightedRewards:
    """Build the rewards of a recipe.

    Raises:
        RecipeError: if it names none, or a value is refused.
    """
    if not recipe.rewards:
        raise recipe.place.error("needs the section 'rewards', such as [{kind: answer}]")
    try:
        return WeightedRewards(
            rewards=[(built_reward(each), each.weight) for each in recipe.rewards]
        )
    except ValueError as error:
        raise recipe.place.at("rewards").error(str(error)) from error


def built_reward(plan: RewardPlan) -> Reward:
    """Build one reward; its rules, if it has any, are read."""
    given = {} if plan.tree is None else {"tree": read_rules(plan.tree)}
    made: Reward = plan.reward(**given)
    return made


def _section(
    spec: Mapping[str, Any], key: str, place: Place, read: Callable[[Any, Place], Any]
) -> Any:
    return None if spec.get(key) is None else read(spec[key], place.at(key))


def _model(spec: Any, place: Place) -> ModelSettings:
    return settings(ModelSettings, spec, place)


def _lora(spec: Any, place: Place) -> LoraSettings:
    made = settings(LoraSettings, spec, place)
    checked(place, lambda: check_lora(made))
    return made


def _pairs(spec: Any, place: Place) -> dict[str, Any]:
    hints = get_type_hints(mine_pairs)
    told = keyword_arguments({k: v for k, v in hints.items() if k not in _GIVEN}, spec, place)
    for position, family in enumerate(told.get("families", ())):
        if family not in NEEDS:
            at = place.at("families").at(position)
            raise at.error(unknown("family that is mined", family, NEEDS))
    if told.get("noise") is not None:
        checked(place.at("noise"), lambda: check_noise(told["noise"]))
    return told


def _sft(spec: Any, place: Place) -> TrainingSettings:
    made = settings(TrainingSettings, spec, place)
    checked(place, lambda: check_training(made))
    return made


def _dpo(spec: Any, place: Place) -> PreferenceStep:
    preference, training = several_settings((PreferenceSettings, TrainingSettings), spec, place)
    checked(place, lambda: check_preference(preference))
    checked(place, lambda: check_training(training))
    return PreferenceStep(preference, training)


def _grpo(spec: Any, place: Place) -> GrpoStep:
    grpo, training = several_settings((GrpoSettings, TrainingSettings), spec, place)
    checked(place, lambda: check_grpo(grpo))
    checked(place, lambda: check_training(training))
    return GrpoStep(grpo, training)


def _rewards(spec: Any, place: Place) -> tuple[RewardPlan, ...]:
    if not isinstance(spec, list):
        raise place.error(f"expected a list such as [{{kind: answer}}], got {shown(spec)}")
    return tuple(_reward(each, place.at(position)) for position, each in enumerate(spec))


def _reward(spec: Any, place: Place) -> RewardPlan:
    if not isinstance(spec, Mapping):
        raise place.error(f"expected a mapping such as {{kind: answer}}, got {shown(spec)}")
    weight = converted(spec.get("weight", 1.0), float, place.at("weight"))
    if not isfinite(weight):
        raise place.at("weight").error(f"expected a finite number, got {weight}")
    rest = {key: value for key, value in spec.items() if key != "weight"}
    if rest.get("kind") != "rules":
        made = RewardPlan(planned("reward", rest, place), weight)
    else:
        file = rest.pop("tree", None)
        if not isinstance(file, str):
            raise place.at("tree").error(f"expected the file of a rule tree, got {shown(file)}")
        plan = planned("reward", rest, place, given=frozenset({"tree"}))
        made = RewardPlan(plan, weight, Path(place.file).parent / Path(file).expanduser())
    if not any(isinstance(each, Plan) for each in made.reward.arguments.values()):
        # Its own values are checked by making it; what is nested may be a model.
        built_reward(made)
    return made


def _retriever(spec: Any, place: Place) -> RetrieverStep:
    model, tuned = several_settings((RetrieverModel, RetrieverSettings), spec, place)
    checked(place, lambda: check_settings(model, tuned))
    if model.train == "head":
        for side in ("image", "text"):
            planned("encoder", getattr(model, side), place.at(side))
    return RetrieverStep(model, tuned)
