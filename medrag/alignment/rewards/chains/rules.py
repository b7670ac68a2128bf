"""A chain of questions, the answers that each allows, and which answers follow from others."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from math import prod

# Chains of answers that are tried in search of one that keeps all rules.
_MOST_CHAINS = 100_000


@dataclass(frozen=True, slots=True)
class Condition:
    """An answer to a question is one of these."""

    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a chain.

    Attributes:
        ask: the question in words.
        answers: by name, the phrases that say it; the name itself is one of them.
        when: on which answers it is asked at all; all must hold.
    """

    ask: str
    answers: Mapping[str, tuple[str, ...]] = field(hash=False)
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Where all of `given` hold, all of `then` must."""

    name: str
    given: tuple[Condition, ...]
    then: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class RuleTree:
    """A chain of questions with its rules; `label` names it with its version."""

    label: str
    questions: Mapping[str, Asked] = field(hash=False)
    rules: tuple[Rule, ...] = ()


def holds(condition: Condition, answers: Mapping[str, str | None]) -> bool:
    """Tell whether a condition holds of answers, of which None is one that was not given."""
    return answers.get(condition.question) in condition.answers


def is_asked(asked: Asked, answers: Mapping[str, str | None]) -> bool:
    """Tell whether a question is asked after these answers."""
    return all(holds(each, answers) for each in asked.when)


def can_be_kept(tree: RuleTree) -> bool | None:
    """Tell whether any chain of answers keeps all rules; None where there are too many to try."""
    choices = {name: list(each.answers) for name, each in tree.questions.items()}
    if prod(map(len, choices.values())) > _MOST_CHAINS:
        return None
    chains = (dict(zip(choices, each, strict=True)) for each in product(*choices.values()))
    return any(not broken(tree, _asked_alone(tree, chain)) for chain in chains)


def broken(tree: RuleTree, answers: Mapping[str, str | None]) -> tuple[str, ...]:
    """Name the rules that answers break: what is given holds, and what follows does not.

    What follows is not held against a question that is not asked.
    """
    return tuple(
        rule.name
        for rule in tree.rules
        if fires(rule, answers)
        and not all(
            holds(each, answers)
            for each in rule.then
            if is_asked(tree.questions[each.question], answers)
        )
    )


def fires(rule: Rule, answers: Mapping[str, str | None]) -> bool:
    """Tell whether all that a rule takes as given holds."""
    return all(holds(each, answers) for each in rule.given)


def _asked_alone(tree: RuleTree, chain: Mapping[str, str]) -> dict[str, str | None]:
    """Keep the answers to questions that are asked, each by those before it."""
    kept: dict[str, str | None] = {}
    for name, asked in tree.questions.items():
        if is_asked(asked, kept):
            kept[name] = chain[name]
    return kept
