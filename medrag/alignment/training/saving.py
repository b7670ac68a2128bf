"""What training leaves on disk: weights that a generator takes, and how they came about."""

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

from medrag.alignment.pairs.pair import Parts, PreferencePair
from medrag.alignment.training.folders import end
from medrag.alignment.training.plan import Plan
from medrag.alignment.training.tuning import source_of
from medrag.codec import to_json
from medrag.errors import InputFileError
from medrag.generation.local.loading import Loaded
from medrag.records import ImageRef

_LIBRARIES = ("medrag", "torch", "transformers", "peft", "accelerate")
_NAMED = 3


def check_pairs(pairs: Sequence[PreferencePair], *, both: bool) -> None:
    """Refuse pairs that nothing can be learnt from, and pictures that are not there.

    Args:
        both: whether rejected sides are read too.

    Raises:
        ValueError: if there are no pairs, or one lacks an answer, or its sides are the same, or
            its weight is none.
        InputFileError: naming the first pictures that are missing.
    """
    if not pairs:
        raise ValueError("there are no pairs to train on")
    for pair in pairs:
        _check_pair(pair, both=both)
    missing = [path for path in _pictures(pairs, both=both) if not Path(path).is_file()]
    if missing:
        others = "".join(f", {path}" for path in missing[1:_NAMED])
        raise InputFileError(
            Path(missing[0]),
            f"the picture does not exist ({len(missing)} of the pairs' pictures are "
            f"missing{others and ': also ' + others[2:]}); name the folder that they lie in",
        )


def told_of(plan: Plan) -> dict[str, Any]:
    """Tell all that decides what training leaves, as JSON values."""
    pairs = "\n".join(json.dumps(to_json(pair), sort_keys=True) for pair in plan.pairs)
    sections = {
        "model": plan.model,
        "preference": plan.preference,
        "lora": plan.lora,
        "training": plan.training,
    }
    return {
        "kind": "sft" if plan.preference is None else "preferences",
        **{name: _values(each) for name, each in sections.items()},
        "seed": plan.training.seed,
        "n_pairs": len(plan.pairs),
        "pairs_sha256": hashlib.sha256(pairs.encode()).hexdigest(),
        "versions": {name: version(name) for name in _LIBRARIES},
    }


def save_tuned(
    loaded: Loaded,
    folder: Path,
    plan: Plan,
    *,
    losses: Sequence[tuple[int, float]],
    n_steps: int,
) -> None:
    """Save what was tuned, and delete the checkpoints.

    Raises:
        MedragError: if the disk takes no more; the last whole checkpoint stays.
    """
    told = {**told_of(plan), "n_steps": n_steps, "losses": [list(each) for each in losses]}
    end(folder, told, lambda new: _save(loaded, plan, new))


def _save(loaded: Loaded, plan: Plan, folder: Path) -> None:
    model = loaded.model
    if plan.lora is None:
        model.save_pretrained(folder)
        loaded.processor.save_pretrained(folder)
        return
    model.peft_config["default"].base_model_name_or_path = source_of(plan.model)
    model.save_pretrained(folder, save_embedding_layers=False)
    # A card full of gaps to be filled in.
    (folder / "README.md").unlink(missing_ok=True)


def _check_pair(pair: PreferencePair, *, both: bool) -> None:
    if not (isfinite(pair.weight) and pair.weight >= 0):
        raise ValueError(f"pair {pair.id} has weight {pair.weight}, expected at least 0")
    if not pair.chosen.strip() or (both and not pair.rejected.strip()):
        raise ValueError(f"pair {pair.id} has an empty answer; leave it out")
    if not both:
        return
    shown, noised = _shown(pair.prompt), pair.noise is not None and pair.rejected_prompt is None
    if noised and (not pair.noised or not set(pair.noised) <= set(range(len(shown)))):
        raise ValueError(
            f"pair {pair.id} has noise for the pictures {pair.noised}, and shows {len(shown)}; "
            "they count from 0"
        )
    other = noised or _shown(pair.rejected_prompt or pair.prompt) != shown
    if not other and pair.chosen == pair.rejected:
        raise ValueError(
            f"pair {pair.id} has two equal answers and the same pictures, and says nothing; leave "
            "it out"
        )


def _shown(parts: Parts) -> list[ImageRef]:
    return [part for part in parts if isinstance(part, ImageRef)]


def _pictures(pairs: Sequence[PreferencePair], *, both: bool) -> list[str]:
    prompts: list[Parts] = [pair.prompt for pair in pairs]
    if both:
        prompts += [pair.rejected_prompt for pair in pairs if pair.rejected_prompt is not None]
    shown = (image.path for parts in prompts for image in _shown(parts))
    # With a prompt of its own the rejected side has its pictures already.
    made = (pair.noise for pair in pairs if both and pair.rejected_prompt is None)
    noises = [noise for noise in made if noise is not None]
    files = [each for noise in noises for each in (noise.heat_map, noise.other) if each is not None]
    return list(dict.fromkeys([*shown, *files]))


def _values(settings: Any) -> dict[str, Any] | None:
    if settings is None:
        return None
    return {name: getattr(settings, name) for name in type(settings).__dataclass_fields__}
