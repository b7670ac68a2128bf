"""Train in each of several processes, as a launcher starts them.

Arguments: folder of the model, folder of pictures, folder to train into, pairs of a batch.
"""

import sys
from dataclasses import replace
from pathlib import Path

from medrag.alignment.training import train_preferences
from tests.alignment.training.tuned import LORA, QUICK, pairs_of, settings

if __name__ == "__main__":
    model, shown, folder = map(Path, sys.argv[1:4])
    training = replace(QUICK, batch=int(sys.argv[4]), max_steps=6, save_every=2)
    train_preferences(
        settings(model), pairs_of(shown, 8), folder=folder, lora=LORA, training=training
    )
