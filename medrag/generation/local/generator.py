"""Answers by a model of pictures and texts, or of texts, that runs on this machine."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from math import isnan
from typing import get_args

from medrag.checkpoints.batching import check_sizes
from medrag.checkpoints.numerics import Dtype, numerics_of
from medrag.errors import MedragError
from medrag.generation.local.batching import Outcome, Task, Writer
from medrag.generation.local.decoding import Written
from medrag.generation.local.inputs import PromptInputs, count_tokens, encode
from medrag.generation.local.loading import Loaded, Quantise, check_settings, load
from medrag.generation.local.options import OptionForm, option_tokens
from medrag.generation.local.readings import readable
from medrag.generation.local.replies import Replies, Reply, Teller, places_shown
from medrag.generation.local.sampling import Choosing, check_penalty, seed_of
from medrag.generation.regions import Convention, quantities_of
from medrag.generation.reply import Tags
from medrag.generation.settings import SAMPLED, check_convention, check_drawing, tag_pair
from medrag.images import kept_open
from medrag.language import asks_yes_or_no
from medrag.language.known import prompt_language
from medrag.records import Generation, Prompt, Usage

# Part of the name: raise it when the same settings would give another text.
_RULE = "local-1"
# Below this, a picture of the evidence shows a model no more than its caption does.
_LEAST_PIXELS = 112 * 112
# Prompts whose pictures are held in memory at a time.
_HELD = 64
# Trained on several pictures together, where no preset says it of a folder.
_MULTI_IMAGE = frozenset({
    "gemma3", "idefics3", "qwen2_5_vl", "qwen2_vl", "qwen3_vl", "qwen3_vl_moe", "smolvlm",
})  # fmt: skip


class LocalGenerator:
    """A model of transformers that looks at pictures, or one of texts.

    Prompts of like length are answered together; what several begin with alike, such as the same
    evidence, is read once. Neither moves an answer, but for the last bits of a sum, which in
    bfloat16 can decide between tokens that are nearly as likely; `dtype: float32`, or
    `batch_tokens: 1` with `reuse_prefix: false`, rules that out.

    Answers are the likeliest tokens, one by one, unless `temperature` is above 0, and then still
    for a question with options, or of yes or no. What is drawn depends on `seed` and the prompt
    alone.

    The log-probabilities of an answer are those of its tokens as the model gave them, before
    temperature and penalty, without the token that ends it and without thoughts. A text that
    began to think and gave no answer is empty, and "unclosed".

    Args:
        model: a preset such as "medgemma-4b", a hub id, or a folder.
        preset: whose facts hold of a folder, such as how many images it takes.
        revision: of a hub id.
        subfolder: of the repository, in which the model lies.
        adapter: folder or hub id of a LoRA adapter of it.
        device: of torch; None for the GPU if there is one; "auto" spreads the layers.
        dtype: "auto" is bfloat16 where the device computes in it natively, else float32.
        quantise: "4bit" or "8bit" weights, on a GPU.
        attention: "sdpa", "eager" or another that transformers has; None for its choice.
        trust_remote_code: run Python code that comes with the model.
        min_pixels: of an image; None for the preset's, or the model's own.
        max_pixels: likewise.
        context_pixels: of each image of the evidence at first; None for the preset's.
        max_tokens: of an answer, thoughts included.
        temperature: draw open answers with it; 0 for the likeliest tokens.
        sample_temperature: of several texts of one prompt (`sample`), where `temperature` is 0.
        top_p: draw from the fewest tokens that hold this share of the probability.
        seed: of all draws.
        repetition_penalty: above 1 makes tokens of prompt and text less likely; HuatuoGPT-Vision
            was published with 1.2.
        batch_tokens: of prompts and answers in one pass; halved when memory runs out.
        score_options: give the mean log-probability of each option of a question, as if the answer
            began with it: before the model has thought.
        option_form: what of an option is scored: its "text", its "letter", or "A. text" as
            "lettered".
        reuse_prefix: read what prompts begin with alike once.
        think: opening and closing tag of thoughts; empty for none; None for the preset's.
        answer: likewise of the answer.
        coordinates: what the numbers of a place mean; None for the preset's.

    Raises:
        RecipeError: (at first use) if the model is not found, or does not load here.
    """

    # What a run may go on with changed: no answer depends on it but for the last bits of a sum.
    beside = frozenset({"device", "attention", "batch_tokens", "reuse_prefix"})

    def __init__(
        self,
        *,
        model: str,
        preset: str | None = None,
        revision: str | None = None,
        subfolder: str | None = None,
        adapter: str | None = None,
        device: str | None = None,
        dtype: Dtype = "auto",
        quantise: Quantise | None = None,
        attention: str | None = None,
        trust_remote_code: bool = False,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        context_pixels: int | None = None,
        max_tokens: int = 512,
        temperature: float = 0.0,
        sample_temperature: float = SAMPLED,
        top_p: float = 1.0,
        seed: int = 0,
        repetition_penalty: float = 1.0,
        batch_tokens: int = 32768,
        score_options: bool = False,
        option_form: OptionForm = "text",
        reuse_prefix: bool = True,
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
        coordinates: Convention | None = None,
    ) -> None:
        check_settings(dtype=dtype, quantise=quantise, min_pixels=min_pixels, max_pixels=max_pixels)
        check_sizes(batch_tokens=batch_tokens, max_tokens=max_tokens, context_pixels=context_pixels)
        check_drawing(temperature, sample_temperature, top_p)
        check_penalty(repetition_penalty)
        check_convention(coordinates)
        if option_form not in get_args(OptionForm):
            known = ", ".join(get_args(OptionForm))
            raise ValueError(f"option_form must be one of {known}, got {option_form!r}")
        Tags(tag_pair("think", think, None), tag_pair("answer", answer, None))
        self._load = partial(
            load,
            model=model,
            preset=preset,
            revision=revision,
            subfolder=subfolder,
            adapter=adapter,
            dtype=dtype,
            device=device,
            quantise=quantise,
            attention=attention,
            trust_remote_code=trust_remote_code,
            min_pixels=min_pixels,
            max_pixels=max_pixels,
        )
        self.model = model
        self.most_context_pixels = context_pixels
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.sample_temperature = sample_temperature
        self.top_p = top_p
        self.seed = seed
        self.repetition_penalty = repetition_penalty
        self.batch_tokens = batch_tokens
        self.score_options = score_options
        self.option_form: OptionForm = option_form
        self.reuse_prefix = reuse_prefix
        self.think = think
        self.answer = answer
        self.coordinates = coordinates

    @cached_property
    def name(self) -> str:
        """Weights, adapter, and what decides prompts and texts; no device. Loads the model."""
        known, loaded = self._loaded.preset, self._loaded
        asked = (
            loaded.min_pixels, loaded.max_pixels, known.suffix if known else "", self._tags,
            self._convention,
        )  # fmt: skip
        parts = [loaded.name, _RULE, hashlib.sha256(repr(asked).encode()).hexdigest()[:8]]
        parts.append(f"{self.max_tokens} tokens")
        if self.temperature == 0:
            parts.append("likeliest")
        else:
            parts.append(f"temperature {self.temperature:g}, top-p {self.top_p:g}, {self.seed}")
        if self.temperature == 0 and self.sample_temperature != SAMPLED:
            parts.append(f"samples {self.sample_temperature:g}")
        if self.score_options:
            parts.append(f"options by {self.option_form}")
        if self.repetition_penalty != 1:
            parts.append(f"penalty {self.repetition_penalty:g}")
        return "/".join(parts)

    @property
    def numerics(self) -> str:
        """Device and dtype in use, such as "cuda bfloat16"; loads the model."""
        return numerics_of(self._loaded.model)

    @property
    def room(self) -> int | None:
        """Tokens of a prompt at most; None where the model's configuration says no bound.

        Raises:
            ValueError: if answers may be longer than all that the model reads.
        """
        context = self._loaded.context
        if context is not None and context <= self.max_tokens:
            raise ValueError(
                f"{self.model} reads {context} tokens, and max_tokens is "
                f"{self.max_tokens}; lower it"
            )
        return None if context is None else context - self.max_tokens

    @property
    def max_images(self) -> int | None:
        """Of one prompt: the preset's; 0 for a model of texts."""
        if not self._loaded.template.placeholder:
            return 0
        known = self._loaded.preset
        return None if known is None else known.max_images

    @property
    def trained_multi_image(self) -> bool:
        """The preset's word; without a preset, that of the architecture's first models."""
        known = self._loaded.preset
        if known is not None:
            return known.trained_multi_image
        return self._loaded.model.config.model_type in _MULTI_IMAGE

    @property
    def context_pixels(self) -> int | None:
        known = self._loaded.preset
        if self.most_context_pixels is not None or known is None:
            return self.most_context_pixels
        return known.context_pixels

    @property
    def least_pixels(self) -> int:
        return max(_LEAST_PIXELS, self._loaded.min_pixels or 0)

    def count_tokens(self, prompt: Prompt) -> int:
        """Count what a prompt takes, images and chat template included.

        Raises:
            InputFileError: if an image cannot be read.
        """
        return count_tokens(self._loaded, prompt)

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Answer prompts; in their order.

        Raises:
            InputFileError: naming an image that cannot be read.
            RecipeError: if the model takes no images, or its template refuses a prompt.
            ValueError: if a prompt is too long.
        """
        seeds = [self._seeds(prompt) for prompt in prompts]
        return [each[0] for each in self._generations(prompts, seeds)]

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        """Draw n texts of each prompt, at `temperature`, or `sample_temperature` where that is 0.

        The prompt is read once. Equal seed and prompt give equal texts, in any batch.

        Raises:
            ValueError: if n is not positive; also as `generate`.
        """
        check_sizes(n=n)
        seeds = [tuple(seed_of(prompt, self.seed, draw) for draw in range(n)) for prompt in prompts]
        return self._generations(prompts, seeds)

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation:
        """Answer a prompt, and tell its text while it comes; the pieces together are the text.

        Thoughts are not told. Of a model that sets its answer apart by tags, nothing is told until
        the answer has begun.

        Raises:
            InputFileError, RecipeError, ValueError: as `generate`.
        """
        inputs = self._encoded(prompt)
        teller = Teller(self._replies, tell, thinking=self._thinks(inputs))
        task = self._task(prompt, inputs, self._seeds(prompt))
        [outcome] = self._writer.write([task], told=teller.hear)
        [generation] = self._read(prompt, inputs, outcome)
        teller.end(generation.text)
        return generation

    def _generations(
        self, prompts: Sequence[Prompt], seeds: Sequence[tuple[int | None, ...]]
    ) -> list[list[Generation]]:
        found: list[list[Generation]] = []
        for start in range(0, len(prompts), _HELD):
            some = prompts[start : start + _HELD]
            with kept_open():
                inputs = [self._encoded(prompt) for prompt in some]
            tasks = map(self._task, some, inputs, seeds[start:])
            outcomes = self._writer.write(list(tasks))
            found += map(self._read, some, inputs, outcomes)
        return found

    def _encoded(self, prompt: Prompt) -> PromptInputs:
        inputs = encode(self._loaded, prompt)
        if self.room is not None and len(inputs.ids) > self.room:
            raise ValueError(
                f"the prompt takes {len(inputs.ids)} tokens, and {self.model} reads {self.room} "
                f"beside {self.max_tokens} of an answer; select fewer hits, or lower "
                "max_tokens or max_pixels"
            )
        return inputs

    def _task(self, prompt: Prompt, inputs: PromptInputs, seeds: tuple[int | None, ...]) -> Task:
        options = prompt.question.options if self.score_options else ()
        tokens = option_tokens(self._loaded.tokenizer, options, self.option_form, inputs.text)
        reading = readable(
            self._writer.runner.model, inputs.ids.numpy(), inputs.pictures, inputs.token_types
        )
        return Task(reading, seeds, tokens)

    def _seeds(self, prompt: Prompt) -> tuple[int | None, ...]:
        """Give the seed of an answer; None for the likeliest tokens."""
        drawn = self.temperature > 0 and not _is_closed(prompt)
        return (seed_of(prompt, self.seed, 0) if drawn else None,)

    def _read(self, prompt: Prompt, inputs: PromptInputs, outcome: Outcome) -> list[Generation]:
        thinking = self._thinks(inputs)
        return [
            self._generation(
                prompt, inputs, text, self._replies.read(text.tokens, thinking=thinking),
                outcome.option_scores,
            )
            for text in outcome.texts
        ]  # fmt: skip

    def _generation(
        self,
        prompt: Prompt,
        inputs: PromptInputs,
        written: Written,
        reply: Reply,
        option_scores: tuple[float, ...],
    ) -> Generation:
        if any(map(isnan, written.log_probabilities)):
            raise MedragError(
                f"{self._loaded.name} computed what is no number; set dtype: float32, or get the "
                "model's files again"
            )
        ended = "stop" if written.ended else "length"
        n_written = len(written.tokens) + written.ended
        return Generation(
            reply.text,
            tuple(written.log_probabilities[reply.tokens]),
            option_scores,
            Usage(len(inputs.ids), n_written),
            ended if reply.closed else "unclosed",
            thoughts=reply.thoughts,
            regions=places_shown(
                reply.marked, self._convention, inputs.shown, n_evidence=len(prompt.evidence)
            ),
            quantities=quantities_of(reply.text, language=prompt_language(prompt)),
        )

    def _thinks(self, inputs: PromptInputs) -> bool:
        """Tell whether a prompt ends inside thoughts."""
        think = self._tags.think
        return think is not None and inputs.text.rstrip().lower().endswith(think[0].lower())

    @cached_property
    def _loaded(self) -> Loaded:
        return self._load()

    @cached_property
    def _tags(self) -> Tags:
        known = self._loaded.preset
        return Tags(
            tag_pair("think", self.think, known.think if known else None),
            tag_pair("answer", self.answer, known.answer if known else None),
        )

    @cached_property
    def _convention(self) -> Convention | None:
        known = self._loaded.preset
        return self.coordinates or (known.coordinates if known else None)

    @cached_property
    def _replies(self) -> Replies:
        return Replies(self._loaded.tokenizer, self._tags)

    @cached_property
    def _writer(self) -> Writer:
        temperature = self.temperature or self.sample_temperature
        return Writer(
            model=self._loaded.model,
            stops=frozenset(self._loaded.eos),
            most=self.max_tokens,
            how=Choosing(temperature, self.top_p, self.repetition_penalty),
            batch_tokens=self.batch_tokens,
            reuse_prefix=self.reuse_prefix,
        )


def _is_closed(prompt: Prompt) -> bool:
    """Tell whether a question is answered by one of a few words."""
    question = prompt.question
    return bool(question.options) or asks_yes_or_no(question.text, prompt_language(prompt))
