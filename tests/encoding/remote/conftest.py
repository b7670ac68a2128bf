"""Servers of embeddings that end with the test."""

from collections.abc import Callable, Iterator

import pytest

from tests.encoding.remote.servers import embed
from tests.servers import Answer, Request, Serve, Server, serving


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    yield from map(_embedding, serving())


def _embedding(start: Serve) -> Callable[..., Server]:
    def started(answer: Callable[[Request, int], Answer] = embed) -> Server:
        return start(answer)

    return started
