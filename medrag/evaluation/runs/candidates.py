"""The open answers of the training items, to which some protocols map an answer."""

import json
from collections.abc import Sequence
from pathlib import Path

from medrag.errors import EvaluationError
from medrag.evaluation.runs.files import CANDIDATES, write_file
from medrag.records import Item


def write_candidates(folder: Path, training: Sequence[Item]) -> None:
    """Keep the open answers with a run, each once; nothing is written without training items.

    Raises:
        EvaluationError: if the file cannot be written.
    """
    answers = sorted({one for item in training if item.kind == "text" for one in item.references})
    if answers:
        write_file(folder / CANDIDATES, json.dumps(answers).encode() + b"\n")


def read_candidates(folder: Path) -> list[str] | None:
    """Give the answers that were kept; None if there are none.

    Raises:
        EvaluationError: if the file is no list of texts.
    """
    path = folder / CANDIDATES
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise EvaluationError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise EvaluationError(f"{path}: expected a list of answers; run again to make it anew")
    return found
