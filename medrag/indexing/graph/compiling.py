"""Terms and facts of an index, compiled into arrays that a graph channel maps into memory."""

import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph import vocabulary
from medrag.indexing.graph.joining import joined_by_name, joined_by_reference
from medrag.indexing.graph.names import compared_key, name_keys, plain_name, words_of
from medrag.records import Passage

FORMAT = 2
ARRAYS = (
    "name_keys", "name_nodes", "name_synonym", "term_starts", "term_rows", "term_bare",
    "term_lists", "fact_rows", "fact_heads", "fact_tails", "fact_relations", "node_starts",
    "node_facts", "node_others", "node_depths", "parent_starts", "parents", "label_letters",
    "label_starts", "id_letters", "id_starts", *vocabulary.ARRAYS,
)  # fmt: skip
KINDS_OF = frozenset(
    {"is a", "isa", "kind of", "type of", "subclass of", "sub class of", "subclassof", "parent"}
)


# What a term of a table, which has no definition, lists: "Has symptom: fever; cough."
_HEADING = re.compile(r"(?<=\. )(?:Is )?([A-Za-z][^.:;]{1,60}):")
_MOST_LISTED = 64
# Steps from a root beyond which a concept counts as no deeper.
_DEEPEST = 64


def compile_graph(passages: Iterable[tuple[int, Passage]], folder: Path) -> None:
    """Write the graph of the passages of kind "term" and "fact"; others are passed over.

    The same concept of several files is one node: by its id, by cross-references and CUIs of its
    terms (see `joining`), or without an id by its name, which joins the one concept that has both
    this name and an id.

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
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in _arrays(graph):
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
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
    labels: list[str] = field(default_factory=list)
    ids: dict[int, str] = field(default_factory=dict)
    references: dict[int, list[str]] = field(default_factory=dict)
    relations: dict[str, int] = field(default_factory=dict)
    headings: dict[int, tuple[str, ...]] = field(default_factory=dict)
    # Flat, as a Python object for each of millions of facts would take ten times the memory.
    terms: "array[int]" = field(default_factory=lambda: array("q"))
    facts: "array[int]" = field(default_factory=lambda: array("q"))
    name_keys: "array[int]" = field(default_factory=lambda: array("Q"))
    name_nodes: "array[int]" = field(default_factory=lambda: array("q"))
    name_synonym: "array[int]" = field(default_factory=lambda: array("B"))
    plain_keys: "array[int]" = field(default_factory=lambda: array("Q"))
    plain_nodes: "array[int]" = field(default_factory=lambda: array("q"))
    seen: set[tuple[int, str]] = field(default_factory=set)
    name_words: set[str] = field(default_factory=set)
    text_words: Counter[str] = field(default_factory=Counter)

    def add_term(self, row: int, passage: Passage) -> None:
        name = str(passage.fields.get("name") or passage.text)
        node = self._node(passage.fields.get("id"), name)
        # A table of facts brings terms that say no more than their name.
        self.terms.extend((node, row, len(passage.text) <= len(name) + 2))
        if not passage.fields.get("definition"):
            found = tuple(relation_words(each) for each in _HEADING.findall(passage.text))
            self.headings |= {row: found} if found else {}
        for synonym in passage.fields.get("synonyms") or ():
            self._name(node, str(synonym), synonym=True)
        listed = [str(each) for each in passage.fields.get("xrefs") or ()]
        self.references.setdefault(node, []).extend(listed)
        self.text_words.update({word.compared for word in words_of(passage.text)})

    def add_fact(self, row: int, passage: Passage) -> None:
        values = passage.fields
        head = self._node(values.get("head_id"), str(values.get("head") or ""))
        tail = self._node(values.get("tail_id"), str(values.get("tail") or ""))
        relation = relation_words(str(values.get("relation") or ""))
        number = self.relations.setdefault(relation, len(self.relations))
        self.facts.extend((row, head, tail, number))

    def joined(self) -> NDArray[np.int64]:
        """Give the node that stands for each: itself, or the one that it is joined to."""
        stands = np.arange(len(self.nodes), dtype=np.int64)
        for node, other in joined_by_reference(self.ids, self.references).items():
            stands[node] = other
        keys = np.frombuffer(self.plain_keys, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        nodes = stands[np.frombuffer(self.plain_nodes, dtype=np.int64)[order]]
        without_id = [node for node in self.nodes.values() if node not in self.ids]
        for node, other in joined_by_name(keys[order], nodes, without_id).items():
            stands[node] = other
        return stands

    def lists(self, row: int) -> int:
        """Give a bit for each relation of which a term lists the facts."""
        numbers = [self.relations.get(each, _MOST_LISTED) for each in self.headings.get(row, ())]
        return sum({1 << number for number in numbers if number < _MOST_LISTED})

    def _node(self, concept: object, name: str) -> int:
        key = f"id:{concept}" if concept else f"name:{plain_name(name)}"
        node = self.nodes.get(key)
        if node is None:
            node = self.nodes[key] = len(self.nodes)
            self.labels.append(name)
            if concept:
                self.ids[node] = str(concept)
        if name:
            self._name(node, name, synonym=False)
        return node

    def _name(self, node: int, name: str, *, synonym: bool) -> None:
        if (node, name) in self.seen and (synonym or (node, f"={name}") in self.seen):
            return
        self.seen |= {(node, name)} if synonym else {(node, name), (node, f"={name}")}
        for key in name_keys(name, synonym=synonym):
            self.name_keys.append(key)
            self.name_nodes.append(node)
            self.name_synonym.append(synonym)
        words = words_of(name)
        self.name_words.update(word.written for word in words)
        if not synonym:
            self.plain_keys.append(compared_key(word.compared for word in words))
            self.plain_nodes.append(node)


def _arrays(graph: _Graph) -> Iterator[tuple[str, NDArray[np.generic]]]:
    stands = graph.joined()
    yield from _name_arrays(graph, stands)
    yield from vocabulary.compiled_words(graph.name_words, graph.text_words).items()
    yield from _text_arrays("label", graph.labels)
    yield from _text_arrays("id", [graph.ids.get(n, "") for n in range(len(graph.nodes))])
    terms = np.frombuffer(graph.terms, dtype=np.int64).reshape(-1, 3).copy()
    terms[:, 0] = stands[terms[:, 0]]
    terms = terms[np.lexsort((terms[:, 1], terms[:, 0]))]
    yield "term_starts", _starts(terms[:, 0], len(graph.nodes))
    yield "term_rows", terms[:, 1].astype(np.int32)
    yield "term_bare", terms[:, 2].astype(np.bool_)
    yield (
        "term_lists",
        np.array([graph.lists(row) for row in terms[:, 1].tolist()], dtype=np.uint64),
    )
    yield from _fact_arrays(graph, stands)


def _name_arrays(
    graph: _Graph, stands: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    keys = np.frombuffer(graph.name_keys, dtype=np.uint64)
    nodes = stands[np.frombuffer(graph.name_nodes, dtype=np.int64)]
    synonym = np.frombuffer(graph.name_synonym, dtype=np.uint8)
    order = np.lexsort((synonym, nodes, keys))
    keys, nodes, synonym = keys[order], nodes[order], synonym[order]
    # What is a name and a synonym of a concept is its name.
    first = np.ones(len(keys), dtype=np.bool_)
    first[1:] = (keys[1:] != keys[:-1]) | (nodes[1:] != nodes[:-1])
    yield "name_keys", keys[first]
    yield "name_nodes", nodes[first].astype(np.int32)
    yield "name_synonym", synonym[first].astype(np.bool_)


def _text_arrays(name: str, texts: Sequence[str]) -> Iterator[tuple[str, NDArray[np.generic]]]:
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    starts = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(each) for each in encoded], out=starts[1:])
    yield f"{name}_letters", np.frombuffer(b"".join(encoded), dtype=np.uint8)
    yield f"{name}_starts", starts


def _fact_arrays(
    graph: _Graph, stands: NDArray[np.int64]
) -> Iterator[tuple[str, NDArray[np.generic]]]:
    facts = np.frombuffer(graph.facts, dtype=np.int64).reshape(-1, 4)
    rows, heads, tails, relations = facts[np.argsort(facts[:, 0], kind="stable")].T
    heads, tails = stands[heads], stands[tails]
    n_nodes = len(graph.nodes)
    # A fact from a concept to itself is found once.
    ends = np.concatenate([heads, tails[tails != heads]])
    others = np.concatenate([tails, heads[tails != heads]])
    at = np.concatenate([np.arange(len(rows)), np.flatnonzero(tails != heads)])
    order = np.lexsort((at, ends))
    kinds = [number for name, number in graph.relations.items() if name in KINDS_OF]
    is_kind = np.isin(relations, kinds) & (heads != tails)
    upwards = np.unique(np.stack([heads[is_kind], tails[is_kind]], axis=1), axis=0)
    yield "fact_rows", rows.astype(np.int32)
    yield "fact_heads", heads.astype(np.int32)
    yield "fact_tails", tails.astype(np.int32)
    yield "fact_relations", relations.astype(np.int32)
    yield "node_starts", _starts(ends, n_nodes)
    yield "node_facts", at[order].astype(np.int32)
    yield "node_others", others[order].astype(np.int32)
    yield "parent_starts", _starts(upwards[:, 0], n_nodes)
    yield "parents", upwards[:, 1].astype(np.int32)
    yield "node_depths", _depths(upwards[:, 0], upwards[:, 1], n_nodes)


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
    level = known.copy()
    for depth in range(1, min(n_nodes, _DEEPEST) + 1):
        reached = np.unique(children[level[parents]])
        reached = reached[~known[reached]]
        if not len(reached):
            break
        known[reached] = True
        level[:] = False
        level[reached] = True
        depths[reached] = depth
    return depths
