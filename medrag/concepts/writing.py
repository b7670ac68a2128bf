"""Write concepts from documents: retrieve, ask for questions, sift, and go on from those found."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from medrag.concepts.annotating import Annotator
from medrag.concepts.book import Concept
from medrag.concepts.prompts import writing_prompt
from medrag.concepts.sifting import (
    Judge,
    groundable,
    names_a_class,
    new,
    visual,
    well_formed,
)
from medrag.language import sentences
from medrag.protocols import Retriever
from medrag.records import Filter, Passage, Question

_START = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
# The share of a copied sentence's words that its passage's own sentence must have.
_COPIED = 0.8


@dataclass(slots=True)
class Written:
    """What came of writing: the concepts, and how many lines were turned away, by reason."""

    concepts: list[Concept] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    n_rounds: int = 0


def write_concepts(
    *,
    retriever: Retriever,
    judge: Judge,
    classes: Sequence[str],
    modality: str = "medical image",
    n: int = 150,
    rounds: int = 2000,
    depth: int = 50,
    documents: int = 10,
    known: Iterable[Concept] = (),
    allow: Filter = Filter(),  # noqa: B008 - frozen
    annotator: Annotator | None = None,
    reports: Sequence[str] = (),
    found: Callable[[Concept], None] = lambda _: None,
) -> Written:
    """Write concepts until there are n, no query brings a new document, or rounds are over.

    Queries are the classes first, then the concepts that the round before brought. A document is
    read once; a concept keeps the passage and the very sentence that it rests on.

    Args:
        judge: a generator, such as `medrag.verification.asking.GeneratorJudge`.
        modality: what the pictures are, such as "chest X-ray".
        depth: passages to retrieve for a query; the first `documents` of them not read before are
            shown to the generator.
        known: concepts to go on from, such as those of a run that was cut short.
        allow: which passages may be read.
        annotator: reads `reports`; a concept to which they do not say both yes and no is refused.
            None leaves that out.
        found: is told of each concept as it is accepted.

    Raises:
        ValueError: if there is no class, or a number is below 1.
        MedragError: if the generator replies to nothing.

    Source:
        KnoBo, arXiv 2405.14839 (concept generation), and its code: 150 concepts, k 50, 10
        documents.
    """
    if not [each for each in classes if each.strip()]:
        raise ValueError("classes is empty; name at least one")
    if min(n, rounds, depth, documents) < 1:
        raise ValueError("n, rounds, depth and documents must be at least 1")
    written = Written(concepts=list(known))
    used = {concept.passage for concept in written.concepts}
    queries = list(classes)
    while queries and len(written.concepts) < n and written.n_rounds < rounds:
        written.n_rounds += 1
        came: list[Concept] = []
        for query in queries:
            asked = f"{modality} {query} diagnosis criteria"
            passages = _unread(retriever, asked, depth, documents, used, allow)
            if not passages or len(written.concepts) >= n:
                continue
            used |= {passage.id for passage in passages}
            kept = _accepted(query, passages, written, judge, classes, modality)
            kept = _grounded(kept, annotator, reports, written.refused)
            for concept in kept[: n - len(written.concepts)]:
                written.concepts.append(concept)
                came.append(concept)
                found(concept)
        queries = [concept.question for concept in came]
    return written


def _accepted(
    query: str,
    passages: Sequence[Passage],
    written: Written,
    judge: Judge,
    classes: Sequence[str],
    modality: str,
) -> list[Concept]:
    """Have concepts written from passages, and give those that are not turned away."""
    prompt = writing_prompt(query, passages, modality=modality, classes=classes)
    reply = judge.judge([prompt])[0] or ""
    drafts = _drafts(reply, query, passages, written.refused)
    return _sifted(drafts, written, judge, classes, modality)


def _unread(
    retriever: Retriever, query: str, depth: int, most: int, used: set[str], allow: Filter
) -> list[Passage]:
    (ranking,) = retriever.retrieve([Question(text=query)], depth, [allow])
    unread = [hit.passage for hit in ranking if hit.passage.id not in used and hit.passage.text]
    return unread[:most]


def _drafts(
    reply: str, query: str, passages: Sequence[Passage], refused: Counter[str]
) -> list[Concept]:
    """Read lines of a question, the number of its document, and its sentence."""
    drafts = []
    for line in reply.splitlines():
        if not line.strip() or line.strip().lower() == "skip":
            continue
        # Split twice only: a sentence may hold a bar.
        question, bar, rest = line.partition("|")
        number, second, sentence = rest.partition("|")
        digits = re.search(r"\d+", number)
        if not (bar and second and digits and 1 <= int(digits.group(0)[:6]) <= len(passages)):
            refused["malformed"] += 1
            continue
        passage = passages[int(digits.group(0)[:6]) - 1]
        copied = own_sentence(sentence, passage)
        if copied is None:
            refused["not in its document"] += 1
            continue
        asked = _START.sub("", question).strip()
        source = passage.source.document
        drafts.append(Concept(asked, passage.id, source, copied, query, *statements(asked)))
    return drafts


def own_sentence(given: str, passage: Passage) -> str | None:
    """Find the sentence of a passage that a model meant to copy; None if there is none such."""
    wanted = _words(given)
    if not wanted:
        return None
    # A line of a file may end within a sentence.
    text = " ".join(passage.text.split())
    own = [text[start:end].strip() for start, end in sentences(text, "en")]
    best = max(own, key=lambda each: _shared(wanted, each), default="")
    return best if _shared(wanted, best) >= _COPIED else None


def statements(question: str) -> tuple[str, str]:
    """Say a yes-or-no question as true and as false: "Is there X?" as "there is X", "no X"."""
    said = question.strip().rstrip("?").strip()
    there = re.match(r"(?i)(?:is|are) there (?:any |an? |the )?(.+)", said)
    if there:
        return f"there is {there.group(1)}", f"there is no {there.group(1)}"
    first, _, rest = said.partition(" ")
    if rest and first.lower() in {"is", "are", "does", "do", "has", "have", "can"}:
        return f"{rest}: yes", f"{rest}: no"
    return f"{said}: yes", f"{said}: no"


def _sifted(
    drafts: Sequence[Concept],
    written: Written,
    judge: Judge,
    classes: Sequence[str],
    modality: str,
) -> list[Concept]:
    """Turn away what is no concept, cheap reasons first."""
    formed = _kept(drafts, [well_formed(each.question) for each in drafts], "no question", written)
    named = [not names_a_class(each.question, classes) for each in formed]
    unnamed = _kept(formed, named, "names a class", written)
    known = [each.question for each in written.concepts]
    fresh = _kept(
        unnamed, new([each.question for each in unnamed], known, judge), "not new", written
    )
    if not fresh:
        return []
    seen = visual([each.question for each in fresh], judge, modality=modality)
    return _kept(fresh, seen, "not visual", written)


def _grounded(
    concepts: list[Concept],
    annotator: Annotator | None,
    reports: Sequence[str],
    refused: Counter[str],
) -> list[Concept]:
    if annotator is None or not concepts:
        return concepts
    kept = []
    for concept in concepts:
        counts: Mapping[bool | None, int] = Counter(annotator.annotate(concept, reports))
        if groundable(counts):
            kept.append(concept)
        else:
            refused["not groundable"] += 1
    return kept


def _kept(
    concepts: Sequence[Concept], keep: Sequence[bool], reason: str, written: Written
) -> list[Concept]:
    written.refused[reason] += len(keep) - sum(keep)
    return [concept for concept, wanted in zip(concepts, keep, strict=True) if wanted]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _shared(wanted: Sequence[str], sentence: str) -> float:
    """Give the share of words that both have, counted as often as they stand."""
    own = Counter(_words(sentence))
    both = Counter(wanted) & own
    return both.total() / max(len(wanted), own.total(), 1)
