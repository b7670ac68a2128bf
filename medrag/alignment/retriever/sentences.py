"""Models of texts and of pages, trained by the trainers of sentence-transformers."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.alignment.retriever.generators import generators_kept, memory_told
from medrag.alignment.retriever.heads import Say
from medrag.alignment.retriever.negatives import hardest
from medrag.alignment.retriever.pair import Side
from medrag.alignment.retriever.relations import Codes, Relations, part
from medrag.alignment.retriever.settings import RetrieverSettings
from medrag.alignment.retriever.stopping import Best, Found, Trained, found_of, told
from medrag.checkpoints.files import configuration
from medrag.encoding.pictures import DPI
from medrag.encoding.text.sentence_transformers import Task, load, prompt_of
from medrag.errors import MedragError, RecipeError
from medrag.extras import require
from medrag.images import read_image

Kind = Literal["SentenceTransformer", "MultiVectorEncoder"]
Scores = NDArray[np.float32]
# Families of pages that the library loads, and hands no pictures to.
_UNTRAINED = frozenset({"colmodernvbert"})
# Below 1, which the library takes for one step.
_LARGEST_SHARE = 0.999


class _Names(NamedTuple):
    """What trains a kind of model: names of the library's classes, and the module of the loss."""

    trainer: str
    arguments: str
    losses: str
    loss: str


_LIBRARY: Mapping[Kind, _Names] = {
    "SentenceTransformer": _Names(
        "SentenceTransformerTrainer",
        "SentenceTransformerTrainingArguments",
        "sentence_transformers.sentence_transformer.losses",
        "MultipleNegativesRankingLoss",
    ),
    "MultiVectorEncoder": _Names(
        "MultiVectorEncoderTrainer",
        "MultiVectorEncoderTrainingArguments",
        "sentence_transformers.multi_vector_encoder.losses",
        "MultiVectorMultipleNegativesRankingLoss",
    ),
}


@dataclass(frozen=True, slots=True)
class AskedPassages:
    """Pairs as these models read them: texts ask, for texts or pictures."""

    queries: tuple[str, ...]
    passages: tuple[Side, ...]
    known: Relations


def loaded(kind: Kind, folder: Path, device: str | None) -> Any:
    """Load a model for training, in float32.

    Raises:
        RecipeError: if the folder holds none of the kind, or one that the library cannot train.
    """
    told = configuration(folder / "config.json").get("model_type")
    if told in _UNTRAINED:
        raise RecipeError(
            f"{folder} holds a {told}, to which sentence-transformers gives no pictures; train a "
            "ColPali, a ColQwen2 or a MultiVectorEncoder"
        )
    model = load(kind, folder, device=device, dtype="float32", trust_remote_code=False)
    # Examples for a card that is not written.
    model.model_card_data.generate_widget_examples = False
    return model


def train_sentences(
    model: Any,
    pairs: AskedPassages,
    *,
    kind: Kind,
    training: Codes,
    stopping: Codes,
    settings: RetrieverSettings,
    rate: float,
    say: Say | None = None,
) -> Trained:
    """Train a model in place, and leave it as it was after its best epoch.

    The loss tells each query's passage from those of the batch, and from hard negatives that are
    found once, with the model as it is at the start. Equal texts do not meet in a batch;
    other passages of the same study or subject count as wrong there.

    Args:
        training, stopping: rows of the pairs; without rows to stop by, the last epoch is kept.

    Raises:
        ValueError: if there are fewer wrong passages than hard negatives are asked for.
        MedragError: if the loss is no number, or memory runs out.
        InputFileError: naming a picture that cannot be read.
    """
    names = _LIBRARY[kind]
    best = Best(_found(model, pairs, stopping, settings.k), _state(model))
    losses: list[tuple[int, float]] = []

    def look(epoch: int, step: int, loss: float) -> bool:
        """Take in an epoch; tell whether it is time to end."""
        losses.append((step, loss))
        found = _found(model, pairs, stopping, settings.k)
        if say is not None:
            say(f"epoch {epoch}: {told(loss, found)}")
        best.see(found, lambda: _state(model), epoch)
        return epoch - best.epoch >= settings.patience

    library = require("sentence_transformers")
    loss = getattr(require(names.losses), names.loss)(model, scale=_scale(kind, settings))
    dataset = _dataset(model, pairs, training, settings.hard_negatives)
    with tempfile.TemporaryDirectory() as folder, generators_kept(settings.seed):
        trainer = getattr(library, names.trainer)(
            model=model,
            args=_arguments(getattr(library, names.arguments), folder, model, settings, rate),
            train_dataset=dataset,
            loss=loss,
            callbacks=[_stopper(look)],
        )
        # Which writes to stdout.
        trainer.remove_callback(require("transformers").PrinterCallback)
        with memory_told(settings.batch):
            trainer.train()
    model.load_state_dict(best.kept)
    model.eval()
    return Trained(tuple(losses), best.recalls, best.epoch)


def query_scores(model: Any, queries: Sequence[str], passages: Sequence[Side]) -> Scores:
    """Score (n, m) texts that ask and passages, by the model's own measure."""
    shown = [_opened(passage) for passage in passages]
    with require("torch").no_grad():
        asked = model.encode_query(list(queries), show_progress_bar=False)
        found = model.encode_document(shown, show_progress_bar=False)
        scores: Scores = np.asarray(model.similarity(asked, found).cpu().numpy(), dtype=np.float32)
    return scores


def _arguments(made: Any, folder: str, model: Any, settings: RetrieverSettings, rate: float) -> Any:
    negatives = [f"negative_{place}" for place in range(settings.hard_negatives)]
    tasks: dict[str, Task] = {
        "query": "query",
        **dict.fromkeys(["passage", *negatives], "document"),
    }
    prompts = {column: prompt_of(model, task) for column, task in tasks.items()}
    return made(
        output_dir=folder,
        per_device_train_batch_size=settings.batch,
        num_train_epochs=settings.epochs,
        learning_rate=rate,
        weight_decay=settings.weight_decay,
        warmup_steps=min(settings.warmup, _LARGEST_SHARE),
        lr_scheduler_type="cosine",
        seed=settings.seed,
        prompts={column: prompt for column, prompt in prompts.items() if prompt} or None,
        router_mapping=tasks if _is_routed(model) else None,
        batch_sampler="no_duplicates",
        logging_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=model.device.type == "cpu",
        dataloader_pin_memory=model.device.type != "cpu",
    )


def _dataset(model: Any, pairs: AskedPassages, training: Codes, n_negatives: int) -> Any:
    """Give columns of queries, passages and hard negatives; pairs that lack some have fewer."""
    passages = [pairs.passages[row] for row in training.tolist()]
    columns: dict[str, list[Any]] = {
        "query": [pairs.queries[row] for row in training.tolist()],
        "passage": [_opened(passage) for passage in passages],
    }
    if n_negatives:
        scores = query_scores(model, columns["query"], passages)
        wrong = hardest(scores, part(pairs.known, training), n=n_negatives)
        if (wrong < 0).any():
            raise ValueError(
                f"hard_negatives is {n_negatives}, and a pair has fewer wrong passages; ask for "
                "fewer, or give more pairs"
            )
        for place in range(n_negatives):
            columns[f"negative_{place}"] = [
                columns["passage"][row] for row in wrong[:, place].tolist()
            ]
    return require("datasets").Dataset.from_dict(columns)


def _stopper(look: Callable[[int, int, float], bool]) -> Any:
    """Make a callback of transformers that asks after each epoch whether to end."""

    class Stopper(require("transformers").TrainerCallback):  # type: ignore[misc]
        def on_log(
            self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any
        ) -> None:
            del args, kwargs
            if logs is None or "loss" not in logs:
                return
            if not isfinite(loss := float(logs["loss"])):
                raise MedragError(
                    f"the loss of step {state.global_step} is {loss}; take a lower learning rate"
                )
            if look(round(state.epoch), state.global_step, loss):
                control.should_training_stop = True

    return Stopper()


def _found(model: Any, pairs: AskedPassages, rows: Codes, k: int) -> Found | None:
    if not len(rows):
        return None
    was_training = model.training
    model.eval()
    queries = [pairs.queries[row] for row in rows.tolist()]
    scores = query_scores(model, queries, [pairs.passages[row] for row in rows.tolist()])
    model.train(was_training)
    return found_of(scores, part(pairs.known, rows), k)


def _state(model: Any) -> dict[str, Any]:
    weights = model.state_dict()
    return {key: each.detach().cpu().clone() for key, each in weights.items()}


def _scale(kind: Kind, settings: RetrieverSettings) -> float:
    # Sums of best matches grow with the words of the query; cosines are between -1 and 1.
    return 1.0 if kind == "MultiVectorEncoder" else 1 / settings.temperature


def _is_routed(model: Any) -> bool:
    return any(type(module).__name__ == "Router" for module in model)


def _opened(passage: Side) -> Any:
    """Give a text as it is, and a picture as an image of Pillow."""
    if isinstance(passage, str):
        return passage
    return require("PIL.Image").fromarray(read_image(passage, dpi=DPI))
