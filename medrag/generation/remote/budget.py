"""What all requests of one run may take together."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from medrag.errors import BudgetSpentError
from medrag.records import Usage

_MILLION = 1_000_000


class Tokens(NamedTuple):
    """Tokens of one request: read, and written."""

    prompt: int
    completion: int


class Prices(NamedTuple):
    """Money for a million tokens, in any one currency."""

    read: float
    written: float

    def of(self, tokens: Tokens) -> float:
        return (tokens.prompt * self.read + tokens.completion * self.written) / _MILLION


class Budget:
    """Tokens and money that must not be exceeded, whoever asks, from whichever thread.

    Before a request the most that it can take is set aside; after it, what it took is spent. A
    request for which not enough is left waits for those under way, which may give some back, and is
    refused when there are none. Tokens of a prompt are estimated before it is sent; if the server
    counts more than was estimated, later estimates grow in the same proportion.

    Args:
        tokens: read and written; None for no bound.
        cost: money; None for no bound.
        prices: of tokens; None where money does not count.

    Attributes:
        spent: tokens, so far.

    Raises:
        ValueError: if a bound is not positive, or money is bounded and has no price.
    """

    def __init__(
        self, *, tokens: int | None = None, cost: float | None = None, prices: Prices | None = None
    ) -> None:
        if (tokens is not None and tokens < 1) or (cost is not None and not cost > 0):
            raise ValueError(f"a budget must be positive, got {tokens} tokens, {cost} in money")
        if cost is not None and prices is None:
            raise ValueError("most_cost needs price_in and price_out, per million tokens")
        self.tokens = tokens
        self.cost = cost
        self.prices = prices
        self.spent = Tokens(0, 0)
        self._aside: list[Tokens] = []
        self._growth = 1.0
        self._changed = threading.Condition()

    @property
    def bounded(self) -> bool:
        return self.tokens is not None or self.cost is not None

    def usage(self, read: int | None, written: int | None) -> Usage:
        """Say what a request took, as the server counted; its cost, where there are prices."""
        if self.prices is None or read is None or written is None:
            return Usage(read, written)
        return Usage(read, written, self.prices.of(Tokens(read, written)))

    @contextmanager
    def request(self, most: Tokens) -> Iterator["Request"]:
        """Set aside what a request may take at most, for as long as it is under way.

        Raises:
            BudgetSpentError: if not so much is left.
        """
        request = Request(self, most)
        request.begin()
        try:
            yield request
        finally:
            request.end()

    def set_aside(self, most: Tokens) -> Tokens:
        """Take from what is left; waits while others are under way.

        Raises:
            BudgetSpentError: if it is not enough, and nobody is under way.
        """
        with self._changed:
            while True:
                grown = Tokens(round(most.prompt * self._growth), most.completion)
                problem = self._problem(grown)
                if problem is None:
                    self._aside.append(grown)
                    return grown
                if not self._aside:
                    raise BudgetSpentError(problem)
                self._changed.wait()

    def give_back(self, aside: Tokens, took: Tokens) -> None:
        """Spend what a request took, and give back the rest of what was set aside."""
        with self._changed:
            self._aside.remove(aside)
            self.spent = _sum(self.spent, took)
            self._changed.notify_all()

    def learn(self, estimated: int, counted: int) -> None:
        """Compare an estimate of a prompt with what the server counted."""
        with self._changed:
            self._growth = max(self._growth, counted / max(1, estimated))

    def _problem(self, more: Tokens) -> str | None:
        gone = _sum(self.spent, *self._aside)
        after = _sum(gone, more)
        if self.tokens is not None and sum(after) > self.tokens:
            return (
                f"{sum(gone)} of {self.tokens} tokens (most_tokens) are spent, and a further "
                f"request may take {sum(more)}"
            )
        if self.cost is not None and self.prices and self.prices.of(after) > self.cost:
            return (
                f"{self.prices.of(gone):.4g} of {self.cost:g} in money (most_cost) is spent, and a "
                f"further request may take {self.prices.of(more):.4g}"
            )
        return None


class Request:
    """One request that is under way, over all its tries."""

    def __init__(self, budget: Budget, most: Tokens) -> None:
        self._budget = budget
        self._most = most
        self._aside: Tokens | None = None
        # Until the server says what it took, all of it: it may be charged for.
        self._took: Tokens | None = None

    def begin(self) -> None:
        self._aside = self._budget.set_aside(self._most)

    def again(self, charged: bool) -> None:
        """Be told of a further try.

        Args:
            charged: whether the last one may have been charged for, and counts.

        Raises:
            BudgetSpentError: if not enough is left for another.
        """
        if charged and self._aside is not None:
            self._spend(self._aside)
            self.begin()

    def free(self) -> None:
        """Be told that the server took nothing for the last try."""
        self._took = Tokens(0, 0)

    def took(self, tokens: Tokens, *, counted: bool) -> None:
        """Be told what the request took; `counted` by the server, and not estimated."""
        self._took = tokens
        if counted:
            self._budget.learn(self._most.prompt, tokens.prompt)

    def end(self) -> None:
        if self._aside is not None:
            self._spend(self._aside if self._took is None else self._took)

    def _spend(self, tokens: Tokens) -> None:
        if self._aside is not None:
            self._budget.give_back(self._aside, tokens)
        self._aside = None


def _sum(*several: Tokens) -> Tokens:
    return Tokens(sum(each.prompt for each in several), sum(each.completion for each in several))
