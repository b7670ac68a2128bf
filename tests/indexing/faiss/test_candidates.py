"""What is asked of FAISS on GPUs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faiss
import pytest

from medrag.errors import MedragError
from medrag.indexing.faiss import searching
from medrag.records import Filter
from tests.indexing.faiss.segments import FILTERS, check, some


def test_a_gpu_that_is_not_there_is_named(tmp_path: Path) -> None:
    if faiss.get_num_gpus():
        pytest.skip("this machine has a GPU")
    store, _ = some(tmp_path, "Flat", n=4)
    with pytest.raises(MedragError, match=r"leave 'device' out.*medrag\[gpu\]"):
        store.search(device="cuda")


class OnGpu:
    """FAISS as if it had a GPU: records what is asked of it, and searches on the CPU."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.n: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(faiss, name)

    def get_num_gpus(self) -> int:
        return 2

    def GpuMultipleClonerOptions(self) -> SimpleNamespace:  # noqa: N802 - FAISS's name
        return SimpleNamespace(shard=False)

    def GpuParameterSpace(self) -> "OnGpu":  # noqa: N802 - FAISS's name
        return self

    def set_index_parameter(self, index: Any, name: str, value: int) -> None:
        self.asked.append((name, value))

    def index_cpu_to_all_gpus(self, index: Any, co: Any) -> Any:
        if isinstance(index, faiss.IndexHNSW):
            raise RuntimeError("not implemented")
        self.asked.append(("shard", co.shard))

        def search(values: Any, n: int) -> Any:
            assert n <= 2048
            self.n.append(n)
            return index.search(values, n)

        return SimpleNamespace(search=search, ntotal=index.ntotal, d=index.d)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> OnGpu:
    made = OnGpu()
    monkeypatch.setattr(searching, "library", lambda: made)
    return made


def test_an_index_is_split_over_all_gpus_and_filtered_by_taking_more(
    tmp_path: Path, gpu: OnGpu
) -> None:
    store, asked = some(tmp_path, "Flat")
    wanted = [FILTERS[n % 3] for n in range(6)]
    check(store.search(device="cuda").search(asked, 100, wanted), store.plainly(asked, 100, wanted))
    assert gpu.asked == [("shard", True)]


def test_more_than_a_gpu_gives_is_looked_for_on_the_cpu(tmp_path: Path, gpu: OnGpu) -> None:
    store, asked = some(tmp_path, "Flat", n=2_500, d=4)
    search = store.search(device="cuda")
    for k in (1_500, 2_400):
        check(search.search(asked, k, [Filter()] * 6), store.plainly(asked, k, [Filter()] * 6))
    # 1,500 wanted passages are asked for with 2,048 candidates; 2,400 are not asked for at all.
    assert set(gpu.n) == {2048}


def test_lists_on_a_gpu_are_set_once_and_bounded(
    tmp_path: Path, gpu: OnGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = some(tmp_path, "IVF4,Flat")
    store.search(device="cuda", nprobe="all")
    assert gpu.asked == [("shard", True), ("nprobe", 4)]
    with pytest.raises(ValueError, match=r"nprobe is 2049.*at most 2048 lists on a GPU"):
        store.search(device="cuda", nprobe=2049)
    graph, _ = some(tmp_path / "graph", "HNSW8")
    with pytest.raises(MedragError, match="cannot copy a IndexHNSWFlat"):
        graph.search(device="cuda")
