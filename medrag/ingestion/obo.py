"""Ontologies in the OBO format, read through obonet.

Source:
    The OBO Flat File Format Guide, version 1.4.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from medrag.errors import InputFileError
from medrag.extras import require
from medrag.ingestion.decoding import decode
from medrag.ingestion.ontology import Link, Ontology, Term
from medrag.ingestion.xmltree import read_bytes

_READ_STANZAS = ("[Term]", "[Typedef]", "[Instance]")
_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "W": " ", "t": "\t"}
_COMMENT_NAME = re.compile(r"^(?:is_a|relationship): (?:\S+ )??(\S+)(?: \{.*\})? ! (.+)$", re.M)
_SYNONYM_TAGS = ("synonym", "exact_synonym", "related_synonym", "narrow_synonym", "broad_synonym")


def read_obo(path: Path) -> Ontology:
    """Read an OBO file; obsolete terms are named, not kept.

    Raises:
        InputFileError: if it cannot be read, or a line of it is no OBO.
    """
    text = decode(read_bytes(path)).text
    graph = _graph(path, text)
    obsolete = {name for name, about in graph.nodes(data=True) if _is_obsolete(about)}
    terms = {
        name: _term(name, about)
        for name, about in graph.nodes(data=True)
        if name not in obsolete and about
    }
    links = tuple(
        Link(head, relation, tail)
        for head, tail, relation in graph.edges(keys=True)
        if head in terms and tail not in obsolete
    )
    undefined = {link.tail for link in links if link.tail not in terms}
    names = {term: name for term, name in _COMMENT_NAME.findall(text) if term in undefined}
    return Ontology(terms, links, tuple(sorted(obsolete)), names)


def _graph(path: Path, text: str) -> Any:
    obonet = require("obonet")
    clean = "".join(f"{line}\n" for line in chain.from_iterable(_stanzas(text)))
    try:
        return obonet.read_obo(io.StringIO(clean), ignore_obsolete=False)
    except KeyError as error:
        raise InputFileError(path, f"a stanza has no line {error.args[0]!r}; is it cut?") from error
    except (ValueError, TypeError, AttributeError) as error:
        line = str(error).partition("\n")[2].strip() or str(error)
        place = _line_number(text, line)
        raise InputFileError(
            path, f"not a line of OBO: {line[:80]!r}, expected 'tag: value'", place=place
        ) from error


def _stanzas(text: str) -> Iterator[list[str]]:
    """Cut a file into its header and the stanzas that obonet knows, a blank line between them.

    obonet takes what follows a blank line or a comment for a header, and warns on the root logger
    of a header without a name.
    """
    header = ["ontology: unnamed"]
    stanza = header
    for line in text.splitlines():
        if line.startswith("["):
            yield from _known_stanza(stanza)
            stanza = [line.strip()]
        elif line.strip() and not line.startswith("!"):
            stanza.append(line)
    yield from _known_stanza(stanza)


def _known_stanza(stanza: list[str]) -> Iterator[list[str]]:
    if not stanza[0].startswith("[") or stanza[0] in _READ_STANZAS:
        yield [*stanza, ""]


def _line_number(text: str, line: str) -> str | None:
    numbered = enumerate(text.splitlines(), start=1)
    number = next((n for n, each in numbered if line and each.strip() == line.strip()), None)
    return f"line {number}" if number is not None else None


def _is_obsolete(about: Mapping[str, Any]) -> bool:
    return str(about.get("is_obsolete", "")) == "true"


def _term(name: str, about: Mapping[str, Any]) -> Term:
    synonyms = (_quoted(value) for tag in _SYNONYM_TAGS for value in about.get(tag, ()))
    return Term(
        id=name,
        name=_unescaped(about.get("name") or name),
        definition=_quoted(about.get("def") or ""),
        synonyms=_distinct(synonyms),
        xrefs=_distinct(value.split(" ")[0] for value in about.get("xref", ()) if value),
    )


def _quoted(value: str) -> str:
    """Give the text within the quotes of a value ("..." EXACT []), or the value without quotes."""
    match = _QUOTED.match(value)
    return _unescaped(match.group(1) if match else value)


def _unescaped(value: str) -> str:
    whole = _ESCAPE.sub(lambda match: _ESCAPES.get(match.group(1), match.group(1)), value)
    return " ".join(whole.split())


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
