"""Terms and facts of an index, compiled into arrays that a graph channel maps into memory."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph.names import name_keys, plain_name
from medrag.records import Passage

FORMAT = 1
ARRAYS = (
    "name_keys", "name_nodes", "name_synonym", "term_starts", "term_rows", "term_bare", "fact_rows",
    "fact_heads", "fact_tails", "fact_relations", "node_starts", "node_facts", "node_depths",
)  # fmt: skip
KINDS_OF = frozenset(
    {"is a", "isa", "kind of", "type of", "subclass of", "sub class of", "subclassof", "parent"}
)


def compile_graph(passages: Iterable[tuple[int, Passage]], folder: Path) -> None:
    """Write the graph of the passages of kind "term" and "fact"; others are passed over.

    The same concept of several files is one node: by its id, or without one by its name, which
    joins the one concept that has both this name and an id.

    Args:
        passages: (row in the index, passage).
        folder: made if missing; `graph.json` is written last.
    """
    graph = _Graph()
    for row, passage in passages:
        if passage.kind == "term":
            graph.add_term(row, passage)
        elif passage.kind == "fact":
            graph.add_fact(row, passage)
    graph.join_names()
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in _arrays(graph).items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    about = {"format": FORMAT, "n_nodes": len(graph.nodes), "relations": list(graph.relations)}
    (folder / "graph.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def relation_words(relation: str) -> str:
    """Write a relation's name as words: "has_symptom" and "hasSymptom" become "has symptom"."""
    spaced = "".join(
        f" {letter}" if letter.isupper() and relation[i - 1 : i].islower() else letter
        for i, letter in enumerate(relation)
    )
    return " ".join(spaced.replace("_", " ").replace("-", " ").lower().split())


@dataclass
class _Graph:
    nodes: dict[str, int] = field(default_factory=dict)
    names: dict[tuple[int, int], bool] = field(default_factory=dict)
    relations: dict[str, int] = field(default_factory=dict)
    terms: list[tuple[int, int, bool]] = field(default_factory=list)
    facts: list[tuple[int, int, int, int]] = field(default_factory=list)
    named: dict[str, list[int]] = field(default_factory=dict)

    def add_term(self, row: int, passage: Passage) -> None:
        name = str(passage.fields.get("name") or passage.text)
        node = self._node(passage.fields.get("id"), name)
        # A table of facts brings terms that say no more than their name.
        self.terms.append((node, row, len(passage.text) <= len(name) + 2))
        for synonym in passage.fields.get("synonyms") or ():
            self._name(node, str(synonym), synonym=True)

    def add_fact(self, row: int, passage: Passage) -> None:
        values = passage.fields
        head = self._node(values.get("head_id"), str(values.get("head") or ""))
        tail = self._node(values.get("tail_id"), str(values.get("tail") or ""))
        relation = relation_words(str(values.get("relation") or ""))
        self.facts.append(
            (row, head, tail, self.relations.setdefault(relation, len(self.relations)))
        )

    def join_names(self) -> None:
        """Let a concept that has only a name stand for the one of that name that has an id."""
        without_id = {node for key, node in self.nodes.items() if key.startswith("name:")}
        joined: dict[int, int] = {}
        for nodes in self.named.values():
            bare = [node for node in nodes if node in without_id]
            others = [node for node in nodes if node not in without_id]
            if bare and len(others) == 1:
                joined.update(dict.fromkeys(bare, others[0]))
        self.facts = [
            (row, joined.get(head, head), joined.get(tail, tail), relation)
            for row, head, tail, relation in self.facts
        ]
        self.terms = [(joined.get(node, node), row, bare) for node, row, bare in self.terms]
        names: dict[tuple[int, int], bool] = {}
        for (key, node), synonym in self.names.items():
            place = (key, joined.get(node, node))
            names[place] = names.get(place, True) and synonym
        self.names = names

    def _node(self, concept: object, name: str) -> int:
        key = f"id:{concept}" if concept else f"name:{plain_name(name)}"
        node = self.nodes.setdefault(key, len(self.nodes))
        if name:
            self._name(node, name, synonym=False)
            alike = self.named.setdefault(plain_name(name), [])
            if node not in alike:
                alike.append(node)
        return node

    def _name(self, node: int, name: str, *, synonym: bool) -> None:
        for key in name_keys(name):
            self.names[key, node] = self.names.get((key, node), True) and synonym


def _arrays(graph: _Graph) -> dict[str, NDArray[np.generic]]:
    names = sorted((key, node, synonym) for (key, node), synonym in graph.names.items())
    terms = np.array(sorted(graph.terms), dtype=np.int64).reshape(-1, 3)
    facts = np.array(sorted(graph.facts), dtype=np.int64).reshape(-1, 4)
    rows, heads, tails, relations = facts.T
    n_nodes = len(graph.nodes)
    # A fact from a concept to itself is found once.
    ends = np.concatenate([heads, tails[tails != heads]])
    at = np.concatenate([np.arange(len(facts)), np.flatnonzero(tails != heads)])
    order = np.lexsort((at, ends))
    kinds = [number for name, number in graph.relations.items() if name in KINDS_OF]
    is_kind = np.isin(relations, kinds)
    return {
        "name_keys": np.array([key for key, _, _ in names], dtype=np.uint64),
        "name_nodes": np.array([node for _, node, _ in names], dtype=np.int32),
        "name_synonym": np.array([synonym for _, _, synonym in names], dtype=np.bool_),
        "term_starts": _starts(terms[:, 0], n_nodes),
        "term_rows": terms[:, 1].astype(np.int32),
        "term_bare": terms[:, 2].astype(np.bool_),
        "fact_rows": rows.astype(np.int32),
        "fact_heads": heads.astype(np.int32),
        "fact_tails": tails.astype(np.int32),
        "fact_relations": relations.astype(np.int32),
        "node_starts": _starts(ends[order], n_nodes),
        "node_facts": at[order].astype(np.int32),
        "node_depths": _depths(heads[is_kind], tails[is_kind], n_nodes),
    }


def _starts(nodes: NDArray[np.int64], n_nodes: int) -> NDArray[np.int64]:
    """Give where each node's entries begin in a list sorted by node; one more for the end."""
    starts = np.zeros(n_nodes + 1, dtype=np.int64)
    np.cumsum(np.bincount(nodes, minlength=n_nodes), out=starts[1:])
    return starts


def _depths(
    children: NDArray[np.int64], parents: NDArray[np.int64], n_nodes: int
) -> NDArray[np.int32]:
    """Count the steps from each concept up to the nearest root; 0 for a root and within a cycle."""
    depths = np.zeros(n_nodes, dtype=np.int32)
    known = np.ones(n_nodes, dtype=np.bool_)
    known[children] = False
    level = np.flatnonzero(known)
    for depth in range(1, n_nodes + 1):
        reached = np.unique(children[np.isin(parents, level)])
        level = reached[~known[reached]]
        if not len(level):
            break
        known[level] = True
        depths[level] = depth
    return depths
