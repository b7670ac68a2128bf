"""A compiled graph as a networkx graph, to draw or to hand on, and passages from one."""

from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

from medrag.extras import require
from medrag.indexing.graph.opened import CompiledGraph, open_graph, text_of
from medrag.records import Passage, Source, passage_id


def to_networkx(folder: Path) -> Any:
    """Give a compiled graph as a `networkx.MultiDiGraph`.

    A node is a number and has the concept's "id" ("" without one), "label", and the "rows" of its
    terms in the index; an edge from head to tail has its "relation" in words and the "row" of its
    fact. A concept that was joined to another is not there.

    Raises:
        IndexFormatError: if the folder is not a compiled graph.
    """
    networkx = require("networkx")
    compiled = open_graph(folder)
    arrays = compiled.arrays
    graph = networkx.MultiDiGraph()
    for node in _used(compiled):
        first, stop = arrays["term_starts"][node], arrays["term_starts"][node + 1]
        graph.add_node(
            node,
            id=text_of(compiled, "id", node),
            label=text_of(compiled, "label", node),
            rows=tuple(arrays["term_rows"][first:stop].tolist()),
        )
    columns = (arrays[f"fact_{name}"].tolist() for name in ("heads", "tails", "relations", "rows"))
    for head, tail, relation, row in zip(*columns, strict=True):
        graph.add_edge(head, tail, relation=compiled.relations[relation], row=row)
    return graph


def from_networkx(graph: Any, source: Source) -> Iterator[Passage]:
    """Give the terms and facts of a directed networkx graph as passages.

    A node's "id", "label" and "synonyms" are its concept's; the node itself, as text, where it has
    no id or no label. An edge's "relation" is its fact's.

    Args:
        source: of every passage.

    Raises:
        ValueError: if the graph is not directed, or an edge has no relation.
    """
    if not graph.is_directed():
        raise ValueError("facts lead from a head to a tail; give a directed graph")
    names = {node: _name(node, values) for node, values in graph.nodes(data=True)}
    for node, values in graph.nodes(data=True):
        id_, label = names[node]
        fields: dict[str, Any] = {"id": id_, "name": label}
        if synonyms := [str(each) for each in values.get("synonyms", ())]:
            fields["synonyms"] = synonyms
        text = f"{label}."
        yield Passage(
            passage_id("term", source, text, place=id_), "term", text, source, fields=fields
        )
    for head, tail, values in graph.edges(data=True):
        if not values.get("relation"):
            raise ValueError(f"the edge from {head!r} to {tail!r} has no 'relation'")
        relation = str(values["relation"])
        (head_id, head_name), (tail_id, tail_name) = names[head], names[tail]
        text = f"{head_name} {relation} {tail_name}."
        place = f"{head_id} {relation} {tail_id}"
        fields = {
            "head": head_name, "relation": relation, "tail": tail_name,
            "head_id": head_id, "tail_id": tail_id,
        }  # fmt: skip
        yield Passage(
            passage_id("fact", source, text, place=place), "fact", text, source, fields=fields
        )


def _used(compiled: CompiledGraph) -> list[int]:
    """List the nodes that have a term or a fact; those joined to another have neither."""
    arrays = compiled.arrays
    starts = (arrays["term_starts"], arrays["node_starts"])
    return [
        node
        for node in range(compiled.n_nodes)
        if any(each[node] < each[node + 1] for each in starts)
    ]


def _name(node: Hashable, values: dict[str, Any]) -> tuple[str, str]:
    return str(values.get("id") or node), str(values.get("label") or node)
