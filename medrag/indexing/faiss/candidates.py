"""Ask a FAISS index for candidates: by its kind of index, with a filter where it takes one."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.errors import MedragError
from medrag.extras import Library

Floats = NDArray[np.float32]
Positions = NDArray[np.int64]
Bits = NDArray[np.uint8]

# FAISS keeps a heap for each question: beyond so many candidates, scoring everything is as fast.
_MOST = 1 << 14
# Of an index on a GPU, k and nprobe.
_GPU_MOST = 2048
# Share of the lists that is searched, and candidates that a graph keeps, where nothing is said.
_LISTS_SHARE, _LISTS_LEAST = 16, 8
_EF = 64


class Found(NamedTuple):
    """Candidates of each question vector, (t, n): best first, position -1 where there is none."""

    scores: Floats
    positions: Positions

    def parts(self, questions: Sequence[Floats]) -> "list[Found]":
        """Cut apart what was found for several questions, (t, d) each."""
        ends = np.cumsum([len(question) for question in questions])[:-1]
        pairs = zip(np.split(self.scores, ends), np.split(self.positions, ends), strict=True)
        return [Found(*pair) for pair in pairs]


class Candidates:
    """Search a FAISS index, with as much effort as it takes.

    Args:
        nprobe: lists of an inverted file that are searched; a sixteenth of them, and at least 8,
            if None.
        ef: candidates that a graph keeps while it is walked; 64 if None.
        device: "cuda" copies the index to all GPUs, where it takes no filter.

    Raises:
        ValueError: if more lists are to be searched than a GPU can.
        MedragError: if there is no GPU, or none that takes this index.
    """

    def __init__(
        self,
        faiss: Library,
        index: Library,
        *,
        nprobe: int | Literal["all"] | None = None,
        ef: int | None = None,
        device: str | None = None,
    ) -> None:
        gpu = device == "cuda"
        inner, around = _unwrapped(faiss, index)
        self._faiss = faiss
        self._index = on_gpus(faiss, index) if gpu else index
        self._kind = type(inner)
        self._transformed = around == {faiss.IndexPreTransform}
        self._n_lists = int(getattr(inner, "nlist", 0))
        self._nprobe = _chosen_lists(nprobe, self._n_lists, gpu=gpu)
        self._ef = _EF if ef is None else ef
        self.limit = min(_GPU_MOST if gpu else _MOST, int(index.ntotal))
        # Scores are inner products in single precision, not of lossy codes.
        floats = (faiss.IndexFlat, faiss.IndexIVFFlat, faiss.IndexHNSWFlat)
        self.keeps_floats = not around and issubclass(self._kind, floats)
        self.takes_filters = not gpu and self._obeys_filters()
        if self._n_lists and not self.takes_filters:
            space = faiss.GpuParameterSpace() if gpu else faiss.ParameterSpace()
            space.set_index_parameter(self._index, "nprobe", self._nprobe)

    def search(self, values: Floats, n: int, allowed: Bits | None, effort: int) -> Found:
        """Find candidates of question vectors, (t, d).

        Args:
            n: candidates at most; never more than `limit` are given.
            allowed: a bit for each position, lowest first; None for all. Not obeyed by an index
                that takes no filters.
            effort: how many times as many lists, or more of a graph, are searched than usual.
        """
        n = min(n, self.limit)
        questions = np.ascontiguousarray(values, dtype=np.float32)
        if not self.takes_filters:
            return Found(*self._index.search(questions, n))
        asked = self._parameters(n, allowed, effort)
        return Found(*self._index.search(questions, n, params=asked))

    def exhausted(self, n: int, effort: int) -> bool:
        """Tell whether a search for more, with more effort, would search no more."""
        every_list = not self.takes_filters or effort * self._nprobe >= self._n_lists
        return n >= self.limit and every_list

    def _parameters(self, n: int, allowed: Bits | None, effort: int) -> Library:
        """Make the parameters of one search; they keep alive what they are made of."""
        faiss = self._faiss
        selected = None if allowed is None else faiss.IDSelectorBitmap(allowed)
        if issubclass(self._kind, faiss.IndexIVF):
            probed = min(self._n_lists, self._nprobe * effort)
            asked = faiss.SearchParametersIVF(sel=selected, nprobe=probed)
        elif issubclass(self._kind, faiss.IndexHNSW):
            asked = faiss.SearchParametersHNSW(sel=selected, efSearch=max(self._ef * effort, n))
        else:
            asked = faiss.SearchParameters(sel=selected)
        return (
            faiss.SearchParametersPreTransform(index_params=asked) if self._transformed else asked
        )

    def _obeys_filters(self) -> bool:
        """Try a filter that allows nothing: FAISS refuses, or ignores, what a type cannot do."""
        nothing = np.zeros((self._index.ntotal + 7) // 8, dtype=np.uint8)
        question = np.zeros((1, self._index.d), dtype=np.float32)
        try:
            _, positions = self._index.search(question, 1, params=self._parameters(1, nothing, 1))
        except RuntimeError:
            return False
        return bool((positions == -1).all())


def on_gpus(faiss: Library, index: Library) -> Library:
    """Copy an index to every GPU, each a part of it.

    Raises:
        MedragError: if there is no GPU, FAISS was built without it, or has no such index for it.
    """
    if not hasattr(faiss, "index_cpu_to_all_gpus") or faiss.get_num_gpus() == 0:
        raise MedragError(
            "FAISS finds no GPU: leave 'device' out of the store, or install the other FAISS on a "
            "machine that has one: pip uninstall faiss-cpu; pip install 'medrag[gpu]'"
        )
    options = faiss.GpuMultipleClonerOptions()
    options.shard = True
    try:
        return faiss.index_cpu_to_all_gpus(index, co=options)
    except RuntimeError as error:
        raise MedragError(
            f"FAISS cannot copy a {type(index).__name__} to a GPU ({error}); use Flat, IVF or "
            "IVF-PQ there, or leave 'device' out of the store"
        ) from error


def _unwrapped(faiss: Library, index: Library) -> tuple[Library, set[Library]]:
    """Give the index below transforms and refinements, and the kinds of those."""
    inner, around = faiss.downcast_index(index), set()
    while isinstance(inner, faiss.IndexPreTransform | faiss.IndexRefine):
        transform = isinstance(inner, faiss.IndexPreTransform)
        around.add(faiss.IndexPreTransform if transform else faiss.IndexRefine)
        inner = faiss.downcast_index(inner.index if transform else inner.base_index)
    return inner, around


def _chosen_lists(nprobe: int | Literal["all"] | None, n_lists: int, *, gpu: bool) -> int:
    if nprobe is None:
        chosen = max(_LISTS_LEAST, n_lists // _LISTS_SHARE)
        return min(chosen, _GPU_MOST) if gpu else chosen
    chosen = max(1, n_lists) if nprobe == "all" else nprobe
    if gpu and chosen > _GPU_MOST:
        raise ValueError(
            f"nprobe is {chosen}, but FAISS probes at most {_GPU_MOST} lists on a GPU; give a "
            "lower nprobe, or leave 'device' out of the store"
        )
    return chosen
