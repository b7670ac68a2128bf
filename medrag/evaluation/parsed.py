"""What an answer was read as: one small record for each form."""

from dataclasses import dataclass

from medrag.records import Box


@dataclass(frozen=True, slots=True)
class YesNo:
    """Yes or no."""

    value: bool


@dataclass(frozen=True, slots=True)
class Letters:
    """Options that were chosen, from 0, ascending, each once."""

    options: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """A number and the unit behind it, as it was written; empty without one."""

    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes as numbers of the answer, in the order given; their scale is the benchmark's."""

    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Words of an open answer, without markers, tags and reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class Abstained:
    """The answer declines to answer; `phrase` says with which words."""

    phrase: str = ""


@dataclass(frozen=True, slots=True)
class Unparsed:
    """Nothing of the form that was asked for stands in the answer; `reason` says why."""

    reason: str


Parsed = YesNo | Letters | Number | Boxes | Text | Abstained | Unparsed
