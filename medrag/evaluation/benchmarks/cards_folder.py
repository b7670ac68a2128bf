"""Cards by name, from the folder beside this module or from a file of the user's own."""

import difflib
from functools import cache
from pathlib import Path

from medrag.errors import EvaluationError
from medrag.evaluation.benchmarks.card import Card
from medrag.evaluation.benchmarks.cardfile import card_of, read_yaml

CARDS = Path(__file__).parent / "cards"


def known_benchmarks() -> list[str]:
    """Name the benchmarks that have a card, in alphabetical order."""
    return sorted(path.stem for path in CARDS.glob("*.yaml"))


def read_card(name: str | Path) -> Card:
    """Read the card of a benchmark that `known_benchmarks` names, or a card file by its path.

    Raises:
        EvaluationError: if there is no such card, or the file is no card; names the key.
    """
    if isinstance(name, Path) or str(name).endswith((".yaml", ".yml")):
        return _read(Path(name))
    if name not in known_benchmarks():
        near = difflib.get_close_matches(str(name), known_benchmarks(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "medrag eval benchmarks lists them"
        raise EvaluationError(
            f"no benchmark is called {name!r}; {hint} (a card of your own is named by its path, "
            "which ends in .yaml)"
        )
    return _shipped(str(name))


@cache
def _shipped(name: str) -> Card:
    return _read(CARDS / f"{name}.yaml")


def _read(path: Path) -> Card:
    """Read a card; one that is `like` another takes from it every key that it does not give."""
    values = read_yaml(path)
    if "like" in values:
        base = str(values.pop("like"))
        if base not in known_benchmarks():
            raise EvaluationError(f"{path}: like: there is no card {base!r}")
        values = {**read_yaml(CARDS / f"{base}.yaml"), **values}
        if "like" in values:
            raise EvaluationError(f"{path}: like: {base!r} is like another card itself")
    return card_of(values, name=path.stem, file=path)
