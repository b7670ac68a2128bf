"""What a server of chats replies, whole or in pieces. Nothing of it is trusted to be there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from medrag.endpoint import BrokenReplyError
from medrag.errors import MedragError
from medrag.generation.remote.probabilities import Token, tokens_of

# Characters of one reply: a novel. Whoever writes more does not end at all.
_LONGEST = 1_000_000
# A server that counts more is wrong; a number without end could not be reckoned with.
_MOST_TOKENS = 10**12
# Of what a server says that is no reply.
_TOLD = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply, as the server gave it.

    Attributes:
        text: with whatever tags the model wrote.
        thoughts: what the server told apart from the text.
        finish: why it ended, in the server's words; None where it does not say.
        refused: whether the text is the model's refusal to answer.
        tokens: of all that was written; None where they were not told.
        prompt_tokens, completion_tokens: None where they were not told.
    """

    text: str
    thoughts: str = ""
    finish: str | None = None
    refused: bool = False
    tokens: tuple[Token, ...] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


def reply_of(answer: Any, where: str) -> Reply:
    """Read the JSON of a whole reply.

    Args:
        where: the address, for messages.

    Raises:
        MedragError: if it holds none: another shape, no choice, no text, or one without an end.

    Source:
        OpenAI API reference, "The chat completion object"; documentation of vLLM ("reasoning") and
        of DeepSeek ("reasoning_content").
    """
    reader = StreamedReply(where)
    choices = answer.get("choices") if isinstance(answer, Mapping) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise MedragError(
            f"{where} gave something else than a chat reply{_told_error(answer)}; is it the "
            "address of an OpenAI-compatible server, and the model one for chat?"
        )
    if not isinstance(choices[0].get("message"), Mapping):
        raise MedragError(f"{where} gave a reply without a message; is the model one for chat?")
    reader.add(answer)
    return reader.reply()


class StreamedReply:
    """A reply that comes in pieces; a `StreamReader`.

    Args:
        where: the address, for messages.
        show: called with all the text that has come, whenever it has grown.
    """

    def __init__(self, where: str, show: Callable[[str], None] | None = None) -> None:
        self._where = where
        self._show = show
        self._text = ""
        self._thoughts: list[str] = []
        self._tokens: list[Token] | None = []
        self._usage: Mapping[str, Any] = {}
        self._finish: str | None = None
        self._has_text = False
        self._refused = False

    @property
    def finished(self) -> bool:
        return self._finish is not None

    def add(self, event: Any) -> None:
        """Take an event: a piece of a reply, or all of it from a server that does not stream.

        Raises:
            BrokenReplyError: if it is neither, or tells of an error of the server.
            MedragError: if the reply does not end.
        """
        if not isinstance(event, Mapping) or event.get("error"):
            raise BrokenReplyError(f"the stream broke off{_told_error(event)}")
        if isinstance(event.get("usage"), Mapping):
            self._usage = event["usage"]
        choices = event.get("choices")
        if choices is None or choices == []:
            return
        if not isinstance(choices, list) or not isinstance(choices[0], Mapping):
            raise BrokenReplyError("an event of the stream is no piece of a reply")
        if choices[0].get("index") in (None, 0):
            self._choice(choices[0])

    def reply(self) -> Reply:
        """Give what came.

        Raises:
            MedragError: if that is nothing.
        """
        thoughts = _clean("".join(self._thoughts))
        if not self._has_text and not thoughts:
            raise MedragError(
                f"{self._where} gave a reply without text (finish_reason: {self._finish!r}); is "
                "the model one that answers in words, and without tools?"
            )
        return Reply(
            text=_clean(self._text),
            thoughts=thoughts,
            finish=self._finish,
            refused=self._refused,
            tokens=tuple(self._tokens) if self._tokens else None,
            prompt_tokens=_count(self._usage.get("prompt_tokens")),
            completion_tokens=_count(self._usage.get("completion_tokens")),
        )

    def _choice(self, choice: Mapping[str, Any]) -> None:
        said = choice.get("delta", choice.get("message"))
        if isinstance(said, Mapping):
            self._said(said)
        told = choice.get("logprobs")
        if told is not None and self._tokens is not None:
            more = tokens_of(told)
            self._tokens = None if more is None else [*self._tokens, *more]
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish:
            self._finish = finish[:_TOLD]
        elif "message" in choice and self._finish is None:
            self._finish = "stop"

    def _said(self, said: Mapping[str, Any]) -> None:
        text = _text(said.get("content"))
        if text is None and isinstance(said.get("refusal"), str) and said["refusal"]:
            text, self._refused = said["refusal"], True
        # Two names of one thing; some servers send both.
        thought = _text(said.get("reasoning_content")) or _text(said.get("reasoning"))
        if thought:
            self._thoughts.append(thought)
        if text is None:
            return
        self._has_text = True
        self._text += text
        if len(self._text) > _LONGEST:
            raise MedragError(
                f"{self._where} gave a reply of more than {_LONGEST} characters; does the model "
                "end its replies? A bound (max_tokens) cuts them"
            )
        if text and self._show is not None:
            self._show(self._text)


def _text(content: Any) -> str | None:
    """Read a content that is a text, or a list of parts of which some are texts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    texts = [part.get("text") for part in content if isinstance(part, Mapping)]
    return "".join(each for each in texts if isinstance(each, str)) if texts else None


def _clean(text: str) -> str:
    """Replace halves of characters, which JSON can hold and no file can."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _count(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if fits else None


def _told_error(answer: Any) -> str:
    """Say in words what the server says of an error, if it does."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    said = error.get("message") if isinstance(error, Mapping) else error
    return f" ({' '.join(str(said).split())[:_TOLD]})" if said else ""
