"""What is asked of models of sentence-transformers beside their vectors."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medrag.checkpoints.batching import Halving
from medrag.encoding.text.sentence_transformers import TaskModel, prompt_of, token_limit


def model(**module: Any) -> Any:
    """A model of one module, with a tokenizer of no library."""
    first = SimpleNamespace(tokenizer=object(), **module)
    return type("Model", (), {
        "prompts": {}, "default_prompt_name": None, "__getitem__": lambda self, at: first,
    })()  # fmt: skip


@pytest.mark.parametrize(("limit", "n"), [(8, 1), (None, 0), (float("inf"), 0)])
def test_a_model_that_cuts_texts_where_it_cannot_be_prevented_says_so(
    limit: float | None, n: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "medrag"):
        held = model(max_seq_length=limit)
        made = TaskModel(Path("model"), held, "document", Halving(budget=9))
    assert [each.split(",")[0] for each in caplog.messages] == [
        "the model cuts texts off after 8 tokens"
    ] * n
    [[window]] = made.read([("skin", "bone")])
    assert window.text == "skin\nbone"


@pytest.mark.parametrize(
    ("module", "limits"),
    [
        ({}, (None, None)),
        ({"max_seq_length": 9, "document_length": 7}, (9, 7)),
        ({"max_seq_length": 9, "query_length": 7, "query_expansion": {"length": 5}}, (5, 9)),
        ({"processing_kwargs": {"text": {"max_length": 4}}, "max_seq_length": 9}, (4, 4)),
    ],
)
def test_the_least_limit_counts(module: dict[str, Any], limits: tuple[int | None, ...]) -> None:
    first = SimpleNamespace(**module)
    assert (token_limit(first, "query"), token_limit(first, "document")) == limits


@pytest.mark.parametrize(
    ("prompts", "default", "expected"),
    [
        ({}, None, ("", "")),
        ({"query": "q", "corpus": "c"}, None, ("q", "c")),
        ({"passage": "p", "corpus": "c", "all": "a"}, "all", ("a", "p")),
    ],
)
def test_a_prompt_goes_by_any_of_its_names(
    prompts: dict[str, str], default: str | None, expected: tuple[str, str]
) -> None:
    held = SimpleNamespace(prompts=prompts, default_prompt_name=default)
    assert (prompt_of(held, "query"), prompt_of(held, "document")) == expected
