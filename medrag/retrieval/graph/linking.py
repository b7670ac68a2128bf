"""Which terms and facts of a graph a text speaks of, and whether it denies them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from medrag.language import mention, sentences
from medrag.language.known import read_as
from medrag.protocols import Channel, Library
from medrag.records import Filter, Passage, Question, ScoredRow
from medrag.retrieval.graph.statements import narrowed
from medrag.retrieval.guarding import allows

GRAPH: frozenset[str] = frozenset({"term", "fact"})
# Of a text, and of each sentence: the graph is asked for that many.
_SENTENCES = 24
_SENTENCE = 600
_PER_SENTENCE = 12
_PLACE = re.compile(r"(?:\b|_)(?:located|location|site|part|region|anatom)")


class Text(NamedTuple):
    """A text, its language, and which passages may be linked to it."""

    words: str
    wanted: Filter
    language: str = "en"


class Linked(NamedTuple):
    """A term or fact, the concept by which a sentence named it, and whether it affirms that."""

    passage: Passage
    concept: str
    affirmed: bool
    score: float
    sentence: str


def linked(graph: Channel, rows: Library, texts: Sequence[Text]) -> list[list[Linked]]:
    """Ask a graph with each sentence of each text; all of them in one batch.

    A term is linked where the sentence holds its name or a synonym, a fact where it holds the head
    or the tail; what the graph gives beside these, for standing near, is left out.

    Returns:
        For each text the best link of each passage by its score in the graph, in the order of the
        sentences; an affirmed one goes before a denied one.
    """
    asked: list[tuple[int, str]] = []
    masks: list[Filter] = []
    for at, text in enumerate(texts):
        mask = narrowed(text.wanted, GRAPH)
        if mask is not None:
            said = _sentences(text)
            asked += [(at, sentence) for sentence in said]
            masks += [mask] * len(said)
    questions = [Question(text=sentence) for _, sentence in asked]
    rankings = graph.search(questions, _PER_SENTENCE, masks) if asked else []
    found: list[dict[str, Linked]] = [{} for _ in texts]
    for (at, sentence), ranking in zip(asked, rankings, strict=True):
        for one in _named(rows, ranking, sentence, texts[at]):
            known = found[at].get(one.passage.id)
            if known is None or (one.affirmed, one.score) > (known.affirmed, known.score):
                found[at][one.passage.id] = one
    return [list(each.values()) for each in found]


def places_named(links: Sequence[Linked]) -> frozenset[str]:
    """Tell which concepts are places: those at which facts say that something else lies.

    "The lungs are clear" names the lung, and nothing of what may be found there.
    """
    return frozenset(link.concept for link in links if lies_there(link))


def lies_there(link: Linked) -> bool:
    """Tell whether a fact was linked by the place that it ends at."""
    fields = link.passage.fields
    relation = str(fields.get("relation") or "").casefold()
    tail = str(fields.get("tail") or "").casefold()
    return link.passage.kind == "fact" and link.concept == tail and bool(_PLACE.search(relation))


def names_of(passage: Passage) -> list[str]:
    """List what a term is called, or the ends of a fact."""
    fields = passage.fields
    if passage.kind == "fact":
        return [str(fields[end]) for end in ("head", "tail") if fields.get(end)]
    synonyms = fields.get("synonyms")
    listed = synonyms if isinstance(synonyms, list | tuple) else ()
    return [str(each) for each in (fields.get("name") or passage.text, *listed) if each]


def named_in(sentence: str, names: Sequence[str], language: str) -> tuple[str, bool] | None:
    """Find the longest of several names in a sentence, and whether it is affirmed there."""
    folded = sentence.casefold()
    read = read_as(language)
    for name in sorted(names, key=lambda each: (-len(each), each)):
        # Stems are cut at the end of words, so that a stranger's beginning rules a name out.
        first = name.casefold().split()[:1]
        if first and first[0][:3] in folded:
            how = mention(sentence, name, read)
            if how != "absent":
                return name, how == "affirmed"
    return None


def _named(rows: Library, ranking: Sequence[ScoredRow], sentence: str, text: Text) -> list[Linked]:
    passages = rows.passages_at([one.row for one in ranking])
    links = []
    for passage, one in zip(passages, ranking, strict=True):
        if passage.kind not in GRAPH or not allows(text.wanted, passage):
            continue
        found = named_in(sentence, names_of(passage), text.language)
        if found is not None:
            concept = found[0] if passage.kind == "fact" else names_of(passage)[0]
            links.append(Linked(passage, concept.casefold(), found[1], one.score, sentence))
    return links


def _sentences(text: Text) -> list[str]:
    language = read_as(text.language)
    spans = sentences(text.words, language)[:_SENTENCES]
    return list(dict.fromkeys(text.words[start:end][:_SENTENCE] for start, end in spans))
