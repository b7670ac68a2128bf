"""The loop of the agent: think, search or look closer, and sum up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medrag.errors import FAILURES
from medrag.images import identified
from medrag.protocols import PassageRows
from medrag.records import Filter, Hit, ImageRef, Question, Retrieved, ToolResult
from medrag.retrieval.agentic.budget import share, spent
from medrag.retrieval.agentic.inquiry import (
    Inquiry,
    broken_off,
    left_bare,
    noted,
    summed_up,
    told_left,
    used,
)
from medrag.retrieval.agentic.routing import RoutedQuery
from medrag.retrieval.agentic.talk import Means, Page, Talk, begin, refused, shown_page, shown_part
from medrag.retrieval.agentic.turns import Turn, read_turn
from medrag.retrieval.asking.paying import Reply, paid_replies
from medrag.retrieval.asking.replying import LET_THROUGH, each_outcome, problem_of, told
from medrag.retrieval.asking.showing import found_images

Search = Callable[[Sequence[Question], Sequence[Filter]], list[Retrieved]]
Query = Callable[[Question, RoutedQuery], Question]
Narrow = Callable[[Filter, RoutedQuery], Filter]
# What a tool may meet in one call, beyond what anything may.
_TOOL_FAILURES = (*FAILURES, TypeError, AttributeError)


class PageReader:
    """Have an agent read the pages of inquiries, those of a batch together.

    Args:
        means: the agent's model and tool.
        rows: the passages of the index.
        search: finds pages for questions, each with its filter.
        asked: the question that a query of an inquiry asks.
        narrowed: the filter of a query.
    """

    def __init__(
        self, *, means: Means, rows: PassageRows, search: Search, asked: Query, narrowed: Narrow
    ) -> None:
        self.means = means
        self.rows = rows
        self.search = search
        self.asked = asked
        self.narrowed = narrowed

    def read(self, inquiries: Sequence[Inquiry]) -> list[Inquiry]:
        """Read the pages of all queries, one query of each inquiry after the other."""
        going = [self._opened(each) for each in inquiries]
        while any(each.talk for each in going):
            going = [self._opened(each) for each in self._turned(going)]
        return going

    def _opened(self, inquiry: Inquiry) -> Inquiry:
        """Begin with the next query; a page of which no talk can begin is taken as it is."""
        while inquiry.queries and inquiry.talk is None:
            (query, page), part = inquiry.queries[0], share(inquiry.left, len(inquiry.queries))
            inquiry = replace(inquiry, queries=inquiry.queries[1:])
            if part.turns < 1:
                inquiry = left_bare(inquiry, query, page, "the budget of turns is spent")
                continue
            try:
                talk = begin(inquiry.question, query, self._page(page), part, self.means)
                inquiry = replace(inquiry, talk=talk)
            except LET_THROUGH:
                raise
            except FAILURES as error:
                inquiry = left_bare(inquiry, query, page, problem_of(error))
        return inquiry

    def _page(self, hit: Hit) -> Page:
        return Page(hit, found_images(hit.passage, self.rows))

    def _turned(self, inquiries: Sequence[Inquiry]) -> list[Inquiry]:
        """Ask the agent once about each question that goes on, and do what it asks for."""
        going = list(inquiries)
        talks = {place: each.talk for place, each in enumerate(going) if each.talk}
        purse = {place: talk.left.tokens for place, talk in talks.items()}
        prompts = [talk.prompt for talk in talks.values()]
        given = paid_replies(self.means.generator, prompts, list(talks), purse)
        replies = dict(zip(talks, given, strict=True))
        turns = {place: _turn(reply) for place, reply in replies.items()}
        pages = self._searched(going, turns)
        for place, turn in turns.items():
            reply, talk = replies[place], talks[place]
            going[place] = self._gone_on(going[place], talk, reply, turn, pages.get(place))
        return going

    def _searched(
        self, inquiries: Sequence[Inquiry], turns: Mapping[int, Turn]
    ) -> dict[int, Retrieved | Exception]:
        """Search for what agents ask for and may, of all questions at once."""
        pairs = {}
        for place, turn in turns.items():
            inquiry, talk = inquiries[place], inquiries[place].talk
            if talk and turn.action == "search" and not talk.closing and talk.left.searches > 0:
                question = self.asked(inquiry.question, RoutedQuery(turn.query))
                pairs[place] = (question, self.narrowed(inquiry.wanted, talk.query))
        found = each_outcome(
            lambda several: self.search([q for q, _ in several], [f for _, f in several]),
            list(pairs.values()),
            "the search of an agent",
        )
        return dict(zip(pairs, found, strict=True))

    def _gone_on(
        self,
        inquiry: Inquiry,
        talk: Talk,
        reply: Reply,
        turn: Turn,
        page: Retrieved | Exception | None,
    ) -> Inquiry:
        """Do what a reply asks for, and write the turn down."""
        asked = 0 if reply.usage is None else 1
        talk = replace(talk, left=spent(talk.left, turns=asked, tokens=reply.charged))
        inquiry = replace(used(inquiry, reply), talk=talk)
        step: dict[str, Any] = {
            "step": "turn",
            "query": talk.query.text,
            "turn": talk.begun.turns - talk.left.turns,
            "action": turn.action,
        }
        if isinstance(reply.made, Exception):
            problem = problem_of(reply.made)
            step |= {"reply": "", "problem": problem, **told_left(inquiry)}
            return broken_off(noted(inquiry, step), talk, problem)
        said = reply.made.text
        step["reply"] = told(said)
        if turn.action == "summary" and not reply.made.abstained:
            return summed_up(noted(inquiry, {**step, **told_left(inquiry)}), talk, turn.summary)
        if talk.closing or reply.made.abstained:
            problem = "the agent wrote no summary"
            step |= {"problem": problem, **told_left(inquiry)}
            return broken_off(noted(inquiry, step), talk, problem)
        if turn.action == "search":
            return self._with_search(inquiry, talk, said, (turn, page), step)
        if turn.action == "bbox":
            return self._with_look(inquiry, talk, said, turn, step)
        return self._refused(inquiry, talk, said, turn.trouble, step)

    def _with_search(
        self,
        inquiry: Inquiry,
        talk: Talk,
        said: str,
        search: tuple[Turn, Retrieved | Exception | None],
        step: dict[str, Any],
    ) -> Inquiry:
        turn, found = search
        step["arguments"] = {"query": turn.query}
        if found is None:
            return self._refused(inquiry, talk, said, "no search is left", step)
        talk = replace(talk, left=spent(talk.left, searches=1))
        if isinstance(found, Exception):
            return self._failed(inquiry, talk, problem_of(found), step)
        inquiry = replace(inquiry, usages=(*inquiry.usages, found.usage))
        seen = {page.passage.id for page in talk.pages}
        best = next((hit for hit in found.hits if hit.passage.id not in seen), None)
        if best is None:
            return self._refused(inquiry, talk, said, "no further page was found", step)
        return self._went_on(
            noted(inquiry, *found.trace),
            talk,
            {**step, "page": best.passage.id},
            lambda talk: shown_page(talk, said, self._page(best), self.means),
        )

    def _with_look(
        self, inquiry: Inquiry, talk: Talk, said: str, turn: Turn, step: dict[str, Any]
    ) -> Inquiry:
        step["arguments"] = {"box": list(turn.box or ())}
        look = self.means.look
        if look is None or talk.last is None:
            return self._refused(inquiry, talk, said, "there is no picture to look at", step)
        if talk.left.images < 1:
            return self._refused(inquiry, talk, said, "no picture is left", step)
        try:
            given = look.call({"image": 1, **step["arguments"]}, [talk.last])
            result = _checked(given)
        except LET_THROUGH:
            raise
        except ValueError as error:
            return self._refused(inquiry, talk, said, str(error), step)
        except _TOOL_FAILURES as error:
            return self._failed(inquiry, talk, problem_of(error), step)
        boxes = [list(each.box) for each in result.regions if each.box is not None]
        step |= {"page": talk.pages[-1].passage.id, "boxes": boxes}
        return self._went_on(
            inquiry, talk, step, lambda talk: shown_part(talk, said, result, self.means)
        )

    def _refused(
        self, inquiry: Inquiry, talk: Talk, said: str, problem: str, step: dict[str, Any]
    ) -> Inquiry:
        """Tell the agent why its reply could not be followed."""
        step["problem"] = told(problem)
        return self._went_on(
            inquiry, talk, step, lambda talk: refused(talk, said, problem, self.means)
        )

    def _failed(self, inquiry: Inquiry, talk: Talk, problem: str, step: dict[str, Any]) -> Inquiry:
        """End the talk with the pages that were shown."""
        inquiry = replace(inquiry, talk=talk)
        step |= {"problem": problem, **told_left(inquiry)}
        return broken_off(noted(inquiry, step), talk, problem)

    def _went_on(
        self, inquiry: Inquiry, talk: Talk, step: dict[str, Any], write: Callable[[Talk], Talk]
    ) -> Inquiry:
        """Write the next prompt; where that fails, over a picture say, end the talk."""
        try:
            after = write(talk)
        except LET_THROUGH:
            raise
        except FAILURES as error:
            return self._failed(inquiry, talk, problem_of(error), step)
        if "page" in step:
            is_new = after.pages != talk.pages or after.left.images != talk.left.images
            step = {**step, "shown": is_new}
        inquiry = replace(inquiry, talk=after)
        return noted(inquiry, {**step, "closing": after.closing, **told_left(inquiry)})


def _turn(reply: Reply) -> Turn:
    if isinstance(reply.made, Exception):
        return Turn("", trouble="there is no reply")
    return read_turn(reply.made.text)


def _checked(result: ToolResult) -> ToolResult:
    """Read the pictures of a result now: one that cannot be read would fail the prompt later."""
    images: tuple[ImageRef, ...] = tuple(identified(image) for image in result.images)
    return replace(result, images=images)
