"""Where in a YAML file something stands, and the error that says so."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from medrag.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Place:
    """A file (or what stands for one, such as "--channel text") and the keys that lead into it."""

    file: str
    keys: tuple[str, ...] = ()

    def at(self, key: object) -> "Place":
        return Place(self.file, (*self.keys, str(key)))

    def error(self, problem: str) -> RecipeError:
        where = ".".join(self.keys)
        return RecipeError(
            f"{self.file}, {where}: {problem}" if where else f"{self.file}: {problem}"
        )


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """Say that a name is not known, with the nearest spelling and all names there are."""
    names = sorted(known)
    near = get_close_matches(str(name), names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(names) if names else "none"
    return f"unknown {what} {shown(name)}; {hint}known: {listed}"


def shown(value: object) -> str:
    """Quote a value for a message, cut short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
