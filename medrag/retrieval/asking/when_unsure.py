"""Retrieve only for questions that a model is unsure of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from medrag.protocols import Generator, Retriever, Sampling
from medrag.records import Filter, Generation, Hit, Prompt, Question, Retrieved, Usage
from medrag.records.usage import together
from medrag.retrieval.asking.replying import (
    each_outcome,
    of_written,
    problem_of,
    prompts_for,
    replies,
    told,
)
from medrag.retrieval.asking.showing import Asked, written
from medrag.retrieval.asking.switching import STEP
from medrag.retrieval.asking.uncertainty import Signal, Uncertainty, uncertainty_of
from medrag.retrieval.asking.wording import wording
from medrag.retrieval.checking import check_asked, check_choice, check_shares
from medrag.retrieval.tracing import asked_at

By = Literal["auto", "options", "agreement", "tokens"]


@dataclass(frozen=True, slots=True)
class _Alone:
    """What became of a question without evidence."""

    unsure: Uncertainty
    said: str = ""
    usage: Usage | None = None
    problem: str = ""


class WhenUnsureRetriever:
    """Ask a model without evidence, and retrieve only where it is unsure.

    A question that it is sure of gets no hits, and is then answered without evidence. Where the
    model tells nothing to judge by, or fails, all is retrieved as usual. The trace begins with
    {"step": "when_unsure", "signal", "uncertainty", "threshold", "searched", "reply"}, with
    "problem" where there was one.

    Args:
        retriever: asked for questions that the model is unsure of, with the filters as they came.
        generator: says how sure it is by the scores of options, by samples, or by the
            probabilities of its tokens; it should be the one that answers in the end.
        threshold: of the uncertainty, in [0, 1]; at or above it, retrieve. It belongs to one signal
            and one model: `medrag.retrieval.asking.switching` chooses it on a run.
        by: the entropy of the "options" as a share of log(n), or of the "agreement" of samples, or
            1 - the mean probability of the "tokens"; "auto" takes the first that is told.
        samples: to draw for "agreement"; 0 for none.

    Raises:
        ValueError: if a number is out of range, or samples are asked of a generator that cannot
            draw them.

    Source:
        OphthaReason, arXiv 2508.16129, whose training explores by the entropy of a sample; the
        formulas of the signals are ours.
    """

    repeatable = False

    def __init__(
        self,
        *,
        retriever: Retriever,
        generator: Generator,
        threshold: float = 0.5,
        by: By = "auto",
        samples: int = 0,
    ) -> None:
        check_shares(threshold=threshold)
        check_choice("by", by, get_args(By))
        if samples < 0 or samples == 1:
            raise ValueError(f"samples must be 0 or at least 2, got {samples}")
        if by == "agreement" and not samples:
            raise ValueError("by: agreement needs samples, at least 2")
        if samples and not isinstance(generator, Sampling):
            raise ValueError(f"{generator.name} cannot draw samples; leave them out")
        self.retriever = retriever
        self.generator = generator
        self.threshold = threshold
        self.by = by
        self.samples = samples
        self._signals: tuple[Signal, ...] = get_args(Signal) if by == "auto" else (by,)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages; see `retrieve_traced`."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Rank passages for the questions that the model is unsure of, with what it said.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
            Exception: what the retriever raises.
        """
        check_asked(questions, k, filters)
        alone = self._alone(questions)
        wanted = [place for place, each in enumerate(alone) if self._searches(each)]
        found = asked_at(wanted, self.retriever, questions, k, filters)
        return [
            self._retrieved(each, found.get(place, Retrieved(())))
            for place, each in enumerate(alone)
        ]

    def _searches(self, alone: _Alone) -> bool:
        return alone.unsure.value is None or alone.unsure.value >= self.threshold

    def _alone(self, questions: Sequence[Question]) -> list[_Alone]:
        words = wording(__package__, "unsure")
        prompts = prompts_for(
            lambda each: written(Asked(each, (), (), {}), words, self.generator), questions
        )
        made = of_written(
            lambda several: list(zip(self._made(several), self._sampled(several), strict=True)),
            prompts,
        )
        return [
            _Alone(Uncertainty(None, None), problem=problem_of(each))
            if isinstance(each, Exception)
            else self._judged(question, *each)
            for question, each in zip(questions, made, strict=True)
        ]

    def _made(self, prompts: Sequence[Prompt]) -> Sequence[Generation | Exception | None]:
        """Ask for one text each, unless samples alone are wanted."""
        if self.by == "agreement":
            return [None for _ in prompts]
        return replies(self.generator, prompts)

    def _sampled(self, prompts: Sequence[Prompt]) -> list[tuple[Generation, ...]]:
        if not self.samples or not prompts or not isinstance(self.generator, Sampling):
            return [() for _ in prompts]
        draw, n = self.generator.sample, self.samples
        drawn = each_outcome(lambda several: draw(several, n), prompts, "drawing samples")
        return [() if isinstance(each, Exception) else tuple(each) for each in drawn]

    def _judged(
        self,
        question: Question,
        made: Generation | Exception | None,
        samples: Sequence[Generation],
    ) -> _Alone:
        text = made if isinstance(made, Generation) else None
        unsure = uncertainty_of(text, samples, options=question.options, signals=self._signals)
        every = [*([text] if text else []), *samples]
        problem = problem_of(made) if isinstance(made, Exception) else ""
        if unsure.value is None and not problem:
            problem = f"{self.generator.name} tells nothing to judge by"
        said = told(next((each.text for each in every), ""))
        return _Alone(unsure, said, together([each.usage for each in every]), problem)

    def _retrieved(self, alone: _Alone, found: Retrieved) -> Retrieved:
        step: dict[str, Any] = {
            "step": STEP,
            "signal": alone.unsure.signal,
            "uncertainty": alone.unsure.value,
            "threshold": self.threshold,
            "searched": self._searches(alone),
            "reply": alone.said,
        }
        if alone.problem:
            step["problem"] = alone.problem
        return Retrieved(found.hits, (step, *found.trace), together([alone.usage, found.usage]))
