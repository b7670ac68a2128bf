"""A graph of concepts that nobody has heard of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medrag.indexing.graph import GraphChannel, compile_graph
from medrag.records import Filter, Passage, Source

ONTOLOGY = Source("kg", "made_up.obo", "0" * 64)
TABLE = Source("kg", "made_up.tsv", "1" * 64)


def term(id_: str, name: str, *synonyms: str, text: str = "") -> Passage:
    fields = {"id": id_, "name": name, "synonyms": list(synonyms)}
    return Passage(id_, "term", text or f"{name}. A thing made up.", ONTOLOGY, fields=fields)


def fact(head: str, relation: str, tail: str) -> Passage:
    """A fact between concepts written "ID name"."""
    (head_id, head_name), (tail_id, tail_name) = head.split(" ", 1), tail.split(" ", 1)
    text = f"{head_name} {relation} {tail_name}"
    fields = {
        "head": head_name, "relation": relation, "tail": tail_name,
        "head_id": head_id, "tail_id": tail_id,
    }  # fmt: skip
    return Passage(text, "fact", text, TABLE, fields=fields)


PASSAGES = [
    term("D:1", "disease"),
    term("D:2", "heart disease"),
    term("D:3", "Miller carditis", "miller's heart", "MCS"),
    term("D:4", "acute Miller carditis"),
    term("D:5", "sun blindness", "solar keratosis (disorder)"),
    term("D:6", "acquired weakness syndrome", "AIDS"),
    fact("D:2 heart disease", "is_a", "D:1 disease"),
    fact("D:3 Miller carditis", "is_a", "D:2 heart disease"),
    fact("D:4 acute Miller carditis", "is_a", "D:3 Miller carditis"),
    fact("D:5 sun blindness", "is_a", "D:1 disease"),
    fact("D:6 acquired weakness syndrome", "is_a", "D:1 disease"),
    fact("D:3 Miller carditis", "has_symptom", "S:1 racing pulse"),
    fact("D:3 Miller carditis", "located_in", "U:1 left ventricle"),
    fact("D:5 sun blindness", "has_symptom", "S:2 blurred vision"),
    fact("D:6 acquired weakness syndrome", "has_symptom", "S:1 racing pulse"),
    Passage("text", "text", "Miller carditis in a book", ONTOLOGY),
]


def everything(_: Filter) -> NDArray[np.bool_]:
    return np.ones(len(PASSAGES), dtype=np.bool_)


def compiled(passages: Sequence[Passage], folder: Path) -> GraphChannel:
    compile_graph(enumerate(passages), folder)
    return GraphChannel(folder=folder, mask=lambda _: np.ones(len(passages), dtype=np.bool_))
