"""Pictures as the models of transformers want them, by the models' own preparation."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import RecipeError
from medrag.extras import require

# Named arrays of one picture, as a model wants them; those of a batch have one more axis in front.
Inputs = Mapping[str, NDArray[Any]]


def pixel_backend() -> str:
    """Name the library that resizes pictures for transformers; its choice moves pixels a little."""
    return "torchvision" if find_spec("torchvision") else "pil"


def image_processor(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """Load the picture preparation of a checkpoint, in the back end that `pixel_backend` names.

    Raises:
        RecipeError: if the folder holds none.
    """
    library = require("transformers")
    try:
        return library.AutoImageProcessor.from_pretrained(
            str(folder),
            backend=pixel_backend(),
            local_files_only=True,
            trust_remote_code=trust_remote_code,
        )
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"{folder} says nothing of how it prepares pictures (preprocessor_config.json): "
            f"{str(error).splitlines()[0]}"
        ) from error


def prepared(processor: Any, pixels: NDArray[np.uint8]) -> Inputs:
    """Run a picture preparation on one (h, w, 3) RGB picture."""
    # Said, not guessed: a picture of three rows looks as if its channels came first.
    found = processor(images=[pixels], return_tensors="pt", input_data_format="channels_last")
    return {key: np.asarray(each[0]) for key, each in found.items()}


def moved(inputs: Inputs, model: Any) -> dict[str, Any]:
    """Put arrays on a model's device as tensors, fractions in its data type."""
    torch = require("torch")
    weight = next(each for each in model.parameters() if each.is_floating_point())
    tensors = {key: torch.from_numpy(each) for key, each in inputs.items()}
    return {
        key: each.to(weight.device, weight.dtype if each.is_floating_point() else None)
        for key, each in tensors.items()
    }
