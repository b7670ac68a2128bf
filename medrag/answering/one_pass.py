"""The answerer of most pipelines: prompt, generate, cite, verify, and mend what does not hold."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args
from uuid import UUID, uuid5

from medrag.answering.outcomes import drawn, outcomes, trouble
from medrag.answering.timing import Clock
from medrag.errors import FAILURES, BudgetSpentError
from medrag.prompting import load_template
from medrag.prompting.citation import cite
from medrag.prompting.fitting import Fitted, fit, limits_of
from medrag.protocols import Generator, Sampling, Streaming, Verifier
from medrag.records import Answer, Generation, Prompt, Question, Selection
from medrag.records.usage import summed
from medrag.verification.attaching import attached
from medrag.verification.confidence import signals
from medrag.verification.revising import Unsupported, failed, redo_prompt, removed

_NAMESPACE = UUID("6d656472-6167-5a00-8000-000000000002")
NoEvidence = Literal["answer", "abstain"]
_DECLINED = Generation("No evidence found in this library.", confidence=0.0, abstained=True)
# The share of a claim's words, by weight, that a sentence must have to lend it its marker.
_LEAST = 0.6
# A place in a picture, which must not be read as markers.
_PLACE = re.compile(r"[\[(]\s*-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){1,3}\s*[\])]")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A prompt and what became of it; `outcome` is an error where either could not be made."""

    question: Question
    selection: Selection
    fitted: Fitted | None
    outcome: Generation | Exception
    samples: tuple[Generation, ...] = ()


class OnePassAnswerer:
    """Prompt, generate, cite, and verify where there is a verifier.

    A prompt on which the generator fails gives an answer without text whose `error` says why; the
    others go on. Where a whole batch fails it is tried again prompt by prompt.

    Args:
        generator: writes the texts.
        verifier: says which claims their evidence supports; None leaves them "unchecked".
        template: of the prompts, by its name or as a file; None chooses by the question.
        attach: give a claim that came without a marker that of the evidence sentence that supports
            it best. Left out for generators without weights, which cite all they say.
        unsupported: what becomes of claims that are unsupported or contradicted: "flag" says so in
            `Answer.claims`; "remove" takes them out; "redo" has the model write once more, told
            what did not hold, and then takes out what still does not.
        samples: further texts to draw for each prompt; how far they agree is a signal of
            confidence.
        no_evidence: what becomes of a question for which nothing was selected: "answer" asks the
            generator all the same; "abstain" does not.

    Raises:
        ValueError: if a setting is out of range, needs a verifier that is not there, or asks for
            samples of a generator that cannot draw them.
        RecipeError: if the template cannot be read.
    """

    def __init__(
        self,
        *,
        generator: Generator,
        verifier: Verifier | None = None,
        template: str | None = None,
        attach: bool = True,
        unsupported: Unsupported = "flag",
        samples: int = 0,
        no_evidence: NoEvidence = "answer",
    ) -> None:
        if no_evidence not in get_args(NoEvidence):
            raise ValueError(f"no_evidence must be answer or abstain, got {no_evidence!r}")
        if unsupported not in get_args(Unsupported):
            raise ValueError(f"unsupported must be flag, remove or redo, got {unsupported!r}")
        if unsupported != "flag" and verifier is None:
            raise ValueError(f"unsupported: {unsupported} needs a verifier, which tells them")
        if template is not None:
            load_template(template)
        if samples < 0:
            raise ValueError(f"samples must be at least 0, got {samples}")
        if samples and not isinstance(generator, Sampling):
            raise ValueError(f"{generator.name} cannot draw samples; leave them out")
        self.generator = generator
        self.verifier = verifier
        self.template = template
        self.attach = attach and bool(getattr(generator, "looks", True))
        self.unsupported = unsupported
        self.samples = samples
        self.no_evidence = no_evidence

    def answer(
        self, questions: Sequence[Question], selections: Sequence[Selection]
    ) -> list[Answer]:
        """Answer each question from its selection.

        Returns:
            One answer per question, in order. `Answer.timings` holds seconds for "prompt",
            "generate", "cite" and "verify", and "redo" where that was asked for: the batch's time
            shared equally by its questions.

        Raises:
            ValueError: if questions and selections differ in number.
            BudgetSpentError: if the generator may ask its server no more.
        """
        if len(questions) != len(selections):
            raise ValueError(
                f"{len(questions)} questions need as many selections, got {len(selections)}"
            )
        clock = Clock()
        prompts = [self._fitted(q, s) for q, s in zip(questions, selections, strict=True)]
        clock.lap("prompt")
        made = iter(
            outcomes(
                self.generator,
                [
                    each.prompt
                    for each, s in zip(prompts, selections, strict=True)
                    if isinstance(each, Fitted) and not self._declines(s)
                ],
            )
        )
        drafts = [
            _Draft(q, s, each, _DECLINED if self._declines(s) else next(made))
            if isinstance(each, Fitted)
            else _Draft(q, s, None, each)
            for q, s, each in zip(questions, selections, prompts, strict=True)
        ]
        drafts = self._sampled(drafts)
        clock.lap("generate")
        return self._grounded(drafts, clock)

    def stream(
        self, question: Question, selection: Selection, tell: Callable[[str], None]
    ) -> Answer:
        """Answer one question, and tell the model's text while it comes.

        Markers that are attached and claims that are removed or written anew show in the answer
        alone.
        """
        clock = Clock()
        fitted = self._fitted(question, selection)
        clock.lap("prompt")
        if isinstance(fitted, Exception):
            draft = _Draft(question, selection, None, fitted)
        elif self._declines(selection):
            tell(_DECLINED.text)
            draft = _Draft(question, selection, fitted, _DECLINED)
        else:
            draft = _Draft(question, selection, fitted, self._told(fitted.prompt, tell))
        drafts = self._sampled([draft])
        clock.lap("generate")
        (answer,) = self._grounded(drafts, clock)
        return answer

    def _declines(self, selection: Selection) -> bool:
        return self.no_evidence == "abstain" and not selection.kept

    def _fitted(self, question: Question, selection: Selection) -> Fitted | Exception:
        limits = limits_of(self.generator)
        try:
            return fit(question, selection, template=self.template, generator=limits)
        except FAILURES as error:
            return error

    def _told(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation | Exception:
        if isinstance(self.generator, Streaming):
            try:
                return self.generator.stream(prompt, tell)
            except BudgetSpentError:
                raise
            except FAILURES as error:
                return error
        (made,) = outcomes(self.generator, [prompt])
        if isinstance(made, Generation):
            tell(made.text)
        return made

    def _sampled(self, drafts: Sequence[_Draft]) -> list[_Draft]:
        """Draw further texts of the prompts that were answered."""
        wanted = [each.fitted for each in drafts if _was_made(each)]
        if not (self.samples and wanted and isinstance(self.generator, Sampling)):
            return list(drafts)
        prompts = [each.prompt for each in wanted if each is not None]
        samples = iter(drawn(self.generator, prompts, self.samples))
        return [
            replace(each, samples=next(samples)) if _was_made(each) else each for each in drafts
        ]

    def _grounded(self, drafts: Sequence[_Draft], clock: Clock) -> list[Answer]:
        """Write answers, check their claims, and mend them as the settings say."""
        answers = [self._written(draft) for draft in drafts]
        clock.lap("cite")
        answers = self._verified(answers)
        clock.lap("verify")
        if self.unsupported == "redo":
            answers = self._redone(drafts, answers)
            clock.lap("redo")
        if self.unsupported != "flag":
            answers = [removed(answer) for answer in answers]
        shared = clock.shared(len(answers))
        return [
            replace(answer, signals=_signals(answer, draft), timings=shared)
            for answer, draft in zip(answers, drafts, strict=True)
        ]

    def _written(self, draft: _Draft) -> Answer:
        if draft.fitted is None or isinstance(draft.outcome, Exception):
            return self._failed(draft)
        prompt, made = draft.fitted.prompt, draft.outcome
        cited = cite(_PLACE.sub("", made.text) if made.regions else made.text, prompt)
        answer = Answer(
            draft.question,
            text=made.text,
            id=answer_id(prompt, self.generator.name),
            claims=cited.claims,
            citations=cited.citations,
            selection=draft.selection,
            regions=made.regions,
            quantities=made.quantities,
            confidence=made.confidence,
            abstained=made.abstained,
            error="; ".join(filter(None, (trouble(made), cited.error))) or None,
            model=self.generator.name,
            usage=summed([made.usage, *(each.usage for each in draft.samples)]),
            prompt=prompt.parts,
            template=prompt.template,
            left_out=draft.fitted.left_out,
            thoughts=made.thoughts,
            option_scores=made.option_scores,
            trace=made.trace,
        )
        return attached(answer, prompt.evidence, least=_LEAST) if self.attach else answer

    def _failed(self, draft: _Draft) -> Answer:
        prompt = draft.fitted.prompt if draft.fitted else Prompt(draft.question, ())
        error, name = draft.outcome, self.generator.name
        return Answer(
            draft.question,
            text="",
            id=answer_id(prompt, name),
            selection=draft.selection,
            error=f"{name} failed: {type(error).__name__}: {error}",
            model=name,
            prompt=prompt.parts,
            template=prompt.template,
            left_out=draft.fitted.left_out if draft.fitted else (),
        )

    def _verified(self, answers: list[Answer]) -> list[Answer]:
        return answers if self.verifier is None else self.verifier.verify(answers)

    def _redone(self, drafts: Sequence[_Draft], answers: Sequence[Answer]) -> list[Answer]:
        """Have each answer with a claim that does not hold written once more."""
        wanted = {
            place: replace(draft, fitted=replace(draft.fitted, prompt=redo_prompt(
                draft.fitted.prompt, answer
            )))
            for place, (draft, answer) in enumerate(zip(drafts, answers, strict=True))
            if draft.fitted is not None and failed(answer) and not answer.abstained
        }  # fmt: skip
        prompts = [each.fitted.prompt for each in wanted.values() if each.fitted]
        made = outcomes(self.generator, prompts) if prompts else []
        again = {
            place: replace(draft, outcome=outcome)
            for (place, draft), outcome in zip(wanted.items(), made, strict=True)
            if isinstance(outcome, Generation) and outcome.text.strip()
        }
        checked = self._verified([self._written(draft) for draft in again.values()])
        found = dict(zip(again, checked, strict=True))
        return [
            _mended(answer, found[place]) if place in found else answer
            for place, answer in enumerate(answers)
        ]


def _was_made(draft: _Draft) -> bool:
    return isinstance(draft.outcome, Generation) and draft.outcome is not _DECLINED


def answer_id(prompt: Prompt, model: str) -> str:
    """Name an answer by its question, evidence, template and model; equal for equal ones."""
    question = prompt.question
    asked = [question.id, question.text, *question.options]
    # Pixels, not paths: the same picture has one name on every machine.
    asked += [getattr(image, "sha256", None) or str(image) for image in question.images]
    seen = [hit.passage.id for hit in prompt.evidence]
    return str(uuid5(_NAMESPACE, repr([asked, seen, prompt.template, model])))


def _mended(first: Answer, second: Answer) -> Answer:
    """Give the second writing of an answer, and say in its trace what was written first."""
    step = {"step": "redone", "text": first.text}
    return replace(
        second,
        usage=summed([first.usage, second.usage]),
        trace=(*first.trace, step, *second.trace),
    )


def _signals(answer: Answer, draft: _Draft) -> dict[str, float]:
    made = draft.outcome
    return signals(answer, made, draft.samples) if isinstance(made, Generation) else {}
