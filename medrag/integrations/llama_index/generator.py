"""Answers by any LLM of LlamaIndex."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from medrag.checkpoints.batching import check_sizes
from medrag.errors import MedragError
from medrag.generation.regions import Convention
from medrag.generation.remote.checks import check_images, check_shown
from medrag.generation.remote.estimating import estimated_tokens
from medrag.generation.remote.facts import facts
from medrag.generation.remote.messages import Chat, ImageFormat, Pictures, chat
from medrag.generation.remote.reading import generation_of
from medrag.generation.remote.replies import Reply
from medrag.generation.remote.telling import Teller
from medrag.generation.settings import check_convention
from medrag.integrations.llama_index.core import core
from medrag.integrations.llama_index.messages import messages_of
from medrag.integrations.llama_index.replies import Gathering, reply_of
from medrag.records import Generation, Prompt, Usage

# Settings of LLMs that change what they reply, where they have them.
_SETTINGS = (
    "model", "model_name", "temperature", "top_p", "seed", "max_tokens", "num_output",
    "system_prompt", "additional_kwargs", "generate_kwargs", "reasoning_effort",
)  # fmt: skip
_SECRETS = ("api_key", "token", "auth_token")
_TOLD = 300


class LlamaIndexGenerator:
    """A LlamaIndex LLM, of texts or of texts and pictures, as a generator of medrag.

    For Python: `OnePassAnswerer(generator=LlamaIndexGenerator(llm=...))`. Questions, evidence and
    pictures go wherever the LLM sends them, and to the handlers of callbacks and events that are
    set up in LlamaIndex. Prompts are answered one by one; tries, timeouts, temperature and seed are
    the LLM's own.

    Args:
        llm: an `LLM`, through its `chat` and `stream_chat`.
        preset: of `medrag models`, whose facts hold where they are not given here; by default the
            one of the model's name, if there is one.
        max_images: of one prompt; 0 for a model of texts. None: the preset's, or no bound for a
            chat model, and 0 for another, to which LlamaIndex sends no pictures.
        trained_multi_image: whether it was trained on several images together; None: the preset's,
            or yes.
        max_pixels: of one image; larger ones are made smaller here. None: the preset's, or 1024².
        context_pixels: of an image of the evidence at first; None: the preset's, or as many.
        least_pixels: below which an image is not worth showing.
        image_tokens: that the model reads for one image; None for one per 28 x 28 pixels.
        image_format: "png" loses nothing, "jpeg" is smaller.
        jpeg_quality: 1 to 95.
        room: tokens that the model reads and writes at most. None: the `context_window` of the
            LLM's metadata, which is 3,900 for an LLM that was not told.
        think, answer: (opening, closing) tags that set thoughts and answer apart; empty for none.
            None: the preset's, or <think> and </think>, and no tags of answers.
        thinking: whether the prompt begins the thoughts, so that a reply that was cut is all
            thought.
        coordinates: what numbers of a place mean, see `medrag.generation.regions`; None: the
            preset's, or none are read.

    Attributes:
        name: the class and model of the LLM, and its settings that change replies.

    Raises:
        TypeError: if it is no LLM.
        ValueError: if a number is out of range, or a preset is unknown.
    """

    def __init__(
        self,
        *,
        llm: Any,
        preset: str | None = None,
        max_images: int | None = None,
        trained_multi_image: bool | None = None,
        max_pixels: int | None = None,
        context_pixels: int | None = None,
        least_pixels: int = 128 * 128,
        image_tokens: int | None = None,
        image_format: ImageFormat = "png",
        jpeg_quality: int = 92,
        room: int | None = None,
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
        thinking: bool = False,
        coordinates: Convention | None = None,
    ) -> None:
        if not isinstance(llm, core("llms").LLM):
            raise TypeError(f"llm must be an LLM of LlamaIndex, got {type(llm).__name__}")
        check_sizes(
            max_pixels=max_pixels,
            context_pixels=context_pixels,
            least_pixels=least_pixels,
            image_tokens=image_tokens,
            room=room,
        )
        check_images(max_images, image_format, jpeg_quality)
        check_convention(coordinates)
        self.llm = llm
        about = llm.metadata
        self.model = str(about.model_name)
        self.facts = facts(
            self.model,
            preset,
            max_images=max_images if about.is_chat_model or max_images is not None else 0,
            trained_multi_image=trained_multi_image,
            max_pixels=max_pixels,
            context_pixels=context_pixels,
            think=think,
            answer=answer,
            coordinates=coordinates,
        )
        self.max_images = self.facts.max_images
        self.trained_multi_image = self.facts.trained_multi_image
        self.context_pixels = self.facts.context_pixels
        self.least_pixels = least_pixels
        self.looks = self.max_images != 0
        self.image_tokens = image_tokens
        self.pictures = Pictures(self.facts.max_pixels, image_format, jpeg_quality)
        self.room = _room(room or about.context_window, about.num_output)
        self.thinking = thinking
        self.name = f"llama_index/{type(llm).__name__}/{self.model}/{self._digest()}"

    def count_tokens(self, prompt: Prompt) -> int:
        """Estimate what a prompt takes; see `medrag.generation.remote.estimating`.

        Raises:
            InputFileError: if a picture cannot be read.
        """
        return estimated_tokens(
            prompt,
            max_pixels=self.pictures.most,
            image_tokens=self.image_tokens,
            suffix=self.facts.suffix,
        )

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer prompts, one by one.

        Raises:
            MedragError: if the LLM fails on a prompt, or replies without a text.
            ValueError: if a prompt shows more images than the model takes.
        """
        return [self._answered(prompt) for prompt in prompts]

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation:
        """Answer a prompt, and tell the answer, without thoughts, while it comes.

        An LLM that cannot stream tells all at once.

        Raises:
            MedragError, ValueError: as of `generate`.
        """
        written = self._written(prompt)
        teller = Teller(tell, tags=self.facts.tags, thinking=self.thinking, secret=self._secret)
        gathering = Gathering(self.name, teller.show)
        try:
            for each in self._pieces(written):
                gathering.add(each)
        except NotImplementedError:
            generation = self._answered(prompt)
        else:
            generation = self._read(prompt, written, gathering.reply())
        teller.close(generation.text)
        return generation

    def _answered(self, prompt: Prompt) -> Generation:
        written = self._written(prompt)
        with self._failing():
            try:
                response = self.llm.chat(messages_of(written))
            except NotImplementedError as error:
                raise MedragError(f"{self.name} has no chat; give another LLM") from error
        return self._read(prompt, written, reply_of(response, self.name))

    def _pieces(self, written: Chat) -> Iterator[Any]:
        # What fails where a piece is told, such as a connection that is gone, is not the LLM's.
        with self._failing():
            yield from self.llm.stream_chat(messages_of(written))

    def _written(self, prompt: Prompt) -> Chat:
        check_shown(prompt, self.max_images, self.model)
        return chat(prompt, self.pictures, suffix=self.facts.suffix)

    def _read(self, prompt: Prompt, written: Chat, reply: Reply) -> Generation:
        return generation_of(
            prompt,
            reply,
            self.facts,
            written.shown,
            thinking=self.thinking,
            usage=Usage(reply.prompt_tokens, reply.completion_tokens),
        )

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Name the LLM when it fails. What it says is cut, and its key does not stand in it."""
        try:
            yield
        except (MedragError, NotImplementedError):
            raise
        except Exception as error:
            said = " ".join(str(error).split())
            if secret := self._secret:
                said = said.replace(secret, "[key]")
            problem = f"{type(error).__name__}: {said}"[:_TOLD]
            raise MedragError(
                f"{self.name} failed ({problem}); check that its server runs, that its key is set, "
                "and that the model takes so long a prompt, and pictures (max_images=0 if not)"
            ) from error

    @property
    def _secret(self) -> str:
        held = (getattr(self.llm, name, None) for name in _SECRETS)
        named = [getattr(each, "get_secret_value", lambda each=each: each)() for each in held]
        # A short one, such as the "none" of local servers, is no secret but a word.
        return next((each for each in named if isinstance(each, str) and len(each) > 8), "")

    def _digest(self) -> str:
        settings = {name: getattr(self.llm, name, None) for name in _SETTINGS}
        told = [settings, str(self.facts), str(self.pictures), self.thinking]
        # By its type alone: an object may print the address at which it lies.
        written = json.dumps(told, sort_keys=True, default=lambda each: type(each).__name__)
        return hashlib.sha256(written.encode()).hexdigest()[:12]


def _room(window: int, written: int) -> int:
    """Give the tokens that a prompt may have; -1 as `num_output` says that it is not known."""
    room = window - max(0, written)
    if room < 1:
        raise ValueError(
            f"the context of {window} tokens leaves no room for a prompt beside the {written} "
            "that the LLM may write; set room, or its context_window or max_tokens"
        )
    return room
