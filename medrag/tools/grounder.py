"""Places of findings by a Florence-2 that was trained to ground phrases, such as AG-KD."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from medrag.checkpoints.batching import check_sizes
from medrag.checkpoints.files import configuration, content_name, model_folder
from medrag.checkpoints.loading import check_held, check_words, pixel_backend, reading
from medrag.checkpoints.numerics import Dtype, check_dtype, chosen_device, chosen_dtype
from medrag.errors import RecipeError
from medrag.extras import require
from medrag.images import read_image
from medrag.images.pointing import unmarked, with_marks
from medrag.records import ImageRef, QuestionRegion, ToolResult
from medrag.tools.definitions import name_key, read_definitions
from medrag.tools.locations import in_picture, read_locations, squared
from medrag.tools.places import chosen_image, told

_TASK = "<CAPTION_TO_PHRASE_GROUNDING>"
_EXPECTED = "a Florence-2 of transformers"
# Pixels of the square that one step of its tower makes one.
_STRIDE = 32
_LONGEST_TARGET, _LONGEST_DEFINITION = 200, 2000
_MOST_MARKS = 9


class _Found(NamedTuple):
    """What the model wrote, and how sure it was of each of its tokens on average, in (0, 1]."""

    text: str
    confidence: float


class FlorenceGrounder:
    """Say where a finding lies, from its name and what the name means.

    Its arguments: "target", the finding in words, "image", the number of the picture (1 without
    it), and "definition", what the finding looks like (not needed). Without a definition the
    grounder's own is taken: of the target itself, or of the longest name that stands in it. The
    model is then given "target means definition." The picture is put into a black square first, as
    in AG-KD; boxes come back in pixels of the given picture. The confidence is one for all boxes:
    exp of the mean log-probability of the tokens. The model is loaded at the first call.

    Args:
        model: a folder or a hub id of a Florence-2 in the form of transformers 5 ("native").
            Checkpoints of Microsoft's own code, AG-KD among them, must be converted first.
        definitions: of findings by name, or a YAML or JSON file of such; see
            `medrag.tools.definitions` for how to make them from an index.
        size: side of the square in pixels, a multiple of 32.
        num_beams: of the search.
        max_tokens: of one reply; a box takes four, and its phrase a few.
        least_confidence: below it, the finding counts as not found.
        show: also give the picture with the boxes drawn onto it.
        device: of torch; None for the GPU if there is one, else the CPU.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        revision: of a hub id.

    Raises:
        ValueError: if a setting is out of range.
        RecipeError: if the file of definitions cannot be read; at first use, if the model is not
            found or cannot be loaded.

    Source:
        AG-KD and K2Sight, arXiv 2508.04572; Florence-2, arXiv 2311.06242.
    """

    name = "ground"
    about = (
        'find a finding in a picture. Arguments: "image", the number of the picture; "target", '
        'what to look for, such as "pleural effusion"; "definition", what it looks like, if you '
        "know."
    )

    def __init__(
        self,
        *,
        model: str,
        definitions: Mapping[str, str] | Path | None = None,
        size: int = 512,
        num_beams: int = 3,
        max_tokens: int = 256,
        least_confidence: float = 0.0,
        show: bool = True,
        device: str | None = None,
        dtype: Dtype = "auto",
        revision: str | None = None,
    ) -> None:
        check_sizes(size=size, num_beams=num_beams, max_tokens=max_tokens)
        check_dtype(dtype)
        if size % _STRIDE:
            raise ValueError(f"size must be a multiple of {_STRIDE}, got {size}")
        if not 0 <= least_confidence <= 1:
            raise ValueError(f"least_confidence must be from 0 to 1, got {least_confidence}")
        given = read_definitions(definitions) if isinstance(definitions, Path) else definitions
        self.definitions = {name_key(name): text for name, text in (given or {}).items()}
        self.model = model
        self.size = size
        self.num_beams = num_beams
        self.max_tokens = max_tokens
        self.least_confidence = least_confidence
        self.show = show
        self.device = device
        self.dtype: Dtype = dtype
        self.revision = revision

    @property
    def identity(self) -> str:
        """What the result depends on beside the arguments."""
        meant = hashlib.sha256(repr(sorted(self.definitions.items())).encode()).hexdigest()[:8]
        settings = f"{pixel_backend()}-{self.size}-{self.num_beams}-{self.least_confidence:g}"
        return f"ground-{content_name(self._folder)}-{settings}-{meant}"

    def call(self, arguments: Mapping[str, Any], images: Sequence[ImageRef]) -> ToolResult:
        """Find the target.

        Raises:
            ValueError: if there is no such picture, or no target.
            InputFileError: if the picture cannot be read.
            RecipeError: if the model is not found or cannot be loaded.
        """
        place = chosen_image(arguments, images)
        target = _words(arguments.get("target"), "target", _LONGEST_TARGET)
        if not target:
            raise ValueError('"target" must say what to look for')
        given = arguments.get("definition")
        definition = _words("" if given is None else given, "definition", _LONGEST_DEFINITION)
        # Without outlines: the model was not trained on them.
        square = squared(read_image(unmarked(images[place])), self.size)
        found = self._found(square.pixels, _prompt(target, definition or self._meaning(target)))
        regions = []
        for each in read_locations(found.text) if found.confidence >= self.least_confidence else ():
            if (box := in_picture(each.box, square)) is not None:
                regions.append(QuestionRegion(place, box, name=target))
        regions = list(dict.fromkeys(regions))
        if not regions:
            return ToolResult(f"Found no {target} in picture {place + 1}.")
        boxes = [region.box for region in regions if region.box is not None]
        corners = "; ".join("({:.0f}, {:.0f}) to ({:.0f}, {:.0f})".format(*box) for box in boxes)
        text = (
            f"{target} in picture {place + 1}, confidence {found.confidence:.2f}: pixels {corners}."
        )
        shown = (with_marks(images[place], boxes[:_MOST_MARKS]),) if self.show else ()
        return ToolResult(text, shown, tuple(regions))

    def _meaning(self, target: str) -> str:
        """Look a target up: by itself, else by the longest defined name in it."""
        key = f" {name_key(target)} "
        named = [name for name in self.definitions if f" {name} " in key]
        return _bare(self.definitions[max(named, key=len)])[:_LONGEST_DEFINITION] if named else ""

    def _found(self, pixels: Any, prompt: str) -> _Found:
        processor, model = self._processor, self._loaded
        side = {"height": self.size, "width": self.size}
        inputs = processor(
            text=[prompt], images=[pixels], return_tensors="pt", size=side, do_center_crop=False,
            input_data_format="channels_last",
        ).to(model.device, model.dtype)  # fmt: skip
        with require("torch").inference_mode():
            written = model.generate(
                **inputs, num_beams=self.num_beams, do_sample=False, output_scores=True,
                max_new_tokens=self.max_tokens, return_dict_in_generate=True,
            )  # fmt: skip
            scores = model.compute_transition_scores(
                written.sequences, written.scores, getattr(written, "beam_indices", None),
                normalize_logits=self.num_beams == 1,
            )  # fmt: skip
        # Behind the end of the text, scores are 0.
        told = [score for score in scores[0].float().tolist() if math.isfinite(score) and score < 0]
        text = processor.tokenizer.decode(written.sequences[0], skip_special_tokens=False)
        return _Found(_without_ends(text), math.exp(sum(told) / len(told)) if told else 1.0)

    @cached_property
    def _folder(self) -> Path:
        return model_folder(self.model, self.revision)

    @cached_property
    def _processor(self) -> Any:
        library, folder = require("transformers"), self._folder
        check_words(folder)
        with reading(folder, "a preparation of Florence-2 (processor_config.json)"):
            processor = library.AutoProcessor.from_pretrained(
                str(folder), backend=pixel_backend(), local_files_only=True
            )
        if not hasattr(processor, "num_image_tokens"):
            raise RecipeError(
                f"{folder} has a {type(processor).__name__}, expected the processor of Florence-2; "
                "name the folder of one"
            )
        # One for each place of the tower's last grid, and one for all of the picture.
        processor.num_image_tokens = (self.size // _STRIDE) ** 2 + 1
        return processor

    @cached_property
    def _loaded(self) -> Any:
        library, folder = require("transformers"), self._folder
        check_held(folder, _EXPECTED)
        config = configuration(folder / "config.json")
        if config.get("model_type") != "florence2" or "auto_map" in config:
            raise RecipeError(
                f"{folder} holds a model of type {told(config.get('model_type'))}"
                f"{' with code of its own' if 'auto_map' in config else ''}, expected {_EXPECTED} "
                "(such as florence-community/Florence-2-base-ft); convert a checkpoint of "
                "Microsoft's code with the conversion script of transformers' repository"
            )
        with reading(folder, _EXPECTED):
            model = library.Florence2ForConditionalGeneration.from_pretrained(
                str(folder), local_files_only=True
            )
        device = chosen_device(self.device)
        return model.to(device, chosen_dtype(require("torch"), self.dtype, device)).eval()


def _prompt(target: str, definition: str) -> str:
    return f"{_TASK}{target} means {definition.rstrip(' .')}." if definition else f"{_TASK}{target}"


def _words(value: Any, key: str, longest: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f'"{key}" must be a text, got {told(value)}')
    text = _bare(value)
    if len(text) > longest:
        raise ValueError(f'"{key}" must have {longest} characters at most, got {len(text)}')
    return text


def _bare(text: str) -> str:
    """Take out what could be a token of the model's own, and put it on one line."""
    return " ".join(text.replace("<", " ").replace(">", " ").split())


def _without_ends(text: str) -> str:
    for mark in ("<s>", "</s>", "<pad>"):
        text = text.replace(mark, "")
    return text
