"""Earlier studies of the patient in question, newest first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from medrag.errors import MedragError
from medrag.language.estimating import text_tokens
from medrag.protocols import Library
from medrag.records import Filter, Hit, Kind, Passage, Question, Retrieved
from medrag.records.times import earlier, time_parts
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.history.excerpts import fitting, shortened
from medrag.retrieval.history.own import of_earlier_study, own_filter
from medrag.retrieval.history.regions import Anatomy

Scope = Literal["global", "regional", "both"]
Missing = Literal["error", "skip"]


class HistoryRetriever:
    """What earlier studies of the question's own patient say; the patient is the key, no likeness.

    Its filter is its own: passages of the question's subject from a study before the question's
    time, never the current study or picture (`of_earlier_study`); kinds, domains and corpora of the
    filter that is given hold as well. A record without a time is never history. Passages come
    newest first, and within a study in the order of the library, each text once. `Hit.score` is
    1 / rank, and says nothing beyond the order.

    "regional" gives the sentences that are about the regions that the question names (by
    `Question.regions`, else by its words), from the newest studies that have any; where it names
    none, or no earlier study speaks of them, it falls back to "global" and says so in the trace.
    Such an excerpt stands in `Hit.summary`; the passage is the whole report that it is from.
    "both" gives the newest studies, with the sentences about the region first, and those of the
    newest studies that speak of it.

    Args:
        rows: the passages of the index.
        scope: whole reports, sentences about the region, or both.
        studies: newest studies at most.
        tokens: of each study at most, estimated at three bytes each; the text is cut where
            sentences of its findings and impression end. None for all of it.
        kinds: of passages that are records of a patient.
        missing: what becomes of a question that names a patient and no time: "error", or "skip",
            which gives it no history and says so in the trace. A question that names no patient has
            none.
        regions: further names of regions, or names of further ones.

    Raises:
        ValueError: if a number is below 1, or a name is blank.

    Source:
        Mu et al., MMXU, Findings of ACL 2025 (MAG: global and regional records); Wu et al., Chest
        ImaGenome, 2021 (sentences attached to regions).
    """

    def __init__(
        self,
        *,
        rows: Library,
        scope: Scope = "global",
        studies: int = 3,
        tokens: int | None = 512,
        kinds: tuple[Kind, ...] = ("report",),
        missing: Missing = "error",
        regions: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        check_positive(studies=studies)
        if tokens is not None and tokens < 1:
            raise ValueError(f"tokens must be at least 1, got {tokens}; leave it out for all")
        if not kinds:
            raise ValueError("kinds names nothing; name kinds of passages, such as [report]")
        self.rows = rows
        self.scope = scope
        self.studies = studies
        self.tokens = tokens
        self.kinds = frozenset(kinds)
        self.missing = missing
        self._anatomy = Anatomy(further=regions)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Give each question the history of its patient; see `retrieve_traced`."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Give each question the history of its patient, at most k passages.

        Returns:
            Hits with `history` set; the trace has a step "history" with scope, regions, the times
            of the studies, and a note where it is not what was asked for.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
            MedragError: if a question names a patient, but no time that can be read, and `missing`
                is "error".
        """
        check_asked(questions, k, filters)
        return [self._history(q, k, f) for q, f in zip(questions, filters, strict=True)]

    def _history(self, question: Question, k: int, wanted: Filter) -> Retrieved:
        if not question.subject:
            return Retrieved((), (self._step(note="the question names no patient"),))
        if not time_parts(question.time):
            if self.missing == "error":
                raise MedragError(_timeless(question))
            return Retrieved((), (self._step(note=f"no history: {_untimed(question)}"),))
        found = self._studies(question, wanted)
        chosen = self._chosen(question, found)
        hits = [_hit(record, rank) for rank, record in enumerate(self._records(chosen), start=1)]
        step = self._step(
            regions=list(chosen.regions),
            found=len(found),
            studies=[study[0].passage.source.time for study in chosen.studies],
            note=chosen.note,
        )
        return Retrieved(tuple(hits[:k]), (step,))

    def _step(self, **further: Any) -> dict[str, Any]:
        told = {key: value for key, value in further.items() if value != ""}
        return {"step": "history", "scope": self.scope, **told}

    def _studies(self, question: Question, wanted: Filter) -> list[list[Passage]]:
        """Find the earlier studies of the patient, newest first; equal times by row."""
        own = own_filter(question, wanted, self.kinds)
        studies: dict[str, list[Passage]] = {}
        for _, passage in () if own is None else self.rows.passages_where(own):
            late = wanted.before is not None and not earlier(passage.source.time, wanted.before)
            if late or not of_earlier_study(passage, question):
                continue
            # Records of one day that name no study are taken for one: views of it, mostly.
            day = time_parts(passage.source.time)[:3]
            study = studies.setdefault(passage.source.study or f"day {day}", [])
            if not passage.text or all(passage.text != each.text for each in study):
                study.append(passage)
        for study in studies.values():
            study.sort(key=_moment, reverse=True)
        return sorted(studies.values(), key=lambda study: _moment(study[0]), reverse=True)

    def _chosen(self, question: Question, found: Sequence[Sequence[Passage]]) -> "_Chosen":
        newest = [[_Told(passage) for passage in study] for study in found[: self.studies]]
        if self.scope == "global" or not found:
            return _Chosen(newest)
        regions = self._anatomy.asked(question)
        if not regions:
            return _Chosen(newest, note="whole reports: the question names no region")
        about = [[self._about(passage, regions) for passage in study] for study in found]
        speaking = [n for n, study in enumerate(about) if any(each.about for each in study)]
        if not speaking:
            note = f"whole reports: no earlier study speaks of {', '.join(regions)}"
            return _Chosen(newest, regions, note)
        n_whole = self.studies if self.scope == "both" else 0
        kept = sorted({*range(min(n_whole, len(found))), *speaking[: self.studies]})
        studies = [
            [replace(told, whole=n < n_whole) for told in about[n] if told.about or n < n_whole]
            for n in kept
        ]
        return _Chosen(studies, regions)

    def _about(self, passage: Passage, regions: Sequence[str]) -> "_Told":
        return _Told(passage, tuple(self._anatomy.attached(passage, regions)))

    def _records(self, chosen: "_Chosen") -> list["_Record"]:
        """Write what is told of each study, passage by passage, newest first."""
        records = [each for study in chosen.studies for each in self._of_study(study)]
        # Passages of one study may differ in time, and those of the next one stand between them.
        return sorted(records, key=lambda each: _moment(each.passage), reverse=True)

    def _of_study(self, study: Sequence["_Told"]) -> Iterator["_Record"]:
        left = self.tokens
        for told in study:
            if left is not None and left < 1:
                return
            text = self._text(told, left)
            if text is not None:
                yield _Record(told.passage, text)
            if left is not None:
                left -= text_tokens(text or told.passage.text)

    def _text(self, told: "_Told", tokens: int | None) -> str | None:
        """Say what is shown in place of a passage; "" for the passage itself, None for nothing."""
        if not told.whole:
            return fitting(told.about, tokens) or None
        text = told.passage.text
        if not told.about:
            fits = tokens is None or text_tokens(text) <= tokens
            return "" if fits else shortened(told.passage, tokens or 0) or None
        first = " ".join(told.about)
        if tokens is None or text_tokens(f"{first}\n{text}") <= tokens:
            return f"{first}\n{text}"
        room = tokens - text_tokens(f"{first}\n")
        rest = shortened(told.passage, room) if room > 0 else ""
        return f"{first}\n{rest}" if rest else fitting(told.about, tokens) or None


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of a passage: sentences that are about the region, and the whole of it."""

    passage: Passage
    about: tuple[str, ...] = ()
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The studies to tell of, newest first."""

    studies: Sequence[Sequence[_Told]]
    regions: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Record:
    """A passage, and what is shown in its place; "" for the passage itself."""

    passage: Passage
    text: str


def _hit(record: _Record, rank: int) -> Hit:
    return Hit(record.passage, 1 / rank, rank, summary=record.text, history=True)


def _moment(passage: Passage) -> tuple[int, ...]:
    return time_parts(passage.source.time)


def _untimed(question: Question) -> str:
    return f"its time is {question.time!r}" if question.time else "it has no time"


def _timeless(question: Question) -> str:
    name = question.id or question.text[:60]
    return (
        f"question {name!r} names a patient, but {_untimed(question)}, so that nobody can tell "
        "which studies are earlier; give it the time of the current study (Question.time, --time) "
        "as in 2024-05-31 or 2024-05-31T10:00, or have `missing: skip` in the recipe, to go on "
        "without history"
    )
