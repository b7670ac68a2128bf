"""A panel of models that scores mistakes, and talks until it agrees."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite, nan

from medrag.alignment.weighing.scores import read_score
from medrag.errors import MedragError
from medrag.language import fenced
from medrag.protocols import Generator
from medrag.records import Generation, Prompt, Question
from medrag.retrieval.asking.replying import problem_of, replies
from medrag.retrieval.asking.wording import filled, wording

MOST_ROUNDS = 5
# Characters of a question, with its contexts, and of an answer that a judge reads. Of a question
# the end is kept, where what is asked stands.
_LONGEST_QUESTION, _LONGEST_ANSWER = 6000, 3000
# Of scores that are equal but for rounding.
_ROUNDING = 1e-9

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A wrong answer beside the right one."""

    question: str
    right: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Relevance:
    """What a panel says of a mistake.

    Attributes:
        score: the mean over the judges, in [0, 1]; nan where none gave a score that can be read.
        agreed: whether the scores lie within the tolerance of each other in the end, those of two
            judges at least if there are several.
        n_rounds: of asking, the first included.
        by_judge: the last score of each judge; nan without any.
    """

    score: float
    agreed: bool
    n_rounds: int
    by_judge: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PanelScores:
    """What a panel says of several mistakes, and what it took.

    Attributes:
        relevances: one for each mistake, in order.
        n_asked: prompts given to judges; equal mistakes are asked about once.
        n_unread: replies that said no score.
        n_failed: prompts that a judge failed on.
    """

    relevances: tuple[Relevance, ...]
    n_asked: int
    n_unread: int
    n_failed: int


class Panel:
    """Several judges, models that write, which score how clinically relevant a mistake is.

    Each scores alone first. Where they do not agree, each is told its own score and those of the
    others, without names, and scores again; a judge that would be told nothing new is not asked.
    After the last round the mean counts. A score that cannot be read leaves the judge's last one.

    Judges read words alone: the question as it was asked, the right and the wrong answer. All of
    these are material to them, fenced and no instruction.

    Args:
        judges: at least one; three in the paper. Their temperatures are their own.
        rounds: of asking at most, 1 to 5.
        tolerance: by which scores in [0, 1] may differ and still agree.

    Raises:
        ValueError: if there is no judge, or a number is out of range.

    Source:
        MMedPO, arXiv 2412.06141. The wording and the scale are our own.
    """

    def __init__(
        self, *, judges: Sequence[Generator], rounds: int = MOST_ROUNDS, tolerance: float = 0.1
    ) -> None:
        if not judges:
            raise ValueError("a panel needs at least one judge")
        if not 1 <= rounds <= MOST_ROUNDS:
            raise ValueError(f"rounds must be from 1 to {MOST_ROUNDS}, got {rounds}")
        if not 0 <= tolerance <= 1:
            raise ValueError(f"tolerance must lie in [0, 1], got {tolerance}")
        self.judges = tuple(judges)
        self.rounds = rounds
        self.tolerance = tolerance

    def score(self, mistakes: Sequence[Mistake]) -> PanelScores:
        """Score mistakes.

        Raises:
            MedragError: if every judge failed on every prompt of the first round; says why the
                first did.
            RecipeError, MissingExtraError, BudgetSpentError: as the judges raise them.
        """
        debates = {each: _Debate(each, [nan] * len(self.judges)) for each in mistakes}
        count = _Count()
        for n_rounds in range(1, self.rounds + 1):
            open_ones = [each for each in debates.values() if not self._agreed(each.scores)]
            if not open_ones or not self._asked(open_ones, n_rounds, count):
                break
            if count.asked == count.failed:
                raise MedragError(f"no judge gave a reply: {count.problem}")
        if count.unread or count.failed:
            _LOGGER.warning(
                "of %d prompts to judges, %d failed and %d replies said no score; the first: %s",
                count.asked, count.failed, count.unread, count.problem,
            )  # fmt: skip
        found = tuple(self._relevance(debates[each]) for each in mistakes)
        return PanelScores(found, count.asked, count.unread, count.failed)

    def _asked(self, debates: Sequence["_Debate"], n_rounds: int, count: "_Count") -> bool:
        """Ask all judges once, each of what was said before; tell whether any was."""
        texts = [[_prompt(each, n) for each in debates] for n in range(len(self.judges))]
        anyone = False
        for n, (judge, said) in enumerate(zip(self.judges, texts, strict=True)):
            new = [
                (debate, text)
                for debate, text in zip(debates, said, strict=True)
                if debate.told.get(n) != text
            ]
            prompts = [Prompt(Question(text), evidence=(), parts=(text,)) for _, text in new]
            for (debate, text), reply in zip(new, replies(judge, prompts), strict=True):
                debate.told[n] = text
                debate.n_rounds = n_rounds
                debate.scores[n] = _read(reply, debate.scores[n], count)
            anyone = anyone or bool(new)
        return anyone

    def _agreed(self, scores: Sequence[float]) -> bool:
        known = [score for score in scores if isfinite(score)]
        enough = len(known) >= min(2, len(scores))
        return enough and max(known) - min(known) <= self.tolerance + _ROUNDING

    def _relevance(self, debate: "_Debate") -> Relevance:
        known = [score for score in debate.scores if isfinite(score)]
        mean = sum(known) / len(known) if known else nan
        return Relevance(mean, self._agreed(debate.scores), debate.n_rounds, tuple(debate.scores))


@dataclass(slots=True)
class _Debate:
    """How far the talk about a mistake has come; `told` is what each judge was asked last."""

    mistake: Mistake
    scores: list[float]
    n_rounds: int = 0
    told: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Count:
    asked: int = 0
    unread: int = 0
    failed: int = 0
    problem: str = ""


def _prompt(debate: _Debate, judge: int) -> str:
    texts = wording("medrag.alignment.weighing", "relevance").texts
    mistake = debate.mistake
    return filled(texts["ask"], {
        "question": fenced(mistake.question[-_LONGEST_QUESTION:]),
        "right": fenced(mistake.right[:_LONGEST_ANSWER]),
        "wrong": fenced(mistake.wrong[:_LONGEST_ANSWER]),
        "others": _others(debate, judge),
    })  # fmt: skip


def _others(debate: _Debate, judge: int) -> str:
    """Say what the others gave; nothing before anyone was asked."""
    given = [
        f"{score * 10:.3g}"
        for n, score in enumerate(debate.scores)
        if n != judge and isfinite(score)
    ]
    if not given:
        return ""
    texts = wording("medrag.alignment.weighing", "relevance").texts
    score = debate.scores[judge]
    own = texts["no_own"]
    if isfinite(score):
        own = filled(texts["own"], {"score": f"{score * 10:.3g}"})
    return filled(texts["others"], {"own": own, "given": ", ".join(given)}) + "\n"


def _read(reply: Generation | Exception, before: float, count: _Count) -> float:
    count.asked += 1
    if isinstance(reply, Exception):
        count.failed += 1
        count.problem = count.problem or problem_of(reply)
        return before
    score = read_score(reply.text)
    if isfinite(score):
        return score
    count.unread += 1
    count.problem = count.problem or f"a reply without a score: {reply.text[:100]!r}"
    return before
