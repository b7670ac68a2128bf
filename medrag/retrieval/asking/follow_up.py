"""Ask what must be known first: rounds of follow-up queries, each answered from its own hits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medrag.language import fenced, printable, without_markers
from medrag.language.markers import markers
from medrag.protocols import Generator, PassageRows, Retriever
from medrag.records import Filter, Hit, Prompt, Question, Retrieved, Usage
from medrag.records.usage import together
from medrag.retrieval.asking.joining import joined, ranked_in_order
from medrag.retrieval.asking.paying import Reply, paid_replies
from medrag.retrieval.asking.queries import read_queries, same_query
from medrag.retrieval.asking.replying import problem_of, prompts_for, told
from medrag.retrieval.asking.showing import Asked, found_images, said, written
from medrag.retrieval.asking.wording import filled, wording
from medrag.retrieval.checking import check_asked, check_positive
from medrag.retrieval.tracing import asked, asked_at

STEP = "follow_up"
_LONGEST_ANSWER = 2000
_NOTHING = "No answer was found."


@dataclass(frozen=True, slots=True)
class _Exchange:
    query: str
    answer: str


@dataclass(frozen=True, slots=True)
class _Way:
    """How far one question has come.

    Attributes:
        wanted: the filter, as it came.
        hits: that answered a query, in the order of the queries, each once.
        tokens: left to spend.
        exact: whether all that was spent was told, and nothing estimated.
        done: whether it asks no more.
    """

    question: Question
    wanted: Filter
    tokens: int
    exchanges: tuple[_Exchange, ...] = ()
    hits: tuple[Hit, ...] = ()
    trace: tuple[Mapping[str, Any], ...] = ()
    usages: tuple[Usage | None, ...] = ()
    exact: bool = True
    done: bool = False


@dataclass(frozen=True, slots=True)
class _Query:
    """One follow-up query of a way, what was found for it, and what the reader made of that."""

    way: int
    question: Question
    found: Retrieved = Retrieved(())  # noqa: RUF009 - frozen
    reply: Reply | None = None


class FollowUpRetriever:
    """Have a model ask follow-up queries in rounds, and answer each shortly from its hits.

    In each round the model is told the question and what was asked and answered so far. A query is
    retrieved with the filter of its question, and answered from its hits by the reader; the answer
    becomes the `summary` of the hits that it cites, or of the best one. A query that was asked
    before is not asked again. It ends when the model says so, asks nothing new, writes what cannot
    be read, fails, or a budget is spent. Questions of a batch go on together. Where no query
    brought anything, the question itself is retrieved.

    Hits stand in the order in which they answered; their score is 1 / rank. The trace has for each
    round {"step": "follow_up", "round", "reply", "done", "queries": [{"query", "found", "answer",
    "kept"}], "tokens_left", "counted"}, with "problem" where there was one, and {"step": "plain"}
    where the question itself was retrieved.

    Args:
        retriever: of the queries.
        generator: asks.
        rows: the passages of the index.
        reader: answers the queries; None for the generator.
        n_queries: in a round at most.
        n_rounds: at most.
        depth: hits that the reader is shown of each query.
        max_tokens: of all prompts and replies of one question; a call that might go beyond is not
            made. Where a generator does not count, tokens are estimated from above.
        with_pictures: ask the queries with the pictures of the question; without, they are of
            words alone, as they ask for what is known in general.

    Raises:
        ValueError: if a number is out of range.

    Source:
        Xiong et al., "Improving retrieval-augmented generation in medicine with iterative
        follow-up questions" (i-MedRAG), arXiv 2408.00727: 3 queries, 4 rounds.
    """

    repeatable = False

    def __init__(
        self,
        *,
        retriever: Retriever,
        generator: Generator,
        rows: PassageRows,
        reader: Generator | None = None,
        n_queries: int = 3,
        n_rounds: int = 4,
        depth: int = 8,
        max_tokens: int = 100_000,
        with_pictures: bool = False,
    ) -> None:
        check_positive(n_queries=n_queries, n_rounds=n_rounds, depth=depth, max_tokens=max_tokens)
        self.retriever = retriever
        self.generator = generator
        self.rows = rows
        self.reader = generator if reader is None else reader
        self.n_queries = n_queries
        self.n_rounds = n_rounds
        self.depth = depth
        self.max_tokens = max_tokens
        self.with_pictures = with_pictures

    def retrieve(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[list[Hit]]:
        """Rank passages; see `retrieve_traced`."""
        return [list(each.hits) for each in self.retrieve_traced(questions, k, filters)]

    def retrieve_traced(
        self, questions: Sequence[Question], k: int, filters: Sequence[Filter]
    ) -> list[Retrieved]:
        """Ask, retrieve and read, round by round.

        Raises:
            ValueError: if k is below 1, or questions and filters differ in number.
            Exception: what the retriever raises.
        """
        check_asked(questions, k, filters)
        ways = [_Way(q, f, self.max_tokens) for q, f in zip(questions, filters, strict=True)]
        for number in range(1, self.n_rounds + 1):
            if all(way.done for way in ways):
                break
            ways = self._round(ways, number)
        plain = [place for place, way in enumerate(ways) if not way.hits]
        found = asked_at(plain, self.retriever, questions, k, filters)
        return [_retrieved(way, k, found.get(place)) for place, way in enumerate(ways)]

    def _round(self, ways: Sequence[_Way], number: int) -> list[_Way]:
        """Ask for queries, search for them, read what was found, and go on from that."""
        ways = list(ways)
        going = [place for place, way in enumerate(ways) if not way.done]
        steps, queries = {}, []
        for place, reply in zip(going, self._asked_for(ways, going), strict=True):
            ways[place], steps[place], wanted = self._read(ways[place], reply, number)
            queries += [_Query(place, self._alone(ways[place].question, text)) for text in wanted]
        found = asked(
            self.retriever,
            [query.question for query in queries],
            self.depth,
            [ways[query.way].wanted for query in queries],
        )
        queries = [replace(q, found=each) for q, each in zip(queries, found, strict=True)]
        queries = self._answered(ways, queries)
        for place, step in steps.items():
            own = [query for query in queries if query.way == place]
            ways[place] = _with_answers(ways[place], own, step)
        return ways

    def _alone(self, question: Question, text: str) -> Question:
        """Ask something else for the same patient."""
        bare = replace(question, text=text, options=(), history=())
        return bare if self.with_pictures else replace(bare, images=(), regions=())

    def _asked_for(self, ways: Sequence[_Way], going: Sequence[int]) -> list[Reply]:
        words = wording(__package__, "follow_up")

        def prompt(at: int) -> Prompt:
            asked = Asked(ways[at].question, (), (), self._told(ways[at]))
            return written(asked, words, self.generator)

        return paid_replies(self.generator, prompts_for(prompt, going), going, _purses(ways))

    def _told(self, way: _Way) -> dict[str, object]:
        texts = wording(__package__, "follow_up").texts
        lines = [f"{each.query}\n{each.answer}" for each in way.exchanges]
        exchanges = fenced("\n".join(lines)).strip("\n")
        history = filled(texts["history"], {"exchanges": exchanges})
        return {
            "history": history if lines else texts["no_history"],
            "n_queries": self.n_queries,
        }

    def _read(
        self, way: _Way, reply: Reply, number: int
    ) -> tuple[_Way, dict[str, Any], tuple[str, ...]]:
        """Give which queries a reply asks for; none ends the way."""
        step: dict[str, Any] = {"step": STEP, "round": number}
        way = _charged(way, [reply])
        if isinstance(reply.made, Exception):
            step |= {"reply": "", "problem": problem_of(reply.made)}
            return replace(way, done=True), step, ()
        read = read_queries(said(reply.made), self.n_queries)
        earlier = [each.query for each in way.exchanges]
        new = tuple(
            query for query in read.queries if not any(same_query(query, each) for each in earlier)
        )
        step |= {"reply": told(reply.made.text), "done": read.done}
        if read.refused:
            step["refused"] = read.refused
        if not new and not read.done:
            step["problem"] = "the reply asks nothing new that can be searched for"
        return replace(way, done=not new), step, new

    def _answered(self, ways: Sequence[_Way], queries: Sequence[_Query]) -> list[_Query]:
        """Have the reader answer each query that found anything, as long as the tokens last."""
        words = wording(__package__, "reading")
        read = [query for query in queries if query.found.hits]
        made = prompts_for(lambda query: written(self._shown(query), words, self.reader), read)
        owners = [query.way for query in read]
        given = iter(paid_replies(self.reader, made, owners, _purses(ways)))
        return [
            replace(query, reply=next(given)) if query.found.hits else query for query in queries
        ]

    def _shown(self, query: _Query) -> Asked:
        hits = query.found.hits[: self.depth]
        images = tuple(found_images(hit.passage, self.rows) for hit in hits)
        return Asked(query.question, hits, images, {})


def _purses(ways: Sequence[_Way]) -> dict[int, int]:
    return {place: way.tokens for place, way in enumerate(ways)}


def _charged(way: _Way, given: Sequence[Reply]) -> _Way:
    return replace(
        way,
        tokens=way.tokens - sum(reply.charged for reply in given),
        usages=(*way.usages, *(reply.usage for reply in given)),
        exact=way.exact and all(reply.exact for reply in given),
    )


def _with_answers(way: _Way, queries: Sequence[_Query], step: Mapping[str, Any]) -> _Way:
    """Go on with what the queries of a round brought, and say so in the trace."""
    told_queries: list[Mapping[str, Any]] = []
    inner: list[Mapping[str, Any]] = []
    for query in queries:
        way = _charged(way, [query.reply] if query.reply else [])
        way = replace(way, usages=(*way.usages, query.found.usage))
        answer, kept, problem = _answer(query)
        way = replace(
            way,
            exchanges=(*way.exchanges, _Exchange(query.question.text, answer or _NOTHING)),
            hits=joined(way.hits, kept),
        )
        line = {
            "query": query.question.text,
            "found": [hit.passage.id for hit in query.found.hits],
            "answer": told(answer),
            "kept": [hit.passage.id for hit in kept],
        }
        told_queries.append({**line, "problem": problem} if problem else line)
        inner += query.found.trace
    left = {"tokens_left": way.tokens, "counted": "told" if way.exact else "estimated"}
    step = {**step, "queries": told_queries, **left}
    return replace(way, trace=(*way.trace, step, *inner))


def _answer(query: _Query) -> tuple[str, tuple[Hit, ...], str]:
    """Give the answer to a query, the hits that it stands on, and what went wrong."""
    if query.reply is None:
        return "", (), "nothing was found"
    made, hits = query.reply.made, query.found.hits
    if isinstance(made, Exception):
        # What was found counts, though no one has read it.
        return "", hits[:1], problem_of(made)
    text = said(made)[:_LONGEST_ANSWER]
    answer = printable(without_markers(text)).strip()
    if made.abstained or not answer:
        return "", (), "the reader found no answer"
    cited = markers(text, len(hits)).numbers or (1,)
    summary = f"{query.question.text}\n{answer}"
    return answer, tuple(replace(hits[n - 1], summary=summary) for n in cited), ""


def _retrieved(way: _Way, k: int, plain: Retrieved | None) -> Retrieved:
    usage = together([*way.usages, plain.usage if plain else None])
    if plain is not None:
        step = {"step": "plain", "why": "no follow-up query brought anything"}
        return Retrieved(plain.hits, (*way.trace, step, *plain.trace), usage)
    return Retrieved(ranked_in_order(way.hits, k), way.trace, usage)
