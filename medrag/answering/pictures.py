"""Pictures of the evidence, found on this machine for as long as a model looks at them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from medrag.errors import UnsafePathError
from medrag.records import Answer, Hit, ImageRef, Omission, Passage, Selection

Resolve = Callable[[Passage], Passage]


@dataclass(frozen=True, slots=True)
class Found:
    """A selection whose pictures can be opened.

    Attributes:
        stored: the selection as the index has it.
        selection: the same, paths of pictures absolute; pictures that are not here are left out.
        left_out: names those.
    """

    stored: Selection
    selection: Selection
    left_out: tuple[Omission, ...] = ()


def found(selection: Selection, resolve: Resolve) -> Found:
    """Find the pictures of the kept hits; an original that is gone leaves the words of its hit."""
    kept: list[Hit] = []
    missing: list[Omission] = []
    for marker, hit in enumerate(selection.kept, start=1):
        here, gone = _found(hit.passage, resolve)
        kept.append(replace(hit, passage=here) if hit.passage.images else hit)
        missing += [
            Omission(marker, "image", f"{image.path} is not on this machine") for image in gone
        ]
    return Found(selection, replace(selection, kept=tuple(kept)), tuple(missing))


def restored(answer: Answer, given: Found) -> Answer:
    """Write the passages of an answer as the index has them, without paths of this machine.

    An answerer may have put the hits in another order, or added some; those stay as they are.
    """
    stored = {hit.passage.id: hit.passage for hit in given.stored.kept}
    back = _back(given)
    kept = tuple(
        replace(hit, passage=stored.get(hit.passage.id, hit.passage))
        for hit in answer.selection.kept
    )
    citations = tuple(
        replace(each, passage=stored.get(each.passage.id, each.passage))
        for each in answer.citations
    )
    return replace(
        answer,
        selection=replace(answer.selection, kept=kept),
        citations=citations,
        prompt=tuple(
            back.get(part, part) if isinstance(part, ImageRef) else part for part in answer.prompt
        ),
        left_out=given.left_out + answer.left_out,
        trace=tuple(_step(step, back) for step in answer.trace),
    )


def _step(step: Mapping[str, Any], back: Mapping[ImageRef, ImageRef]) -> Mapping[str, Any]:
    """Name the pictures of a step of the trace by their paths in the index."""
    paths = {here.path: stored.path for here, stored in back.items()}
    if not paths or not step.get("images"):
        return step
    images = [{**each, "path": paths.get(each["path"], each["path"])} for each in step["images"]]
    return {**step, "images": images}


def _found(passage: Passage, resolve: Resolve) -> tuple[Passage, list[ImageRef]]:
    here, gone = [], []
    for image in passage.images:
        try:
            (absolute,) = resolve(replace(passage, images=(image,))).images
        except UnsafePathError:
            gone.append(image)
            continue
        if Path(absolute.path).is_file():
            here.append(absolute)
        else:
            gone.append(image)
    return replace(passage, images=tuple(here)), gone


def _back(given: Found) -> Mapping[ImageRef, ImageRef]:
    """Map each picture that was found to the same as the index has it."""
    pairs = {}
    for stored, hit in zip(given.stored.kept, given.selection.kept, strict=True):
        left = list(stored.passage.images)
        for image in hit.passage.images:
            same = next(each for each in left if replace(image, path=each.path) == each)
            left.remove(same)
            pairs[image] = same
    return pairs
