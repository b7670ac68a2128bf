"""What an agent may still spend on one question."""

from dataclasses import dataclass, fields, replace


@dataclass(frozen=True, slots=True)
class Budget:
    """What is left: replies of the agent, tokens, searches of its own, and pictures to be shown."""

    turns: int
    tokens: int
    searches: int
    images: int


def share(left: Budget, n: int) -> Budget:
    """Give one of n equal parts, rounded down: what one of n queries may spend."""
    return Budget(left.turns // n, left.tokens // n, left.searches // n, left.images // n)


def spent(
    left: Budget, *, turns: int = 0, tokens: int = 0, searches: int = 0, images: int = 0
) -> Budget:
    """Take off what was spent. Tokens may fall below 0 where a reply was longer than foretold."""
    return replace(
        left,
        turns=left.turns - turns,
        tokens=left.tokens - tokens,
        searches=left.searches - searches,
        images=left.images - images,
    )


def less(left: Budget, begun: Budget, now: Budget) -> Budget:
    """Take from a whole what was spent of a share between two moments."""
    taken = {each.name: getattr(begun, each.name) - getattr(now, each.name) for each in fields(now)}
    return spent(left, **taken)
