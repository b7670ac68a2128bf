"""What the arms of a run answered, item by item, in columns: one answer is held at a time."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from medrag.evaluation.grounding import grounding_values
from medrag.evaluation.parsed import Abstained, Letters, Parsed, Text, Unparsed, YesNo
from medrag.evaluation.parsing import parse_answer, shown
from medrag.evaluation.runs import Answered, Run
from medrag.evaluation.scorers import Case, ScoringProtocol
from medrag.evaluation.scorers.correctness import asks_for_boxes
from medrag.evaluation.scorers.places import answered_boxes, form_values
from medrag.evaluation.scores import STATES, ScoreRow, State
from medrag.protocols import Progress, Verifier
from medrag.records import Answer, Box, Hit, Item, Question, Selection

Floats = NDArray[np.float64]
# A class that no reference has: what was answered is neither yes nor no, and no option.
NO_CLASS = "(no answer)"
STRANGE_CONFIDENCE = "confidence outside [0, 1]"
_BATCH = 256
_STAGE = "scoring"


@dataclass(slots=True)
class Columns:
    """What one arm answered; every column has a place for each item, in the order of the run.

    Attributes:
        states: places in `STATES`.
        parsed: the answer as it was read, in a few characters.
        digests: of the answers' texts, to tell equal ones.
        classes: what was chosen of the classes of the item; None where it has none.
        texts: words of an open answer; None where the item is not open or has no answer.
        evidence: by place, ids of the passages that were read, for items of a pair.
        boxes: by place, the boxes of the answer, for items that ask for boxes.
        option_scores: by place, the mean log-probability of each option, where it is known.
        values: measures by name, nan where they do not apply.
        seconds: by stage, over all answers.
        counts: hits excluded by reason, near-duplicates, and the like, over all answers.
    """

    arm: str
    states: NDArray[np.int8]
    parsed: list[str]
    digests: list[bytes]
    classes: list[str | None]
    texts: list[str | None]
    confidence: Floats
    evidence: dict[int, tuple[str, ...]] = field(default_factory=dict)
    boxes: dict[int, list[Box]] = field(default_factory=dict)
    option_scores: dict[int, tuple[float, ...]] = field(default_factory=dict)
    values: dict[str, Floats] = field(default_factory=dict)
    seconds: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    right: Floats = field(default_factory=lambda: np.empty(0))

    @property
    def n_items(self) -> int:
        return len(self.states)

    def set_values(self, place: int, values: Mapping[str, float]) -> None:
        """Write the measures of one item."""
        for name, value in values.items():
            if name not in self.values:
                self.values[name] = np.full(self.n_items, np.nan)
            self.values[name][place] = value

    @property
    def missing(self) -> NDArray[np.bool_]:
        """(n_items,), True where the arm has no answer on disk."""
        found: NDArray[np.bool_] = self.states == STATES.index("missing")
        return found

    def n_in(self, state: State) -> int:
        """Count the items in a state."""
        return int(np.sum(self.states == STATES.index(state)))


@dataclass(frozen=True, slots=True)
class Gathered:
    """The columns of all arms, and what the protocol prints over all items of each."""

    columns: Mapping[str, Columns]
    totals: Mapping[str, Mapping[str, float]]


def gather(
    run: Run,
    protocol: ScoringProtocol,
    *,
    arms: Sequence[str] | None = None,
    verifier: Verifier | None = None,
    progress: Progress | None = None,
) -> Gathered:
    """Read and score every answer of a run once.

    Args:
        arms: those to read; None for all.
        verifier: says which claims their evidence supports; None keeps what the run says of it.

    Raises:
        EvaluationError: if a line of the run is broken, or a judge that the protocol needs fails.
    """
    names = run.arms if arms is None else tuple(arms)
    places = {name: place for place, name in enumerate(run.items)}
    columns = {name: empty_columns(name, len(places)) for name in names}
    scored: dict[str, list[tuple[Case, Mapping[str, float]]]] = {name: [] for name in names}
    if progress:
        progress.start(_STAGE, len(places) * len(names), "answers")
    wanted = (answered for answered in run.answers() if answered.arm in columns)
    for batch in _batches(wanted, verifier):
        cases = [_case(run.items[answered.item], answered.answer) for answered in batch]
        for answered, case, values in zip(batch, cases, protocol.score(cases), strict=True):
            grounded = grounding_values(case.item, case.answer)
            _place(columns[answered.arm], places[answered.item], case, {**values, **grounded})
            scored[answered.arm].append((_light(case), values))
        if progress:
            progress.advance(_STAGE, len(batch))
    if progress:
        progress.finish(_STAGE)
    for each in columns.values():
        each.right = _right(each, protocol.headline)
    return Gathered(columns, {name: protocol.totals(scored[name]) for name in names})


def empty_columns(arm: str, n: int) -> Columns:
    """Make the columns of an arm that has answered nothing yet."""
    return Columns(
        arm=arm,
        states=np.full(n, STATES.index("missing"), dtype=np.int8),
        parsed=[""] * n,
        digests=[b""] * n,
        classes=[None] * n,
        texts=[None] * n,
        confidence=np.full(n, np.nan),
    )


class Rows(Sequence[ScoreRow]):
    """The rows of all arms, item by item, made when they are asked for."""

    def __init__(self, items: Sequence[str], columns: Sequence[Columns]) -> None:
        self._items = items
        self._columns = columns

    def __len__(self) -> int:
        return len(self._items) * len(self._columns)

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        item, arm = divmod(place % len(self), len(self._columns))
        return row_of(self._items[item], self._columns[arm], item)


def row_of(item: str, columns: Columns, place: int) -> ScoreRow:
    """Give what the columns hold of one item."""
    confidence = float(columns.confidence[place])
    values = {name: float(column[place]) for name, column in columns.values.items()}
    return ScoreRow(
        item=item,
        arm=columns.arm,
        state=STATES[columns.states[place]],
        parsed=columns.parsed[place],
        right=float(columns.right[place]),
        confidence=None if np.isnan(confidence) else confidence,
        values={name: value for name, value in values.items() if not np.isnan(value)},
    )


def _batches(answers: Iterator[Answered], verifier: Verifier | None) -> Iterator[list[Answered]]:
    while batch := list(islice(answers, _BATCH)):
        if verifier is not None:
            verified = verifier.verify([each.answer for each in batch])
            batch = [e._replace(answer=a) for e, a in zip(batch, verified, strict=True)]
        yield batch


def _case(item: Item, answer: Answer) -> Case:
    return Case(item, answer, parse_answer(answer.text, item, abstained=answer.abstained))


def _light(case: Case) -> Case:
    """Drop the evidence, which totals do not read and which is most of an answer."""
    answer = replace(
        case.answer, question=Question(), claims=(), citations=(), selection=Selection(()),
        excluded=(), near_duplicates=(), prompt=(), timings={}, trace=(),
    )  # fmt: skip
    return Case(case.item, answer, case.parsed)


def _place(columns: Columns, place: int, case: Case, values: Mapping[str, float]) -> None:
    answer, parsed = case.answer, case.parsed
    state = _state(answer, parsed)
    columns.states[place] = STATES.index(state)
    columns.parsed[place] = answer.error or "" if state == "failed" else shown(parsed)
    columns.digests[place] = hashlib.blake2b(
        answer.text.encode("utf-8", "surrogatepass"), digest_size=8
    ).digest()
    columns.classes[place] = _class(case.item, parsed)
    if case.item.kind in ("text", "report"):
        columns.texts[place] = parsed.text if isinstance(parsed, Text) else ""
    if answer.confidence is not None:
        if 0 <= answer.confidence <= 1:
            columns.confidence[place] = answer.confidence
        else:
            columns.counts[STRANGE_CONFIDENCE] += 1
    if "pair" in case.item.fields:
        columns.evidence[place] = tuple(hit.passage.id for hit in answer.selection.kept)
    if asks_for_boxes(case.item):
        columns.boxes[place] = answered_boxes(case)
    if answer.option_scores:
        columns.option_scores[place] = answer.option_scores
    told = {**form_values(case), **_context_values(answer), **_abstention(case.item, state)}
    columns.set_values(place, {**values, **told})
    columns.seconds.update(answer.timings)
    columns.counts.update(_excluded(answer))


def _state(answer: Answer, parsed: Parsed) -> State:
    if answer.error and not answer.text:
        return "failed"
    if isinstance(parsed, Abstained):
        return "abstained"
    return "unparsed" if isinstance(parsed, Unparsed) else "answered"


def _class(item: Item, parsed: Parsed) -> str | None:
    if item.kind == "yes_no":
        return NO_CLASS if not isinstance(parsed, YesNo) else "yes" if parsed.value else "no"
    if item.kind == "choice":
        one = isinstance(parsed, Letters) and len(parsed.options) == 1
        return str(parsed.options[0]) if one and isinstance(parsed, Letters) else NO_CLASS
    return None


def _abstention(item: Item, state: State) -> dict[str, float]:
    """Say whether an answer abstained where it should, or where it should not."""
    abstained = float(state == "abstained")
    if item.fields.get("unanswerable"):
        return {"right_abstention": abstained}
    return {"wrong_abstention": abstained} if item.references or item.regions else {}


def _context_values(answer: Answer) -> dict[str, float]:
    """Say how much context an answer had, and whether the rule of selection cut any."""
    kept = answer.selection.kept
    return {
        "n_evidence": float(len(kept)),
        "has_context": float(bool(kept)),
        "rule_fired": float(answer.selection.fired),
        "near_duplicate": float(bool(answer.near_duplicates)),
    }


def _excluded(answer: Answer) -> dict[str, int]:
    """Count the hits that the guard kept out, each by the strongest reason."""
    found = Counter(f"excluded: same {_reason(hit, answer.question)}" for hit in answer.excluded)
    found["near duplicates"] = len(answer.near_duplicates)
    return {name: n for name, n in found.items() if n}


def _reason(hit: Hit, question: Question) -> str:
    asked = {getattr(image, "sha256", None) for image in question.images} - {None}
    if any(image.sha256 in asked for image in hit.passage.images):
        return "image"
    source = hit.passage.source
    if question.study is not None and source.study == question.study:
        return "study"
    if question.subject is not None and source.subject == question.subject:
        return "subject"
    # The whole of a picture of which the question shows a part.
    return "image"


def _right(columns: Columns, headline: Sequence[str]) -> Floats:
    """Take for each item the first headline measure that counts it."""
    right = np.full(columns.n_items, np.nan)
    for name in headline:
        values = columns.values.get(name)
        if values is not None:
            right = np.where(np.isnan(right), values, right)
    return right
