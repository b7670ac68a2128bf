"""The errors of medrag.

    MedragError
    ├── MissingExtraError    a library is not installed; says which extra brings it
    ├── InputFileError       a source file cannot be read; names file, place and way out
    │   └── UnsafePathError  a path leaves the folder that it must stay in
    ├── IndexFormatError     an index folder is damaged, or of another format or encoder
    │   └── IndexLockedError another process is writing to the index
    ├── RecipeError          a YAML file says something that cannot be built
    ├── EvaluationError      a benchmark's files do not fit together
    └── BudgetSpentError     a server would be asked for more than was allowed

A caller's mistake is a `ValueError`; these are for the state of the world. Every message names the
thing, the value found, the value expected and the way out.
"""

from pathlib import Path


class MedragError(Exception):
    """Something outside the program is not as it must be."""


class MissingExtraError(MedragError, ImportError):
    """A library that an optional extra installs is absent."""


class InputFileError(MedragError):
    """A source file, or a place in it, cannot be read.

    `place` is a line, page, row or tag in the reader's words ("line 3", "page 7"), or None for the
    whole file.
    """

    def __init__(self, path: Path, problem: str, *, place: str | None = None) -> None:
        where = f"{path}, {place}" if place else f"{path}"
        super().__init__(f"{where}: {problem}")
        self.path = path
        self.problem = problem
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send errors to the coordinator; the default pickling would lose the keyword.
        return _rebuild_input_error, (type(self), self.path, self.problem, self.place)


class UnsafePathError(InputFileError):
    """A path leaves the folder that it must stay in."""


class IndexFormatError(MedragError):
    """An index folder is damaged, or was written by another format or encoder."""


class IndexLockedError(IndexFormatError):
    """Another process is writing to the index."""


class RecipeError(MedragError):
    """A recipe or a card names something that cannot be built."""


class EvaluationError(MedragError):
    """The files of a benchmark are missing or do not fit together."""


class BudgetSpentError(MedragError):
    """What a run may cost is spent. What was answered is kept, and the run can go on later."""


# What a component may meet in one of its inputs, while others go on; anything else, such as a
# TypeError, is a bug and is let through.
FAILURES = (MedragError, OSError, RuntimeError, ValueError, LookupError, ArithmeticError)


def _rebuild_input_error(
    kind: type[InputFileError], path: Path, problem: str, place: str | None
) -> InputFileError:
    return kind(path, problem, place=place)


def is_panic(error: BaseException) -> bool:
    """Tell whether a library written in Rust gave up, whose exceptions are no `Exception`."""
    return type(error).__name__ == "PanicException" and not isinstance(error, Exception)
