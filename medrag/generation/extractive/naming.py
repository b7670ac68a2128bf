"""What a sentence is about: the thing that a question names, something narrower, or another."""

import re

from medrag.generation.extractive.evidence import Unit
from medrag.generation.extractive.quoting import heading_of
from medrag.language import stems
from medrag.records import Passage

# "Which diseases have X as a symptom?" and "what kinds of X are there?" ask for heads of facts.
_ASKS_HEADS = re.compile(
    r"\b(?:which|what|name|list)\s+(?:(?!kind|type|sort|form)\w+\s+){0,2}?"
    r"(?:diseases?|disorders?|conditions?|illness(?:es)?|tumou?rs?|cancers?|neoplasms?)\b|"
    r"\b(?:kinds|types|sorts|forms|subtypes|variet(?:y|ies)|examples) of\b",
    re.I,
)
_WHERE = re.compile(r"\s*(?:where|in (?:which|what))\b", re.I)
_BRACKETS = re.compile(r"\s*\(([^()]*)\)\s*")
_ENTRY = re.compile(r"([^:.;]{2,80}):\s")
_UNNAMED, _WRONG_END = 0.5, 0.3


def names_in(name: str, language: str) -> list[frozenset[str]]:
    """List the ways to say a name, as stems: whole, without what is in brackets, that alone.

    "computed tomography (CT)" is named by "computed tomography" and by "CT".
    """
    ways = [name, _BRACKETS.sub(" ", name), *_BRACKETS.findall(name)]
    return [frozenset(stems(way, language)) for way in ways]


def is_named(name: str, asked: frozenset[str], language: str) -> bool:
    """Tell whether a question, given as its stems, holds every word of a name."""
    return any(way and way <= asked for way in names_in(name, language))


def aboutness(question: str, unit: Unit) -> float:
    """Weigh a sentence down that is about something else than what a question names.

    A fact is about its head. It counts for nothing where the question names its tail alone ("what
    are the symptoms of myocarditis?" and "trichinosis has symptom myocarditis"), unless the
    question asks for heads ("which diseases have myocarditis as a symptom?"). So do the facts that
    a term lists ("trichinosis, has symptom: myocarditis"), and those that it lists from their other
    end ("myocarditis, symptom of: trichinosis"). A term, or an entry of a glossary, whose name
    holds words that the question lacks is about something else; where a thing is, is not told by
    what lies in it.

    Returns:
        In [0, 1]; 1 where nothing speaks against it.
    """
    passage, language = unit.hit.passage, unit.hit.passage.source.language
    asked = frozenset(stems(question, language))
    if passage.kind == "fact":
        return _of_fact(question, passage, asked, language)
    heading = heading_of(passage, unit.text)
    said = asked.intersection(stems(unit.text.partition(":")[2], language))
    if _ASKS_HEADS.search(question) and passage.kind == "term":
        return 1.0 if said or _from_the_other_end(heading) else _WRONG_END
    if _from_the_other_end(heading):
        return _WRONG_END
    names = entry_names(unit)
    if not names or any(is_named(name, asked, language) for name in names):
        return 1.0
    if _WHERE.match(question):
        return 0.0
    return 0.0 if heading and said else _UNNAMED


def entry_names(unit: Unit) -> list[str]:
    """Give the names of what a term or an entry of a glossary explains; none for prose."""
    passage = unit.hit.passage
    if passage.kind == "term":
        synonyms = passage.fields.get("synonyms") or ()
        return [str(passage.fields.get("name") or ""), *map(str, synonyms)]
    title = passage.fields.get("title")
    entry = _ENTRY.match(passage.text)
    return [entry[1]] if entry and title == entry[1] else []


def _of_fact(question: str, passage: Passage, asked: frozenset[str], language: str) -> float:
    head, tail = (str(passage.fields.get(end) or "") for end in ("head", "tail"))
    named = is_named(head, asked, language)
    tail_named = is_named(tail, asked, language)
    if _ASKS_HEADS.search(question):
        return 1.0 if tail_named else _WRONG_END
    if named:
        return 1.0
    return 0.0 if tail_named else _UNNAMED


def _from_the_other_end(heading: str) -> bool:
    return heading != "kind of" and heading.endswith((" of", "includes", " from"))
