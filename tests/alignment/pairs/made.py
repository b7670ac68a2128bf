"""Made-up pictures, items, answers and runs that pairs are mined from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from medrag.alignment.pairs import PreferencePair
from medrag.evaluation.runs import Run
from medrag.images import identified
from medrag.records import (
    Answer,
    Hit,
    ImageRef,
    Item,
    Passage,
    Question,
    Selection,
    Source,
)
from tests.evaluation.library import written_run

ARMS = ("context", "no_context", "noise_image", "noise_image_no_context")
OUTCOMES = tuple(product((True, False), repeat=4))


def picture(path: Path, seed: int, *, size: int = 16) -> ImageRef:
    """A picture of coarse random blocks, hashed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((size, size), Image.Resampling.NEAREST).save(path)
    return identified(ImageRef(str(path.absolute())))


def pair(image: ImageRef, **changes: object) -> PreferencePair:
    sound = PreferencePair(
        id="one", prompt=(image, "Is there fluid?"), chosen="Yes", rejected="No",
        family="use_context",
    )  # fmt: skip
    return replace(sound, **changes)  # type: ignore[arg-type]


def named(outcome: Sequence[bool]) -> str:
    """(True, False, True, True) is "RWRR"."""
    return "".join("R" if right else "W" for right in outcome)


def passage(text: str, images: tuple[ImageRef, ...] = ()) -> Passage:
    source = Source("made", "book.txt", "0" * 64)
    return Passage(f"passage {text}", "text", text, source, images)


def items_of(folder: Path, names: Sequence[str], **changes: object) -> list[Item]:
    """Questions about fluid, each with a picture of its own, whose right answer is yes."""
    return [
        replace(
            Item(
                id=name,
                question=Question(
                    f"Is there fluid in {name}?",
                    images=(picture(folder / f"{name}.png", place),),
                    id=name,
                    domain="radiology",
                ),
                references=("Yes",),
                kind="yes_no",
            ),
            **changes,  # type: ignore[arg-type]
        )
        for place, name in enumerate(names)
    ]


def answered(
    item: Item, text: str, *, noise: ImageRef | None = None, evidence: tuple[Passage, ...] = ()
) -> Answer:
    """An answer with its prompt, of the true picture or of a noisy one."""
    images = (noise,) if noise else item.question.images
    question = replace(item.question, images=images)
    told = [part for each in evidence for part in (f"[1] {each.text}", *each.images)]
    return Answer(
        question,
        text,
        id=f"answer {text} to {item.id}",
        selection=Selection(tuple(Hit(each, 1.0, 1) for each in evidence)),
        prompt=(*told, *images, question.text),  # type: ignore[arg-type]
        model="made",
    )


def four_arms(
    folder: Path,
    items: Sequence[Item],
    said: Mapping[str, Sequence[str]],
    *,
    evidence: tuple[Passage, ...] = (),
) -> Run:
    """A run of all four arms.

    Args:
        said: by item the answers in the order of `ARMS`.
    """
    noise = picture(folder.parent / "noise.png", 999)
    evidence = evidence or (passage("Fluid is grey."),)
    answers = {
        arm: [
            answered(
                item,
                said[item.id][place],
                noise=noise if "noise" in arm else None,
                evidence=() if "no_context" in arm else evidence,
            )
            for item in items
        ]
        for place, arm in enumerate(ARMS)
    }
    return written_run(folder, items, answers)


def all_outcomes(folder: Path) -> Run:
    """Sixteen items, one for each outcome, named by it: "RWRR" is right, wrong, right, right."""
    names = [named(outcome) for outcome in OUTCOMES]
    items = items_of(folder / "images", names)
    said = {name: ["Yes." if letter == "R" else "No." for letter in name] for name in names}
    return four_arms(folder / "run", items, said)
