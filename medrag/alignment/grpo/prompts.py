"""Prompts as TRL's trainer takes them, of the same tokens and pixels as at inference.

TRL writes a conversation by the chat template of its processor. Here the conversation holds the
text that inference reads, whole, as one message, and the processor a template that writes it as it
stands; TRL then tokenises it, and gives the processor the pictures, as inference does.
"""

import copy
from collections.abc import Sequence
from typing import Any

from medrag.alignment.rewards import Example
from medrag.errors import RecipeError
from medrag.extras import require
from medrag.generation.local import inputs
from medrag.generation.local.loading import Loaded
from medrag.generation.local.pixels import bounds
from medrag.generation.pictures import images_of

# Rows whose pictures are held in memory at a time.
_HELD = 64
# Writes the words of a message, and leaves the places of pictures to what they say.
_AS_IT_STANDS = (
    "{% for message in messages %}{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}"
    "{% endfor %}{% endif %}{% endfor %}"
)


class PolicyRows:
    """Examples as rows of TRL: a prompt, and the place of its example.

    Pictures are read when a row is asked for, and the rows of the last prompts are kept: TRL asks
    for each as often as it is replied to.

    Args:
        loaded: the model that is to read them.
        examples: one per row.

    Raises:
        RecipeError: if an example shows pictures and the model takes none.
    """

    def __init__(self, *, loaded: Loaded, examples: Sequence[Example]) -> None:
        self.loaded = loaded
        self.examples = tuple(examples)
        for example in self.examples:
            _check_seen(loaded, example)
        self._kept: dict[int, dict[str, Any]] = {}

    def __len__(self) -> int:
        return len(self.examples)

    def shows(self, place: int) -> bool:
        """Tell whether a prompt shows a picture."""
        return bool(images_of(self.examples[place].prompt))

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Give one row.

        Raises:
            InputFileError: if a picture cannot be read, or is thinner than the model takes.
        """
        if place not in self._kept:
            while len(self._kept) >= _HELD:
                self._kept.pop(next(iter(self._kept)))
            self._kept[place] = self._row(place)
        return self._kept[place]

    def _row(self, place: int) -> dict[str, Any]:
        prompt = self.examples[place].prompt
        text, given = inputs.prompt_text(self.loaded, prompt), inputs.pictures(self.loaded, prompt)
        if not self.loaded.template.placeholder and self.loaded.template.asks == "plain":
            return {"prompt": text, "place": place}
        # TRL makes parts of words for a model of pictures; one of texts takes them as they are.
        content: Any = text
        if given:
            library = require("PIL.Image")
            pictures = [library.fromarray(each.pixels) for each in given]
            shown = [{"type": "image", "image": each} for each in pictures]
            content = [*shown, {"type": "text", "text": text}]
        return {"prompt": [{"role": "user", "content": content}], "place": place}


def policy_processor(loaded: Loaded) -> Any:
    """Give a copy of the processor that writes each message as it stands, padding on the left."""
    processor = copy.deepcopy(loaded.processor)
    processor.chat_template = _AS_IT_STANDS
    tokenizer = getattr(processor, "tokenizer", processor)
    tokenizer.chat_template = _AS_IT_STANDS
    tokenizer.padding_side = "left"
    if loaded.template.placeholder:
        images = processor.image_processor
        if told := bounds(images, loaded.min_pixels, loaded.max_pixels):
            images.size = told
    return processor


def _check_seen(loaded: Loaded, example: Example) -> None:
    n = len(images_of(example.prompt))
    if n and not loaded.template.placeholder:
        raise RecipeError(
            f"{loaded.name} reads no pictures, and the prompt of {example.id} shows {n}; name a "
            "model of pictures and texts, or prompts that tell them in words"
        )
