"""Answers for every setting, onto disk: once for each set of hits, whoever keeps it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medrag.errors import BudgetSpentError, EvaluationError
from medrag.evaluation.runs.manifest import begin, finish, manifest_of
from medrag.evaluation.runs.reading import Run, open_run
from medrag.evaluation.runs.writing import Writer, item_lines
from medrag.evaluation.selecting.choosing import Choices, Chosen
from medrag.evaluation.selecting.ranking import Ranked
from medrag.indexing.lock import writing
from medrag.pipeline import Pipeline
from medrag.protocols import Progress
from medrag.records import Answer, Hit, Item, Selection

_STAGE = "answering"
# What a set of hits is told by: passages in the order in which they are read.
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Job:
    """A question to answer from one set of hits, for all settings that keep it."""

    ranked: Ranked
    key: Key
    wanted: Mapping[str, Selection]

    @property
    def name(self) -> tuple[str, Key]:
        return self.ranked.item.id, self.key

    @property
    def evidence(self) -> Selection:
        return next(iter(self.wanted.values()))


def answer_choices(
    choices: Choices,
    out: Path,
    *,
    seed: int = 0,
    batch: int = 32,
    progress: Progress | None = None,
) -> Run:
    """Answer each item from what each setting keeps of it.

    The folder is a run whose arms are the settings, so that `medrag eval score` and `compare` read
    it. The same call on a folder that holds a part of the answers adds what is missing, and further
    settings may come later. `Answer.selection` says why the hits were kept, and leaves out those
    that were dropped.

    Args:
        out: made if it is not there.
        batch: sets of hits that are answered together.

    Raises:
        BudgetSpentError: if the generator may not be asked for more; what was answered is written.
        EvaluationError: if the folder holds a run of something else, or a setting of a name that is
            there kept other hits; or if a whole batch of answers failed.
        IndexLockedError: if another process is writing to the folder.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    items = [each.item for each in choices.ranked]
    benchmark = replace(choices.benchmark, items=tuple(items))
    with writing(out):
        manifest = manifest_of(choices.pipeline, benchmark, item_lines(items, named=True), seed)
        begin(out, manifest, item_lines(items), [each.setting.name for each in choices.all])
        writer = Writer(out)
        known = _known(open_run(out), choices, writer)
        jobs = list(_jobs(choices, writer))
        if progress:
            progress.start(_STAGE, len(jobs), "sets of hits")
        for start in range(0, len(jobs), batch):
            several = jobs[start : start + batch]
            _answer(choices.pipeline, writer, several, known)
            if progress:
                progress.advance(_STAGE, len(several))
        if progress:
            progress.finish(_STAGE)
        finish(out, {}, {})
    return open_run(out)


def _jobs(choices: Choices, writer: Writer) -> Iterator[_Job]:
    """List what is missing, item by item."""
    for place, ranked in enumerate(choices.ranked):
        wanted: dict[Key, dict[str, Selection]] = {}
        for chosen in choices.all:
            found = chosen.selections[place]
            if found is not None and (ranked.item.id, chosen.setting.name) not in writer.done:
                wanted.setdefault(_key(found.kept), {})[chosen.setting.name] = found
        for key, settings in wanted.items():
            yield _Job(ranked, key, settings)


def _known(run: Run, choices: Choices, writer: Writer) -> dict[tuple[str, Key], Answer]:
    """Read the answers that are there for items that still lack some.

    Raises:
        EvaluationError: if a setting kept other hits when they were given.
    """
    if not writer.done:
        return {}
    by_name = {each.setting.name: each for each in choices.all}
    places = {each.item.id: place for place, each in enumerate(choices.ranked)}
    lacking = {
        each.item.id
        for each in choices.ranked
        if any((each.item.id, name) not in writer.done for name in by_name)
    }
    known: dict[tuple[str, Key], Answer] = {}
    for answered in run.answers(prompts=True):
        key = _key(answered.answer.selection.kept)
        _check_kept(run, by_name.get(answered.arm), places[answered.item], key)
        if answered.item in lacking:
            known[answered.item, key] = answered.answer
    return known


def _check_kept(run: Run, chosen: Chosen | None, place: int, key: Key) -> None:
    now = None if chosen is None else chosen.selections[place]
    if chosen is not None and now is not None and _key(now.kept) != key:
        raise EvaluationError(
            f"{run.folder} holds answers of {chosen.setting.name!r} from other hits than it keeps "
            "now: the setting or the ranking is another; give another name or another folder"
        )


def _answer(
    pipeline: Pipeline,
    writer: Writer,
    jobs: Sequence[_Job],
    known: Mapping[tuple[str, Key], Answer],
) -> None:
    """Answer jobs, and write each answer down for all settings that it serves."""
    unanswered = [job for job in jobs if job.name not in known]
    spent: BudgetSpentError | None = None
    try:
        made = dict(_answered(pipeline, unanswered))
    except BudgetSpentError as error:
        spent, made = error, dict(_paid(pipeline, unanswered))
    _write(writer, jobs, {**known, **made})
    if spent is not None:
        raise BudgetSpentError(
            f"{spent}; what was answered is written, and the same command goes on from there"
        ) from spent
    failed = [answer for answer in made.values() if answer.error and not answer.text]
    if failed and len(failed) == len(made) > 1:
        raise EvaluationError(
            f"{len(failed)} answers in a row failed, the last because: {failed[-1].error}; put "
            "that right, and the same command goes on: what failed is tried anew"
        )


def _answered(pipeline: Pipeline, jobs: Sequence[_Job]) -> Iterator[tuple[tuple[str, Key], Answer]]:
    if not jobs:
        return
    selected = [
        replace(job.ranked.retrieved, selection=Selection(job.evidence.kept))
        for job in jobs
        if job.ranked.retrieved is not None
    ]
    # A calibration of confidence is of the pipeline's own selector.
    answers = pipeline.answer_selected(selected, calibrated=False)
    for job, answer in zip(jobs, answers, strict=True):
        yield job.name, answer


def _paid(pipeline: Pipeline, jobs: Sequence[_Job]) -> Iterator[tuple[tuple[str, Key], Answer]]:
    """Answer one by one what a spent budget allows: generators remember what they were given."""
    for job in jobs:
        try:
            yield from _answered(pipeline, [job])
        except BudgetSpentError:
            continue


def _write(writer: Writer, jobs: Sequence[_Job], answers: Mapping[tuple[str, Key], Answer]) -> None:
    by_setting: dict[str, list[tuple[Item, Answer]]] = {}
    for job in jobs:
        answer = answers.get(job.name)
        if answer is None:
            continue
        for setting, selection in job.wanted.items():
            told = replace(selection, dropped=())
            pair = (job.ranked.item, replace(answer, selection=told))
            by_setting.setdefault(setting, []).append(pair)
    for setting, pairs in by_setting.items():
        writer.write(setting, [item for item, _ in pairs], [answer for _, answer in pairs])


def _key(hits: Sequence[Hit]) -> Key:
    return tuple(hit.passage.id for hit in hits)
