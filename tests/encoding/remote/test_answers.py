"""Vectors out of what a server answers."""

from typing import Any

import pytest

from medrag.encoding.remote.answers import vectors_of
from medrag.errors import MedragError


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"data": [{"index": 1, "embedding": [1.0]}]}, r"inputs \[1\], expected 0 to 0"),
        ({"data": []}, r"inputs \[\], expected 0 to 0"),
        ({"data": [{"index": 0, "embedding": []}]}, "empty"),
        ({"data": [{"index": 0, "embedding": [float("nan")]}]}, "not finite"),
        ({"data": [{"index": 0, "embedding": [1.0, -1e300]}]}, r"number -1e\+300, out of range"),
        ({"data": [{"index": 0, "embedding": [2e38, 1.0]}]}, r"number 2e\+38, .* at most 1.3e\+19"),
        ({"data": [{"index": 0, "embedding": [10**400]}]}, "something else than embeddings"),
        ({"data": [{"index": 0, "embedding": [[1.0]]}]}, "something else than embeddings"),
        ({"data": [{"index": 0, "embedding": "?"}]}, "something else than embeddings"),
        ({"choices": []}, "something else than embeddings"),
        ([], "something else than embeddings"),
    ],
)
def test_an_answer_that_is_none_is_refused(answer: Any, told: str) -> None:
    with pytest.raises(MedragError, match=told):
        vectors_of(answer, 1, "http://localhost")
