"""The right half of the flow: retrieve, select, answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from medrag.answering.pictures import Found, found, restored
from medrag.answering.timing import Clock
from medrag.identity import load_key
from medrag.pipeline.preparing import prepared
from medrag.protocols import Answerer, Retriever, Selector, StreamingAnswerer, TracedRetriever
from medrag.records import Answer, Filter, Hit, Passage, Question, Retrieved, Selection, Usage
from medrag.records.usage import summed
from medrag.retrieval.guarding import guarded, guards, kept_in, kept_out, near_duplicates
from medrag.selection.checking import check_each
from medrag.verification.abstention import apply, check, held_back
from medrag.verification.calibrated import Calibration


@dataclass(frozen=True, slots=True)
class Selected:
    """A prepared question and what was selected for it: all that answering needs.

    Attributes:
        excluded: hits that the guard removed.
        seconds: by stage, so far.
        trace: how retrieval went, step by step, where the retriever tells.
        usage: of the models that it asked; None where it asked none.
    """

    question: Question
    selection: Selection
    excluded: tuple[Hit, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict, hash=False)
    trace: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)
    usage: Usage | None = None


class Pipeline:
    """Answer questions from a library.

    Args:
        retriever: ranks passages for a question.
        selector: chooses the hits worth reading.
        answerer: writes the answer from them.
        k: hits to retrieve for each question.
        guard: keep hits of the question's own picture, study and subject from the evidence; they
            are listed in `Answer.excluded`.
        allow: what every question may see, besides the guard.
        key: of the pseudonyms of subjects and studies; None reads this user's key when a question
            first names one.
        check_key: called with the key when a question names a subject or a study; raises if the
            library was built with another, as the guard would then not know its patients.
        resolve: makes the paths of a passage's images absolute, for a model to look at; None where
            they are so already.
        index: what the hits come from, for those who draw their pictures; not used here.
        identity: what the answers depend on, as JSON values (recipe, index); a calibration must
            be of the same.
        calibration: tells how sure an answer is, and which to hold back; None leaves confidence as
            the generator gives it.

    Raises:
        ValueError: if k is below 1.
        RecipeError: if the calibration, or a selector that was fitted to one pipeline, is of
            another index, recipe or model.
    """

    def __init__(
        self,
        *,
        retriever: Retriever,
        selector: Selector,
        answerer: Answerer,
        k: int = 20,
        guard: bool = True,
        allow: Filter = Filter(),  # noqa: B008 - frozen
        key: bytes | None = None,
        check_key: Callable[[bytes], None] | None = None,
        resolve: Callable[[Passage], Passage] | None = None,
        index: Any = None,
        identity: Mapping[str, Any] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.retriever = retriever
        self.selector = selector
        self.answerer = answerer
        self.k = k
        self.guard = guard
        self.allow = allow
        self.key = key
        self.check_key = check_key
        self.resolve = resolve
        self.index = index
        self.identity = dict(identity or {})
        self.calibration = calibration
        check_each((selector,), self.identity, model_name(answerer), k)
        if calibration is not None:
            check(calibration, self.identity, model_name(answerer))

    def answer(self, question: Question, *, allow: Filter | None = None) -> Answer:
        """Answer one question; see `answer_all`."""
        return self.answer_all([question], allow=allow)[0]

    def answer_all(
        self, questions: Sequence[Question], *, allow: Filter | None = None
    ) -> list[Answer]:
        """Answer questions, in order.

        Args:
            questions: as a person asks them.
            allow: what these questions may see, instead of the pipeline's own `allow`.

        Returns:
            One answer per question. `Answer.question` is the question as it was prepared: images
            decoded and named, subject and study as pseudonyms, an id. `Answer.timings` holds
            seconds for "prepare", "retrieve", "guard", "select" and "answer", the batch's time
            shared equally by its questions, beside those of the answerer.

        Raises:
            MedragError: if an image of a question cannot be read; names the question. Or if a
                question names a patient and the library was built with another key. Nothing was
                answered then.
            ValueError: if the subject or study of a question is blank.
        """
        return self.answer_selected(self.select_all(questions, allow=allow))

    def select_all(
        self, questions: Sequence[Question], *, allow: Filter | None = None
    ) -> list[Selected]:
        """Do the first half of `answer_all`: prepare, retrieve and select."""
        clock = Clock()
        ready = self.prepared(questions)
        clock.lap("prepare")
        seconds = clock.shared(len(ready))
        return [
            replace(each, seconds={**seconds, **each.seconds})
            for each in self.select(ready, allow=allow)
        ]

    def prepared(self, questions: Sequence[Question]) -> list[Question]:
        """Make questions ready to be asked; see `prepared` for what that is and may raise."""
        return prepared(questions, self._checked_key(questions))

    def select(
        self,
        questions: Sequence[Question],
        *,
        allow: Filter | None = None,
        guard: bool | None = None,
        about: Sequence[Question] | None = None,
    ) -> list[Selected]:
        """Retrieve and select for prepared questions.

        Args:
            guard: another setting than the pipeline's own.
            about: the questions that the guard is for, where others are asked in their place (the
                same without its pictures, say).
        """
        guard = self.guard if guard is None else guard
        allowed = self.allow if allow is None else allow
        filters = [guarded(q, allowed) if guard else allowed for q in about or questions]
        clock = Clock()
        found = self._retrieved(questions, filters, guard=guard)
        clock.lap("retrieve")
        excluded = self._excluded(questions, filters if guard else [], allowed)
        clock.lap("guard")
        selections = [
            self.selector.select(question, each.hits)
            for question, each in zip(questions, found, strict=True)
        ]
        clock.lap("select")
        seconds = clock.shared(len(questions))
        return [
            Selected(question, selection, excluded.get(i, ()), seconds, each.trace, each.usage)
            for i, (question, selection, each) in enumerate(
                zip(questions, selections, found, strict=True)
            )
        ]

    def _retrieved(
        self, questions: Sequence[Question], filters: Sequence[Filter], *, guard: bool
    ) -> list[Retrieved]:
        """Retrieve, and hold every hit against the guard once more, whoever found it."""
        if isinstance(self.retriever, TracedRetriever):
            found = self.retriever.retrieve_traced(questions, self.k, filters)
        else:
            rankings = self.retriever.retrieve(questions, self.k, filters)
            found = [Retrieved(tuple(ranking)) for ranking in rankings]
        if not guard:
            return found
        return [
            replace(each, hits=tuple(kept_in(question, each.hits, wanted)))
            for question, each, wanted in zip(questions, found, filters, strict=True)
        ]

    def answer_selected(
        self, selected: Sequence[Selected], *, calibrated: bool = True
    ) -> list[Answer]:
        """Do the second half of `answer_all`: answer from what was selected.

        Args:
            calibrated: False leaves the calibration out, for answers that are made in another way
                than those it was fitted to (without evidence, say).
        """
        shown = [self._found(each.selection) for each in selected]
        clock = Clock()
        answers = self.answerer.answer(
            [each.question for each in selected], [each.selection for each in shown]
        )
        clock.lap("answer")
        seconds = clock.shared(len(selected))
        return [
            self._finished(answer, each, found, seconds, calibrated=calibrated)
            for answer, each, found in zip(answers, selected, shown, strict=True)
        ]

    def stream(
        self,
        question: Question,
        tell: Callable[[str], None],
        *,
        allow: Filter | None = None,
    ) -> Answer:
        """Answer one question, and tell the text of a model while it comes.

        Args:
            tell: gets each new piece. Markers that are attached and sentences that are removed
                afterwards show in the answer alone.

        Raises:
            MedragError: as `answer_all`.
        """
        (each,) = self.select_all([question], allow=allow)
        found = self._found(each.selection)
        clock = Clock()
        # What a calibration may hold back is not told before its confidence is known.
        streams = self.calibration is None
        if streams and isinstance(self.answerer, StreamingAnswerer):
            answer = self.answerer.stream(each.question, found.selection, tell)
        else:
            (answer,) = self.answerer.answer([each.question], [found.selection])
            streams = False
        clock.lap("answer")
        finished = self._finished(answer, each, found, clock.shared(1))
        if not streams and held_back(finished) is None:
            tell(finished.text)
        return finished

    def _found(self, selection: Selection) -> Found:
        if self.resolve is None:
            return Found(selection, selection)
        return found(selection, self.resolve)

    def _finished(
        self,
        answer: Answer,
        each: Selected,
        given: Found,
        seconds: Mapping[str, float],
        *,
        calibrated: bool = True,
    ) -> Answer:
        answer = restored(answer, given)
        finished = replace(
            answer,
            excluded=each.excluded,
            trace=(*each.trace, *answer.trace),
            usage=summed([each.usage, answer.usage]) if each.usage else answer.usage,
            near_duplicates=near_duplicates(answer.question, answer.selection.kept),
            timings={**each.seconds, **seconds, **answer.timings},
        )
        if self.calibration is None or not calibrated:
            return finished
        return apply(self.calibration, finished)

    def _checked_key(self, questions: Sequence[Question]) -> bytes | None:
        """Give the key of pseudonyms, if a question needs one, after the library accepted it."""
        if not any(question.subject or question.study for question in questions):
            return self.key
        key = load_key() if self.key is None else self.key
        if self.check_key is not None:
            self.check_key(key)
        return key

    def _excluded(
        self, questions: Sequence[Question], filters: Sequence[Filter], allowed: Filter
    ) -> dict[int, tuple[Hit, ...]]:
        """Find what the guard removed, by asking again without it where it could remove a hit."""
        asked = [i for i, wanted in enumerate(filters) if guards(wanted)]
        if not asked or not getattr(self.retriever, "repeatable", True):
            return {}
        rankings = self.retriever.retrieve(
            [questions[i] for i in asked], self.k, [allowed for _ in asked]
        )
        return {
            i: kept_out(questions[i], ranking, filters[i])
            for i, ranking in zip(asked, rankings, strict=True)
        }


def model_name(answerer: Answerer) -> str:
    """Name what writes the answers: the generator, or an answerer that has none."""
    generator = getattr(answerer, "generator", None)
    return str(getattr(generator, "name", type(answerer).__name__))
