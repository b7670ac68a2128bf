"""Tiny late-interaction models and a book, made once for all tests."""

from pathlib import Path

import pymupdf
import pytest

from medrag.encoding.page import PageEncoder
from tests.encoding.page.pages import FAMILIES, made


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("page-models")
    return {name: save(root / name) for name, save in FAMILIES.items()}


@pytest.fixture(scope="session")
def encoders(checkpoints: dict[str, Path]) -> dict[str, PageEncoder]:
    return {name: made(folder) for name, folder in checkpoints.items()}


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages of the same size and one that is wide."""
    path = tmp_path_factory.mktemp("book") / "book.pdf"
    with pymupdf.open() as document:
        for number, size in enumerate([(300, 400), (300, 400), (500, 200)]):
            page = document.new_page(width=size[0], height=size[1])
            page.insert_text((40, 60 + 40 * number), f"Page {number}: the heart", fontsize=30)
        document.save(path)
    return path
