"""A small run with its scores, made once, and the browser of the answer pages' tests."""

import pytest

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import Scores
from tests.reporting.evaluation.made import made_items, made_rows, made_run, made_scores
from tests.reporting.test_page_in_chromium import browser

__all__ = ["browser"]


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    items = made_items(48)
    return made_run(tmp_path_factory.mktemp("run"), items, made_rows(items))


@pytest.fixture(scope="session")
def scores(run: Run) -> Scores:
    items = list(run.items.values())
    return made_scores(items, made_rows(items))
