"""Route a question, find a page for each query, and let an agent read the pages into facts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal, get_args

from medrag.protocols import Generator, PassageRows, Retriever, Tool
from medrag.records import Filter, Hit, Prompt, Question, Retrieved
from medrag.retrieval.agentic.budget import Budget, spent
from medrag.retrieval.agentic.inquiry import Inquiry, noted, retrieved, used, with_page
from medrag.retrieval.agentic.reading import PageReader
from medrag.retrieval.agentic.routing import Route, RoutedQuery, path_of, read_route
from medrag.retrieval.agentic.talk import Means
from medrag.retrieval.asking.paying import Reply, paid_replies
from medrag.retrieval.asking.replying import each_outcome, problem_of, told
from medrag.retrieval.asking.showing import Asked, written
from medrag.retrieval.asking.wording import filled, wording
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.tracing import asked

PartitionBy = Literal["domain", "corpus"]


class AgenticRetriever:
    """Have a router write queries, and an agent read the best page of each into facts.

    The router answers in the format of `medrag.retrieval.agentic.routing`. Where it says that
    nothing is needed, there are no hits. Where its reply breaks the format in anything, or it
    fails, the question itself is the one query. A partition narrows the filter of its query; one
    that the filter does not allow, or that holds nothing, is left out.

    The agent is shown the best page of a query, and may search for others, and look closer at a
    part of the last one, until it sums up. Its facts become `Hit.summary` of the pages that they
    name; a page of which it says nothing beside others, and all where it finds them of no use, are
    left out. Where no summary comes (it fails, a budget is spent), the pages that it was shown are
    the hits, as they are. Questions of a batch go on together.

    No question goes beyond its budgets; what a query leaves of its equal share, the next may use.
    Hits stand in the order of queries; their score is 1 / rank. The trace has the steps "route"
    (reply, decision path, queries), "page" (what was found for a query), "turn" (reply, action,
    arguments, page, boxes, what is left of every budget) and "read" (what was kept, and why).

    Args:
        retriever: of pages; gets the query and the question's pictures. It may rerank.
        generator: the agent.
        rows: the passages of the index.
        router: None for the generator; `route` False asks none.
        look: a tool that shows a part of a picture, such as `crop`; None offers no closer look.
        route: ask the router; without, the question itself is the one query.
        partitions: what the router may name, with the domain or corpus that each stands for.
        partition_by: whether these are domains or corpora.
        max_queries: of one question; a router that writes more is at fault.
        depth: pages of the first stage, of which the best one is read.
        max_turns, max_tokens, max_searches, max_images: of one question: replies of the agent; of
            all prompts and replies, those of the router included; searches of the agent; pictures
            of pages and their parts. Where a generator does not count tokens, they are estimated
            from above, and the trace says so.

    Raises:
        ValueError: if a number is out of range, or a partition has no name.

    Source:
        Patho-AgenticRAG, arXiv 2508.02258: 20 pages, the best of each query. It gives no budgets;
        these are ours.
    """

    repeatable = False

    def __init__(
        self,
        *,
        retriever: Retriever,
        generator: Generator,
        rows: PassageRows,
        router: Generator | None = None,
        look: Tool | None = None,
        route: bool = True,
        partitions: Mapping[str, str] | None = None,
        partition_by: PartitionBy = "domain",
        max_queries: int = 4,
        depth: int = 20,
        max_turns: int = 12,
        max_tokens: int = 100_000,
        max_searches: int = 6,
        max_images: int = 12,
    ) -> None:
        if partition_by not in get_args(PartitionBy):
            raise ValueError(f"partition_by must be domain or corpus, got {partition_by!r}")
        for name, value in (partitions or {}).items():
            if not name.strip() or not value.strip():
                raise ValueError(f"partitions holds a blank name: {name!r}: {value!r}")
        check_positive(
            max_queries=max_queries, depth=depth, max_turns=max_turns, max_tokens=max_tokens
        )
        for key, number in {"max_searches": max_searches, "max_images": max_images}.items():
            if number < 0:
                raise ValueError(f"{key} must be at least 0, got {number}")
        self.retriever = retriever
        self.means = Means(generator, look)
        self.rows = rows
        self.router = generator if router is None else router
        self.route = route
        self.partitions = dict(partitions or {})
        self.partition_by = partition_by
        self.max_queries = max_queries
        self.depth = depth
        self.budget = Budget(max_turns, max_tokens, max_searches, max_images)

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages; see `retrieve_traced`."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Route, find, and read.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
            Exception: what the retriever raises on the queries of the router.
        """
        check_asked(questions, k, filters)
        inquiries = [Inquiry(q, f, self.budget) for q, f in zip(questions, filters, strict=True)]
        routed = self._routed(inquiries) if self.route else [(each, None) for each in inquiries]
        reader = PageReader(
            means=self.means,
            rows=self.rows,
            search=self._asked,
            asked=_question,
            narrowed=self._narrowed,
        )
        return [retrieved(each, k) for each in reader.read(self._with_pages(routed))]

    def _routed(self, inquiries: Sequence[Inquiry]) -> list[tuple[Inquiry, Route | None]]:
        """Ask the router; a route of None stands for the question itself."""
        prompts = each_outcome(self._router_prompts, inquiries, "writing prompts")
        places = range(len(inquiries))
        purse = {place: each.left.tokens for place, each in enumerate(inquiries)}
        given = paid_replies(self.router, prompts, places, purse)
        return [self._decided(each, reply) for each, reply in zip(inquiries, given, strict=True)]

    def _router_prompts(self, inquiries: Sequence[Inquiry]) -> list[Prompt]:
        words = wording(__package__, "router")
        texts = words.texts
        calls = [texts["rag"], texts["classifier"]] if self.partitions else [texts["rag"]]
        named = filled(texts["partitions"], {"names": "; ".join(self.partitions)})
        values = {
            "calls": "\n".join(calls),
            "max_queries": self.max_queries,
            "partitions": named if self.partitions else texts["no_partitions"],
        }
        return [written(Asked(each.question, (), (), values), words, self.router)
                for each in inquiries]  # fmt: skip

    def _decided(self, inquiry: Inquiry, reply: Reply) -> tuple[Inquiry, Route | None]:
        inquiry = used(inquiry, reply)
        inquiry = replace(inquiry, left=spent(inquiry.left, tokens=reply.charged))
        if isinstance(reply.made, Exception):
            route, said = Route(problem=problem_of(reply.made)), ""
        else:
            said, thoughts = reply.made.text, reply.made.thoughts
            route = read_route(
                said, self.partitions, max_queries=self.max_queries, thoughts=thoughts
            )
        path = path_of(route)
        step: dict[str, Any] = {
            "step": "route",
            "reply": told(said),
            "decision": None if path is None else asdict(path),
            "queries": [asdict(query) for query in route.queries],
        }
        if route.problem:
            step["problem"] = f"{told(route.problem)}; the question itself is searched for"
        return noted(inquiry, step), None if route.problem else route

    def _with_pages(self, routed: Sequence[tuple[Inquiry, Route | None]]) -> list[Inquiry]:
        """Find the best page of every query, of all questions at once."""
        wanted = [
            (place, query, _question(inquiry.question, query))
            for place, (inquiry, route) in enumerate(routed)
            for query in ((RoutedQuery(""),) if route is None else route.queries)
        ]
        filters = [self._narrowed(routed[place][0].wanted, query) for place, query, _ in wanted]
        found = self._asked([question for *_, question in wanted], filters)
        inquiries = [inquiry for inquiry, _ in routed]
        bare = [
            at for at, each in enumerate(found)
            if not each.hits and filters[at] != inquiries[wanted[at][0]].wanted
        ]  # fmt: skip
        whole = [inquiries[wanted[at][0]].wanted for at in bare]
        again = dict(zip(bare, self._asked([wanted[at][2] for at in bare], whole), strict=True))
        for at, (place, query, _) in enumerate(wanted):
            one = again.get(at, found[at])
            narrowed = filters[at] != inquiries[place].wanted and at not in again
            inquiries[place] = with_page(inquiries[place], query, one, narrowed=narrowed)
        return inquiries

    def _asked(self, questions: Sequence[Question], filters: Sequence[Filter]) -> list[Retrieved]:
        return asked(self.retriever, questions, self.depth, filters) if questions else []

    def _narrowed(self, wanted: Filter, query: RoutedQuery) -> Filter:
        """Restrict a filter to the partition of a query, where it allows that one."""
        name = self.partitions.get(query.partition or "")
        by_domain = self.partition_by == "domain"
        allowed = wanted.domains if by_domain else wanted.corpora
        # Where a filter names others, their intersection would be an empty set, which allows all.
        if name is None or (allowed and name not in allowed):
            return wanted
        only = frozenset({name})
        return replace(wanted, domains=only) if by_domain else replace(wanted, corpora=only)


def _question(question: Question, query: RoutedQuery) -> Question:
    """Give the question that a query asks; the question itself for one without words."""
    if not query.text:
        return question
    return replace(question, text=query.text, options=(), history=())
