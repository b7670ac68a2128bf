"""Generate questions about the facts of a graph, each with the passages that answer it.

A question is drawn as a fact or a synonym first and put into words afterwards: a wording, one time
in three one that does not name the relation, and a way to write the name of what is asked about: as
it stands, by a synonym, with a typing mistake, abbreviated, or inflected and turned round.

The gold passages of a question about a symptom, a kind or a site are the passages of the very fact
that was drawn (equal head, relation and tail), however many facts the head has; of heads with more
than seven facts of one relation none is drawn, as they could not all stand among the first seven.
Those of a question about a synonym are the passages of the term (by its id) that list that synonym.
"""

import random
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from medrag.records import Passage
from tests.indexing.graph.questions.templates import Wordings

RELATIONS = {"has symptom": "symptom", "is_a": "kind", "located in": "site"}
_MOST = 7
_QUALIFIER = re.compile(r"\s*[(\[][^()\[\]]*[)\]]\s*$|,? NOS\b.*$")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
# How often a name is written so, in twentieths.
_WAYS = {"plain": 8, "synonym": 3, "typo": 4, "abbreviation": 3, "inflected": 2}


class Drawn(NamedTuple):
    """A question, the ids of the passages that answer it, and how it was made."""

    text: str
    gold: frozenset[str]
    about: str
    way: str
    named: bool


class _Subject(NamedTuple):
    about: str
    head: str
    other: str
    gold: frozenset[str]


class _Graph(NamedTuple):
    names: Mapping[str, str]
    synonyms: Mapping[str, list[str]]
    subjects: Mapping[str, list[_Subject]]


def drawn(
    passages: Sequence[Passage], wordings: Mapping[str, Wordings], *, n: int, seed: int
) -> list[Drawn]:
    """Draw n questions, equally many of each subject in turn; equal for an equal seed."""
    chance = random.Random(seed)
    graph = _read(passages)
    kinds = list(wordings)
    return [_question(graph, wordings, kinds[i % len(kinds)], i, chance) for i in range(n)]


def _read(passages: Sequence[Passage]) -> _Graph:
    names: dict[str, str] = {}
    synonyms: dict[str, list[str]] = defaultdict(list)
    facts: dict[tuple[str, str], dict[tuple[str, str], set[str]]] = defaultdict(dict)
    stated: dict[tuple[str, str], set[str]] = defaultdict(set)
    for passage in passages:
        values = passage.fields
        if passage.kind == "term":
            names.setdefault(values["id"], values["name"])
            for synonym in values.get("synonyms", ()):
                synonyms[values["id"]].append(synonym)
                stated[values["id"], synonym].add(passage.id)
        elif values.get("relation") in RELATIONS:
            head, about = values["head_id"], RELATIONS[values["relation"]]
            ends = facts[about, head]
            ends.setdefault((values["tail_id"], values["tail"]), set()).add(passage.id)
    subjects: dict[str, list[_Subject]] = defaultdict(list)
    for (about, head), ends in facts.items():
        if len(ends) <= _MOST and head in names:
            subjects[about] += [
                _Subject(about, head, tail, frozenset(found)) for (_, tail), found in ends.items()
            ]
    subjects["synonym"] = [
        _Subject("synonym", head, synonym, frozenset(found))
        for (head, synonym), found in stated.items()
        if _tidy(synonym).lower() != names[head].lower()
    ]
    return _Graph(names, synonyms, subjects)


def _question(
    graph: _Graph, wordings: Mapping[str, Wordings], about: str, i: int, chance: random.Random
) -> Drawn:
    subject = chance.choice(graph.subjects[about])
    named = (i // len(wordings)) % 3 != 0
    template = chance.choice(wordings[about].named if named else wordings[about].unnamed)
    way = chance.choices(list(_WAYS), weights=list(_WAYS.values()))[0]
    other = _tidy(subject.other)
    if "{x}" not in template:
        way, name = "plain", ""
    else:
        way, name = _written(graph, subject, way, chance)
    text = template.format(x=name, y=other)
    if chance.random() < 0.15:
        text = text.lower() if way != "abbreviation" else text
    return Drawn(text[:1].upper() + text[1:], subject.gold, about, way, named)


def _written(graph: _Graph, subject: _Subject, way: str, chance: random.Random) -> tuple[str, str]:
    """Write the name of what is asked about; plainly where it cannot be written so."""
    name = graph.names[subject.head]
    others = [s for s in graph.synonyms.get(subject.head, ()) if s != subject.other]
    if way == "synonym" and others:
        return way, _tidy(chance.choice(others))
    if way == "typo" and (mistyped := _mistyped(name, chance)):
        return way, mistyped
    if way == "abbreviation" and (short := _abbreviated(name, others, chance)):
        return way, short
    if way == "inflected" and (turned := _inflected(name, chance)) != name:
        return way, turned
    return "plain", name


def _tidy(name: str) -> str:
    return _QUALIFIER.sub("", name).strip() or name


def _mistyped(name: str, chance: random.Random) -> str:
    """Make a mistake in the longest word, never in its first letter; two in a very long one."""
    words = re.findall(r"[A-Za-z]+", name)
    word = max(words, key=len, default="")
    if len(word) < 6:
        return ""
    wrong = word
    for _ in range(2 if len(word) >= 10 and chance.random() < 0.25 else 1):
        wrong = _mistake(wrong, chance)
    return name.replace(word, wrong, 1) if wrong != word else ""


def _mistake(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    letter = chance.choice(_LETTERS)
    return chance.choice((
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + letter + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    ))  # fmt: skip


def _abbreviated(name: str, synonyms: Sequence[str], chance: random.Random) -> str:
    """Use an abbreviation of the ontology, or the initials, said with the name or from four on."""
    known = [s for s in synonyms if s.isupper() and s.isalnum() and 2 <= len(s) <= 6]
    if known:
        return chance.choice(known)
    words = [w for w in re.findall(r"[A-Za-z]+", name) if w not in ("of", "the", "with", "and")]
    initials = "".join(word[0].upper() for word in words)
    if len(words) < 3:
        return ""
    if len(words) >= 4 and chance.random() < 0.3:
        return initials
    return chance.choice((f"{name} ({initials})", f"{initials} ({name})"))


def _inflected(name: str, chance: random.Random) -> str:
    """Put the name in the plural, or turn "lung cancer" round into "cancer of the lung"."""
    words = name.split(" ")
    if len(words) == 2 and words[0].islower() and chance.random() < 0.5:
        return f"{words[1]} of the {words[0]}"
    if name.endswith(("r", "n", "e", "t", "ma")):
        return f"{name}s"
    if "-" in name:
        return name.replace("-", " ")
    return name
