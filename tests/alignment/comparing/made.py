"""Runs of made-up answers: who is right where is given as a text of "+" and "-"."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from medrag.evaluation.runs import Run, open_run
from medrag.records import Answer, ImageRef, Item, Question
from tests.evaluation.library import written_run

ARMS = ("context", "no_context", "blank_image", "noise_image")


def items_of(n: int, *, per_cluster: int = 1) -> list[Item]:
    """Yes-or-no questions with a picture, all answered yes."""
    return [
        Item(
            f"q{place}",
            Question(
                f"Is sign {place} there?", (ImageRef(f"{place}.png", "0" * 64),), id=f"q{place}"
            ),
            ("yes",),
            "yes_no",
            True,
            cluster=f"c{place // per_cluster}",
            fields={"type": "library" if place % 2 else "picture"},
        )
        for place in range(n)
    ]


def run_of(
    folder: Path,
    arms: Mapping[str, str],
    *,
    items: Sequence[Item] | None = None,
    recipe: Mapping[str, object] | None = None,
) -> Run:
    """A run whose arm answers item i right where its text has a "+" at i, and wrong at a "-"."""
    asked = list(items or items_of(len(next(iter(arms.values())))))
    answers = {
        arm: [_answer(item, sign) for item, sign in zip(asked, signs, strict=True)]
        for arm, signs in arms.items()
    }
    run = written_run(folder, asked, answers)
    if recipe is None:
        return run
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["pipeline"] = {"name": "made", "sha256": str(recipe), "recipe": dict(recipe)}
    path.write_text(json.dumps(manifest))
    return open_run(folder)


def _answer(item: Item, sign: str) -> Answer:
    said = {"+": "Yes.", "-": "No.", "?": "It is raining."}[sign]
    return Answer(item.question, said)
