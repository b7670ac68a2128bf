"""Whether a reply gives the right answer: a word, an option, a number, boxes."""

from collections.abc import Mapping, Sequence

import numpy as np

from medrag.alignment.rewards.example import Example
from medrag.alignment.rewards.protocol import Floats, check_same
from medrag.alignment.rewards.tagged import tags_of
from medrag.evaluation.numbers import within_tolerance
from medrag.evaluation.parsed import Abstained, Number, Unparsed
from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.scorers.correctness import (
    asks_for_boxes,
    in_unit,
    is_right,
    is_right_closed,
    reference_number,
)
from medrag.evaluation.scorers.places import form_values
from medrag.evaluation.scorers.protocol import Case
from medrag.generation.reply import Tags, answer_span
from medrag.records import Answer, Item


class AnswerReward:
    """Give 1 to a right answer and 0 to any other, as the benchmark's corrected scorers tell them.

    Yes or no, options and words must be right as `correctness` has it. A number must be off by no
    more than a share of the right one. Boxes give their mean intersection over union, or 0 and 1
    where a threshold is set. What cannot be read, and what declines, gives 0. The reward does not
    apply (nan) to examples without an item or a reference, and to reports.

    Args:
        think, answer: tags by which the policy sets thoughts and answer apart; None to let the
            parser find the usual ones.
        tolerance: share of the right number by which an answer may be off.
        iou: the least overlap of right boxes; None to give the overlap itself.

    Raises:
        ValueError: if a number is out of [0, 1] or a tag is none.

    Source:
        Lai et al., Med-R1, arXiv 2503.13939, for the match of options.
    """

    name = "answer"

    def __init__(
        self,
        *,
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
        tolerance: float = 0.1,
        iou: float | None = None,
    ) -> None:
        for key, value in (("tolerance", tolerance), ("iou", iou)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{key} must be from 0 to 1, got {value}")
        self.tags = tags_of(think, answer)
        self.tolerance = tolerance
        self.iou = iou

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give each reply 0 to 1; nan where there is nothing to compare it with."""
        return self.parts(replies, examples)[self.name]

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Tell the rewards, and whether an answer was "read" and whether it was "given"."""
        check_same(replies, examples)
        columns = np.full((3, len(replies)), np.nan)
        for place, (reply, example) in enumerate(zip(replies, examples, strict=True)):
            item = example.item
            if item is None or not _counts(item):
                continue
            text = answer_text(reply, self.tags)
            case = Case(item, Answer(item.question, text), parse_answer(text, item))
            read, given = (not isinstance(case.parsed, kind) for kind in (Unparsed, Abstained))
            columns[:, place] = self._right(case), read, given
        return {"answer": columns[0], "read": columns[1], "given": columns[2]}

    def _right(self, case: Case) -> float:
        item = case.item
        if item.kind == "boxes":
            overlap = form_values(case)["mean_iou"]
            return overlap if self.iou is None else float(overlap >= self.iou)
        if item.kind == "number" and isinstance(case.parsed, Number):
            return float(any(self._near(case.parsed, each, item) for each in item.references))
        return is_right_closed(case) if item.closed else is_right(case)

    def _near(self, given: Number, reference: str, item: Item) -> bool:
        wanted = reference_number(reference, item)
        value = None if wanted is None else in_unit(given, wanted.unit)
        if wanted is None or value is None:
            return False
        near = within_tolerance([value], [wanted.value], relative=self.tolerance)
        return bool(near[0] == 1)


def answer_text(reply: str, tags: Tags) -> str:
    """Give what of a reply is the answer; empty where thoughts were not closed."""
    if tags.think is None and tags.answer is None:
        return reply
    span = answer_span(reply, tags)
    return reply[span.start : span.end]


def _counts(item: Item) -> bool:
    if item.kind == "boxes":
        return asks_for_boxes(item)
    return item.kind != "report" and bool(item.references)
