"""Servers that end with the test."""

from collections.abc import Iterator

import pytest

from tests.servers import Serve, serving


@pytest.fixture
def serve() -> Iterator[Serve]:
    yield from serving()
