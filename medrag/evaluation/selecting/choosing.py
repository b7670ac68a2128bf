"""What each setting of a selector keeps of the same rankings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medrag.errors import EvaluationError, RecipeError
from medrag.evaluation.benchmarks import Benchmark
from medrag.evaluation.retrieval import document_of
from medrag.evaluation.selecting.ranking import Ranked, deepened, rankings_of
from medrag.pipeline import Pipeline
from medrag.pipeline.pipeline import model_name
from medrag.protocols import Progress, Selector
from medrag.records import Hit, Selection
from medrag.selection.checking import check_each

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Setting:
    """A selector and what its setting is called; `k` of one that keeps a fixed number."""

    name: str
    selector: Selector
    k: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one setting keeps, item by item; nan and None where it was refused or not asked.

    Attributes:
        kept: (n,) hits.
        fired: (n,) 1 where the rule cut.
        recall: (n,) the share of the gold passages that are kept; nan where none is named.
        gold: (n,) hits that are kept and gold; nan likewise.
        n_refused: items whose scores the selector cannot be applied to.
        refusal: what it said of the first of them.
    """

    setting: Setting
    selections: tuple[Selection | None, ...]
    kept: Floats
    fired: Floats
    recall: Floats
    gold: Floats
    n_refused: int = 0
    refusal: str = ""

    @property
    def mean_kept(self) -> float:
        return float(np.nanmean(self.kept)) if np.isfinite(self.kept).any() else float("nan")


@dataclass(frozen=True, slots=True)
class Choices:
    """All settings on the same items.

    Attributes:
        pipeline: that retrieves `depth` hits, and answers.
        fixed: by k; of those that were asked for, and of those nearest to what a rule keeps.
        ks: those that were asked for, in the order given.
        rules: in the order given.
        problems: what a reader of the numbers must know.
    """

    pipeline: Pipeline
    benchmark: Benchmark
    ranked: tuple[Ranked, ...]
    fixed: Mapping[int, Chosen]
    rules: tuple[Chosen, ...]
    ks: tuple[int, ...]
    depth: int
    problems: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Chosen, ...]:
        return (*self.fixed.values(), *self.rules)


class FixedSelector:
    """Keep the first k hits, k = 0 for no context."""

    def __init__(self, *, k: int) -> None:
        if k < 0:
            raise ValueError(f"k must be at least 0, got {k}")
        self.k = k

    def select(self, question: object, ranking: Sequence[Hit]) -> Selection:  # noqa: ARG002
        kept, dropped = tuple(ranking[: self.k]), tuple(ranking[self.k :])
        return Selection(kept, dropped, f"the first {self.k}", fired=bool(dropped))


def choose(
    pipeline: Pipeline,
    benchmark: Benchmark,
    *,
    rules: Sequence[Setting] = (),
    ks: Sequence[int] = (1, 2, 5, 10, 20),
    depth: int | None = None,
    progress: Progress | None = None,
) -> Choices:
    """Retrieve once for each item, and let every setting choose from it.

    Beside each rule stands the fixed k nearest to the hits that it keeps on average; where that is
    not among `ks` it is added.

    Args:
        pipeline: its own selector is not asked, and its calibration of confidence is left out.
        rules: settings other than a fixed number; their names are told apart.
        ks: fixed numbers of hits; 0 for no context.
        depth: hits to retrieve; None for the k of the pipeline, or the largest of `ks` if more.

    Raises:
        EvaluationError: if nothing is found for any item, or two settings have one name.
        RecipeError: if a setting was fitted to another pipeline.
        ValueError: if a k is negative or above the depth.
    """
    depth = max([pipeline.k, *ks]) if depth is None else depth
    beyond = [k for k in ks if not 0 <= k <= depth]
    if beyond:
        raise ValueError(f"k must lie between 0 and the {depth} hits retrieved, got {beyond[0]}")
    _check_names(rules, ks)
    deep = deepened(pipeline, depth)
    selectors = [setting.selector for setting in rules]
    check_each(selectors, deep.identity, model_name(deep.answerer), depth)
    ranked = tuple(rankings_of(deep, benchmark.items, progress=progress))
    if ranked and not any(each.ranking for each in ranked):
        raise EvaluationError(
            f"nothing was found for any of the {len(ranked)} items; look at one question with "
            "medrag search"
        )
    chosen = tuple(chosen_by(setting, ranked) for setting in rules)
    near = [k for each in chosen if (k := nearest_k(each, depth)) is not None]
    fixed = {k: chosen_by(fixed_setting(k), ranked) for k in dict.fromkeys([*ks, *near])}
    wanted = tuple(dict.fromkeys(ks))
    return Choices(deep, benchmark, ranked, fixed, chosen, wanted, depth, _problems(ranked))


def fixed_setting(k: int) -> Setting:
    """Make the setting of a fixed number of hits."""
    return Setting(f"k={k}", FixedSelector(k=k), k)


def nearest_k(chosen: Chosen, depth: int) -> int | None:
    """Give the whole number nearest to the mean of the hits kept; None if it kept of no item."""
    mean = chosen.mean_kept
    return None if np.isnan(mean) else min(int(mean + 0.5), depth)


def chosen_by(setting: Setting, ranked: Sequence[Ranked]) -> Chosen:
    """Let a setting choose from each ranking, and hold that against the gold passages."""
    selections: list[Selection | None] = []
    values = np.full((4, len(ranked)), np.nan)
    refusals: list[str] = []
    for place, each in enumerate(ranked):
        found = None
        if each.retrieved is not None:
            try:
                found = setting.selector.select(each.retrieved.question, each.ranking)
            except RecipeError as error:
                refusals.append(str(error))
        selections.append(found)
        if found is not None:
            values[:, place] = (len(found.kept), found.fired, *_gold(each, found.kept))
    kept, fired, recall, gold = values
    refusal = refusals[0] if refusals else ""
    return Chosen(setting, tuple(selections), kept, fired, recall, gold, len(refusals), refusal)


def _gold(ranked: Ranked, kept: Sequence[Hit]) -> tuple[float, float]:
    """Give the share of the gold passages that are kept, and how many hits are gold."""
    gold = frozenset(ranked.item.gold_passages)
    if not gold:
        return float("nan"), float("nan")
    named = [gold & {hit.passage.id, document_of(hit.passage)} for hit in kept]
    return len(frozenset().union(*named)) / len(gold), float(sum(map(bool, named)))


def _check_names(rules: Sequence[Setting], ks: Sequence[int]) -> None:
    taken = {fixed_setting(k).name for k in ks}
    for setting in rules:
        if setting.name in taken:
            raise EvaluationError(f"two settings are called {setting.name!r}; rename one")
        taken.add(setting.name)


def _problems(ranked: Sequence[Ranked]) -> tuple[str, ...]:
    failed = [each for each in ranked if each.retrieved is None]
    found = []
    if failed:
        found.append(
            f"{len(failed)} items could not be asked and count nowhere, such as "
            f"{failed[0].item.id}: {failed[0].error}"
        )
    if ranked and not any(each.item.gold_passages for each in ranked):
        found.append("the benchmark names no gold passages: no recall and no precision")
    return tuple(found)
