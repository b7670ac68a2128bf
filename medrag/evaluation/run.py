"""Answer a benchmark, arm by arm, onto disk: killed at any moment, it goes on where it stopped."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

from medrag.errors import BudgetSpentError, EvaluationError, MedragError
from medrag.evaluation.arms import Arms, Asked, Corruption
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.floors import floor_answers, why_left_out
from medrag.evaluation.memory import measure
from medrag.evaluation.runs.candidates import write_candidates
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.evaluation.runs.manifest import LEFT_OUT, begin, finish, manifest_of
from medrag.evaluation.runs.reading import Run, open_run
from medrag.evaluation.runs.writing import Writer, item_lines
from medrag.evaluation.scores import CONTEXT, FLOOR
from medrag.indexing.lock import writing
from medrag.pipeline import Pipeline
from medrag.protocols import Progress
from medrag.records import Answer, Item, Question

# Items after which a pipeline that never brought any context is told to be broken.
_PATIENCE = 256
# Answers in a row that fail before a run does: nobody wants thousands of them by the morning.
_FAILURES = 128
_STAGE = "answering"

_LOGGER = logging.getLogger(__name__)


def run_benchmark(
    pipeline: Pipeline,
    benchmark: Benchmark,
    out: Path,
    *,
    arms: Sequence[str] = (CONTEXT,),
    floors: Sequence[str] = (),
    training: Sequence[Item] = (),
    seed: int = 0,
    batch: int = 32,
    corruption: Corruption | None = None,
    progress: Progress | None = None,
) -> Run:
    """Answer every item of a benchmark in every arm, and write each answer as it comes.

    The same call on a folder that holds a part of the answers adds what is missing, and tries anew
    what failed; nothing else is answered twice. Further arms and floors may be added later.

    Args:
        out: the folder of the run; made if it is not there.
        arms: of `medrag.evaluation.arms.ARMS`.
        floors: of `medrag.evaluation.floors.FLOORS`; one that cannot be made is left out and told
            in the manifest's "notes".
        training: items that floors learn from; their open answers are kept with the run, for
            protocols that map an answer to the nearest of them.
        seed: of random contexts, noise and floors.
        batch: items that are answered together.
        corruption: makes the pictures of the arms of noise; None for noise alone.

    Raises:
        BudgetSpentError: if the generator may not be asked for more. What was answered is written,
            also of the batch under way; says how many answers are left.
        EvaluationError: if the folder holds a run of something else (says what differs), an arm
            makes no sense here, context is asked for and no item gets any, 128 answers in a row
            failed, or every answer of the run did.
        IndexLockedError: if another process is writing to the folder.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    items = without_identifiers(benchmark.items, pipeline.key)
    training = without_identifiers(training, pipeline.key)
    _check_key(pipeline, items)
    with writing(out):
        made = Arms(
            pipeline=pipeline,
            items=items,
            names=arms,
            seed=seed,
            pictures=out / "pictures",
            corruption=corruption,
        )
        told = [*made.names, *(f"{FLOOR}{name}" for name in floors)]
        manifest = manifest_of(
            pipeline,
            replace(benchmark, items=tuple(items)),
            item_lines(items, named=True),
            seed,
            training=item_lines(training, named=True),
        )
        manifest["corruption"] = None if corruption is None else dict(corruption.settings)
        begin(out, manifest, item_lines(items), told)
        write_candidates(out, training)
        writer = Writer(out)
        notes = _write_floors(writer, items, floors, training, seed)
        try:
            memory = _write_arms(writer, made, items, batch, progress)
        except BudgetSpentError as error:
            raise BudgetSpentError(_left(error, writer, made, items)) from error
        finish(out, {**notes, **made.notes}, memory)
    run = open_run(out)
    _check_any(run, made.names)
    return run


def _write_arms(
    writer: Writer, arms: Arms, items: Sequence[Item], batch: int, progress: Progress | None
) -> dict[str, int]:
    """Answer what is missing; give the memory in use after each stage."""
    memory: dict[str, int] = {}
    left = sum((item.id, name) not in writer.done for item in items for name in arms.names)
    if progress:
        progress.start(_STAGE, left, "answers")
    # Of a run that goes on, the items that are left may be those that nothing is found for.
    is_new = not any(arm == CONTEXT for _, arm in writer.done)
    context = _ContextCheck(wanted=CONTEXT in arms.names and is_new)
    failures = _FailureCheck()
    for start in range(0, len(items), batch):
        todo = _todo(items[start : start + batch], arms.names, writer.done)
        if not todo:
            continue
        wanted = {item.id: item for several in todo.values() for item in several}
        asked, unasked = _asked(arms.pipeline, list(wanted.values()))
        measure(memory, "retrieve")
        context.look(asked.values())
        for name, several in todo.items():
            here = [asked[one.id] for one in several if one.id in asked]
            failures.look(_answer(writer, arms, name, here))
            lost = [(one, unasked[one.id]) for one in several if one.id in unasked]
            _fail(writer, name, lost)
            for _, reason in lost:
                failures.count(reason)
            measure(memory, "answer")
            if progress:
                progress.advance(_STAGE, len(several))
    if progress:
        progress.finish(_STAGE)
    context.close()
    failures.close(left)
    return memory


def _todo(
    items: Sequence[Item], arms: Sequence[str], done: set[tuple[str, str]]
) -> dict[str, list[Item]]:
    """List the items of a batch that are missing, by arm; arms that lack none are left out."""
    missing = {name: [item for item in items if (item.id, name) not in done] for name in arms}
    return {name: several for name, several in missing.items() if several}


@dataclass(slots=True)
class _ContextCheck:
    """Refuses to go on with a pipeline that never brings any context."""

    wanted: bool
    n_items: int = 0
    n_with: int = 0

    def look(self, asked: Iterable[Asked]) -> None:
        for each in asked:
            self.n_items += 1
            self.n_with += bool(each.selected.selection.kept)
        if self.n_items >= _PATIENCE:
            self.close()

    def close(self) -> None:
        if self.wanted and self.n_items and not self.n_with:
            raise EvaluationError(
                f"none of the {self.n_items} items asked so far got any context: retrieval is "
                "asked for and brings nothing; look at one question with medrag ask, or run the "
                "arm no_context alone"
            )


@dataclass(slots=True)
class _FailureCheck:
    """Refuses to go on where nothing but failures comes, such as from a server that is gone."""

    n_failed: int = 0
    n_failed_in_all: int = 0
    first: str = ""

    def look(self, answers: Iterable[Answer]) -> None:
        for each in answers:
            failed = _failed(each)
            self.n_failed = self.n_failed + 1 if failed else 0
            if failed:
                self.count(str(each.error))
            if self.n_failed >= _FAILURES:
                raise EvaluationError(
                    f"{self.n_failed} answers in a row failed, the last because: {each.error}; put "
                    "that right, and the same command goes on: what failed is tried anew"
                )

    def count(self, reason: str) -> None:
        self.first = self.first or reason
        self.n_failed_in_all += 1

    def close(self, n: int) -> None:
        """Tell how many of n answers failed, if any did."""
        if self.n_failed_in_all:
            _LOGGER.warning(
                "%d of %d answers failed, the first because: %s; the same command tries these anew",
                self.n_failed_in_all,
                n,
                self.first,
            )


def _failed(answer: Answer) -> bool:
    return bool(answer.error and not answer.text)


def _check_any(run: Run, arms: Sequence[str]) -> None:
    """Refuse a run in which nothing was answered but by floors."""
    first, n = "", 0
    for each in run.answers():
        if each.arm not in arms:
            continue
        if not _failed(each.answer):
            return
        first, n = first or str(each.answer.error), n + 1
    if n:
        raise EvaluationError(
            f"every answer of {run.folder} failed ({n}), the first because: {first}; put that "
            "right, and the same command tries them anew"
        )


def _answer(writer: Writer, arms: Arms, name: str, asked: Sequence[Asked]) -> list[Answer]:
    """Answer items in one arm and write the answers down."""
    if not asked:
        return []
    try:
        # A calibration is of the pipeline as it is; what other arms see, it has never met.
        answers = arms.pipeline.answer_selected(
            arms.selected(name, asked), calibrated=name == CONTEXT
        )
    except BudgetSpentError:
        _answer_what_is_paid(writer, arms, name, asked)
        raise
    writer.write(name, [each.item for each in asked], answers)
    return answers


def _answer_what_is_paid(writer: Writer, arms: Arms, name: str, asked: Sequence[Asked]) -> None:
    """Answer one by one what a spent budget allows: generators remember what they were given."""
    for each in asked:
        try:
            answers = arms.pipeline.answer_selected(
                arms.selected(name, [each]), calibrated=name == CONTEXT
            )
        except BudgetSpentError:
            continue
        writer.write(name, [each.item], answers)


def _left(error: BudgetSpentError, writer: Writer, arms: Arms, items: Sequence[Item]) -> str:
    n = len(items) * len(arms.names)
    left = sum((item.id, name) not in writer.done for item in items for name in arms.names)
    return (
        f"{error}; {left} of {n} answers are left: what was answered is written, and the same "
        "command goes on from there, with as much to spend again"
    )


def _fail(writer: Writer, name: str, failed: Sequence[tuple[Item, str]]) -> None:
    """Write down the items whose question could not be asked."""
    answers = [Answer(item.question, "", error=error) for item, error in failed]
    writer.write(name, [item for item, _ in failed], answers)


def _asked(pipeline: Pipeline, items: Sequence[Item]) -> tuple[dict[str, Asked], dict[str, str]]:
    """Prepare and select for items.

    Returns:
        What can be asked, by item; and why not, for items whose picture cannot be read, say.
    """
    ready: list[tuple[Item, Question]] = []
    failed: dict[str, str] = {}
    started = perf_counter()
    try:
        questions = pipeline.prepared([item.question for item in items])
        ready = list(zip(items, questions, strict=True))
    except MedragError:
        # Once more one by one: a picture that cannot be read fails its own item alone.
        for item in items:
            try:
                ready.append((item, pipeline.prepared([item.question])[0]))
            except MedragError as error:
                failed[item.id] = str(error)
    seconds = {"prepare": (perf_counter() - started) / len(items)}
    asked = {}
    selected = pipeline.select([question for _, question in ready])
    for (item, _), each in zip(ready, selected, strict=True):
        asked[item.id] = Asked(item, replace(each, seconds={**seconds, **each.seconds}))
    return asked, failed


def _check_key(pipeline: Pipeline, items: Sequence[Item]) -> None:
    """Let a wrong key of pseudonyms stop the run at once, instead of failing item by item."""
    names = [item.question for item in items if item.question.subject or item.question.study]
    if names:
        pipeline.prepared([replace(names[0], images=(), regions=())])


def _write_floors(
    writer: Writer,
    items: Sequence[Item],
    floors: Sequence[str],
    training: Sequence[Item],
    seed: int,
) -> dict[str, str]:
    """Write the answers of floors that are missing.

    Returns:
        What is to be known of each floor that was made, or could not be; "" for nothing.
    """
    notes: dict[str, str] = {}
    for name in floors:
        arm = f"{FLOOR}{name}"
        missing = [place for place, item in enumerate(items) if (item.id, arm) not in writer.done]
        if not missing:
            continue
        floor = floor_answers(name, items, training, seed=seed)
        if floor is None:
            notes[arm] = f"{LEFT_OUT}: {why_left_out(name, items, training)}"
            continue
        notes[arm] = floor.note
        answers = [
            Answer(
                items[place].question,
                floor.texts[place],
                confidence=floor.confidences[place],
                model=arm,
            )
            for place in missing
        ]
        writer.write(arm, [items[place] for place in missing], answers)
    return notes
