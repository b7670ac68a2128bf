"""Linear heads over frozen vectors, trained on pairs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite, log
from typing import TYPE_CHECKING, Any

import numpy as np

from medrag.alignment.retriever.factual import drawn_positives
from medrag.alignment.retriever.losses import clamp_scale, contrastive_loss, reader_loss
from medrag.alignment.retriever.negatives import hard_negatives
from medrag.alignment.retriever.reader import ReaderSignal
from medrag.alignment.retriever.recall import cosines
from medrag.alignment.retriever.relations import Codes, Relations, masks
from medrag.alignment.retriever.ridge import ridge_heads
from medrag.alignment.retriever.schedule import batches, n_batches, rate_at
from medrag.alignment.retriever.settings import RetrieverSettings
from medrag.alignment.retriever.stopping import Best, Found, found_of, told
from medrag.alignment.retriever.subspaces import assigned, slices
from medrag.encoding.projected import Heads
from medrag.encoding.rows import Rows, unit
from medrag.errors import MedragError
from medrag.extras import require

if TYPE_CHECKING:
    from torch import Tensor

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PairVectors:
    """Pairs as frozen encoders see them.

    Attributes:
        images: (n, d of the encoder of pictures).
        texts: (n, d of the encoder of texts).
    """

    images: Rows
    texts: Rows
    known: Relations


@dataclass(frozen=True, slots=True)
class TrainedHeads:
    """Heads, and how they came about.

    Attributes:
        losses: (step, mean loss of the epoch that ended there), from 1.
        recalls: of the stopping pairs before the first epoch and after each; empty where there are
            none.
        best_epoch: whose heads these are; 0 for those of the start.
        n_learners: subspaces in use.
    """

    heads: Heads
    losses: tuple[tuple[int, float], ...]
    recalls: tuple[float, ...]
    best_epoch: int
    n_learners: int


def untrained_heads(d_image: int, d_text: int, settings: RetrieverSettings) -> Heads:
    """Give the heads from which training starts: random weights of the settings' seed."""
    return _numbers(_module(d_image, d_text, settings), _space(d_text, settings))


def put(heads: Heads, images: Rows, texts: Rows) -> tuple[Rows, Rows]:
    """Put vectors of both encoders through heads: unit rows of one space."""
    shown = unit(images @ heads.image_weights.T + heads.image_bias)
    if heads.text_weights is None or heads.text_bias is None:
        return shown, unit(texts)
    return shown, unit(texts @ heads.text_weights.T + heads.text_bias)


def train_heads(
    training: PairVectors,
    stopping: PairVectors | None,
    *,
    settings: RetrieverSettings,
    rate: float,
    signal: ReaderSignal | None = None,
    say: Say | None = None,
) -> TrainedHeads:
    """Train heads on pairs until held-out ones are found no better.

    Args:
        stopping: pairs of other clusters; None trains all epochs and keeps the last.
        rate: the highest learning rate.
        signal: what a reader said of passages, a row for each training pair.
        say: told of each epoch.

    Raises:
        ValueError: if vectors and relations differ in number, or there are fewer than two pairs.
        MedragError: if the loss is no number.
    """
    _check(training, signal)
    run = _Run(training, settings, rate, signal)
    losses: list[tuple[int, float]] = []
    best = Best(_found(run.heads(), stopping, settings.k), (run.heads(), 1))
    for epoch in range(1, settings.epochs + 1):
        losses.append(run.epoch(epoch))
        found = _found(run.heads(), stopping, settings.k)
        if say is not None:
            say(f"epoch {epoch}: {told(losses[-1][1], found)}")
        best.see(found, lambda: (run.heads(), run.n_learners), epoch)
        waited = epoch - max(best.epoch, run.grown_at)
        if not run.may_grow(waited, stopping is not None) and waited >= settings.patience:
            break
    return TrainedHeads(best.kept[0], tuple(losses), best.recalls, best.epoch, best.kept[1])


class _Run:
    """A head in training: weights, optimiser, and which pairs come next."""

    def __init__(
        self,
        training: PairVectors,
        settings: RetrieverSettings,
        rate: float,
        signal: ReaderSignal | None,
    ) -> None:
        torch = require("torch")
        self.settings = settings
        self.known = training.known
        self.rate = rate
        self.vectors = training
        self.images = torch.tensor(training.images)
        self.texts = torch.tensor(training.texts)
        self.signal = signal if settings.reader_weight else None
        self.rng = np.random.default_rng(settings.seed)
        self.d = _space(training.texts.shape[1], settings)
        self.parts = slices(self.d, settings.subspaces)
        self.n_learners = 1
        self.grown_at = 0
        self._epoch = 0
        self.modules = _module(training.images.shape[1], training.texts.shape[1], settings)
        if settings.start == "ridge":
            _set(self.modules[0], ridge_heads(training.images, training.texts))
        self.log_scale = torch.nn.Parameter(torch.tensor(-log(settings.temperature)))
        self.optimiser = _optimiser(torch, self.modules, self.log_scale, settings.weight_decay)
        per_epoch = n_batches(len(self.images), settings.batch)
        # Learners train apart, then together; each may end on a batch that is not full.
        apart = per_epoch + settings.subspaces if settings.subspaces > 1 else 0
        self.planned = settings.epochs * (per_epoch + apart)
        self.n_steps = 0
        self.wrong: Codes | None = None

    def heads(self) -> Heads:
        """Give the heads as they are, of the learners that are in use."""
        return _numbers(self.modules, self.parts[self.n_learners - 1].stop)

    def may_grow(self, waited: int, is_stopping: bool) -> bool:
        """Add a learner where there is one left and the others have stopped getting better."""
        share = max(1, self.settings.epochs // self.settings.subspaces)
        due = waited >= self.settings.patience
        if not is_stopping:
            due = self._epoch >= self.n_learners * share
        if self.n_learners == self.settings.subspaces or not due:
            return False
        self.n_learners += 1
        self.grown_at = self._epoch
        return True

    def epoch(self, number: int) -> tuple[int, float]:
        """Train on every pair once, by learners and together; give the step and the mean loss."""
        self._epoch = number
        if self.settings.hard_negatives and (number - 1) % self.settings.mine_every == 0:
            shown, texts = put(self.heads(), self.vectors.images, self.vectors.texts)
            n = self.settings.hard_negatives
            self.wrong = hard_negatives(shown, texts, self.known, n=n)
        losses = [self._step(rows, place) for rows, place in self._order()]
        return self.n_steps, float(np.mean(losses))

    def _order(self) -> Iterator[tuple[Codes, slice]]:
        """Give batches of rows, each with the part of the space that learns from it."""
        rows: Codes = np.arange(len(self.images), dtype=np.int64)
        if self.n_learners > 1:
            shown, texts = put(self.heads(), self.vectors.images, self.vectors.texts)
            numbers = assigned(shown + texts, self.n_learners, seed=self.settings.seed)
            for learner in range(self.n_learners):
                own = rows[numbers == learner]
                if len(own) > 1:
                    for batch in batches(own, self.settings.batch, self.rng):
                        yield batch, self.parts[learner]
        whole = slice(0, self.parts[self.n_learners - 1].stop)
        for batch in batches(rows, self.settings.batch, self.rng):
            yield batch, whole

    def _step(self, rows: Codes, place: slice) -> float:
        share = rate_at(min(self.n_steps, self.planned - 1), self.planned, self.settings.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * share
        self.n_steps += 1
        loss = self._loss(rows, place)
        if not isfinite(value := float(loss.detach())):
            raise MedragError(
                f"the loss of step {self.n_steps} is {value}; the learning rate {self.rate:g} is "
                "too high, or the vectors hold numbers that are not finite"
            )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        clamp_scale(self.log_scale)
        return value

    def _loss(self, rows: Codes, place: slice) -> "Tensor":
        columns = drawn_positives(rows, self.known.facts, self.rng)
        if self.wrong is not None:
            further = np.setdiff1d(self.wrong[rows], [-1, *columns])
            columns = np.concatenate([columns, further])
        positives, ignored = masks(self.known, rows, columns)
        torch = require("torch")
        images = _unit(self.modules[0](self.images[rows]), place)
        texts = _unit(self.modules[1](self.texts[columns]), place)
        loss = contrastive_loss(
            images, texts, self.log_scale, image_weight=self.settings.image_weight,
            positives=torch.from_numpy(positives), ignored=torch.from_numpy(ignored),
        )  # fmt: skip
        if self.signal is None or not (told := self.signal.targets[rows].any(axis=1)).any():
            return loss
        return loss + self.settings.reader_weight * self._reader(images[told], rows[told], place)

    def _reader(self, images: "Tensor", rows: Codes, place: slice) -> "Tensor":
        torch, signal = require("torch"), self.signal
        if signal is None:
            raise ValueError("there is no reader to learn from")
        seen, targets = signal.shown[rows], torch.tensor(signal.targets[rows], dtype=torch.float32)
        vectors = torch.tensor(signal.vectors[np.maximum(seen, 0)])
        passages = _unit(self.modules[1](vectors), place)
        scores = (images[:, None] * passages).sum(dim=2)
        return reader_loss(scores, targets, self.log_scale, shown=torch.from_numpy(seen >= 0))


def _check(training: PairVectors, signal: ReaderSignal | None) -> None:
    n = len(training.known.passages)
    counts = {len(training.images), len(training.texts), n}
    if signal is not None:
        counts |= {len(signal.shown), len(signal.targets)}
    if counts != {n}:
        raise ValueError(f"{n} pairs need as many vectors of each side and targets, got {counts}")
    if n < 2:
        raise ValueError(f"a head is trained on two pairs at least, got {n}")


def _space(d_text: int, settings: RetrieverSettings) -> int:
    return d_text if settings.subspaces == 1 else settings.d or d_text


def _module(d_image: int, d_text: int, settings: RetrieverSettings) -> Any:
    """Make the two maps, pictures first; the generator of the process is left as it was."""
    torch, d = require("torch"), _space(d_text, settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        image = torch.nn.Linear(d_image, d)
        text = torch.nn.Identity() if settings.subspaces == 1 else torch.nn.Linear(d_text, d)
    return torch.nn.ModuleList([image, text])


def _set(linear: Any, heads: Heads) -> None:
    torch = require("torch")
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(heads.image_weights))
        linear.bias.copy_(torch.tensor(heads.image_bias))


def _optimiser(torch: Any, modules: Any, log_scale: "Tensor", weight_decay: float) -> Any:
    weights = [each for each in modules.parameters() if each.ndim > 1]
    others = [each for each in modules.parameters() if each.ndim == 1]
    return torch.optim.AdamW([
        {"params": weights, "weight_decay": weight_decay},
        {"params": [*others, log_scale], "weight_decay": 0.0},
    ])  # fmt: skip


def _numbers(modules: Any, d: int) -> Heads:
    """Copy the first d numbers of the space out of the maps."""
    image, text = modules[0], modules[1]
    maps = [image] if not hasattr(text, "weight") else [image, text]
    arrays = [
        np.array(each.detach().numpy()[:d], dtype=np.float32)
        for one in maps
        for each in (one.weight, one.bias)
    ]
    return Heads(*arrays)


def _unit(rows: "Tensor", place: slice) -> "Tensor":
    found: Tensor = require("torch").nn.functional.normalize(rows[..., place], dim=-1)
    return found


def _found(heads: Heads, stopping: PairVectors | None, k: int) -> Found | None:
    if stopping is None:
        return None
    scores = cosines(*put(heads, stopping.images, stopping.texts))
    return found_of(scores, stopping.known, k)
