import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.indexing.qdrant.fake_server import FakeServer, serving

# Edge brings every file to the disk, which is slow on one; where memory has a folder, use that.
_SHM = Path("/dev/shm")  # noqa: S108
QUICK = _SHM if _SHM.is_dir() else None


@pytest.fixture
def quick() -> Iterator[Path]:
    """A folder that is fast to bring to disk."""
    with tempfile.TemporaryDirectory(dir=QUICK, prefix="medrag-test-") as folder:
        yield Path(folder)


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def url(server: FakeServer) -> Iterator[str]:
    with serving(server) as place:
        yield place
