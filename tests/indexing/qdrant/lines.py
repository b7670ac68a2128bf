"""A small index of lines with everything that a filter looks at, and random filters."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from medrag.build import ChannelPlan
from medrag.images import identified
from medrag.indexing.exact import ExactSearch
from medrag.indexing.qdrant import QdrantSearch, edge
from medrag.indexing.storage import Store, open_store
from medrag.records import Embeddings, Filter, ImageRef, Question, ScoredRow
from tests.indexing.library import WordEncoder, build_lines
from tests.indexing.vector_library import check_rankings

WORDS = ("effusion", "pleura", "lung", "left", "white", "matter", "nodule", "heart", "no", "small")
KINDS = ("text", "report", "case")
DOMAINS = (None, "radiology", "pathology", "ophthalmology")
SUBJECTS = (None, "p-1", "p-2", "p-3")
TIMES = (
    None, "2019", "2019-05", "2019-05-02", "2019-05-02T10:00:00", "2020-01-01", "é", "",
    "2019-05-02T10:00:00.000000000000001", "2019-05-02T10:00:00.000000000000002",
)  # fmt: skip
IMAGES = ("1.png", "2.png", "3.png", "4.png")


def channels(
    options: Mapping[str, Any] | None = None, names: Sequence[str] = ("words",)
) -> dict[str, ChannelPlan]:
    """Plan dense channels, each searched by Qdrant with its options."""
    spec = {
        "kind": "dense",
        "encoder": {"kind": "words"},
        "store": {"kind": "qdrant", **(options or {})},
    }
    return {name: ChannelPlan(spec, partial(WordEncoder, name)) for name in names}


def lines(seed: int, n: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)

    def one(values: Sequence[Any]) -> Any:
        return values[int(random.integers(len(values)))]

    made = []
    for number in range(n):
        words = " ".join(one(WORDS) for _ in range(1 + int(random.integers(4))))
        line = {
            # Every fourth text is a duplicate of another.
            "text": words if number % 4 else "pleural effusion",
            "kind": one(KINDS),
            "domain": one(DOMAINS),
            "subject": one(SUBJECTS),
            "study": one((None, "s-1", "s-2")),
            "time": one(TIMES),
            "images": [one(IMAGES) for _ in range(int(random.integers(3)))],
        }
        line["title"] = str(number)
        line["text"] += f" {number % 9}"
        made.append({key: value for key, value in line.items() if value is not None})
    return made


def built(
    folder: Path,
    files: Mapping[str, Sequence[Mapping[str, Any] | str]],
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> Store:
    draw(folder / "in")
    more.setdefault("channels", channels(options))
    build_lines(folder / "index", folder / "in", files, **more)
    return open_store(folder / "index")


@contextmanager
def cut_short(step: str = "finish") -> Iterator[None]:
    """Let what is built here die at a step of the shard."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(edge.EdgePoints, step, killed)
        with pytest.raises(KeyboardInterrupt):
            yield


def draw(folder: Path) -> list[str]:
    """Make the pictures that passages show, and give the sha256 of each."""
    folder.mkdir(parents=True, exist_ok=True)
    for shade, name in enumerate(IMAGES):
        # A picture that was written again would count as changed.
        if not (folder / name).exists():
            Image.new("RGB", (4, 4), (60 * shade, 0, 0)).save(folder / name)
    return [str(identified(ImageRef(str(folder / name))).sha256) for name in IMAGES]


@cache
def hashes() -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        return draw(Path(folder))


def searching(store: Store, name: str = "words") -> QdrantSearch:
    options = dict(store.channel(name).spec["store"])
    options.pop("kind")
    return QdrantSearch(store=store, name=name, **options)


def asked(*texts: str) -> Embeddings:
    return WordEncoder().encode_questions([Question(text=text) for text in texts], "text")


def check_same(
    store: Store, search: QdrantSearch, questions: Embeddings, k: int, filters: Sequence[Filter]
) -> list[list[ScoredRow]]:
    """Compare with the exact search: the same rows in the same order, scores within 1e-3."""
    found = search.search(questions, k, filters)
    expected = ExactSearch(store=store, name=search.name).search(questions, k, filters)
    check_rankings(found, expected)
    return found


def some(values: Sequence[Any]) -> st.SearchStrategy[frozenset[Any]]:
    named = [value for value in values if value is not None]
    return st.one_of(st.just(frozenset()), st.frozensets(st.sampled_from([*named, "nobody"])))


filters = st.builds(
    Filter,
    kinds=some(KINDS),
    domains=some(DOMAINS),
    corpora=some(("lines",)),
    subjects=some(SUBJECTS),
    before=st.sampled_from([*TIMES, "2019-05-02T10:00:00.0000000000000015", "a", "2019\0"]),
    not_images=st.deferred(lambda: some(hashes())),
    not_studies=some(("s-1", "s-2")),
    not_subjects=some(SUBJECTS),
)
