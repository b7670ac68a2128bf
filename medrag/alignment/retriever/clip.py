"""The towers of a CLIP model, trained on pairs."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from medrag.alignment.retriever.factual import drawn_positives
from medrag.alignment.retriever.generators import generators_kept, memory_told
from medrag.alignment.retriever.heads import Say
from medrag.alignment.retriever.layers import trained_names
from medrag.alignment.retriever.losses import clamp_scale, contrastive_loss
from medrag.alignment.retriever.negatives import hard_negatives
from medrag.alignment.retriever.recall import cosines
from medrag.alignment.retriever.relations import Codes, Relations, masks, part
from medrag.alignment.retriever.schedule import batches, n_batches, rate_at
from medrag.alignment.retriever.settings import RetrieverSettings
from medrag.alignment.retriever.stopping import Best, Found, Trained, found_of, told
from medrag.alignment.retriever.towers import TrainedTowers
from medrag.encoding.pictures import DPI
from medrag.encoding.rows import Rows, unit
from medrag.encoding.text.parts import in_parts
from medrag.errors import MedragError
from medrag.extras import require
from medrag.images import read_image
from medrag.records import ImageRef

if TYPE_CHECKING:
    from torch import Tensor

_THREADS = 8


@dataclass(frozen=True, slots=True)
class PicturedTexts:
    """Pairs as towers read them: row i of both belong together."""

    images: tuple[ImageRef, ...]
    texts: tuple[str, ...]
    known: Relations


def train_towers(
    towers: TrainedTowers,
    pairs: PicturedTexts,
    *,
    training: Codes,
    stopping: Codes,
    settings: RetrieverSettings,
    rate: float,
    layers: int | None = None,
    say: Say | None = None,
) -> Trained:
    """Train towers in place, and leave them as they were after their best epoch.

    Of a text that is longer than the model reads, one of its parts is drawn at each step, so that
    the end of a report counts as well.

    Args:
        training, stopping: rows of the pairs; without rows to stop by, the last epoch is kept.
        layers: blocks of each tower, from its end; None for all.

    Raises:
        ValueError: if the model has not so many blocks.
        InputFileError: naming a picture that cannot be read.
        MedragError: if the loss is no number, or memory runs out.
    """
    run = _Run(towers, pairs, training, settings, rate, layers)
    best = Best(run.found(stopping), run.state())
    losses: list[tuple[int, float]] = []
    for epoch in range(1, settings.epochs + 1):
        with generators_kept(settings.seed + epoch), memory_told(settings.batch):
            losses.append(run.epoch(epoch))
        found = run.found(stopping)
        if say is not None:
            say(f"epoch {epoch}: {told(losses[-1][1], found)}")
        best.see(found, run.state, epoch)
        if epoch - best.epoch >= settings.patience:
            break
    towers.module.load_state_dict(best.kept)
    return Trained(tuple(losses), best.recalls, best.epoch)


def text_parts(towers: TrainedTowers, texts: Sequence[str]) -> list[list[str]]:
    """Split texts into parts that the text tower reads whole."""
    return in_parts([" ".join(text.split()) for text in texts], towers.count, towers.limit)


def tower_vectors(
    towers: TrainedTowers, pairs: PicturedTexts, rows: Codes, *, batch: int
) -> tuple[Rows, Rows]:
    """Encode pictures and texts of rows as unit rows; a text as the mean of its parts.

    Raises:
        InputFileError: naming a picture that cannot be read.
    """
    towers.module.eval()
    images, texts = [], []
    parts = text_parts(towers, [pairs.texts[row] for row in rows.tolist()])
    with require("torch").no_grad():
        for some in np.array_split(rows, n_batches(len(rows), batch)):
            images.append(_numbers(_pictures(towers, [pairs.images[row] for row in some])))
        for several in parts:
            texts.append(unit(_numbers(towers.texts(several))).mean(axis=0))
    return unit(np.concatenate(images)), unit(np.stack(texts))


class _Run:
    """Towers in training: optimiser, parts of texts, and which pairs come next."""

    def __init__(
        self,
        towers: TrainedTowers,
        pairs: PicturedTexts,
        training: Codes,
        settings: RetrieverSettings,
        rate: float,
        layers: int | None,
    ) -> None:
        self.towers = towers
        self.pairs = pairs
        self.training = training
        self.settings = settings
        self.rate = rate
        self.rng = np.random.default_rng(settings.seed)
        self.parts = text_parts(towers, pairs.texts)
        self.planned = settings.epochs * n_batches(len(training), settings.batch)
        self.n_steps = 0
        self.wrong: Codes | None = None
        self.optimiser = _optimiser(towers, layers, settings.weight_decay)

    def state(self) -> dict[str, Any]:
        """Copy all weights."""
        weights = self.towers.module.state_dict()
        return {key: each.detach().cpu().clone() for key, each in weights.items()}

    def found(self, rows: Codes) -> Found | None:
        """Look for some pairs; None where there are none."""
        if not len(rows):
            return None
        vectors = tower_vectors(self.towers, self.pairs, rows, batch=self.settings.batch)
        return found_of(cosines(*vectors), part(self.pairs.known, rows), self.settings.k)

    def epoch(self, number: int) -> tuple[int, float]:
        """Train on every pair once; give the step and the mean loss."""
        if self.settings.hard_negatives and (number - 1) % self.settings.mine_every == 0:
            n, known = self.settings.hard_negatives, part(self.pairs.known, self.training)
            vectors = tower_vectors(
                self.towers, self.pairs, self.training, batch=self.settings.batch
            )
            self.wrong = hard_negatives(*vectors, known, n=n)
        self.towers.module.train()
        places: Codes = np.arange(len(self.training), dtype=np.int64)
        losses = [self._step(batch) for batch in batches(places, self.settings.batch, self.rng)]
        return self.n_steps, float(np.mean(losses))

    def _step(self, places: Codes) -> float:
        share = rate_at(self.n_steps, self.planned, self.settings.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * share
        self.n_steps += 1
        loss = self._loss(places)
        if not isfinite(value := float(loss.detach())):
            raise MedragError(
                f"the loss of step {self.n_steps} is {value}; take a learning rate below "
                f"{self.rate:g}"
            )
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        clamp_scale(self.towers.log_scale)
        return value

    def _loss(self, places: Codes) -> "Tensor":
        rows = self.training[places]
        columns = drawn_positives(rows, self.pairs.known.facts, self.rng)
        # What states the same may be a pair that is held out, and stays unseen.
        columns = np.where(np.isin(columns, self.training), columns, rows)
        if self.wrong is not None:
            wrong = self.wrong[places]
            columns = np.concatenate(
                [columns, np.setdiff1d(self.training[wrong[wrong >= 0]], columns)]
            )
        positives, ignored = masks(self.pairs.known, rows, columns)
        torch = require("torch")
        texts = [str(self.rng.choice(self.parts[column])) for column in columns.tolist()]
        device = self.towers.log_scale.device
        normalize = torch.nn.functional.normalize
        return contrastive_loss(
            normalize(_pictures(self.towers, [self.pairs.images[row] for row in rows]), dim=-1),
            normalize(self.towers.texts(texts), dim=-1),
            self.towers.log_scale,
            image_weight=self.settings.image_weight,
            positives=torch.from_numpy(positives).to(device),
            ignored=torch.from_numpy(ignored).to(device),
        )


def _optimiser(towers: TrainedTowers, layers: int | None, weight_decay: float) -> Any:
    """Freeze what is not trained, and make an optimiser for the rest."""
    weights = dict(towers.module.named_parameters())
    chosen = trained_names(weights, layers)
    for name, weight in weights.items():
        weight.requires_grad_(name in chosen)
    decayed = [each for each in weights.values() if each.requires_grad and each.ndim > 1]
    others = [each for each in weights.values() if each.requires_grad and each.ndim <= 1]
    return require("torch").optim.AdamW([
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ])  # fmt: skip


def _pictures(towers: TrainedTowers, refs: Sequence[ImageRef]) -> "Tensor":
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures") as pool:
        each = list(pool.map(lambda ref: towers.prepared(read_image(ref, dpi=DPI)), refs))
    return towers.pictures({key: np.stack([one[key] for one in each]) for key in each[0]})


def _numbers(rows: "Tensor") -> Rows:
    found: Rows = rows.detach().float().cpu().numpy()
    return found
