"""One preference pair of the answers to one item, or why there is none."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from medrag.alignment.noise import Noise
from medrag.alignment.pairs.checking import check_pair, pictures_of, shows_other_pictures
from medrag.alignment.pairs.outcomes import Which
from medrag.alignment.pairs.pair import Family, Parts, PreferencePair
from medrag.errors import UnsafePathError
from medrag.images.pointing import unmarked
from medrag.language import without_markers
from medrag.prompting.templates import letter
from medrag.records import Answer, ImageRef, Item, Passage

Chosen = Literal["reference", "answer"]
_LOST = "a picture of the evidence has no place on this machine; give resolve"


@dataclass(frozen=True, slots=True)
class Rules:
    """How pairs are made.

    Attributes:
        chosen: what is preferred: the benchmark's reference, or what the model itself answered
            rightly.
        noise: makes the pictures of the rejected side; None for those that the model really saw.
        resolve: makes the paths of a passage's pictures absolute; None where they are so already.
    """

    chosen: Chosen
    noise: Noise | None
    resolve: Callable[[Passage], Passage] | None


@dataclass(frozen=True, slots=True)
class Given:
    """One answer to an item.

    Attributes:
        folder: of its run, which may have been moved with the pictures that stand in it.
        noise: how the run corrupted pictures in its arms of noise, where it tells.
    """

    answer: Answer
    folder: Path
    noise: Noise | None = None


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why no pair can be made."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Form:
    """What a family takes from which run.

    Attributes:
        prompt: before both sides.
        own: the model's own right answer.
        rejected: whose answer is rejected; None for the chosen one.
        noised: whose pictures the rejected side has; None for the same.
    """

    prompt: Which
    own: Which
    rejected: Which | None
    noised: Which | None = None


_FORMS: Mapping[Family, _Form] = {
    "cross_modality": _Form("clean_context", "clean_context", "noised_context", "noised_context"),
    "use_context": _Form("clean_context", "clean_context", "clean_plain"),
    "not_misled": _Form("clean_context", "clean_plain", "clean_context"),
    "conditional": _Form("clean_plain", "clean_plain", None, "noised_plain"),
}


def made(
    family: Family, item: Item, given: Mapping[Which, Given], rules: Rules, *, benchmark: str
) -> PreferencePair | Unfit:
    """Make the pair of a family from the answers to one item.

    Args:
        given: the answers of the runs that the family takes something from.
        benchmark: begins the id of the pair.
    """
    form = _FORMS[family]
    clean = given[form.prompt]
    prompt = _prompt(clean, rules)
    if isinstance(prompt, Unfit):
        return prompt
    said = _said(form, item, given, rules)
    if isinstance(said, Unfit):
        return said
    question = clean.answer.question
    pair = PreferencePair(
        id=f"{benchmark}/{item.id}/{family}",
        prompt=prompt,
        chosen=said.chosen,
        rejected=said.rejected,
        family=family,
        domain=question.domain,
        subject=question.subject,
        study=question.study,
        source_ids=_sources(form, item, given),
    )
    found = pair if form.noised is None else _noised(pair, clean, given[form.noised], rules)
    if isinstance(found, Unfit):
        return found
    if found.chosen.strip() == found.rejected.strip() and not shows_other_pictures(found):
        return Unfit("chosen and rejected are equal")
    check_pair(found)
    return found


def reference_text(item: Item) -> str:
    """Write the right answer as a prompt asks for it: options with their letters before them.

    Returns:
        The first of several references that each are right; all where all must be chosen; empty
        where there is none.
    """
    options = item.question.options
    wanted = item.references if item.kind == "choices" else item.references[:1]
    placed = sorted(wanted, key=lambda each: options.index(each) if each in options else 0)
    return "; ".join(
        f"{letter(options.index(each))}. {each}" if each in options else each.strip()
        for each in placed
    )


@dataclass(frozen=True, slots=True)
class _Said:
    chosen: str
    rejected: str


def _said(form: _Form, item: Item, given: Mapping[Which, Given], rules: Rules) -> _Said | Unfit:
    if rules.chosen == "reference":
        chosen = reference_text(item)
    else:
        chosen = given[form.own].answer.text.strip()
    if not chosen:
        return Unfit("the item has no reference" if rules.chosen == "reference" else _EMPTY)
    if form.rejected is None:
        return _Said(chosen, chosen)
    rejected = given[form.rejected].answer.text.strip()
    if rules.chosen == "reference":
        # References cite nothing: a pair must not teach to leave markers out.
        rejected = without_markers(rejected)
    return _Said(chosen, rejected) if rejected else Unfit(_EMPTY)


_EMPTY = "an answer is empty"


def _noised(
    pair: PreferencePair, clean: Given, noised: Given, rules: Rules
) -> PreferencePair | Unfit:
    """Give the rejected side its corrupted pictures."""
    places = _asked_places(pair.prompt, clean)
    if not places:
        return Unfit("the question has no picture")
    if rules.noise is not None:
        return replace(pair, noise=rules.noise, noised=places)
    prompt = _prompt(noised, rules)
    if isinstance(prompt, Unfit):
        return prompt
    return replace(pair, rejected_prompt=prompt, noise=noised.noise, noised=places)


def _sources(form: _Form, item: Item, given: Mapping[Which, Given]) -> tuple[str, ...]:
    answers = [given[each].answer.id for each in (form.own, form.rejected, form.noised) if each]
    return tuple(dict.fromkeys([item.id, *filter(None, answers)]))


def _asked_places(prompt: Parts, given: Given) -> tuple[int, ...]:
    """Count out which pictures of a prompt are the question's."""
    asked = _asked(given.answer)
    return tuple(
        place for place, image in enumerate(pictures_of(prompt)) if unmarked(image) in asked
    )


def _asked(answer: Answer) -> set[ImageRef]:
    return {unmarked(image) for image in answer.question.images if isinstance(image, ImageRef)}


def _prompt(given: Given, rules: Rules) -> Parts | Unfit:
    """Give what the model read, with paths that can be opened here."""
    answer = given.answer
    if not any(isinstance(part, ImageRef) or part.strip() for part in answer.prompt):
        return Unfit("the run keeps no prompt of the answer")
    asked = _asked(answer)
    try:
        stored = _evidence_pictures(answer, rules)
    except UnsafePathError:
        return Unfit(_LOST)
    parts: list[str | ImageRef] = []
    for part in answer.prompt:
        if not isinstance(part, ImageRef):
            parts.append(part)
            continue
        here = _beside(part, given.folder) if unmarked(part) in asked else stored.get(part, part)
        if not Path(here.path).is_absolute():
            return Unfit(_LOST)
        parts.append(here)
    return tuple(parts)


def _evidence_pictures(answer: Answer, rules: Rules) -> dict[ImageRef, ImageRef]:
    """Map the pictures of the evidence, as the index has them, to those on this machine."""
    if rules.resolve is None:
        return {}
    found: dict[ImageRef, ImageRef] = {}
    for hit in answer.selection.kept:
        if hit.passage.images:
            here = rules.resolve(hit.passage).images
            found |= dict(zip(hit.passage.images, here, strict=True))
    return found


def _beside(image: ImageRef, folder: Path) -> ImageRef:
    """Find a picture that the run made for itself in the run's folder, if that was moved."""
    moved = folder.absolute() / "pictures" / Path(image.path).name
    if Path(image.path).is_file() or not moved.is_file():
        return image
    return replace(image, path=str(moved))
