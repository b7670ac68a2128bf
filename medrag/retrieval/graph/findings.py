"""How the findings that a question names look, so that they can be found in its picture."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from medrag.language import mention, sentences
from medrag.language.known import read_as
from medrag.protocols import Channel, Library, Retriever
from medrag.records import Filter, Hit, Passage, Question, Retrieved
from medrag.retrieval.asking.joining import ranked_in_order
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.graph.attributes import visual_attributes, with_attributes
from medrag.retrieval.graph.linking import Text, linked, names_of
from medrag.retrieval.graph.statements import narrowed
from medrag.retrieval.guarding import allows
from medrag.retrieval.tracing import asked, is_repeatable, named

_TERMS = frozenset({"term"})
_TEXTS = frozenset({"text", "table", "figure", "page"})
_SENTENCES = 3


class AttributesRetriever:
    """Definitions of the findings that a question names, with what can be seen of them.

    Each hit describes one finding by one passage, whose fields then have "name", "definition" (the
    words of the passage, followed by "; shape: ..., density: ...") and "attributes": what a prompt
    for grounding writes as "{finding} means {definition}". The passage's text stays as it was, for
    claims to be held against. A finding gets its terms first, then texts that name it and say how
    it looks; a passage that tells nothing that can be seen still counts if it is a definition.

    Findings are the terms that the question names; where a graph is missing or knows none, the
    question's text is the name of one ("pleural effusion").

    Args:
        rows: the passages of the index.
        graph: links the question to terms.
        texts: finds passages on a finding, asked with its name.
        n_findings: of a question.
        n_texts: passages looked through for each finding.
        per_finding: hits for each finding.

    Raises:
        ValueError: if there is neither graph nor texts, or a number is below 1.

    Source:
        K2Sight, arXiv 2508.04572.
    """

    def __init__(
        self,
        *,
        rows: Library,
        graph: Channel | None = None,
        texts: Retriever | None = None,
        n_findings: int = 2,
        n_texts: int = 10,
        per_finding: int = 3,
    ) -> None:
        check_positive(n_findings=n_findings, n_texts=n_texts, per_finding=per_finding)
        if graph is None and texts is None:
            raise ValueError("attributes need a graph or texts to read them from; give one")
        self.rows = rows
        self.graph = graph
        self.texts = texts
        self.n_findings = n_findings
        self.n_texts = n_texts
        self.per_finding = per_finding
        self.repeatable = is_repeatable(texts)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank descriptions for each question, at most k: those of its first finding first.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
        """
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """As `retrieve`; the trace tells the attributes of each finding, all passages together."""
        check_asked(questions, k, filters)
        findings = self._findings(questions, filters)
        wanted = [
            (at, finding, mask)
            for at, several in enumerate(findings)
            if (mask := narrowed(filters[at], _TEXTS)) is not None
            for finding in several
        ]
        told = self._told(questions, wanted)
        found = []
        for at, several in enumerate(findings):
            hits: list[Hit] = []
            steps: list[Mapping[str, Any]] = []
            for finding in several:
                texts = told.get((at, finding.name), Retrieved(()))
                described = _described(finding, texts.hits, filters[at])[: self.per_finding]
                hits += described
                steps += [*texts.trace, _step(finding, described)]
            # By their place: scores of a graph and of a retriever cannot be compared.
            found.append(Retrieved(ranked_in_order(hits, k), tuple(steps)))
        return found

    def _findings(
        self, questions: Sequence[Question], filters: Sequence[Filter]
    ) -> list[list["_Finding"]]:
        linked_to: list[list[_Finding]] = [[] for _ in questions]
        if self.graph is not None:
            masks = [narrowed(wanted, _TERMS) for wanted in filters]
            asking = [at for at, mask in enumerate(masks) if mask is not None]
            texts = [Text(questions[at].text, masks[at] or Filter()) for at in asking]
            for at, links in zip(asking, linked(self.graph, self.rows, texts), strict=True):
                terms = sorted(links, key=lambda link: -link.score)
                linked_to[at] = _gathered([link.passage for link in terms])[: self.n_findings]
        return [
            several or [_Finding(_bare(question.text), (), ())] * bool(_bare(question.text))
            for several, question in zip(linked_to, questions, strict=True)
        ]

    def _told(
        self, questions: Sequence[Question], wanted: Sequence[tuple[int, "_Finding", Filter]]
    ) -> dict[tuple[int, str], Retrieved]:
        """Ask for passages on every finding of every question, in one batch."""
        if self.texts is None or not wanted:
            return {}
        asking = [named(questions[at], finding.name) for at, finding, _ in wanted]
        found = asked(self.texts, asking, self.n_texts, [mask for _, _, mask in wanted])
        return {
            (at, finding.name): each for (at, finding, _), each in zip(wanted, found, strict=True)
        }


class _Finding(NamedTuple):
    name: str
    names: tuple[str, ...]
    terms: tuple[Passage, ...]


def _gathered(terms: Sequence[Passage]) -> list[_Finding]:
    """Put the terms of one name together: several ontologies may define one finding."""
    by_name: dict[str, list[Passage]] = {}
    for term in terms:
        by_name.setdefault(names_of(term)[0].casefold(), []).append(term)
    return [
        _Finding(
            names_of(several[0])[0],
            tuple(dict.fromkeys(name for term in several for name in names_of(term))),
            tuple(several),
        )
        for several in by_name.values()
    ]


def _described(finding: _Finding, texts: Sequence[Hit], wanted: Filter) -> list[Hit]:
    hits = []
    for term in finding.terms:
        definition = str(term.fields.get("definition") or "")
        if definition:
            hits.append(_hit(finding, term, [definition], 1.0))
    for text in texts:
        passage = text.passage
        if allows(wanted, passage) and (said := _naming(passage, finding.names or (finding.name,))):
            hits.append(_hit(finding, passage, said, text.score, text))
    # A text that says nothing to be seen of a finding is no description of it.
    seen = [hit for hit in hits if hit.passage.kind == "term" or hit.passage.fields["attributes"]]
    return list({hit.passage.id: hit for hit in reversed(seen)}.values())[::-1]


def _hit(
    finding: _Finding, passage: Passage, said: Sequence[str], score: float, found: Hit | None = None
) -> Hit:
    attributes = visual_attributes(said, language=passage.source.language)
    fields = {
        **passage.fields,
        "name": finding.name,
        "definition": with_attributes(" ".join(said), attributes),
        "attributes": {name: list(values) for name, values in attributes.items()},
    }
    made = replace(passage, fields=fields)
    if found is not None:
        return replace(found, passage=made, query=finding.name)
    return Hit(made, score, 1, finding.name)


def _naming(passage: Passage, names: Sequence[str]) -> list[str]:
    """Cut out the first sentences that affirm a finding by one of its names."""
    language = read_as(passage.source.language)
    said = []
    for start, end in sentences(passage.text, language):
        sentence = passage.text[start:end]
        if any(mention(sentence, name, language) == "affirmed" for name in names):
            said.append(sentence)
    with_something = [each for each in said if visual_attributes([each], language=language)]
    return (with_something or said)[:_SENTENCES]


def _step(finding: _Finding, hits: Sequence[Hit]) -> Mapping[str, Any]:
    told = [hit.passage.fields["definition"] for hit in hits]
    return {
        "step": "attributes",
        "finding": finding.name,
        "attributes": {name: list(each) for name, each in visual_attributes(told).items()},
    }


def _bare(text: str) -> str:
    return " ".join(text.split()).strip(" ?.!:")
