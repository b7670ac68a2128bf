"""A chat model that judges, behind an OpenAI-compatible address."""

import logging
import re
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from medrag.endpoint import Endpoint, completed
from medrag.errors import MedragError

_LOGGER = logging.getLogger(__name__)
# Requests that fail one after the other before the rest is not sent: each costs all its tries.
_GIVEN_UP = 20
_NOT_SENT = f"not sent: {_GIVEN_UP} requests before it had failed in a row"
_REFUSED = "if a prompt is too long for the model, give it less evidence or shorter passages"
# What models of the reasoning kind write before their reply.
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)


class ChatJudge:
    """A model that answers prompts one by one, POST {url}/v1/chat/completions.

    What is sent leaves this machine unless the server runs on it: prompts hold questions, answers
    and evidence. Equal prompts are sent once.

    Args:
        url: of the server, with or without "/v1/chat/completions".
        model: as the server calls it.
        key_variable: the environment variable that holds the key; by default none is sent.
        concurrency: requests at a time.
        temperature: 0 for the likeliest reply; None leaves it to the server.
        max_tokens: of one reply; None leaves it to the server.
        timeout, tries, wait, allow_http: see `medrag.endpoint.Endpoint`.

    Attributes:
        name: the model as asked for, temperature and max_tokens.
        failures: prompts that got no reply, by reason, since the judge was made.

    Raises:
        ValueError: if a number is out of range.
        RecipeError: if the address is none, or not encrypted.

    Source:
        OpenAI API reference, "Create chat completion".
    """

    def __init__(
        self,
        *,
        url: str,
        model: str,
        key_variable: str | None = None,
        concurrency: int = 4,
        temperature: float | None = 0.0,
        max_tokens: int | None = 512,
        timeout: float = 120.0,
        tries: int = 6,
        wait: float = 1.0,
        allow_http: bool = False,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency}")
        if max_tokens is not None and max_tokens < 1:
            raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
        # All that changes replies, for whoever keeps them.
        self.name = f"chat/{model}/{temperature}/{max_tokens}"
        self.model = model
        self.concurrency = concurrency
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.failures: Counter[str] = Counter()
        self.endpoint = Endpoint(
            url=completed(url, "chat/completions"),
            key_variable=key_variable,
            timeout=timeout,
            tries=tries,
            wait=wait,
            allow_http=allow_http,
            refused=_REFUSED,
        )

    def judge(self, prompts: Sequence[str]) -> list[str | None]:
        """Give the reply to each prompt, in order; None where the server gave none.

        After 20 failures in a row the rest is not sent, and counts as failed.

        Raises:
            MedragError: if every prompt failed; says why the first did.
        """
        once = list(dict.fromkeys(prompts))
        if not once:
            return []
        streak = _Streak()
        with ThreadPoolExecutor(min(self.concurrency, len(once))) as pool:
            waiting = [pool.submit(partial(self._outcome, streak), each) for each in once]
            try:
                found = dict(zip(once, (each.result() for each in waiting), strict=True))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        outcomes = [found[each] for each in prompts]
        self._tell(outcomes)
        return [outcome.reply for outcome in outcomes]

    def _outcome(self, streak: "_Streak", prompt: str) -> "_Outcome":
        if streak.over:
            return _Outcome(None, _NOT_SENT)
        try:
            outcome = _Outcome(_reply(self.endpoint.post(self._body(prompt)), self.endpoint.shown))
        except MedragError as error:
            outcome = _Outcome(None, str(error))
        streak.add(failed=outcome.reply is None)
        return outcome

    def _body(self, prompt: str) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
        }
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        return body

    def _tell(self, outcomes: Sequence["_Outcome"]) -> None:
        reasons = [each.reason for each in outcomes if each.reply is None]
        self.failures.update(reasons)
        if not reasons:
            return
        if len(reasons) == len(outcomes):
            raise MedragError(f"{self.name} judged none of {len(outcomes)} prompts: {reasons[0]}")
        _LOGGER.warning(
            "%s gave no reply to %d of %d prompts, the first because: %s",
            self.name, len(reasons), len(outcomes), reasons[0],
        )  # fmt: skip


class _Outcome(NamedTuple):
    reply: str | None
    reason: str = ""


class _Streak:
    """How many requests have failed one after the other, over all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed = 0

    @property
    def over(self) -> bool:
        return self._failed >= _GIVEN_UP

    def add(self, *, failed: bool) -> None:
        with self._lock:
            self._failed = self._failed + 1 if failed else 0


def _reply(answer: Any, url: str) -> str:
    """Read the text of a reply, without what the model thought aloud.

    Raises:
        MedragError: if there is none.
    """
    try:
        choice = answer["choices"][0]
        text = choice["message"].get("content")
        if isinstance(text, list):
            text = "".join(part.get("text", "") for part in text)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise MedragError(
            f"{url} gave something else than a chat reply ({type(error).__name__}: {error}); is it "
            "the address of an OpenAI-compatible server, and the model one for chat?"
        ) from error
    said = _THOUGHT.sub("", text).strip() if isinstance(text, str) else ""
    if not said:
        finish = choice.get("finish_reason")
        cut = "; raise max_tokens" if finish == "length" else ""
        raise MedragError(f"{url} gave an empty reply (finish_reason: {finish!r}){cut}")
    return said
