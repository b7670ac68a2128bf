"""A compiled graph, mapped into memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medrag.errors import IndexFormatError
from medrag.indexing.arrays import mapped
from medrag.indexing.commands import repair
from medrag.indexing.graph.compiling import ARRAYS, FORMAT, KINDS_OF

Nodes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CompiledGraph:
    """What `compile_graph` wrote.

    Attributes:
        n_nodes: concepts.
        relations: their names in words, by number.
        is_kind: (n_relations,), which lead from a concept to a broader one.
        arrays: by name.
    """

    folder: Path
    n_nodes: int
    relations: Sequence[str]
    is_kind: NDArray[np.bool_]
    arrays: Mapping[str, Any]


def open_graph(folder: Path) -> CompiledGraph:
    """Map a compiled graph.

    Raises:
        IndexFormatError: if the folder holds none, or one of another format.
    """
    try:
        about = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, expected {FORMAT}")
        relations = [str(name) for name in about["relations"]]
        is_kind = np.array([name in KINDS_OF for name in relations], dtype=np.bool_)
        arrays = {name: mapped(folder / f"{name}.npy") for name in ARRAYS}
        return CompiledGraph(folder, int(about["n_nodes"]), relations, is_kind, arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise broken(folder, error) from error


def broken(folder: Path, error: Exception) -> IndexFormatError:
    """Say that a folder is no compiled graph, and how to make one."""
    return IndexFormatError(
        f"{folder} is not a compiled graph ({error}); make it anew: {repair(folder)}"
    )


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Say that a graph is broken where its numbers stand for nothing."""
    try:
        yield
    except (IndexError, MemoryError, OverflowError, ValueError) as error:
        raise broken(folder, error) from error


def entries(starts: Nodes, nodes: Nodes) -> tuple[Nodes, Nodes]:
    """List the entries of nodes: whose each is, and its place; `starts` says where they begin."""
    first = np.asarray(starts[nodes], dtype=np.int64)
    counts = np.asarray(starts[nodes + 1], dtype=np.int64) - first
    owners = np.repeat(nodes, counts)
    begin = np.repeat(first - (np.cumsum(counts) - counts), counts)
    return owners, begin + np.arange(len(owners))


def degrees(graph: CompiledGraph, nodes: Nodes) -> Nodes:
    """Count the facts of nodes."""
    starts = graph.arrays["node_starts"]
    counted: Nodes = starts[nodes + 1] - starts[nodes]
    return counted


def text_of(graph: CompiledGraph, name: str, node: int) -> str:
    """Give the "label" or the "id" of a node; "" if it has none."""
    starts = graph.arrays[f"{name}_starts"]
    letters = graph.arrays[f"{name}_letters"][starts[node] : starts[node + 1]]
    return bytes(letters.tobytes()).decode("utf-8", "surrogatepass")
