"""One index, whoever builds it: this process, several, or a Ray cluster of two machines."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from medrag.build import ChannelPlan, plan, ray_cluster, ray_engine
from medrag.build.pool import Crew
from medrag.build.ray_cluster import Share, share
from medrag.errors import MedragError
from medrag.indexing.checking import verify
from medrag.indexing.manifest import NAME, read_manifest
from medrag.indexing.storage import Store, open_store
from medrag.records import Embeddings, Passage
from tests.indexing.library import LEXICAL, WordEncoder, build_lines, lexical_and_words, write_lines

N_FILES = 6
# Ray speaks of its own future, and leaves handles to be collected.
QUIET = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@dataclass(frozen=True, slots=True)
class Deadly:
    """Make an encoder of words that kills, or holds up, the process in which it meets a word.

    `pids` is a folder where it says so first; it strikes `times` times, when `until` exists or ten
    minutes have passed.
    """

    pids: Path
    word: str
    times: int
    until: Path

    def __call__(self) -> "DeadlyEncoder":
        return DeadlyEncoder(self)


class DeadlyEncoder(WordEncoder):
    def __init__(self, plan: Deadly) -> None:
        super().__init__()
        self.plan = plan

    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        met = any(self.plan.word in passage.text for passage in passages)
        struck = len(list(self.plan.pids.iterdir()))
        if met and struck < self.plan.times:
            (self.plan.pids / f"{struck}.tmp").write_text(str(os.getpid()))
            (self.plan.pids / f"{struck}.tmp").rename(self.plan.pids / str(struck))
            wait_for(self.plan.until)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_passages(passages)


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "SHARD_FILES", 1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("library")
    for number in range(N_FILES):
        texts = [f"effusion {number} of the lung {n}" for n in range(40)]
        write_lines(root / f"{number}.lines", texts)
    return root


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, library: Path) -> Path:
    """The index that one process makes."""
    folder = tmp_path_factory.mktemp("whole")
    before, plan.SHARD_FILES = plan.SHARD_FILES, 1
    build_lines(folder, library, channels=lexical_and_words())
    plan.SHARD_FILES = before
    return folder


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Any]:
    """A Ray cluster of two machines with a processor each, for which RAY_ADDRESS stands."""
    utils = pytest.importorskip("ray.cluster_utils")
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with ray_cluster._environment({"RAY_USAGE_STATS_ENABLED": "0"}):
        node = {"num_cpus": 1, "object_store_memory": 80 << 20}
        cluster = utils.Cluster(
            initialize_head=True, head_node_args={**node, "include_dashboard": False}
        )
        cluster.add_node(**node)
    os.environ["RAY_ADDRESS"] = cluster.address
    try:
        yield cluster
    finally:
        del os.environ["RAY_ADDRESS"]
        cluster.shutdown()
        left = [c for c in psutil.Process().children(recursive=True) if c.pid not in before]
        for child in left:
            child.kill()
        psutil.wait_procs(left, timeout=30)


def wait_for(path: Path) -> None:
    last = time.monotonic() + 600
    while not path.exists() and time.monotonic() < last:
        time.sleep(0.05)


def encoders(store: Store) -> dict[str, tuple[object, ...]]:
    """List channels as their vectors depend on them; what is derived may differ in its history."""
    return {
        name: (each.spec, each.encoder, each.normalised, each.d, each.numerics)
        for name, each in store.manifest.channels.items()
    }


def same(one: Path, other: Path) -> None:
    """Check that two indexes hold the same passages and vectors, in the same segments."""
    a, b = open_store(one), open_store(other)
    assert [p.id for p in a.passages] == [p.id for p in b.passages]
    assert [s.name for s in a.manifest.segments] == [s.name for s in b.manifest.segments]
    assert encoders(a) == encoders(b)
    for mine, theirs in zip(a.vectors("words"), b.vectors("words"), strict=True):
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.lengths, theirs.lengths)
        np.testing.assert_array_equal(mine.values, theirs.values)
    assert verify(other) == []
    assert not list((other / "segments").glob("unfinished-*"))


def test_processes_make_the_index_that_one_process_makes(
    tmp_path: Path, library: Path, whole: Path
) -> None:
    report = build_lines(tmp_path / "i", library, channels=lexical_and_words(), workers=2)
    assert report.added == N_FILES
    same(whole, tmp_path / "i")


def test_processes_complete_a_channel_as_one_process_does(
    tmp_path: Path, library: Path, whole: Path
) -> None:
    index = tmp_path / "i"
    build_lines(index, library, channels={"lexical": LEXICAL})
    report = build_lines(index, library, channels=lexical_and_words(), workers=2)
    assert report.encoded == {"words": N_FILES * 40}
    same(whole, index)


@pytest.mark.skipif(os.name != "posix", reason="kills processes by SIGKILL")
def test_a_killed_process_is_told_and_what_was_finished_is_kept(
    tmp_path: Path, library: Path, whole: Path
) -> None:
    index, pids = tmp_path / "i", tmp_path / "pids"
    pids.mkdir()
    # It dies when the first shard counts.
    channels = _deadly(Deadly(pids, "effusion 3", 1, index / NAME))
    with pytest.raises(MedragError, match=r"was killed.*fewer --workers"):
        build_lines(index, library, channels=channels, workers=2)
    assert 0 < len(read_manifest(index).segments) < N_FILES
    build_lines(index, library, channels=lexical_and_words(), workers=2)
    same(whole, index)


def test_an_engine_that_is_unknown_and_no_workers_are_refused() -> None:
    with pytest.raises(ValueError, match="one of local, ray, got 'dask'"):
        Crew(engine="dask")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="workers must be at least 1"):
        Crew(engine="ray", workers=0)


def test_results_come_in_order_whatever_order_they_arrive_in() -> None:
    arriving = [(2, "c"), (0, "a"), (3, "d"), (1, "b"), (4, "e")]
    assert list(ray_engine._in_order(iter(arriving))) == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("nodes", "workers", "on_gpu", "expected"),
    [
        # 8 + 4 processors: three each fit 2 + 1 times, which is not 4; two each fit 4 + 2 times.
        ([{"CPU": 8.0}, {"CPU": 4.0}], 4, True, Share(4, 2, 0.0)),
        ([{"CPU": 1.0}, {"CPU": 1.0}], 2, False, Share(2, 1, 0.0)),
        ([{"CPU": 1.0}], 3, False, Share(1, 1, 0.0)),
        ([{}], 2, False, Share(1, 1, 0.0)),
        ([{"CPU": 8.0, "GPU": 2.0}], 2, True, Share(2, 4, 1.0)),
        # Three on a GPU, since two GPUs at two each would hold four of five.
        ([{"CPU": 8.0, "GPU": 2.0}], 5, True, Share(5, 1, 0.3333)),
        ([{"CPU": 8.0, "GPU": 2.0}], 2, False, Share(2, 4, 0.0)),
    ],
)
def test_a_cluster_is_divided_among_workers(
    nodes: list[dict[str, float]], workers: int, on_gpu: bool, expected: Share
) -> None:
    listed: list[dict[str, Any]] = [{"Alive": True, "Resources": each} for each in nodes]
    dead = {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}
    assert share([*listed, dead], workers, on_gpu=on_gpu) == expected


def test_a_worker_refuses_a_machine_that_sees_another_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "_PATIENCE", 0.0)
    mark = ray_engine._Mark(tmp_path / "index" / "segments" / "unfinished-1-seen", "ours")
    with pytest.raises(MedragError, match=r"does not see the index at .*index"):
        ray_engine._check_seen(mark)
    mark.path.parent.mkdir(parents=True)
    mark.path.write_text("theirs")
    with pytest.raises(MedragError, match="does not see the index"):
        ray_engine._check_seen(mark)
    ray_engine._check_seen(replace(mark, text="theirs"))


def test_no_cluster_at_the_address_that_is_named_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Ray:
        def init(self, **options: Any) -> None:
            raise ConnectionError("nobody there")

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(MedragError, match=f"RAY_ADDRESS={address} .nobody there"):
            ray_cluster._connect(Ray(), 1)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:six"])
def test_ray_is_not_left_to_try_an_address_where_nothing_listens(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    class Ray:
        def init(self, **options: Any) -> None:
            raise AssertionError(options)

    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(MedragError, match=f"RAY_ADDRESS={address} .*unset RAY_ADDRESS"):
        ray_cluster._connect(Ray(), 1)


@pytest.mark.slow
class TestOnTwoNodes:
    pytestmark = QUIET

    def test_ray_makes_the_index_that_one_process_makes(
        self, tmp_path: Path, library: Path, whole: Path, two_nodes: Any
    ) -> None:
        index = tmp_path / "i"
        channels = lexical_and_words()
        report = build_lines(index, library, channels=channels, workers=2, engine="ray")
        assert (report.added, report.unchanged) == (N_FILES, 0)
        same(whole, index)

    def test_ray_completes_a_channel_as_one_process_does(
        self,
        tmp_path: Path,
        library: Path,
        whole: Path,
        two_nodes: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # Four tasks in a first dataset, two in a second.
        monkeypatch.setattr(ray_engine, "ROUND", 2)
        index = tmp_path / "i"
        build_lines(index, library, channels={"lexical": LEXICAL})
        channels = lexical_and_words()
        report = build_lines(index, library, channels=channels, workers=2, engine="ray")
        assert report.encoded == {"words": N_FILES * 40}
        same(whole, index)

    @pytest.mark.skipif(os.name != "posix", reason="kills processes by SIGKILL")
    def test_a_worker_killed_in_the_middle_of_a_shard_is_replaced(
        self, tmp_path: Path, library: Path, whole: Path, two_nodes: Any
    ) -> None:
        index, pids = tmp_path / "i", tmp_path / "pids"
        pids.mkdir()
        drafts: list[str] = []

        def kill() -> None:
            wait_for(pids / "0")
            drafts.extend(each.name for each in (index / "segments").glob("unfinished-*-try1-*"))
            os.kill(int((pids / "0").read_text()), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        channels = _deadly(Deadly(pids, "effusion 2", 1, tmp_path / "never"))
        report = build_lines(index, library, channels=channels, workers=2, engine="ray")
        killer.join()
        assert drafts
        assert report.added == N_FILES
        same(whole, index)

    @pytest.mark.skipif(os.name != "posix", reason="kills processes by SIGKILL")
    def test_a_shard_that_kills_every_worker_ends_the_build_with_words(
        self, tmp_path: Path, library: Path, two_nodes: Any
    ) -> None:
        index, pids = tmp_path / "i", tmp_path / "pids"
        pids.mkdir()
        channels = _deadly(Deadly(pids, "effusion 2", 100, pids))
        with pytest.raises(MedragError, match="killed its worker 4 times"):
            build_lines(index, library, channels=channels, workers=2, engine="ray")
        assert len(list(pids.iterdir())) == ray_engine.TRIES
        assert not list((index / "segments").glob("unfinished-*"))

    def test_an_error_of_an_encoder_is_raised_as_it_was(
        self, tmp_path: Path, library: Path, two_nodes: Any
    ) -> None:
        channels = {"words": ChannelPlan({"kind": "dense"}, partial(Nothing))}
        with pytest.raises(MedragError, match=r"a vector of zeros.*for passage"):
            build_lines(tmp_path / "i", library, channels=channels, workers=2, engine="ray")


class Nothing(WordEncoder):
    def encode_passages(self, passages: Sequence[Passage]) -> Embeddings:
        found = super().encode_passages(passages)
        return replace(found, values=found.values * 0)


def _deadly(deadly: Deadly) -> dict[str, ChannelPlan]:
    words = lexical_and_words()["words"]
    return {"lexical": LEXICAL, "words": ChannelPlan(words.spec, deadly)}
