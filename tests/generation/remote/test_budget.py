"""What a run may take at most: told before it is exceeded, whatever fails in between."""

import threading

import pytest

from medrag.errors import BudgetSpentError, MedragError
from medrag.generation.remote import Budget
from medrag.generation.remote.budget import Prices, Tokens
from tests.generation.remote.chats import prompt, remote, said, whole
from tests.servers import Answer, Pieces, Request, Serve

# "x" * 6 is 2 tokens, and 8 for its message.
ASKED = [prompt(letter * 6) for letter in "abcdef"]


def costing(read: int, written: int) -> Answer:
    status, headers, value = whole("Yes.")
    usage = {"prompt_tokens": read, "completion_tokens": written}
    return status, headers, {**value, "usage": usage}


def test_a_request_that_could_exceed_the_budget_is_not_sent(serve: Serve) -> None:
    server = serve(lambda *_: costing(10, 5))
    generator = remote(server, concurrency=1, max_tokens=30, most_tokens=80)
    # Set aside are 10 + 30, spent 15 each: 80 - 3 * 15 is less than 40.
    with pytest.raises(BudgetSpentError, match=r"45 of 80 tokens \(most_tokens\) .* may take 40"):
        generator.generate(ASKED)
    assert len(server.requests) == 3
    assert generator.budget.spent == Tokens(30, 15)


def test_what_was_paid_for_is_given_without_asking_again(serve: Serve) -> None:
    server = serve(lambda request, _: whole(said(request)))
    generator = remote(server, concurrency=1, max_tokens=30, most_tokens=70)
    with pytest.raises(BudgetSpentError):
        generator.generate(ASKED)
    # 14 each: the first three.
    assert len(server.requests) == 3
    assert [each.text[0] for each in generator.generate(ASKED[:3])] == ["a", "b", "c"]
    with pytest.raises(BudgetSpentError):
        generator.generate(ASKED[3:4])
    assert len(server.requests) == 3


def test_money_is_counted_by_its_prices(serve: Serve) -> None:
    server = serve(lambda *_: costing(10, 5))
    generator = remote(
        server, concurrency=1, max_tokens=30, price_in=1e6, price_out=2e6, most_cost=100
    )
    # Set aside are 10 + 60, spent 20 each.
    with pytest.raises(BudgetSpentError, match=r"40 of 100 in money \(most_cost\) .* may take 70"):
        generator.generate(ASKED)
    assert len(server.requests) == 2


def test_requests_under_way_never_exceed_the_budget_together(serve: Serve) -> None:
    barrier = threading.Barrier(2, timeout=5)

    def answer(request: Request, number: int) -> Answer:
        if number < 2:
            barrier.wait()
        return costing(10, 1)

    server = serve(answer)
    # Two at a time fit (40 each); the others wait until something is given back.
    generator = remote(server, concurrency=6, max_tokens=30, most_tokens=101)
    assert len(generator.generate(ASKED)) == 6
    assert len(server.requests) == 6


def test_a_try_that_may_have_been_charged_counts_and_a_busy_server_does_not(serve: Serve) -> None:
    def answer(request: Request, number: int) -> Answer:
        if number == 0:
            return 429, {}, {}
        return (200, {}, Pieces([b"{"], drop=True)) if number == 1 else costing(10, 5)

    generator = remote(serve(answer), max_tokens=30, most_tokens=100)
    assert len(generator.generate(ASKED[:1])) == 1
    assert generator.budget.spent == Tokens(10 + 10, 30 + 5)


def test_a_budget_ends_the_tries_as_well(serve: Serve) -> None:
    server = serve(lambda *_: (504, {}, {}))
    generator = remote(server, tries=6, max_tokens=30, most_tokens=100)
    with pytest.raises(BudgetSpentError, match="80 of 100"):
        generator.generate(ASKED[:1])
    assert len(server.requests) == 2


def test_a_last_try_that_may_have_been_charged_counts_too(serve: Serve) -> None:
    generator = remote(serve(lambda *_: (504, {}, {})), tries=1, max_tokens=30, most_tokens=100)
    with pytest.raises(MedragError, match="status 504"):
        generator.generate(ASKED[:1])
    assert generator.budget.spent == Tokens(10, 30)


def test_refusals_cost_nothing(serve: Serve) -> None:
    generator = remote(serve(lambda *_: (400, {}, {})), max_tokens=30, most_tokens=50)
    for each in ASKED:
        with pytest.raises(MedragError, match="status 400"):
            generator.generate([each])
    assert generator.budget.spent == Tokens(0, 0)


def test_what_the_server_does_not_count_is_estimated(serve: Serve) -> None:
    status, headers, value = whole("x" * 30)
    server = serve(lambda *_: (status, headers, {**value, "usage": None}))
    generator = remote(server, max_tokens=30, most_tokens=1000)
    (generation,) = generator.generate(ASKED[:1])
    assert generation.usage.prompt_tokens is None
    assert generator.budget.spent == Tokens(10, 10)


def test_estimates_grow_with_what_the_server_counts(serve: Serve) -> None:
    server = serve(lambda *_: costing(100, 1))
    generator = remote(server, concurrency=1, max_tokens=30, most_tokens=220)
    # The first set 10 + 30 aside and took 101; the next sets 100 + 30 aside, which is too much.
    with pytest.raises(BudgetSpentError, match=r"101 of 220 .* may take 130"):
        generator.generate(ASKED[:2])


def test_a_request_waits_for_others_to_give_back_what_they_do_not_take() -> None:
    budget = Budget(tokens=100)
    order: list[str] = []

    def second() -> None:
        with budget.request(Tokens(10, 50)):
            order.append("second")

    with budget.request(Tokens(10, 50)) as request:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
        order.append("first")
        request.took(Tokens(10, 5), counted=True)
    thread.join(5)
    assert order == ["first", "second"]


def test_money_without_prices_has_no_bound() -> None:
    with pytest.raises(ValueError, match="needs price_in"):
        Budget(cost=1.0)
    assert Budget(cost=1.0, prices=Prices(1, 1)).bounded
    assert not Budget().bounded
