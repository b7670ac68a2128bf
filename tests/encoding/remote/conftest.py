"""Servers that end with the test."""

from collections.abc import Callable, Iterator

import pytest

from tests.encoding.remote.servers import Answer, Request, Server, embed


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: Callable[[Request, int], Answer] | None = None) -> Server:
        servers.append(Server(answer or embed))
        return servers[-1]

    yield start
    for each in servers:
        each.close()
