"""A compiled graph as a networkx graph, and back."""

from pathlib import Path

import networkx as nx
import pytest

from medrag.indexing.graph import compile_graph, from_networkx, to_networkx
from tests.indexing.graph.passages import PASSAGES, TABLE, compiled, fact, term


def test_nodes_are_concepts_and_edges_are_facts(tmp_path: Path) -> None:
    compiled([term("D:1", "lung rot"), fact("D:1 lung rot", "has_symptom", "S:1 cough")], tmp_path)
    graph = to_networkx(tmp_path)
    assert {values["label"]: values["rows"] for _, values in graph.nodes(data=True)} == {
        "lung rot": (0,), "cough": (),
    }  # fmt: skip
    [(head, tail, values)] = graph.edges(data=True)
    assert (graph.nodes[head]["id"], graph.nodes[tail]["id"]) == ("D:1", "S:1")
    assert values == {"relation": "has symptom", "row": 1}


def test_what_is_exported_compiles_to_the_same_graph_again(tmp_path: Path) -> None:
    compile_graph(enumerate(PASSAGES), tmp_path / "one")
    first = to_networkx(tmp_path / "one")
    compile_graph(enumerate(from_networkx(first, TABLE)), tmp_path / "two")
    second = to_networkx(tmp_path / "two")

    def said(graph: nx.MultiDiGraph) -> set[tuple[str, str, str]]:
        names = graph.nodes(data="label")
        return {(names[h], r, names[t]) for h, t, r in graph.edges(data="relation")}

    assert said(first) == said(second)
    assert len(said(first)) == first.number_of_edges() == second.number_of_edges()
    assert sorted(i for _, i in first.nodes(data="id")) == sorted(
        i for _, i in second.nodes(data="id")
    )


def test_a_graph_of_somebody_else_is_read(tmp_path: Path) -> None:
    graph = nx.DiGraph()
    graph.add_node("d", label="lung rot", synonyms=["rotten lung"])
    graph.add_edge("d", "cough", relation="has symptom")
    channel = compiled(list(from_networkx(graph, TABLE)), tmp_path)
    [mention] = channel.link("rotten lung")
    assert channel.concepts(mention.nodes)[0].name == "lung rot"


def test_a_graph_that_says_no_facts_is_refused() -> None:
    with pytest.raises(ValueError, match="directed"):
        list(from_networkx(nx.Graph([(1, 2)]), TABLE))
    with pytest.raises(ValueError, match="has no 'relation'"):
        list(from_networkx(nx.DiGraph([(1, 2)]), TABLE))
