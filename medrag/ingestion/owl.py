"""Ontologies in RDF/XML, Turtle or N-Triples, read through rdflib. Nothing is fetched."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.sax import SAXException

from medrag.errors import InputFileError
from medrag.extras import require
from medrag.ingestion.decoding import decode
from medrag.ingestion.ontology import IS_A, Link, Ontology, Term
from medrag.ingestion.xmltree import read_bytes, refuse_entities

_OBO_IN_OWL = "http://www.geneontology.org/formats/oboInOwl#"
_SKOS = "http://www.w3.org/2004/02/skos/core#"
_RDFS = "http://www.w3.org/2000/01/rdf-schema#"
_OWL = "http://www.w3.org/2002/07/owl#"
_LABELS = (f"{_RDFS}label", f"{_SKOS}prefLabel")
_DEFINITIONS = (
    "http://purl.obolibrary.org/obo/IAO_0000115", f"{_SKOS}definition", f"{_RDFS}comment",
)  # fmt: skip
_SYNONYMS = (
    f"{_OBO_IN_OWL}hasExactSynonym", f"{_OBO_IN_OWL}hasRelatedSynonym",
    f"{_OBO_IN_OWL}hasNarrowSynonym", f"{_OBO_IN_OWL}hasBroadSynonym", f"{_SKOS}altLabel",
)  # fmt: skip
_XREFS = (f"{_OBO_IN_OWL}hasDbXref",)
_CLASSES = (f"{_OWL}Class", f"{_RDFS}Class", f"{_SKOS}Concept")
_PARENTS = (f"{_RDFS}subClassOf", f"{_SKOS}broader")
_PARSE_ERRORS = (
    SyntaxError, ValueError, LookupError, TypeError, AttributeError, AssertionError,
    RecursionError, SAXException,
)  # fmt: skip
_ACCESSION = re.compile(r"([A-Za-z][A-Za-z0-9]*)_([A-Za-z0-9]+)")


def read_owl(path: Path, *, language: str = "en") -> Ontology:
    """Read the named classes of an ontology, their superclasses and existential restrictions.

    A class that is a subclass of "some part_of X" is linked to X by "part_of". Imports are not
    followed. Among labels in several languages, those of `language` win.

    Raises:
        InputFileError: if it cannot be read or parsed, declares entities that can expand, or
            holds no class.
    """
    data = read_bytes(path)
    graph = _parsed(path, data)
    return _Reader(graph, language).ontology()


def _parsed(path: Path, data: bytes) -> Any:
    rdflib = require("rdflib")
    text = decode(data[:65536], cut=True).text.lstrip()
    form = "turtle"
    if text.startswith(("<?xml", "<!", "<rdf")) or "<rdf:RDF" in text:
        form = "xml"
        refuse_entities(data, path, namespaces=True)
    graph = rdflib.Graph(bind_namespaces="none")
    try:
        graph.parse(data=data, format=form, publicID="urn:medrag:ontology")
    except (*_PARSE_ERRORS, rdflib.exceptions.ParserError) as error:
        line = next(iter(re.findall(r"line (\d+)|:(\d+):\d+:", str(error))), ())
        number = next((part for part in line if part), None)
        raise InputFileError(
            path,
            f"not readable as {'RDF/XML' if form == 'xml' else 'Turtle'}: "
            f"{' '.join(str(error).split())[:160]}",
            place=f"line {number}" if number else None,
        ) from error
    return graph


class _Reader:
    """What turns a graph of RDF into an ontology."""

    def __init__(self, graph: Any, language: str) -> None:
        self.rdflib = require("rdflib")
        self.graph = graph
        self.language = language

    def ontology(self) -> Ontology:
        classes = list(dict.fromkeys(self._classes()))
        gone = {node for node in classes if self._is_deprecated(node)}
        kept = [node for node in classes if node not in gone]
        links = tuple(dict.fromkeys(link for node in kept for link in self._links(node, gone)))
        terms = {term.id: term for term in map(self._term, kept)}
        return Ontology(terms, links, tuple(sorted(self._id(node) for node in gone)))

    def _classes(self) -> Iterator[Any]:
        kind = self.rdflib.RDF.type
        for name in _CLASSES:
            for node in self.graph.subjects(kind, self._iri(name)):
                if isinstance(node, self.rdflib.URIRef) and not str(node).startswith(_OWL):
                    yield node

    def _term(self, node: Any) -> Term:
        return Term(
            id=self._id(node),
            name=next(self._texts(node, _LABELS), "") or self._id(node),
            definition=next(self._texts(node, _DEFINITIONS), ""),
            synonyms=tuple(dict.fromkeys(self._texts(node, _SYNONYMS))),
            xrefs=tuple(sorted(dict.fromkeys(self._texts(node, _XREFS)))),
        )

    def _links(self, node: Any, gone: set[Any]) -> Iterator[Link]:
        for name in _PARENTS:
            for parent in sorted(self.graph.objects(node, self._iri(name)), key=str):
                relation, target = IS_A, parent
                if isinstance(parent, self.rdflib.BNode):
                    relation, target = self._restriction(parent)
                named = isinstance(target, self.rdflib.URIRef)
                if named and target not in gone and not str(target).startswith(_OWL):
                    yield Link(self._id(node), relation, self._id(target))

    def _restriction(self, node: Any) -> tuple[str, Any]:
        relation = self.graph.value(node, self._iri(f"{_OWL}onProperty"))
        target = self.graph.value(node, self._iri(f"{_OWL}someValuesFrom"))
        if not isinstance(relation, self.rdflib.URIRef):
            return "", None
        label = next(self._texts(relation, _LABELS), "") or _last(relation)
        return re.sub(r"\W+", "_", label.strip()), target

    def _texts(self, node: Any, properties: Iterable[str]) -> Iterator[str]:
        """Give literals: property by property, the wished language first, then by alphabet."""
        for name in properties:
            found = [o for o in self.graph.objects(node, self._iri(name))
                     if isinstance(o, self.rdflib.Literal)]  # fmt: skip
            for literal in sorted(found, key=self._preference):
                if text := " ".join(str(literal).split()):
                    yield text

    def _preference(self, literal: Any) -> tuple[int, str]:
        tag = (literal.language or "").split("-")[0].lower()
        return (0 if tag == self.language else 1 if not tag else 2), str(literal)

    def _is_deprecated(self, node: Any) -> bool:
        value = self.graph.value(node, self._iri(f"{_OWL}deprecated"))
        return str(value).lower() in ("true", "1")

    def _id(self, node: Any) -> str:
        stated = self.graph.value(node, self._iri(f"{_OBO_IN_OWL}id"))
        if stated is not None:
            return str(stated)
        match = _ACCESSION.fullmatch(_last(node))
        return f"{match.group(1)}:{match.group(2)}" if match else str(node)

    def _iri(self, name: str) -> Any:
        return self.rdflib.URIRef(name)


def _last(node: Any) -> str:
    return re.split(r"[/#]", str(node))[-1]
