"""No question ever goes beyond its budgets, whatever the models write."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.records import Filter, Generation, ImageRef, Passage, Prompt, Question, Retrieved, Usage
from medrag.retrieval.agentic import AgenticRetriever, read_route
from medrag.retrieval.asking.replying import prompt_count
from medrag.tools.crop import CropTool
from tests.retrieval.agentic.made import Watching, is_router, page, routed, steps
from tests.retrieval.agentic.mutating import PARTITIONS, SOUND, mutated
from tests.retrieval.asking.scripted import Counting, Scripted, images_of, in_turn
from tests.retrieval.shelf import Shelf


class Most(NamedTuple):
    """Budgets of a question."""

    max_turns: int = 12
    max_tokens: int = 100_000
    max_searches: int = 6
    max_images: int = 12


BUDGETS = st.builds(
    Most, st.integers(1, 8), st.integers(1, 6000), st.integers(0, 4), st.integers(0, 5)
)
NUMBER = st.integers(0, 9)
ACTION = st.one_of(
    NUMBER.map(lambda n: f"<search>{n} {(n * 7) % 10} more</search>"),
    st.just("<bbox>[10, 10, 90, 90]</bbox>"),
    st.just("<bbox>[90, 90, 10, 10]</bbox>"),
    st.just("<summary>So it is [1].</summary>"),
    st.just("Look: <search>1</search>"),
    st.text(max_size=20),
    st.just("word " * 40),
)
ROUTE = st.lists(NUMBER.map(lambda n: f"{n} {(n + 3) % 10} x?"), max_size=4).map(
    lambda queries: routed(*queries)
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    folder = tmp_path_factory.mktemp("pages")
    return Shelf(*(page(f"p{n}", folder, domain="skin") for n in range(10)))


class Way(NamedTuple):
    """What came of questions, what their models were given, and what was searched for."""

    found: list[Retrieved]
    router: Scripted
    agent: Scripted
    inner: Watching


def go(shelf: Shelf, most: Most, router: Scripted, agent: Scripted, n: int = 1) -> Way:
    inner = Watching(shelf)
    retriever = AgenticRetriever(
        retriever=inner,
        generator=agent,
        router=router,
        rows=shelf,
        look=CropTool(),
        partitions=PARTITIONS,
        **most._asdict(),
    )
    questions = [Question(f"{at} what is it?", id=str(at)) for at in range(n)]
    return Way(retriever.retrieve_traced(questions, 10, [Filter()] * n), router, agent, inner)


def check(way: Way, most: Most, max_queries: int = 4) -> None:
    """Check the budgets of every question by what the models were given, not by the trace."""
    for at, found in enumerate(way.found):
        prompts = [each for each in way.agent.seen if each.question.id == str(at)]
        routes = [each for each in way.router.seen if each.question.id == str(at)]
        assert len(prompts) <= most.max_turns
        assert len(routes) <= 1
        assert n_shown(prompts) <= most.max_images
        asked = [q.text for q, *_ in way.inner.seen if q.id == str(at)]
        assert sum("more" in text for text in asked) <= most.max_searches
        # A query of a partition that holds nothing is asked once more without it.
        assert sum("more" not in text for text in asked) <= 2 * max_queries
        assert spent_tokens(way, routes, prompts) <= most.max_tokens
        for step in steps(found, "turn"):
            assert all(left >= 0 for left in step["left"].values()), step


def n_shown(prompts: list[Prompt]) -> int:
    """Count the pictures that an agent was shown of one question, each prompt of a talk once."""
    talks: dict[Any, int] = {}
    for prompt in prompts:
        talks[prompt.parts] = max(talks.get(prompt.parts, 0), len(images_of(prompt)))
    return sum(talks.values())


def spent_tokens(way: Way, routes: list[Prompt], prompts: list[Prompt]) -> int:
    """Count the tokens of all prompts that the models were given."""
    told = sum(prompt_count(way.router, each).tokens for each in routes)
    told += sum(prompt_count(way.agent, each).tokens for each in prompts)
    return told


@settings(max_examples=300)
@given(BUDGETS, ROUTE, st.lists(ACTION, min_size=1, max_size=12), st.integers(1, 3), st.booleans())
def test_no_budget_is_exceeded(
    drawn: Shelf, most: Most, route: str, actions: list[str], n: int, counts: bool
) -> None:
    endless: Iterator[str] = (actions[i % len(actions)] for i in range(10_000))
    kind = Counting if counts else Scripted
    router, agent = kind(lambda prompt: route), kind(lambda prompt: next(endless))
    way = go(drawn, most, router, agent, n)
    check(way, most)
    if counts:
        for found in way.found:
            usage = found.usage or Usage(0, 0)
            assert (usage.prompt_tokens or 0) + (usage.completion_tokens or 0) <= most.max_tokens


@pytest.mark.parametrize("reply", ["<search>{} more</search>", "<bbox>[{}, 5, 99, 90]</bbox>"])
def test_an_agent_that_always_wants_more_is_stopped(drawn: Shelf, reply: str) -> None:
    numbers = iter(range(10_000))
    agent = Counting(lambda prompt: reply.format(next(numbers) % 10))
    most = Most(max_turns=9, max_searches=3, max_images=7)
    route = routed("0 a?", "3 b?", "6 c?")
    way = go(drawn, most, Counting(lambda prompt: route), agent, n=2)
    check(way, most)
    for found in way.found:
        assert 3 <= len(found.hits) <= 6
        assert {hit.summary for hit in found.hits} == {""}


def test_no_prompt_shows_more_pictures_than_the_generator_takes(drawn: Shelf) -> None:
    numbers = iter(range(10_000))
    agent = Counting(lambda prompt: f"<search>{next(numbers) % 10} more</search>")
    agent.max_images = 2
    way = go(drawn, Most(), Counting(lambda prompt: routed("0 a?")), agent)
    assert max(len(images_of(prompt)) for prompt in agent.seen) == 2
    # Further pages are shown in words: six searches, of which the first finds the first page again.
    assert len(way.found[0].hits) == 6


def test_a_generator_that_breaks_its_word_ends_the_question_with_that_reply(drawn: Shelf) -> None:
    def say(prompt: Prompt) -> Generation:
        return Generation("<search>1 more</search>", usage=Usage(10, 1_000_000))

    way = go(drawn, Most(), Scripted(lambda prompt: routed("0 a?", "3 b?")), Scripted(say))
    assert len(way.agent.seen) == 1
    assert {hit.passage.id for hit in way.found[0].hits} == {"p0", "p3"}


def test_what_a_query_leaves_of_its_share_the_next_may_use(drawn: Shelf) -> None:
    # 8 turns for 2 queries: of its 4 the first takes 1, and 7 are left for the second.
    replies = iter(["So [1].", *[f"<search>{n} more</search>" for n in range(4, 10)], "So [1]."])
    agent = Scripted(lambda prompt: next(replies))
    most = Most(max_turns=8, max_searches=12)
    way = go(drawn, most, Scripted(lambda prompt: routed("0 a?", "3 b?")), agent)
    assert len(way.agent.seen) == 8
    assert Counter(step["query"] for step in steps(way.found[0], "turn")) == {"0 a?": 1, "3 b?": 7}


@pytest.mark.parametrize("seed", range(10))
def test_1000_fuzzed_router_replies_are_survived_within_all_budgets(seed: int) -> None:
    shelf = Shelf(*(page(f"p{n}", domain="skin") for n in range(10)))
    most = Most(max_turns=5, max_searches=2, max_images=2, max_tokens=20_000)
    numbers = iter(range(10_000))
    n_plain = 0
    for reply in [*mutated(seed, 100), *SOUND[:5]]:
        agent = Scripted(lambda prompt: f"<search>{next(numbers) % 10} more</search>")
        way = go(shelf, most, Scripted(in_turn(reply)), agent)
        check(way, most)
        route = read_route(reply, PARTITIONS)
        asked = [question.text for question, *_ in way.inner.seen if "more" not in question.text]
        if route.problem:
            n_plain += 1
            assert asked == ["0 what is it?"]
            assert [hit.passage.id for hit in way.found[0].hits][:1] == ["p0"]
        else:
            assert set(asked) == {query.text for query in route.queries}
    assert 50 <= n_plain <= 100


@settings(max_examples=200)
@given(
    st.text() | st.text().map(lambda text: f"<think>{text}</think><tool_call>{text}</tool_call>")
)
def test_any_text_of_a_router_is_survived(text: str) -> None:
    shelf = Shelf(page("p0"))
    most = Most(max_turns=2)
    way = go(shelf, most, Scripted(lambda prompt: text), Scripted(lambda prompt: text))
    check(way, most)


GUARD = Filter(
    not_images=frozenset({"own"}), not_studies=frozenset({"now"}), not_subjects=frozenset({"me"})
)


def planted() -> Shelf:
    """Plant 100 pages of the question's picture, study and subject each among 10 others."""
    pages: list[Passage] = []
    for n in range(100):
        pages += [
            replace(page(f"image{n}"), images=(ImageRef(f"/x{n}.png", sha256="own"),)),
            page(f"study{n}", study="now"),
            page(f"subject{n}", subject="me"),
        ]
    pages += [page(f"sound{n}", subject=f"other{n}", study=f"s{n}") for n in range(10)]
    return Shelf(*pages)


def test_planted_pages_of_the_own_picture_study_and_subject_are_never_returned() -> None:
    shelf = planted()
    everything = " ".join(map(str, range(len(shelf.passages))))
    numbers = iter(range(100_000))

    def act(prompt: Prompt) -> str:
        if is_router(prompt):
            return routed(everything[:400], " ".join(map(str, range(250, 310))) + " x")
        n = next(numbers)
        return "<search>" + " ".join(map(str, range(n % 40, 310, 37))) + " more</search>"

    inner, agent = Watching(shelf), Scripted(act)
    retriever = AgenticRetriever(
        retriever=inner, generator=agent, rows=shelf, partitions={"Skin": "skin"}, max_searches=20,
        max_turns=30,
    )  # fmt: skip
    question = Question(everything, subject="me", study="now")
    (found,) = retriever.retrieve_traced([question], 50, [GUARD])
    assert found.hits
    shown = {hit.passage.id for prompt in agent.seen for hit in prompt.evidence}
    for name in {*shown, *(hit.passage.id for hit in found.hits)}:
        assert name.startswith("sound")
    assert all(wanted == GUARD for *_, wanted in inner.seen)
    # The same without the guard finds them, so that the test can fail.
    (open_,) = retriever.retrieve_traced([question], 50, [Filter()])
    assert not all(hit.passage.id.startswith("sound") for hit in open_.hits)
