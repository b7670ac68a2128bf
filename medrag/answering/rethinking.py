"""An answerer that thinks again: it orders the evidence, drafts, criticises, and then answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medrag.answering.pictures import Found, found, restored
from medrag.answering.timing import Clock
from medrag.errors import IndexFormatError
from medrag.images import resolved
from medrag.language import fenced, without_markers
from medrag.language.markers import MARKER
from medrag.protocols import Answerer, Generator, PassageRows, Retriever
from medrag.records import (
    Answer,
    Filter,
    Generation,
    Passage,
    Prompt,
    Question,
    Retrieved,
    Selection,
    Turn,
    Usage,
)
from medrag.records.usage import summed
from medrag.retrieval.asking.replying import each_outcome, problem_of, replies, told
from medrag.retrieval.asking.showing import Asked, Roots, said, written
from medrag.retrieval.asking.wording import Wording, wording
from medrag.retrieval.guarding import guarded, kept_in
from medrag.retrieval.tracing import asked

_KEEP = re.compile(r"\W*KEEP\W*", re.ASCII)
_NUMBER = re.compile(r"[0-9]+")
_LONGEST_KEEP, _LONGEST_CRITICISM, _LONGEST_NUMBER = 40, 3000, 6


@dataclass(frozen=True, slots=True)
class _Thought:
    """How far one question has come.

    Attributes:
        selection: in the order in which it is read, its pictures absolute.
        given: the same, with the pictures of hits that were found on the way as the index has them.
        draft: the first answer.
        criticism: what does not hold of it; "" for nothing.
    """

    question: Question
    selection: Selection
    given: Selection
    draft: Answer | None = None
    criticism: str = ""
    n_more: int = 0
    trace: tuple[Mapping[str, Any], ...] = ()
    usages: tuple[Usage, ...] = ()


class RethinkingAnswerer:
    """Order the evidence, answer, say what does not hold of that, and answer again.

    Both answers are the inner answerer's, so that claims, citations and their verification are as
    it makes them; markers count the hits of `Answer.selection`, which stand in the new order, those
    found on the way behind. The inner answerer is told the draft and its criticism as earlier turns
    of the question. A draft that failed or abstained without new evidence, and one that the
    criticism keeps, is the answer. Where the second answer fails, the draft is the answer.

    `Answer.usage` is of all calls; the trace has "rearranged", "draft" and "rethought" steps before
    those of the answer itself.

    Args:
        answerer: writes both answers, such as `one_pass`.
        generator: orders and criticises.
        rows: the passages of the index.
        retriever: asked once more, with question and draft; None for what was selected alone. It
            is asked under the guard of the question, and what it brings is held against that. The
            `allow` of a recipe is not known here: say `kinds`, `domains` and `corpora` again.
        rearrange: have the evidence put in order.
        n_more: hits that the second retrieval may add.
        kinds, domains, corpora: of passages that it may bring; none names all.

    Raises:
        ValueError: if n_more is below 1.

    Source:
        MIRA, ACM MM 2025 (rearrange, answer, rethink, answer). Its models are trained for the last
        stage; none is here.
    """

    def __init__(
        self,
        *,
        answerer: Answerer,
        generator: Generator,
        rows: PassageRows,
        retriever: Retriever | None = None,
        rearrange: bool = True,
        n_more: int = 3,
        kinds: frozenset[str] = frozenset(),
        domains: frozenset[str] = frozenset(),
        corpora: frozenset[str] = frozenset(),
    ) -> None:
        if n_more < 1:
            raise ValueError(f"n_more must be at least 1, got {n_more}")
        self.answerer = answerer
        self.thinker = generator
        # What answers are told apart by: the model that writes them.
        self.generator = getattr(answerer, "generator", generator)
        self.rows = rows
        self.retriever = retriever
        self.rearrange = rearrange
        self.n_more = n_more
        self.allow = Filter(kinds=kinds, domains=domains, corpora=corpora)

    def answer(
        self, questions: Sequence[Question], selections: Sequence[Selection]
    ) -> list[Answer]:
        """Answer each question from its selection, twice.

        Returns:
            One answer per question, in order. `Answer.timings` has the seconds of "rearrange",
            "draft", "rethink" and "final", shared equally, beside those of the inner answerer.

        Raises:
            ValueError: if questions and selections differ in number.
            BudgetSpentError: if a generator may ask its server no more.
        """
        clock = Clock()
        thoughts = [_Thought(q, s, s) for q, s in zip(questions, selections, strict=True)]
        if self.rearrange:
            thoughts = self._rearranged(thoughts)
        clock.lap("rearrange")
        drafts = self.answerer.answer(questions, [each.selection for each in thoughts])
        thoughts = [_drafted(*pair) for pair in zip(thoughts, drafts, strict=True)]
        clock.lap("draft")
        thoughts = self._criticised(self._with_more(thoughts))
        clock.lap("rethink")
        finals = self._finals(thoughts)
        clock.lap("final")
        seconds = clock.shared(len(thoughts))
        return [_finished(each, finals.get(place), seconds) for place, each in enumerate(thoughts)]

    def _rearranged(self, thoughts: Sequence[_Thought]) -> list[_Thought]:
        several = [place for place, each in enumerate(thoughts) if len(each.selection.kept) > 1]
        words = wording("medrag.answering", "rearranging")
        made = self._asked(words, [_shown(thoughts[place], {}) for place in several])
        done = list(thoughts)
        for place, reply in zip(several, made, strict=True):
            done[place] = _in_order(thoughts[place], reply)
        return done

    def _with_more(self, thoughts: Sequence[_Thought]) -> list[_Thought]:
        """Retrieve once more, with what was answered."""
        drafted = [place for place, each in enumerate(thoughts) if each.draft and each.draft.text]
        if self.retriever is None or not drafted:
            return list(thoughts)
        questions = [_with_draft(thoughts[place]) for place in drafted]
        filters = [guarded(thoughts[place].question, self.allow) for place in drafted]
        retriever = self.retriever
        k = self.n_more + max(len(thoughts[place].selection.kept) for place in drafted)
        outcomes = each_outcome(
            lambda some: asked(retriever, [q for q, _ in some], k, [f for _, f in some]),
            list(zip(questions, filters, strict=True)),
            "retrieving once more",
        )
        done = list(thoughts)
        for place, wanted, outcome in zip(drafted, filters, outcomes, strict=True):
            done[place] = self._joined(thoughts[place], wanted, outcome)
        return done

    def _joined(
        self, thought: _Thought, wanted: Filter, outcome: Retrieved | Exception
    ) -> _Thought:
        """Add hits that were not selected before, behind the others."""
        if isinstance(outcome, Exception):
            return _noted(thought, {"step": "retrieved", "problem": problem_of(outcome)})
        known = {hit.passage.id for hit in thought.selection.kept}
        sound = kept_in(thought.question, outcome.hits, wanted)
        new = [hit for hit in sound if hit.passage.id not in known][: self.n_more]
        start = len(thought.selection.kept) + 1
        stored = tuple(replace(hit, rank=rank) for rank, hit in enumerate(new, start=start))
        here = found(Selection(kept=stored), self._resolve).selection.kept
        step = {"step": "retrieved", "found": [hit.passage.id for hit in new]}
        usages = () if outcome.usage is None else (outcome.usage,)
        return replace(
            _noted(thought, step, *outcome.trace),
            selection=replace(thought.selection, kept=(*thought.selection.kept, *here)),
            given=replace(thought.given, kept=(*thought.given.kept, *stored)),
            n_more=len(new),
            usages=(*thought.usages, *usages),
        )

    def _resolve(self, passage: Passage) -> Passage:
        if not isinstance(self.rows, Roots):
            return replace(passage, images=())
        try:
            return resolved(passage, self.rows.corpus_root(passage.source.corpus))
        except KeyError as error:
            raise IndexFormatError(
                f"the index has no corpus {passage.source.corpus!r}, which the retriever of "
                "rethinking gave a hit of; let both use one index"
            ) from error

    def _criticised(self, thoughts: Sequence[_Thought]) -> list[_Thought]:
        words = wording("medrag.answering", "rethinking")
        drafted = [place for place, each in enumerate(thoughts) if _claimed(each)]
        shown = [
            _shown(thoughts[place], {"draft": fenced(_claimed(thoughts[place]))})
            for place in drafted
        ]
        done = list(thoughts)
        for place, reply in zip(drafted, self._asked(words, shown), strict=True):
            done[place] = _with_criticism(thoughts[place], reply)
        return done

    def _finals(self, thoughts: Sequence[_Thought]) -> dict[int, Answer]:
        """Answer again where there is a reason to."""
        again = [place for place, each in enumerate(thoughts) if each.criticism or each.n_more]
        if not again:
            return {}
        asked_again = wording("medrag.answering", "rethinking").texts["asked_again"]
        questions = [_with_turns(thoughts[place], asked_again) for place in again]
        finals = self.answerer.answer(questions, [thoughts[place].selection for place in again])
        return dict(zip(again, finals, strict=True))

    def _asked(self, words: Wording, shown: Sequence[Asked]) -> list[Generation | Exception]:
        prompts = each_outcome(
            lambda several: [written(each, words, self.thinker) for each in several],
            shown,
            "writing prompts",
        )
        sound = [each for each in prompts if isinstance(each, Prompt)]
        made = iter(replies(self.thinker, sound))
        return [next(made) if isinstance(each, Prompt) else each for each in prompts]


def _noted(thought: _Thought, *steps: Mapping[str, Any]) -> _Thought:
    return replace(thought, trace=(*thought.trace, *steps))


def _paid(thought: _Thought, reply: Generation | Exception) -> _Thought:
    usage = reply.usage if isinstance(reply, Generation) else Usage()
    return replace(thought, usages=(*thought.usages, usage))


def _shown(thought: _Thought, values: Mapping[str, object]) -> Asked:
    kept = thought.selection.kept
    return Asked(thought.question, kept, tuple(hit.passage.images for hit in kept), values)


def _in_order(thought: _Thought, reply: Generation | Exception) -> _Thought:
    """Put the hits that a reply names first, in its order; the others follow as they were."""
    thought = _paid(thought, reply)
    if isinstance(reply, Exception):
        return _noted(thought, {"step": "rearranged", "problem": problem_of(reply)})
    n = len(thought.selection.kept)
    named = list(dict.fromkeys(order_of(said(reply), n)))
    step: dict[str, Any] = {"step": "rearranged", "reply": told(reply.text), "order": named}
    if not named:
        return _noted(thought, {**step, "problem": "the reply names no evidence"})
    order = [*named, *(number for number in range(1, n + 1) if number not in named)]
    return replace(
        _noted(thought, step),
        selection=_reordered(thought.selection, order),
        given=_reordered(thought.given, order),
    )


def order_of(reply: str, n: int) -> list[int]:
    """Read the numbers of evidence in the order written; none where one means nothing.

    Args:
        reply: markers such as [2] [1] and [3, 1], and nothing else but blanks and punctuation.
        n: markers 1 to n mean something.
    """
    if any(character.isalnum() for character in MARKER.sub("", reply)):
        return []
    # Ranges are not opened: an order is not written so.
    written_numbers = [each for found in MARKER.findall(reply) for each in _NUMBER.findall(found)]
    numbers = [int(each) for each in written_numbers if len(each) <= _LONGEST_NUMBER]
    sound = len(numbers) == len(written_numbers) and all(1 <= number <= n for number in numbers)
    return numbers if sound else []


def _reordered(selection: Selection, order: Sequence[int]) -> Selection:
    hits = [selection.kept[number - 1] for number in order]
    kept = tuple(replace(hit, rank=rank) for rank, hit in enumerate(hits, start=1))
    return replace(selection, kept=kept)


def _drafted(thought: _Thought, draft: Answer) -> _Thought:
    step = {"step": "draft", "text": draft.text, "abstained": draft.abstained}
    if draft.error:
        step["problem"] = draft.error
    return replace(_noted(thought, step), draft=draft)


def _claimed(thought: _Thought) -> str:
    """Give the text of a draft that says something."""
    draft = thought.draft
    return "" if draft is None or draft.abstained else draft.text.strip()


def _with_draft(thought: _Thought) -> Question:
    question = thought.question
    text = "\n".join(filter(None, (question.text, without_markers(_claimed(thought)))))
    return replace(question, text=text, options=(), history=())


def _with_criticism(thought: _Thought, reply: Generation | Exception) -> _Thought:
    thought = _paid(thought, reply)
    if isinstance(reply, Exception):
        return _noted(thought, {"step": "rethought", "problem": problem_of(reply)})
    text = said(reply)[:_LONGEST_CRITICISM]
    keeps = reply.abstained or (len(text) <= _LONGEST_KEEP and _KEEP.fullmatch(text) is not None)
    step = {"step": "rethought", "reply": told(reply.text), "keeps": keeps or not text}
    return replace(_noted(thought, step), criticism="" if keeps else text)


def _with_turns(thought: _Thought, asked_again: str) -> Question:
    """Tell the draft and its criticism as earlier turns of the question."""
    question, text = thought.question, _claimed(thought)
    turns = [Turn(question.text, text)] if text else []
    turns += [Turn(asked_again, thought.criticism)] if thought.criticism else []
    return replace(question, history=(*question.history, *turns))


def _finished(thought: _Thought, final: Answer | None, seconds: Mapping[str, float]) -> Answer:
    """Put the answer together: the second if it says something, else the draft."""
    draft = thought.draft
    if draft is None:
        raise RuntimeError("there is no draft of an answer")
    answer = draft if final is None or not final.text.strip() else final
    trace = thought.trace
    if final is not None and answer is draft:
        trace = (*trace, {"step": "final", "problem": final.error or "the answer is empty"})
    made = [draft] if final is None else [draft, final]
    timings: dict[str, float] = {}
    for name, value in (pair for each in made for pair in each.timings.items()):
        timings[name] = timings.get(name, 0.0) + value
    answer = _as_given(answer, thought)
    return replace(
        answer,
        question=thought.question,
        usage=summed([*(each.usage for each in made), *thought.usages]),
        timings={**timings, **seconds},
        trace=(*trace, *answer.trace),
    )


def _as_given(answer: Answer, thought: _Thought) -> Answer:
    """Write the passages of an answer as they were given, without the paths of those found here."""
    n = len(answer.selection.kept)
    shown, given = thought.selection.kept[:n], thought.given.kept[:n]
    if [hit.passage.id for hit in answer.selection.kept] != [hit.passage.id for hit in shown]:
        return answer
    stored = replace(thought.given, kept=given)
    return restored(answer, Found(stored, replace(thought.selection, kept=shown)))
