"""Write many texts in few passes: prompts of like length together, what they share read once."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from medrag.checkpoints.batching import Halving
from medrag.generation.local.decoding import Written, written
from medrag.generation.local.forward import Runner, State
from medrag.generation.local.options import option_scores
from medrag.generation.local.prefix import Group, grouped
from medrag.generation.local.readings import Reading, divided, keyed, whole
from medrag.generation.local.sampling import Chooser, Choosing

# Tokens that reading a shared beginning once must save. It takes a pass of its own, which two cores
# of a CPU make up for with some 30 tokens, and a GPU, which waits to be told what to do, with more.
LEAST_SAVED = 256

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be written on from one prompt.

    Attributes:
        reading: the prompt.
        seeds: of each text that is wanted; None for the likeliest tokens.
        options: tokens of each option that is to be scored.
    """

    reading: Reading
    seeds: tuple[int | None, ...]
    options: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was written on from one prompt: a text for each seed, a score for each option."""

    texts: tuple[Written, ...]
    option_scores: tuple[float, ...] = ()


class Writer:
    """Write with one model.

    Args:
        model: of transformers.
        stops: tokens that end a text.
        most: tokens of a text.
        how: tokens are chosen.
        batch_tokens: tokens of a batch, those to be written counted as well.
        reuse_prefix: read what prompts begin with alike once, where it saves enough.
    """

    def __init__(
        self,
        *,
        model: Any,
        stops: frozenset[int],
        most: int,
        how: Choosing,
        batch_tokens: int,
        reuse_prefix: bool,
    ) -> None:
        self.runner = Runner(model)
        self.stops = stops
        self.most = most
        self.how = how
        self.reuse_prefix = reuse_prefix
        self._halving = Halving(budget=batch_tokens)
        self._told_alone = False

    def write(
        self, tasks: Sequence[Task], told: Callable[[list[int]], None] | None = None
    ) -> list[Outcome]:
        """Write what each task asks for; in their order.

        Args:
            told: is given the tokens of the text after each step; for one text only.
        """
        parts = [self._parts(task) for task in tasks]
        found = iter(self._written([part for each in parts for part in each], told))
        return [_joined([next(found) for _ in each]) for each in parts]

    def _parts(self, task: Task) -> list[Task]:
        """Divide the texts that are wanted of one prompt into as many as fit into a batch."""
        n = max(1, self._halving.budget // (len(task.reading) + self.most))
        seeds = [task.seeds[start : start + n] for start in range(0, len(task.seeds), n)]
        return [
            Task(task.reading, each, () if place else task.options)
            for place, each in enumerate(seeds)
        ]

    def _written(
        self, tasks: Sequence[Task], told: Callable[[list[int]], None] | None
    ) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        for group in self._groups(tasks):
            members = [tasks[place] for place in group.members]
            shared = _Shared(self.runner, members[0].reading, group.shared)

            def write(
                batch: list[int], members: list[Task] = members, shared: "_Shared" = shared
            ) -> list[Outcome]:
                return self._batch([members[each] for each in batch], shared, told)

            costs = [(len(each.reading) + self.most) * len(each.seeds) for each in members]
            for batch, found in self._halving.run(write, costs):
                outcomes |= zip((group.members[each] for each in batch), found, strict=True)
        return [outcomes[place] for place in range(len(tasks))]

    def _groups(self, tasks: Sequence[Task]) -> list[Group]:
        """Say which prompts are read together: one by one where their family is not known."""
        readings = [task.reading for task in tasks]
        alone = [place for place, each in enumerate(readings) if each.positions is None]
        if alone and not self._told_alone:
            self._told_alone = True
            _LOGGER.info(
                "prompts of %s are read one by one: it is not known how its pictures and positions "
                "can be put together", self.runner.config.model_type,
            )  # fmt: skip
        together = [place for place, each in enumerate(readings) if each.positions is not None]
        groups = [Group((place,), 0) for place in alone]
        if not together:
            return groups
        if not self.reuse_prefix:
            return [*groups, Group(tuple(together), 0)]
        config = self.runner.config
        keys = keyed([readings[place] for place in together], config)
        for group in grouped(keys, least=LEAST_SAVED):
            members = tuple(together[each] for each in group.members)
            groups.append(Group(members, whole(readings[members[0]], group.shared, config)))
        return groups

    def _batch(
        self,
        tasks: Sequence[Task],
        shared: "_Shared",
        told: Callable[[list[int]], None] | None,
    ) -> list[Outcome]:
        state = shared.followed([task.reading for task in tasks])
        scores = [
            option_scores(self.runner, state, row, task.options) if task.options else ()
            for row, task in enumerate(tasks)
        ]
        rows = [row for row, task in enumerate(tasks) for _ in task.seeds]
        if len(rows) > len(tasks):
            state = self.runner.selected(state, rows)
        chooser = Chooser(
            self.how,
            [seed for task in tasks for seed in task.seeds],
            [tasks[row].reading.ids.tolist() for row in rows],
        )
        texts = iter(
            written(
                self.runner, state, chooser, most=self.most, stops=self.stops, told=told
            )
        )  # fmt: skip
        return [
            Outcome(tuple(next(texts) for _ in task.seeds), found)
            for task, found in zip(tasks, scores, strict=True)
        ]


def _joined(parts: Sequence[Outcome]) -> Outcome:
    return Outcome(tuple(text for part in parts for text in part.texts), parts[0].option_scores)


class _Shared:
    """What the prompts of a group begin with alike; read at its first use, and kept.

    Args:
        first: any prompt of the group.
        n: tokens that all of them begin with.
    """

    def __init__(self, runner: Runner, first: Reading, n: int) -> None:
        self.runner = runner
        self.first = first
        self.n = n
        self._state: State | None = None

    def followed(self, readings: Sequence[Reading]) -> State:
        """Read prompts, without reading again what they share."""
        if self.n == 0:
            return self.runner.read(readings)
        config = self.runner.config
        if self._state is None:
            self._state = self.runner.read([divided(self.first, self.n, config)[0]])
        return self.runner.read(
            [divided(each, self.n, config)[1] for each in readings], self._state
        )
