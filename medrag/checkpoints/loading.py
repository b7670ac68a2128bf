"""Models out of a folder, by transformers and its kin; what is wrong with the folder is told.

Libraries answer to a folder that is not what they expect with errors of a dozen kinds, with none at
all (a layer whose weights are absent gets random ones), or with a tokenizer that knows no words.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from medrag.checkpoints.batching import out_of_memory
from medrag.checkpoints.files import config_files, weight_files
from medrag.checkpoints.numerics import chosen_device
from medrag.errors import MedragError, RecipeError, is_panic
from medrag.extras import require

_AGAIN = "get the model's files again, or name the folder of another model"
# Where the words of a tokenizer lie.
_VOCABULARIES = (
    "tokenizer.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json",
    "whitespacetokenizer_config.json",
)  # fmt: skip
# Layers that are often not saved: the one is read on request only, the other in training.
_POOLER, _MASK = "pooler", "mask_token"
# Configuration that is no JSON; what else there is may be a pickle, whatever its name ends in.
_PLAIN = (".txt", ".model", ".py", ".metadata", ".jinja")
# Of the table in which transformers reports on weights: a name, and what became of it.
_ROW = re.compile(r"^(\S[^|\n]*?) +\| +(?:\x1b\[\d*m)?(MISSING|MISMATCH)\b", re.MULTILINE)


def check_held(folder: Path, expected: str, *, configs: tuple[str, ...] = ("config.json",)) -> None:
    """Refuse a folder that lacks what every model has.

    Args:
        expected: what the folder should hold, such as "a model of transformers".
        configs: names, one of which must be there.

    Raises:
        RecipeError: naming what is absent.
    """
    weight_files(folder)
    if not any((folder / name).is_file() for name in configs):
        raise RecipeError(f"{folder} lacks {' or '.join(configs)}, expected {expected}; {_AGAIN}")


def check_words(folder: Path) -> None:
    """Refuse a folder without a tokenizer, where texts are read.

    Raises:
        RecipeError: naming the files, one of which is needed.
    """
    if not any(path.is_file() for form in _VOCABULARIES for path in folder.rglob(form)):
        # transformers would make one without words, and every text the same.
        raise RecipeError(
            f"{folder} holds no tokenizer for its texts ({', '.join(_VOCABULARIES)}); "
            "copy it from the model that this one was made of"
        )


@contextmanager
def reading(place: Path, expected: str, *, pooled: bool = False) -> Iterator[None]:
    """Tell of whatever goes wrong while a folder is loaded, and draw no progress bars.

    Args:
        place: the folder, or a file of weights.
        expected: as in `check_held`.
        pooled: whether the vector that the model itself makes of an input is read.

    Raises:
        RecipeError: naming the folder and, where it can be told, the file.
    """
    with _quietly(), _reported() as rows:
        try:
            yield
        except (MedragError, MemoryError):
            raise
        except BaseException as error:
            if out_of_memory(error) or not (isinstance(error, Exception) or is_panic(error)):
                raise
            trouble = _broken(place) or _misfit(rows) or _words(error)
            raise RecipeError(
                f"{place} does not load as {expected}: {trouble}; {_way_out(error)}"
            ) from error
    spare = (_MASK,) if pooled else (_MASK, _POOLER)
    if absent := [name for name, _ in rows if not any(each in name for each in spare)]:
        raise RecipeError(
            f"{place} does not load as {expected}: its weights lack {_listed(absent)}, which its "
            f"config.json tells of, and which would be random; {_AGAIN}"
        )


def auto_model(
    folder: Path, *, device: str | None, trust_remote_code: bool, pooled: bool = False
) -> Any:
    """Load a model with transformers' AutoModel, in its stored precision, ready to encode.

    Args:
        pooled: as in `reading`.

    Raises:
        RecipeError: if the folder holds no model that transformers knows.
    """
    library, expected = require("transformers"), "a model of transformers"
    check_held(folder, expected)
    with reading(folder, expected, pooled=pooled):
        model = library.AutoModel.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=trust_remote_code
        )
    return model.to(chosen_device(device)).eval()


def auto_tokenizer(folder: Path, *, trust_remote_code: bool) -> Any:
    """Load a tokenizer with transformers' AutoTokenizer.

    Raises:
        MissingExtraError: if it needs a library that is not installed.
        RecipeError: if the folder holds none, or one that does not load.
    """
    check_words(folder)
    with reading(folder, "a tokenizer (tokenizer.json)"):
        try:
            return require("transformers").AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=trust_remote_code
            )
        except ImportError:
            require("sentencepiece", extra="clip")
            raise


def pixel_backend() -> str:
    """Name the library that resizes pictures for transformers; its choice moves pixels a little."""
    return "torchvision" if find_spec("torchvision") else "pil"


def image_processor(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """Load the picture preparation of a checkpoint, in the back end that `pixel_backend` names.

    Raises:
        RecipeError: if the folder holds none.
    """
    library = require("transformers")
    with reading(folder, "a preparation of pictures (preprocessor_config.json)"):
        return library.AutoImageProcessor.from_pretrained(
            str(folder),
            backend=pixel_backend(),
            local_files_only=True,
            trust_remote_code=trust_remote_code,
        )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the progress bars of loading from being drawn."""
    drawing = require("transformers.utils.logging")
    shown = drawing.is_progress_bar_enabled()
    drawing.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            drawing.enable_progress_bar()


@contextmanager
def _reported() -> Iterator[list[tuple[str, str]]]:
    """Collect what transformers reports on weights: names, and MISSING or MISMATCH."""
    rows: list[tuple[str, str]] = []

    def kept(record: logging.LogRecord) -> bool:
        said = record.getMessage()
        rows.extend(_ROW.findall(said))
        return "LOAD REPORT" not in said and record.levelno >= logging.WARNING

    logger = logging.getLogger("transformers.modeling_utils")
    level = logger.level
    logger.addFilter(kept)
    # At the level of warnings itself, transformers would also tell which layers were not sharded.
    logger.setLevel(logging.INFO)
    try:
        yield rows
    finally:
        logger.removeFilter(kept)
        logger.setLevel(level)


def _broken(place: Path) -> str:
    """Say which file cannot be read, and why; "" if all can."""
    try:
        for path in [place] if place.is_file() else [*config_files(place), *weight_files(place)]:
            _check_file(path)
    except RecipeError as error:
        return str(error)
    return ""


def _check_file(path: Path) -> None:
    """Read as much of a file as shows that it is whole."""
    try:
        if path.suffix == ".json":
            value = json.loads(path.read_text(encoding="utf-8"))
            if path.name != "modules.json" and not isinstance(value, dict):
                raise TypeError(f"expected a JSON object, got {type(value).__name__}")
        elif path.suffix == ".safetensors":
            with require("safetensors").safe_open(path, framework="pt"):
                pass
        elif path.suffix not in _PLAIN and path.name != "training_args.bin":
            # On no device: the numbers themselves are not read.
            require("torch").load(path, map_location="meta", weights_only=True)
    except Exception as error:
        if path.suffix in (".json", ".safetensors"):
            raise RecipeError(f"{path} is broken ({_words(error)})") from error
        # Not in the words of torch, which advise to let the code run.
        raise RecipeError(
            f"{path} is broken, or would run code when read, expected plain weights (the best "
            f"are model.safetensors)"
        ) from error


def _way_out(error: BaseException) -> str:
    said = str(error)
    if "trust_remote_code" in said:
        return "look at the Python code that comes with it, and say trust_remote_code: true"
    if any(words in said for words in ("CUDA", "NVIDIA", "device type")):
        return "name a device that this machine has, such as cpu"
    return "install what it asks for" if isinstance(error, ImportError) else _AGAIN


def _misfit(rows: list[tuple[str, str]]) -> str:
    names = [name for name, fate in rows if fate == "MISMATCH"]
    return f"its weights {_listed(names)} have other sizes than config.json says" if names else ""


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _words(error: BaseException) -> str:
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
