"""One deep ranking for each item of a benchmark, from which every selector then chooses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from medrag.errors import MedragError
from medrag.evaluation.runs.identifiers import without_identifiers
from medrag.pipeline import Pipeline, Selected
from medrag.protocols import Progress
from medrag.records import Hit, Item, Passage
from medrag.selection.top_k import TopKSelector

_BATCH = 64
_STAGE = "retrieving"


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item and what its question retrieves.

    Attributes:
        item: of `without_identifiers`.
        retrieved: the prepared question, and the whole ranking as its selection; None where the
            question cannot be asked.
        error: why it cannot.
    """

    item: Item
    retrieved: Selected | None
    error: str = ""

    @property
    def ranking(self) -> tuple[Hit, ...]:
        return () if self.retrieved is None else self.retrieved.selection.kept


def deepened(pipeline: Pipeline, depth: int) -> Pipeline:
    """Make a pipeline retrieve so many hits and select all of them, without its calibration."""
    return Pipeline(
        retriever=pipeline.retriever,
        selector=TopKSelector(k=depth),
        answerer=pipeline.answerer,
        k=depth,
        guard=pipeline.guard,
        allow=pipeline.allow,
        key=pipeline.key,
        check_key=pipeline.check_key,
        resolve=pipeline.resolve,
        index=pipeline.index,
        identity=pipeline.identity,
    )


def rankings_of(
    pipeline: Pipeline, items: Sequence[Item], *, progress: Progress | None = None
) -> list[Ranked]:
    """Retrieve once for each item, in order; each passage is held once, whoever found it.

    Args:
        pipeline: of `deepened`.

    Raises:
        MedragError: if the key of pseudonyms is not that of the index.
    """
    hidden = without_identifiers(items, pipeline.key)
    named = [each for each in hidden if each.question.subject or each.question.study]
    if named:
        # A wrong key ends it at once, instead of failing item by item.
        pipeline.prepared([replace(named[0].question, images=(), regions=())])
    passages: dict[str, Passage] = {}
    found: list[Ranked] = []
    if progress:
        progress.start(_STAGE, len(hidden), "questions")
    for start in range(0, len(hidden), _BATCH):
        batch = hidden[start : start + _BATCH]
        found += [_shared(each, passages) for each in _asked(pipeline, batch)]
        if progress:
            progress.advance(_STAGE, len(batch))
    if progress:
        progress.finish(_STAGE)
    return found


def _asked(pipeline: Pipeline, items: Sequence[Item]) -> list[Ranked]:
    try:
        selected = pipeline.select_all([item.question for item in items])
    except MedragError:
        # Once more one by one: a picture that cannot be read fails its own item alone.
        return [_alone(pipeline, item) for item in items]
    return [Ranked(item, each) for item, each in zip(items, selected, strict=True)]


def _alone(pipeline: Pipeline, item: Item) -> Ranked:
    try:
        (question,) = pipeline.prepared([item.question])
    except MedragError as error:
        return Ranked(item, None, str(error))
    (selected,) = pipeline.select([question])
    return Ranked(item, selected)


def _shared(ranked: Ranked, passages: dict[str, Passage]) -> Ranked:
    if ranked.retrieved is None:
        return ranked
    hits = tuple(
        replace(hit, passage=passages.setdefault(hit.passage.id, hit.passage))
        for hit in ranked.ranking
    )
    selection = replace(ranked.retrieved.selection, kept=hits)
    return replace(ranked, retrieved=replace(ranked.retrieved, selection=selection))
