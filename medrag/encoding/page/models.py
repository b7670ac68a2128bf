"""Which class reads a late-interaction model, and what scales its pictures."""

from pathlib import Path

from medrag.encoding.numerics import Dtype
from medrag.encoding.page.multi_vector import MultiVectorModel, is_saved_encoder
from medrag.encoding.page.native import NATIVE, NativeModel, model_type
from medrag.errors import RecipeError
from medrag.extras import require

PageModel = NativeModel | MultiVectorModel

_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def load_model(
    folder: Path, *, device: str, dtype: Dtype, trust_remote_code: bool = False
) -> PageModel:
    """Load a late-interaction model by what its folder holds.

    Raises:
        RecipeError: if the folder holds another kind of model.
    """
    if is_saved_encoder(folder):
        return MultiVectorModel(
            folder=folder, device=device, dtype=dtype, trust_remote_code=trust_remote_code
        )
    if model_type(folder) in NATIVE:
        return NativeModel(folder=folder, device=device, dtype=dtype)
    # sentence-transformers would give any other model a projection of random numbers.
    raise RecipeError(
        f"{folder} holds no late-interaction model (model type {model_type(folder)!r}); expected "
        f"one of {', '.join(NATIVE)}, or a MultiVectorEncoder, PyLate or ColBERT model; a model "
        "with one vector for a text or picture is of the encoder kinds sentence, clip or image"
    )


def image_backend(folder: Path) -> str:
    """Name what scales pictures for a model: "torchvision", "pil", or "none" for one of texts.

    The two scale a little differently, so that vectors of one are not those of the other.
    """
    if not any((folder / name).is_file() for name in _PROCESSORS):
        return "none"
    image_processor = require("transformers").AutoImageProcessor.from_pretrained(
        folder, local_files_only=True
    )
    return "pil" if type(image_processor).__name__.endswith("Pil") else "torchvision"
