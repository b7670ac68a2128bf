"""What an LLM of LlamaIndex replies. Beside the text, each service tells in words of its own."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from medrag.errors import MedragError
from medrag.generation.remote.probabilities import Token, tokens_of
from medrag.generation.remote.replies import Reply

# Of OpenAI and most servers; Anthropic and Bedrock; Google; Ollama.
_COUNTED = (
    ("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"),
    ("prompt_token_count", "candidates_token_count"), ("prompt_eval_count", "eval_count"),
)  # fmt: skip
_ENDED = ("finish_reason", "stop_reason", "done_reason")
_LONGEST = 1_000_000


def reply_of(response: Any, where: str) -> Reply:
    """Read a `ChatResponse`.

    Args:
        where: the LLM, for messages.

    Raises:
        MedragError: if it holds neither text nor thoughts, or does not end.
    """
    gathering = Gathering(where)
    gathering.add(response)
    return gathering.reply()


class Gathering:
    """A reply that comes in pieces, each a `ChatResponse` with all the text so far.

    Args:
        where: the LLM, for messages.
        show: called with all the text that has come, whenever it has grown.
    """

    def __init__(self, where: str, show: Callable[[str], None] | None = None) -> None:
        self._where = where
        self._show = show
        self._text = ""
        self._thoughts = ""
        self._deltas: list[str] = []
        self._tokens: list[Token] = []
        self._counts: tuple[int | None, int | None] = (None, None)
        self._finish: str | None = None
        self._refused = False

    def add(self, response: Any) -> None:
        """Take a piece.

        Raises:
            MedragError: if the reply does not end.
        """
        raw = _plain(response.raw)
        told = response.additional_kwargs
        self._said(response.message)
        if isinstance(delta := told.get("thinking_delta"), str):
            self._deltas.append(delta)
        counts = _counts(told) or _counts(raw) or _counts_within(raw)
        self._counts = counts or self._counts
        choice = _choice(raw)
        self._tokens += tokens_of(choice.get("logprobs")) or _likeliest(response.logprobs)
        self._finish = _finish(choice) or _finish(raw) or self._finish
        said = choice.get("message")
        refusal = said.get("refusal") if isinstance(said, Mapping) else None
        if isinstance(refusal, str) and refusal and not self._text:
            self._text, self._refused = refusal, True

    def reply(self) -> Reply:
        """Give what came.

        Raises:
            MedragError: if that is nothing.
        """
        thoughts = self._thoughts or "".join(self._deltas)
        if not self._text and not thoughts:
            raise MedragError(
                f"{self._where} gave a reply without text (it ended by {self._finish!r}); is the "
                "model one that answers in words, and without tools?"
            )
        return Reply(
            text=self._text,
            thoughts=thoughts,
            finish=self._finish,
            refused=self._refused,
            tokens=tuple(self._tokens) or None,
            prompt_tokens=self._counts[0],
            completion_tokens=self._counts[1],
        )

    def _said(self, message: Any) -> None:
        blocks = [block for block in message.blocks if block.block_type == "thinking"]
        thoughts = "\n\n".join(block.content for block in blocks if block.content)
        if not thoughts:
            other = message.additional_kwargs.get("reasoning_content")
            thoughts = other if isinstance(other, str) else ""
        self._thoughts = _clean(thoughts) or self._thoughts
        text = _clean(message.content or "")
        if len(text) > _LONGEST:
            raise MedragError(
                f"{self._where} gave a reply of more than {_LONGEST} characters; does the model "
                "end its replies? A bound (max_tokens) cuts them"
            )
        if text and text != self._text:
            self._text = text
            if self._show is not None:
                self._show(text)


def _plain(raw: Any) -> Mapping[str, Any]:
    """Read what a service gave as a mapping; empty where it is none."""
    if isinstance(raw, Mapping):
        return raw
    dump = getattr(raw, "model_dump", None)
    if not callable(dump):
        return {}
    try:
        written = dump(warnings=False)
    except Exception:  # noqa: BLE001 - of any library; what is read from it is not needed
        return {}
    return written if isinstance(written, Mapping) else {}


def _choice(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the first choice of a reply in the protocol of OpenAI, whole or a piece."""
    choices = raw.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _counts(told: Any) -> tuple[int, int] | None:
    told = told if isinstance(told, Mapping) else _plain(told)
    for names in _COUNTED:
        read, written = (told.get(name) for name in names)
        if type(read) is int and type(written) is int and min(read, written) >= 0:
            return read, written
    return None


def _counts_within(raw: Mapping[str, Any]) -> tuple[int, int] | None:
    return _counts(raw.get("usage")) or _counts(raw.get("usage_metadata"))


def _finish(told: Mapping[str, Any]) -> str | None:
    for name in _ENDED:
        value = told.get(name)
        if isinstance(value, str) and value:
            return value.lower()
    return None


def _likeliest(alternatives: Any) -> list[Token]:
    """Take the first of the alternatives of each token; if others were written, they do not fit."""
    if not isinstance(alternatives, list):
        return []
    firsts = [each[0] for each in alternatives if each]
    if not all(math.isfinite(each.logprob) for each in firsts):
        return []
    return [
        Token(bytes(each.bytes) or each.token.encode("utf-8", "replace"), min(each.logprob, 0.0))
        for each in firsts
    ]


def _clean(text: str) -> str:
    """Replace halves of characters, which JSON can hold and no file can."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
