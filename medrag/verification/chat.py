"""A chat model that judges, behind an OpenAI-compatible address."""

import logging
import re
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from medrag.endpoint import Endpoint, completed
from medrag.errors import MedragError, RecipeError

_LOGGER = logging.getLogger(__name__)
# Requests that fail one after the other before the rest is not sent: each costs all its tries.
_GIVEN_UP = 20
_NOT_SENT = f"not sent: {_GIVEN_UP} requests before it had failed in a row"
_REFUSED = "if a prompt is too long for the model, give it less evidence or shorter passages"
# Around what models of the reasoning kind write before their reply.
_TAG = re.compile(r"<(/?)(think|thinking|reasoning)>", re.IGNORECASE | re.ASCII)
# Characters of one reply: a verdict and its reasons take a few hundred.
_LONGEST = 20_000
# Of a word that the server says about a reply.
_TOLD = 40


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
        RecipeError: if the address is malformed, or not encrypted.

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

        A reply comes without what the model thought aloud, and with "[key]" for the server's key.
        One that is longer than 20,000 characters cannot be read, and is none. After 20 failures in
        a row the rest is not sent, and counts as failed.

        Raises:
            RecipeError: if the key is missing; nothing is sent then.
            MedragError: if every prompt failed; says why the first did.
        """
        once = list(dict.fromkeys(prompts))
        if not once:
            return []
        self.endpoint.check_key()
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
            outcome = _Outcome(self._reply(prompt))
        except RecipeError:
            raise
        except MedragError as error:
            outcome = _Outcome(None, self.endpoint.without_key(str(error)))
        streak.add(failed=outcome.reply is None)
        return outcome

    def _reply(self, prompt: str) -> str:
        answer = self.endpoint.post(self._body(prompt))
        return self.endpoint.without_key(_reply(answer, self.endpoint.shown))

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
    said = _without_thoughts(text).strip() if isinstance(text, str) else ""
    if not said:
        finish = str(choice.get("finish_reason"))[:_TOLD]
        cut = "; raise max_tokens, or take a model that thinks less" if finish == "length" else ""
        raise MedragError(f"{url} gave an empty reply (finish_reason: {finish!r}){cut}")
    if len(said) > _LONGEST:
        raise MedragError(
            f"{url} gave a reply of {len(said)} characters, more than {_LONGEST}; is the model one "
            "that ends its replies? A bound (max_tokens) cuts them"
        )
    return said


def _without_thoughts(text: str) -> str:
    """Cut from each opening tag to the next closing one of its name, where there is one."""
    closing: dict[str, list[int]] = defaultdict(list)
    tags = list(_TAG.finditer(text))
    for tag in tags:
        if tag.group(1):
            closing[tag.group(2).lower()].append(tag.end())
    kept: list[str] = []
    last = 0
    for tag in tags:
        ends = closing[tag.group(2).lower()]
        place = bisect_left(ends, tag.end())
        if tag.group(1) or tag.start() < last or place == len(ends):
            continue
        kept.append(text[last : tag.start()])
        last = ends[place]
    return "".join([*kept, text[last:]])
