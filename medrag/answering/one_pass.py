"""From a question and its selected hits to an answer."""

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter
from uuid import UUID, uuid5

from medrag.answering.outcomes import outcomes
from medrag.prompting.citation import cite
from medrag.prompting.templates import build_prompt
from medrag.protocols import Generator, Verifier
from medrag.records import Answer, Generation, Prompt, Question, Selection

_NAMESPACE = UUID("6d656472-6167-5a00-8000-000000000002")


class OnePassAnswerer:
    """Prompt, generate, cite, and verify where there is a verifier.

    A prompt on which the generator fails gives an answer without text whose `error` says why; the
    others go on. Where a whole batch fails it is tried again prompt by prompt.

    Args:
        generator: writes the texts.
        verifier: says which claims their evidence supports; None leaves them "unchecked".
    """

    def __init__(self, *, generator: Generator, verifier: Verifier | None = None) -> None:
        self.generator = generator
        self.verifier = verifier

    def answer(
        self, questions: Sequence[Question], selections: Sequence[Selection]
    ) -> list[Answer]:
        """Answer each question from its selection.

        Returns:
            One answer per question, in order. `Answer.timings` holds seconds for "prompt",
            "generate", "cite" and "verify": the batch's time shared equally by its questions.

        Raises:
            ValueError: if questions and selections differ in number.
        """
        if len(questions) != len(selections):
            raise ValueError(
                f"{len(questions)} questions need as many selections, got {len(selections)}"
            )
        started = perf_counter()
        prompts = [build_prompt(q, s) for q, s in zip(questions, selections, strict=True)]
        prompted = perf_counter()
        made = outcomes(self.generator, prompts)
        generated = perf_counter()
        answers = [
            self._answer(prompt, selection, outcome)
            for prompt, selection, outcome in zip(prompts, selections, made, strict=True)
        ]
        cited = perf_counter()
        if self.verifier is not None:
            answers = self.verifier.verify(answers)
        stages = {"prompt": prompted - started, "generate": generated - prompted}
        stages |= {"cite": cited - generated, "verify": perf_counter() - cited}
        shared = {name: seconds / max(1, len(answers)) for name, seconds in stages.items()}
        return [_timed(answer, shared) for answer in answers]

    def _answer(
        self, prompt: Prompt, selection: Selection, outcome: Generation | Exception
    ) -> Answer:
        named = answer_id(prompt, self.generator.name)
        if isinstance(outcome, Exception):
            message = f"{self.generator.name} failed: {type(outcome).__name__}: {outcome}"
            return Answer(
                prompt.question,
                text="",
                id=named,
                selection=selection,
                error=message,
                model=self.generator.name,
                prompt=prompt.parts,
            )
        cited = cite(outcome.text, prompt)
        return Answer(
            prompt.question,
            text=outcome.text,
            id=named,
            claims=cited.claims,
            citations=cited.citations,
            selection=selection,
            confidence=outcome.confidence,
            abstained=outcome.abstained,
            error=cited.error,
            model=self.generator.name,
            usage=outcome.usage,
            prompt=prompt.parts,
            option_scores=outcome.option_scores,
        )


def answer_id(prompt: Prompt, model: str) -> str:
    """Name an answer by its question, evidence and model; equal for equal ones."""
    question = prompt.question
    asked = [question.id, question.text, *question.options]
    # Pixels, not paths: the same picture has one name on every machine.
    asked += [getattr(image, "sha256", None) or str(image) for image in question.images]
    seen = [hit.passage.id for hit in prompt.evidence]
    return str(uuid5(_NAMESPACE, repr([asked, seen, model])))


def _timed(answer: Answer, seconds: dict[str, float]) -> Answer:
    return replace(answer, timings={**answer.timings, **seconds})
