"""One request after the other: what is sent for a prompt, and what it takes."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medrag.endpoint import Endpoint, RefusedError, UnansweredError
from medrag.errors import MedragError
from medrag.generation.remote.budget import Budget, Request, Tokens
from medrag.generation.remote.remembering import Asked
from medrag.generation.remote.replies import Reply, StreamedReply, reply_of
from medrag.generation.remote.telling import Teller
from medrag.generation.remote.terms import Terms
from medrag.language.estimating import text_tokens

Again = Callable[[bool], None]


class Sender:
    """Sends messages to one model.

    Args:
        endpoint: of chats.
        budget: of all requests.
        body: what is sent with every request: the model, its bounds and further keys.
        log_probabilities: whether to ask for those of tokens.
        streams: whether every reply is streamed.
    """

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        budget: Budget,
        body: Mapping[str, Any],
        log_probabilities: bool,
        streams: bool,
    ) -> None:
        self.endpoint = endpoint
        self.budget = budget
        self._body = dict(body)
        self._log_probabilities = log_probabilities
        self._streams = streams
        self._terms = Terms(where=endpoint.shown)
        self._has_probabilities = False

    def reply(
        self,
        asked: Asked,
        messages: Sequence[Mapping[str, Any]],
        most: Tokens,
        teller: Teller | None = None,
        left: threading.Event | None = None,
    ) -> Reply:
        """Ask for one reply. The server's key does not stand in it.

        Args:
            most: that the request can take; zeros where there is no budget.
            teller: is told while the reply comes.
            left: set where nobody waits for the reply any more: no further try is made then.

        Raises:
            BudgetSpentError: if so much is not left.
            MedragError: if the server fails, refuses, or gives something else.
        """
        body = self._written(asked, messages, streams=self._streams or teller is not None)
        with self.budget.request(most) as request:
            try:
                reply = self._sent(body, teller, _again(request, left))
            except (RefusedError, UnansweredError) as error:
                if not error.charged:
                    request.free()
                raise
            except MedragError as error:
                # It may tell what the server said in the place of a reply.
                told = self.endpoint.without_key(str(error))
                if told != str(error):
                    raise MedragError(told) from None
                raise
            request.took(_taken(reply, most), counted=reply.prompt_tokens is not None)
        self._look(reply)
        without_key = self.endpoint.without_key
        return replace(reply, text=without_key(reply.text), thoughts=without_key(reply.thoughts))

    def _sent(self, body: dict[str, Any], teller: Teller | None, again: Again) -> Reply:
        where = self.endpoint.shown
        if "stream" not in body:
            answer = self._terms.send(body, lambda each: self.endpoint.post(each, again=again))
            return reply_of(answer, where)

        def reader() -> StreamedReply:
            if teller is None:
                return StreamedReply(where)
            teller.begin()
            return StreamedReply(where, teller.show)

        read = self._terms.send(body, lambda each: self.endpoint.stream(each, reader, again=again))
        return read.reply()

    def _written(
        self, asked: Asked, messages: Sequence[Mapping[str, Any]], *, streams: bool
    ) -> dict[str, Any]:
        body = {**self._body, "messages": list(messages)}
        if asked.temperature is not None:
            body["temperature"] = asked.temperature
        if asked.seed is not None:
            body["seed"] = asked.seed
        if self._log_probabilities:
            body["logprobs"] = True
        if streams:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def _look(self, reply: Reply) -> None:
        """See whether the server gives what it was asked for."""
        if reply.tokens is not None:
            self._has_probabilities = True
        elif self._log_probabilities and reply.text and not self._has_probabilities:
            self._terms.drop("logprobs", "gives no")


def _again(request: Request, left: threading.Event | None) -> Again:
    def again(charged: bool) -> None:
        if left is not None and left.is_set():
            raise MedragError("nobody waits for the reply any more")
        request.again(charged)

    return again


def _taken(reply: Reply, most: Tokens) -> Tokens:
    """Give what a request took; estimated where the server does not count."""
    read, written = reply.prompt_tokens, reply.completion_tokens
    if written is None:
        written = text_tokens(reply.text) + text_tokens(reply.thoughts)
    return Tokens(most.prompt if read is None else read, written)
