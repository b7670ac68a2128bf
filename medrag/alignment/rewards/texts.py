"""How near a report or an open answer comes to its reference."""

from collections.abc import Mapping, Sequence

import numpy as np

from medrag.alignment.rewards.answers import answer_text
from medrag.alignment.rewards.example import Example
from medrag.alignment.rewards.protocol import Floats, check_same
from medrag.alignment.rewards.tagged import tags_of
from medrag.evaluation.clinical import CLINICAL_MEASURES, clinical_scores
from medrag.evaluation.parsing.cleaning import final_text, open_answer
from medrag.evaluation.text_measures import TEXT_MEASURES, text_measures

# They weigh words by how rare they are among all references: of a batch, that is chance.
_OF_A_CORPUS = frozenset({"cider_d"})


class TextReward:
    """Give a measure of the overlap of a report or an open answer with its reference.

    An answer that is empty, or not closed, has 0. The reward does not apply (nan) to examples
    whose item is neither a text nor a report, or has no reference. Clinical measures need RadEval,
    take one reference, the first, and fetch their weights at first use.

    Args:
        measure: of `TEXT_MEASURES`, or a score of `CLINICAL_MEASURES` such as "radgraph_f1".
        think, answer: tags by which the policy sets thoughts and answer apart.

    Raises:
        ValueError: if the measure is unknown, or of a whole corpus; or a tag is none.
    """

    def __init__(
        self,
        *,
        measure: str = "rouge_l_coco",
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
    ) -> None:
        self.clinical = clinical_of(measure)
        if self.clinical is None and (measure not in TEXT_MEASURES or measure in _OF_A_CORPUS):
            told = [each for each in TEXT_MEASURES if each not in _OF_A_CORPUS]
            raise ValueError(
                f"measure {measure!r} rewards no single text; known are "
                f"{', '.join([*told, *_clinical_scores()])}"
            )
        self.measure = measure
        self.name = measure
        self.tags = tags_of(think, answer)

    def reward(self, replies: Sequence[str], examples: Sequence[Example]) -> Floats:
        """Give each reply its value of the measure; nan where there is no reference.

        Raises:
            MissingExtraError, EvaluationError: if a clinical measure cannot run here.
        """
        return self.parts(replies, examples)[self.name]

    def parts(self, replies: Sequence[str], examples: Sequence[Example]) -> Mapping[str, Floats]:
        """Tell the rewards alone."""
        check_same(replies, examples)
        values = np.full(len(replies), np.nan)
        places = [at for at, each in enumerate(examples) if _counts(each)]
        if places:
            said = [self._said(replies[at]) for at in places]
            wanted = [list(item.references) for at in places if (item := examples[at].item)]
            values[places] = self._values(said, wanted)
        return {self.name: values}

    def _said(self, reply: str) -> str:
        return open_answer(final_text(answer_text(reply, self.tags)).text)

    def _values(self, said: Sequence[str], wanted: Sequence[Sequence[str]]) -> Floats:
        if self.clinical is not None:
            found = clinical_scores([each[0] for each in wanted], said, measures=[self.clinical])
            return found[self.measure]
        statistic = text_measures(said, wanted, measures=[self.measure])[self.measure]
        values: Floats = np.asarray(statistic.value(statistic.sums), dtype=np.float64)
        # BLEU of no words has no precision.
        return np.nan_to_num(values)


def clinical_of(score: str) -> str | None:
    """Name the clinical measure that gives a score; None if none does."""
    return next((name for name, each in CLINICAL_MEASURES.items()
                 if score in each.scores.values()), None)  # fmt: skip


def _clinical_scores() -> list[str]:
    return [score for each in CLINICAL_MEASURES.values() for score in each.scores.values()]


def _counts(example: Example) -> bool:
    item = example.item
    return item is not None and item.kind in ("text", "report") and bool(item.references)
