"""What an ontology says, whatever file it came from, and the check that it is one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medrag.errors import InputFileError
from medrag.extras import require

IS_A = "is_a"


@dataclass(frozen=True, slots=True)
class Term:
    """A class of an ontology. `name` is its id where the file gives it no name."""

    id: str
    name: str
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    xrefs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """Two terms by their ids and how the first relates to the second ("is_a", "part_of")."""

    head: str
    relation: str
    tail: str


@dataclass(frozen=True, slots=True)
class Ontology:
    """Terms by id, the links between them, and the ids of withdrawn terms.

    `names` has names of linked terms that another ontology defines, where the file tells them.
    """

    terms: Mapping[str, Term]
    links: tuple[Link, ...]
    obsolete: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)

    def name_of(self, term_id: str) -> str:
        term = self.terms.get(term_id)
        return term.name if term is not None else self.names.get(term_id, term_id)


def check_ontology(path: Path, ontology: Ontology) -> None:
    """Refuse what cannot be a hierarchy of terms.

    Raises:
        InputFileError: if there is no term, or a term is, over others, a kind of itself; the
            message names the terms of the circle.
    """
    if not ontology.terms:
        raise InputFileError(path, "holds no terms; expected [Term] stanzas or classes with labels")
    circle = _circle(link for link in ontology.links if link.relation == IS_A)
    if circle:
        walk = " > ".join(f"{term} ({ontology.name_of(term)})" for term in [*circle, circle[0]])
        raise InputFileError(
            path, f"is_a goes in a circle: {walk}; remove one of these links", place=circle[0]
        )


def _circle(links: Iterable[Link]) -> list[str]:
    networkx = require("networkx")
    graph = networkx.DiGraph((link.head, link.tail) for link in links)
    if networkx.is_directed_acyclic_graph(graph):
        return []
    return [head for head, _ in networkx.find_cycle(graph)]
