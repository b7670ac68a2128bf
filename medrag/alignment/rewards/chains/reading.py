"""Rule files: YAML or JSON, checked before anything is judged by them.

A file says a name, a version, questions in the order in which they are asked, and rules:

    name: effusion
    version: 1
    questions:
      effusion:
        ask: Is there a pleural effusion?
        answers: {present: ["yes", seen], absent: ["no", no effusion]}
      side:
        ask: On which side?
        answers: {left: [], right: [], both: [bilateral]}
        when: {effusion: present}
    rules:
      - {name: no_side_without_effusion, if: {effusion: absent}, then: {...}}

Values of "when", "if" and "then" are one answer of the question, or a list of them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from medrag.alignment.rewards.chains.rules import Asked, Condition, Rule, RuleTree, can_be_kept
from medrag.errors import RecipeError
from medrag.language import words

_KEYS = {"name", "version", "about", "questions", "rules"}


def read_rules(path: Path) -> RuleTree:
    """Read a rule file.

    Raises:
        RecipeError: if it cannot be read, breaks the form above, names a question or an answer
            that it does not have, or holds rules that no chain of answers can keep.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path}: the rules cannot be read ({error})") from error
    return rules_of(content, place=str(path))


def rules_of(content: Any, *, place: str = "rules") -> RuleTree:
    """Check what a rule file holds; see `read_rules`.

    Args:
        place: how errors call it.
    """
    held = _mapping(content, place)
    if unknown := sorted(set(map(str, held)) - _KEYS):
        raise RecipeError(f"{place}: unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}")
    questions: dict[str, Asked] = {}
    for name, each in _mapping(held.get("questions"), f"{place}, questions").items():
        questions[str(name)] = _asked(each, f"{place}, questions.{name}", questions)
    rules = _rules(held.get("rules") or [], place, questions)
    tree = RuleTree(f"{held.get('name', 'rules')}/{held.get('version', 1)}", questions, rules)
    if can_be_kept(tree) is False:
        raise RecipeError(
            f"{place}: no chain of answers keeps all {len(rules)} rules; two of them contradict "
            "each other"
        )
    return tree


def _asked(content: Any, place: str, before: Mapping[str, Asked]) -> Asked:
    held = _mapping(content, place)
    if unknown := sorted(set(map(str, held)) - {"ask", "answers", "when"}):
        raise RecipeError(f"{place}: unknown key {unknown[0]!r}; known are ask, answers, when")
    answers = {
        str(name): _phrases(name, said, f"{place}.answers.{name}")
        for name, said in _mapping(held.get("answers"), f"{place}.answers").items()
    }
    taken: dict[tuple[str, ...], str] = {}
    for name, phrases in answers.items():
        for phrase in phrases:
            other = taken.setdefault(_folded(phrase), name)
            if other != name:
                raise RecipeError(f"{place}: {phrase!r} says both {other} and {name}")
    when = _conditions(held.get("when"), f"{place}.when", before)
    return Asked(str(held.get("ask") or ""), answers, when)


def _phrases(name: Any, said: Any, place: str) -> tuple[str, ...]:
    listed = [said] if isinstance(said, str) else (said or [])
    if not isinstance(name, str) or not isinstance(listed, list):
        raise RecipeError(f"{place}: expected a list of phrases under a name, got {said!r}")
    if wrong := [each for each in listed if not isinstance(each, str)]:
        raise RecipeError(f"{place}: {wrong[0]!r} is no text; put yes, no and numbers in quotes")
    phrases = tuple(dict.fromkeys([name.replace("_", " "), *listed]))
    if blank := [each for each in phrases if not _folded(each)]:
        raise RecipeError(f"{place}: the phrase {blank[0]!r} holds no word")
    return phrases


def _rules(content: Any, place: str, questions: Mapping[str, Asked]) -> tuple[Rule, ...]:
    if not isinstance(content, list):
        raise RecipeError(f"{place}, rules: expected a list, got {type(content).__name__}")
    rules: list[Rule] = []
    for number, each in enumerate(content, start=1):
        where = f"{place}, rule {number}"
        held = _mapping(each, where)
        if set(held) != {"name", "if", "then"}:
            raise RecipeError(
                f"{where}: expected name, if and then, got {', '.join(map(str, held))}"
            )
        given = _conditions(held["if"], f"{where}.if", questions)
        then = _conditions(held["then"], f"{where}.then", questions)
        if not given or not then:
            raise RecipeError(f"{where}: if and then must each name a question")
        rules.append(Rule(str(held["name"]), given, then))
    names = [rule.name for rule in rules]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise RecipeError(f"{place}: two rules are called {repeated[0]!r}")
    return tuple(rules)


def _conditions(content: Any, place: str, questions: Mapping[str, Asked]) -> tuple[Condition, ...]:
    found = []
    for name, given in _mapping(content, place).items() if content else ():
        if name not in questions:
            raise RecipeError(
                f"{place}: no question {name!r} before it; known are {', '.join(questions)}"
            )
        listed = [given] if isinstance(given, str) else given
        known = questions[name].answers
        if not isinstance(listed, list) or not listed or any(each not in known for each in listed):
            raise RecipeError(
                f"{place}.{name}: {given!r} is no answer; known are {', '.join(known)}"
            )
        found.append(Condition(name, tuple(listed)))
    return tuple(found)


def _mapping(content: Any, place: str) -> Mapping[Any, Any]:
    if not isinstance(content, Mapping) or not content:
        raise RecipeError(f"{place}: expected keys and values, got {content!r}")
    return content


def _folded(phrase: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in words(phrase))
