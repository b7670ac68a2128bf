"""`medrag align sft`: train a model on the chosen answers of pairs, the control of all else."""

from medrag.cli.align.options import (
    Adapter,
    Model,
    Out,
    Pairs,
    Recipe,
    Resume,
    Steps,
    TrainingSeed,
    model_of,
    refusing,
    show_training,
    training_of,
)
from medrag.cli.evaluate.options import AsJson
from medrag.cli.output import message


def sft(
    recipe: Recipe,
    pairs: Pairs,
    out: Out,
    resume: Resume = False,
    model: Model = None,
    adapter: Adapter = None,
    steps: Steps = None,
    seed: TrainingSeed = None,
    as_json: AsJson = False,
) -> None:
    """Train a model to say the chosen answers of pairs: the control of every preference.

    The folder is named as the adapter of a generator, or as its model where the recipe says
    lora: null. A gain of preferences is claimed only against what this trains.
    """
    from medrag.alignment.pairs import read_pairs
    from medrag.alignment.training import TrainingSettings, train_sft
    from medrag.config.alignment import load_alignment

    read = load_alignment(recipe)
    with refusing(read, "sft"):
        result = train_sft(
            model_of(read, model, adapter),
            read_pairs(pairs),
            folder=out,
            lora=read.lora,
            training=training_of(read.sft or TrainingSettings(), steps, seed),
            resume=resume,
            say=message,
        )
    how = "adapter" if read.lora is not None else "model"
    show_training(
        result,
        as_json=as_json,
        then=f"next: medrag align dpo {recipe} --pairs {pairs} --out DIR; or answer with it: "
        f"{how}: {out}",
    )
