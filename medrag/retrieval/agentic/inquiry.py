"""How far one question has come on its way through queries, pages and facts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from medrag.records import Filter, Hit, Question, Retrieved, Usage
from medrag.records.usage import together
from medrag.retrieval.agentic.budget import Budget, less
from medrag.retrieval.agentic.routing import RoutedQuery
from medrag.retrieval.agentic.talk import Talk
from medrag.retrieval.agentic.turns import facts_of
from medrag.retrieval.asking.joining import joined, ranked_in_order
from medrag.retrieval.asking.paying import Reply


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question on its way.

    Attributes:
        wanted: the filter, as it came.
        left: what may be spent on the question, less what the present talk spends.
        queries: with the page found for each, that are still to be read.
        talk: about the query that is being read.
        hits: that were read, in order.
        exact: whether all tokens that were spent were told, and none estimated.
    """

    question: Question
    wanted: Filter
    left: Budget
    queries: tuple[tuple[RoutedQuery, Hit], ...] = ()
    talk: Talk | None = None
    hits: tuple[Hit, ...] = ()
    trace: tuple[Mapping[str, Any], ...] = ()
    usages: tuple[Usage | None, ...] = ()
    exact: bool = True


def noted(inquiry: Inquiry, *steps: Mapping[str, Any]) -> Inquiry:
    """Add steps to the trace."""
    return replace(inquiry, trace=(*inquiry.trace, *steps))


def used(inquiry: Inquiry, reply: Reply) -> Inquiry:
    """Add what a reply took to the usage."""
    usages = (*inquiry.usages, reply.usage)
    return replace(inquiry, usages=usages, exact=inquiry.exact and reply.exact)


def with_page(inquiry: Inquiry, query: RoutedQuery, found: Retrieved, *, narrowed: bool) -> Inquiry:
    """Take the best page that was found for a query, unless it is there already.

    Args:
        query: without words for the question itself.
        narrowed: whether its partition was searched alone.
    """
    taken = {page.passage.id for _, page in inquiry.queries}
    best = next((hit for hit in found.hits[:1] if hit.passage.id not in taken), None)
    query = replace(query, text=query.text or inquiry.question.text)
    step = {
        "step": "page",
        "query": query.text,
        "partition": query.partition if narrowed else None,
        "found": [hit.passage.id for hit in found.hits],
        "taken": best.passage.id if best else None,
    }
    inquiry = noted(inquiry, step, *found.trace)
    queries = (*inquiry.queries, (query, best)) if best else inquiry.queries
    return replace(inquiry, queries=queries, usages=(*inquiry.usages, found.usage))


def what_is_left(inquiry: Inquiry) -> Budget:
    """Say what may be spent on the question yet."""
    talk = inquiry.talk
    return less(inquiry.left, talk.begun, talk.left) if talk else inquiry.left


def told_left(inquiry: Inquiry) -> dict[str, Any]:
    """Write what is left for a trace, and whether its tokens were told or estimated."""
    counted = "told" if inquiry.exact else "estimated"
    return {"left": asdict(what_is_left(inquiry)), "counted": counted}


def summed_up(inquiry: Inquiry, talk: Talk, summary: str) -> Inquiry:
    """End a talk with its facts; blank ones say that the pages are of no use."""
    facts = facts_of(summary, len(talk.pages))
    kept = [
        replace(page, summary=text)
        for page, text in zip(talk.pages, facts.by_page, strict=True)
        if text
    ]
    step = {**read_step(talk.query, talk.pages, kept), "unmarked": facts.unmarked}
    return _ended(inquiry, kept, step)


def broken_off(inquiry: Inquiry, talk: Talk, problem: str) -> Inquiry:
    """End a talk without facts: the pages count as they are."""
    step = {**read_step(talk.query, talk.pages, talk.pages), "problem": problem}
    return _ended(inquiry, talk.pages, step)


def left_bare(inquiry: Inquiry, query: RoutedQuery, page: Hit, problem: str) -> Inquiry:
    """Take a page of which no talk could begin as it is."""
    step = {**read_step(query, [page], [page]), "problem": problem}
    return noted(replace(inquiry, hits=joined(inquiry.hits, [page])), step)


def read_step(query: RoutedQuery, pages: Sequence[Hit], kept: Sequence[Hit]) -> dict[str, Any]:
    """Say which pages were read for a query, and which of them count."""
    return {
        "step": "read",
        "query": query.text,
        "pages": [page.passage.id for page in pages],
        "kept": [page.passage.id for page in kept],
        "summaries": [page.summary for page in kept],
    }


def retrieved(inquiry: Inquiry, k: int) -> Retrieved:
    """Give the hits as a ranking; the score of a hit is 1 / rank."""
    hits = ranked_in_order(inquiry.hits, k)
    return Retrieved(hits, inquiry.trace, together(inquiry.usages))


def _ended(inquiry: Inquiry, kept: Sequence[Hit], step: Mapping[str, Any]) -> Inquiry:
    left = what_is_left(inquiry)
    ended = replace(inquiry, left=left, talk=None, hits=joined(inquiry.hits, kept))
    return noted(ended, step)
