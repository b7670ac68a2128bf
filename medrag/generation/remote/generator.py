"""Answers by a model that a server runs, over the protocol that nearly all servers speak."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medrag.checkpoints.batching import check_sizes
from medrag.endpoint import Endpoint, RefusedError, UnansweredError, completed
from medrag.errors import FAILURES, BudgetSpentError, MedragError
from medrag.generation.regions import Convention
from medrag.generation.remote.budget import Budget, Tokens
from medrag.generation.remote.checks import (
    check_images,
    check_room,
    check_shown,
    checked_extra,
    prices_of,
)
from medrag.generation.remote.estimating import estimated_tokens
from medrag.generation.remote.facts import facts
from medrag.generation.remote.messages import ImageFormat, Pictures, chat
from medrag.generation.remote.reading import generation_of
from medrag.generation.remote.remembering import Asked, Remembering, told_apart
from medrag.generation.remote.sending import Sender
from medrag.generation.remote.telling import Teller
from medrag.generation.remote.working import Streak, concurrently
from medrag.generation.settings import SAMPLED, check_convention, check_drawing
from medrag.records import Generation, Prompt

# Requests that fail one after the other before the rest of a batch is not sent: each costs all its
# tries.
_GIVEN_UP = 20
# Some rounds of a batch.
_REMEMBERED = 512
# Statuses that are about one prompt, and not about the server.
_OF_ONE_PROMPT = frozenset({400, 413, 422})
_REFUSED = (
    "if the prompt is too long for the model, say how much it reads (room), or select fewer hits; "
    "a setting that the server does not know can be left to it (null in a recipe)"
)


class RemoteGenerator:
    """A model behind an OpenAI-compatible address, POST {url}/v1/chat/completions.

    For vLLM, SGLang, Ollama, llama.cpp, `transformers serve` and hosted models. What is sent leaves
    this machine unless the server runs on it: questions, evidence, and pictures as data URLs.

    **Failures.** A request that fails in passing is tried again, each time after twice the wait. Of
    a batch in which some prompts fail, the others are kept: the error is raised when all others are
    there, and whoever asks for one of them again, alone or in another batch, is given what came,
    without a further request. The last 512 replies are remembered so. After 20 failures in a row
    the server counts as gone, and of each further batch only the first prompt is sent.

    **Determinism.** Equal requests get the reply of the first where `temperature` is 0 or a seed is
    set. Whether a server keeps to the seed, or gives equal texts in batches of different sizes, is
    the server's.

    **Budget.** It holds for one generator, from its making to its end: a run that goes on later has
    all of it again. Before each request the most that it may take is set aside: an estimate of the
    prompt (`medrag.generation.remote.estimating`) and max_tokens. A try that broke while the server
    was at work counts as if it had been answered in full.

    **Counting.** `count_tokens` is the same estimate; no request is made for it.

    Args:
        url: of the server, with or without "/v1/chat/completions".
        model: as the server calls it.
        key_variable: the environment variable that holds the key; by default none is sent.
        preset: of `medrag models`, whose facts hold where they are not given here; by default the
            one of the model's name, if there is one.
        max_images: of one prompt; 0 for a model of texts; None: the preset's, or no bound.
        trained_multi_image: whether it was trained on several images together; None: the preset's,
            or yes.
        max_pixels: of one image; larger ones are made smaller here. None: the preset's, or 1024².
        context_pixels: of an image of the evidence at first; None: the preset's, or as many.
        least_pixels: below which an image is not worth showing.
        image_tokens: that the model reads for one image; None for one per 28 x 28 pixels.
        image_format: "png" loses nothing, "jpeg" is smaller.
        jpeg_quality: 1 to 95.
        room: tokens that the model reads and writes at most; None if not known.
        max_tokens: of one reply; None leaves it to the server.
        temperature: 0 for the likeliest reply; None leaves it to the server.
        sample_temperature: of several replies to one prompt (`sample`).
        top_p: None leaves it to the server.
        seed: None sends none.
        concurrency: requests at a time.
        timeout: seconds until one reply is there whole; another try has as many again.
        stall: seconds that may pass between two pieces of a reply that is streamed.
        tries, wait, allow_http: see `medrag.endpoint.Endpoint`.
        log_probabilities: ask for those of tokens. A server that refuses, or gives none, is not
            asked again.
        stream_responses: have every reply streamed: for long ones, where a proxy between gives up
            on a connection that says nothing.
        think, answer: (opening, closing) tags that set thoughts and answer apart; empty for none.
            None: the preset's, or <think> and </think>, and no tags of answers.
        thinking: whether the server's chat template begins the thoughts, so that a reply that was
            cut is all thought.
        coordinates: what numbers of a place mean, see `medrag.generation.regions`; None: the
            preset's, or none are read.
        extra: further keys of each request, such as vLLM's "chat_template_kwargs".
        price_in, price_out: money for a million tokens read and written.
        most_tokens: of all requests together, read and written; needs max_tokens.
        most_cost: of all requests together, in the currency of the prices; needs these and
            max_tokens.

    Attributes:
        name: the model, and all that changes its replies.
        budget: what was spent so far, as the server counts it.

    Raises:
        ValueError: if a number is out of range, or a preset is unknown.
        RecipeError: if the address is malformed or not encrypted, or the key is missing.

    Source:
        OpenAI API reference, "Create chat completion"; documentation of vLLM, SGLang and Ollama.
    """

    # What a run may go on with changed: no answer depends on it.
    beside = frozenset({
        "url", "key_variable", "allow_http", "concurrency", "timeout", "stall", "tries", "wait",
        "stream_responses", "price_in", "price_out", "most_tokens", "most_cost",
    })  # fmt: skip

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_variable: str | None = None,
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
        max_tokens: int | None = 1024,
        temperature: float | None = 0.0,
        sample_temperature: float = SAMPLED,
        top_p: float | None = None,
        seed: int | None = None,
        concurrency: int = 4,
        timeout: float = 300.0,
        stall: float = 60.0,
        tries: int = 6,
        wait: float = 1.0,
        allow_http: bool = False,
        log_probabilities: bool = True,
        stream_responses: bool = False,
        think: Sequence[str] | None = None,
        answer: Sequence[str] | None = None,
        thinking: bool = False,
        coordinates: Convention | None = None,
        extra: Mapping[str, Any] | None = None,
        price_in: float | None = None,
        price_out: float | None = None,
        most_tokens: int | None = None,
        most_cost: float | None = None,
    ) -> None:
        check_sizes(
            max_pixels=max_pixels, context_pixels=context_pixels, least_pixels=least_pixels,
            image_tokens=image_tokens, max_tokens=max_tokens, concurrency=concurrency,
        )  # fmt: skip
        check_images(max_images, image_format, jpeg_quality)
        check_convention(coordinates)
        check_drawing(temperature, sample_temperature, top_p)
        check_room(room, max_tokens)
        if (most_tokens or most_cost) and max_tokens is None:
            raise ValueError("a budget needs max_tokens: without it a reply may take anything")
        self.facts = facts(
            model, preset, max_images=max_images, trained_multi_image=trained_multi_image,
            max_pixels=max_pixels, context_pixels=context_pixels, think=think, answer=answer,
            coordinates=coordinates,
        )  # fmt: skip
        self.model = model
        self.max_images = self.facts.max_images
        self.trained_multi_image = self.facts.trained_multi_image
        self.context_pixels = self.facts.context_pixels
        self.least_pixels = least_pixels
        self.looks = self.max_images != 0
        self.image_tokens = image_tokens
        self.pictures = Pictures(self.facts.max_pixels, image_format, jpeg_quality)
        self.room = None if room is None else room - (max_tokens or 0)
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.sample_temperature = sample_temperature
        self.seed = seed
        self.concurrency = concurrency
        self.thinking = thinking
        self.budget = Budget(
            tokens=most_tokens, cost=most_cost, prices=prices_of(price_in, price_out)
        )
        self.endpoint = Endpoint(
            url=completed(url, "chat/completions"), key_variable=key_variable, timeout=timeout,
            tries=tries, wait=wait, stall=stall, allow_http=allow_http, refused=_REFUSED,
        )  # fmt: skip
        # Hours of retrieval may go before the first request: too late to miss a key.
        self.endpoint.check_key()
        body = {"model": model, "max_tokens": max_tokens, "top_p": top_p}
        body = {key: value for key, value in body.items() if value is not None}
        body |= checked_extra(extra)
        self._sender = Sender(
            endpoint=self.endpoint, budget=self.budget, body=body,
            log_probabilities=log_probabilities, streams=stream_responses,
        )  # fmt: skip
        settings = [body, sample_temperature, str(self.facts), str(self.pictures), thinking]
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        self.name = f"remote/{model}/{temperature}/{seed}/{max_tokens}/{digest}"
        self._remembering = Remembering(n=_REMEMBERED)
        self._streak = Streak(most=_GIVEN_UP)

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
        """Answer prompts, several at a time.

        Raises:
            BudgetSpentError: if a further request might exceed the budget.
            MedragError: if the server fails on a prompt, refuses it, or replies with something
                else than a text; what came for the others is kept.
            ValueError: if a prompt shows more images than the model takes.
        """
        return self._generations([Asked(each, self.temperature, self.seed) for each in prompts])

    def sample(self, prompts: Sequence[Prompt], n: int) -> list[list[Generation]]:
        """Draw n replies to each prompt, by n requests with seeds that follow each other.

        Drawn at `temperature`, or at `sample_temperature` where that is 0 or not set. Equal for an
        equal seed (0 if none is set) if the server keeps to seeds.

        Raises:
            MedragError: as of `generate`.
        """
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        first, temperature = self.seed or 0, self.temperature or self.sample_temperature
        asked = [Asked(each, temperature, first + i) for each in prompts for i in range(n)]
        drawn = self._generations(asked)
        return [drawn[start : start + n] for start in range(0, len(drawn), n)]

    def stream(self, prompt: Prompt, tell: Callable[[str], None]) -> Generation:
        """Answer a prompt, and tell the answer while it comes.

        Told are pieces of `Generation.text` alone, not thoughts. Together they are that text, but
        for one case: where the stream broke and came anew otherwise, `RESTARTED` is told, and then
        the text from its first word.

        Raises:
            MedragError: as of `generate`.
        """
        asked = Asked(prompt, self.temperature, self.seed)
        teller = Teller(
            tell, tags=self.facts.tags, thinking=self.thinking, secret=self.endpoint.secret
        )
        known = self._remembering.take(asked, failures=False)
        if known is None:
            known = self._answered(asked, teller=teller)
            self._remembering.put(asked, known)
            self._remembering.forget(asked)
        if isinstance(known, Exception):
            raise known
        teller.close(known.text)
        return known

    def _generations(self, asked: Sequence[Asked]) -> list[Generation]:
        """Give a generation for each request, in order; equal ones are sent once if they may."""
        apart = told_apart(asked)
        keys = [each.key for each in apart]
        once = list(dict(zip(keys, apart, strict=True)).values())
        outcomes = self._outcomes(once)
        for error in outcomes:
            if isinstance(error, BudgetSpentError):
                raise error
        failed = [each for each in outcomes if isinstance(each, Exception)]
        if failed:
            raise _together(failed, len(once))
        for each in once:
            self._remembering.forget(each)
        found = dict(zip(dict.fromkeys(keys), outcomes, strict=True))
        return [known for key in keys if isinstance(known := found[key], Generation)]

    def _outcomes(self, asked: Sequence[Asked]) -> list[Generation | Exception | None]:
        alone, left = len(asked) == 1, threading.Event()

        def outcome(each: Asked) -> Generation:
            return self._outcome(each, left, alone=alone, first=each is asked[0])

        # Where the server seemed to be gone, one request tells whether it is there again.
        first = concurrently(outcome, asked[:1], 1) if self._streak.over else []
        return [*first, *concurrently(outcome, asked[len(first) :], self.concurrency, left)]

    def _outcome(
        self, asked: Asked, left: threading.Event, *, alone: bool, first: bool
    ) -> Generation:
        known = self._remembering.take(asked, failures=alone)
        if isinstance(known, Exception):
            raise known
        if known is not None:
            return known
        try:
            if self._streak.over and not first:
                raise MedragError(
                    f"{self.model} was not asked: {_GIVEN_UP} requests in a row had failed"
                )
            generation = self._answered(asked, left=left)
        except BudgetSpentError:
            raise
        except FAILURES as error:
            if _is_of_server(error):
                self._streak.add(failed=True)
            if not alone:
                self._remembering.put(asked, error)
            raise
        self._streak.add(failed=False)
        self._remembering.put(asked, generation)
        return generation

    def _answered(
        self, asked: Asked, *, teller: Teller | None = None, left: threading.Event | None = None
    ) -> Generation:
        prompt = asked.prompt
        check_shown(prompt, self.max_images, self.model)
        written = chat(prompt, self.pictures, suffix=self.facts.suffix)
        most = Tokens(0, 0)
        if self.budget.bounded:
            most = Tokens(self.count_tokens(prompt), self.max_tokens or 0)
        reply = self._sender.reply(asked, written.messages, most, teller, left)
        return generation_of(
            prompt,
            reply,
            self.facts,
            written.shown,
            thinking=self.thinking,
            usage=self.budget.usage(reply.prompt_tokens, reply.completion_tokens),
        )


def _is_of_server(error: Exception) -> bool:
    if isinstance(error, RefusedError):
        return error.status not in _OF_ONE_PROMPT
    return isinstance(error, UnansweredError)


def _together(failed: Sequence[Exception], n: int) -> Exception:
    """Say in one error what went wrong with some of n prompts."""
    if len(failed) == 1:
        return failed[0]
    error = MedragError(f"{failed[0]} (so for {len(failed)} of {n} prompts, or likewise)")
    error.__cause__ = failed[0]
    return error
