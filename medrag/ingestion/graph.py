"""Knowledge graphs: each term and each fact of an ontology or a table is a passage."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from medrag.ingestion.columns import TRIPLE_COLUMNS, Columns, check_roles
from medrag.ingestion.decoding import beginning
from medrag.ingestion.lines import bad_line
from medrag.ingestion.obo import read_obo
from medrag.ingestion.ontology import IS_A, Ontology, Term, check_ontology
from medrag.ingestion.owl import read_owl
from medrag.ingestion.sources import file_sha256, source_of
from medrag.ingestion.triples import Table, read_triples
from medrag.records import Corpus, Passage, Skipped, Source, passage_id

_RDF_SUFFIXES = (".owl", ".rdf", ".xml", ".ttl", ".turtle", ".nt")
_RDF = re.compile(r"<rdf:RDF|^\s*(?:@prefix|@base|prefix)\s|\A\s*<[^<>\s]+> <", re.MULTILINE | re.I)
_OBO = re.compile(r"^(?:format-version:|\[Term\])", re.MULTILINE)
_SHOWN = 20  # facts that the text of a term without definition lists


class GraphIngestor:
    """Terms and facts of OBO, RDF/XML, Turtle, and tables of triples.

    An ontology counts whole or not at all; in a table a bad line is skipped. A term's text is its
    name, definition, synonyms and parents; a term of a table, which has no definition, lists its
    facts instead, so that it says more than its name.

    Args:
        corpus: the corpus of the file.
        key: not needed here; all ingestors are made alike.
        columns: role of `TRIPLE_COLUMNS` to column name.
        relation: of every row of a table, where no column holds it ("has_symptom").
    """

    def __init__(
        self,
        *,
        corpus: Corpus,
        key: bytes = b"",
        columns: Columns | None = None,
        relation: str | None = None,
    ) -> None:
        check_roles(columns, TRIPLE_COLUMNS)
        self.corpus = corpus
        self.key = key
        self.columns = columns
        self.relation = relation

    def passages(self, path: Path) -> Iterator[Passage | Skipped]:
        """Yield terms, then facts.

        Raises:
            InputFileError: if an ontology is damaged or its is_a goes in a circle, or a table has
                no columns that make a fact.
        """
        form = "table" if self.columns or self.relation else _form(path)
        if form == "table":
            table = read_triples(path, columns=self.columns, relation=self.relation)
            return _of_table(table, source_of(self.corpus, path, sha256=file_sha256(path)))
        if form == "rdf":
            ontology = read_owl(path, language=self.corpus.language)
        else:
            ontology = read_obo(path)
        check_ontology(path, ontology)
        return _of_ontology(ontology, source_of(self.corpus, path, sha256=file_sha256(path)))


def relation_words(relation: str) -> str:
    """Write a relation as words of a sentence: "part_of" as "is part of"."""
    words = re.sub(r"[_\s]+", " ", relation).strip()
    first = words.split(" ")[0].lower()
    return f"is {words}" if first == "part" or first.endswith("ed") else words


def sentence(head: str, relation: str, tail: str) -> str:
    """Say a fact: "angiosarcoma is a sarcoma."."""
    if relation == IS_A:
        article = "an" if tail[:1].lower() in "aeio" else "a"
        return f"{head} is {article} {tail}."
    return f"{head} {relation_words(relation)} {tail}."


def _form(path: Path) -> str:
    """Tell "obo", "rdf" or "table" by the beginning of the file, then by its name."""
    if path.suffix.lower() == ".obo":
        return "obo"
    text = beginning(path)
    if path.suffix.lower() in _RDF_SUFFIXES or _RDF.search(text):
        return "rdf"
    return "obo" if _OBO.search(text) else "table"


def _of_ontology(ontology: Ontology, source: Source) -> Iterator[Passage | Skipped]:
    if ontology.obsolete:
        first = ", ".join(ontology.obsolete[:3])
        count = len(ontology.obsolete)
        detail = f"{count} obsolete terms left out ({first}, ...)"
        yield Skipped(source, "obsolete", detail, count=count)
    parents = defaultdict(list)
    for link in ontology.links:
        if link.relation == IS_A:
            parents[link.head].append(link.tail)
    for term in ontology.terms.values():
        names = [ontology.name_of(parent) for parent in parents[term.id]]
        yield _term(term, parents[term.id], _described(term, names), source)
    for link in ontology.links:
        named = (ontology.name_of(link.head), ontology.name_of(link.tail))
        ids = {"head_id": link.head, "tail_id": link.tail}
        yield _fact(named, (link.head, link.relation, link.tail), source, ids)


def _described(term: Term, parents: Sequence[str]) -> str:
    # Some ontologies write relations into their prose ("results_in"); a reader wants words.
    definition = re.sub(r"(?<=[a-z])_(?=[a-z])", " ", term.definition)
    parts = [term.name, definition]
    if term.synonyms:
        parts.append(f"Synonyms: {'; '.join(term.synonyms)}")
    if parents:
        parts.append(f"Kind of: {'; '.join(parents)}")
    return " ".join(
        part if part.endswith((".", "?", "!")) else f"{part}." for part in parts if part
    )


def _of_table(table: Table, source: Source) -> Iterator[Passage | Skipped]:
    for bad in table.bad:
        yield bad_line(source, bad.place, bad.problem)
    said = _said(table)
    for name, label in table.labels.items():
        term = Term(name, label, xrefs=table.xrefs.get(name, ()))
        text = _listing(label, said[name])
        known = name in table.ids
        yield _term(term, [], text, source, has_id=known, span=table.places[name])
    for fact, support in table.facts.items():
        further: dict[str, Any] = {"span": support.first}
        if support.rows > 1:
            further["support"] = support.rows
        ends = {"head_id": fact[0], "tail_id": fact[2]}
        further |= {role: end for role, end in ends.items() if end in table.ids}
        yield _fact((table.labels[fact[0]], table.labels[fact[2]]), fact, source, further)


def _said(table: Table) -> dict[str, dict[str, list[str]]]:
    """Gather what a table says of each term: words of a relation to the terms at its other end."""
    said: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for head, relation, tail in table.facts:
        words = "is a" if relation == IS_A else relation_words(relation)
        said[head][words].append(table.labels[tail])
        said[tail][_inverse(relation, words)].append(table.labels[head])
    return said


def _inverse(relation: str, words: str) -> str:
    """Say a relation from its other end, as the heading of a list."""
    known = {IS_A: "includes", "is located in": "site of", "is part of": "has part"}
    if words.startswith("has "):
        return f"{words.removeprefix('has ')} of"
    return known.get(
        IS_A if relation == IS_A else words, f"to which the relation {words!r} leads from"
    )


def _listing(label: str, said: dict[str, list[str]]) -> str:
    parts = [label]
    for words, others in said.items():
        shown = "; ".join(others[:_SHOWN])
        more = f"; and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        parts.append(f"{words[:1].upper()}{words[1:]}: {shown}{more}")
    return " ".join(f"{part}." for part in parts)


def _term(
    term: Term,
    parents: Iterable[str],
    text: str,
    source: Source,
    *,
    has_id: bool = True,
    span: str = "",
) -> Passage:
    further: dict[str, Any] = {
        "id": term.id if has_id else "", "name": term.name, "synonyms": list(term.synonyms),
        "definition": term.definition, "xrefs": list(term.xrefs), "parents": list(parents),
        "span": span,
    }  # fmt: skip
    fields = {name: value for name, value in further.items() if value}
    name = passage_id("term", source, text, place=term.id)
    return Passage(name, "term", text, source, fields=fields)


def _fact(
    named: tuple[str, str], fact: tuple[str, str, str], source: Source, further: dict[str, Any]
) -> Passage:
    text = sentence(named[0], fact[1], named[1])
    fields = {"head": named[0], "relation": fact[1], "tail": named[1], **further}
    name = passage_id("fact", source, text, place=" ".join(fact))
    return Passage(name, "fact", text, source, fields=fields)
