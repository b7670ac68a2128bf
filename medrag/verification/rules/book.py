"""Answers to the steps of a chain, checked against rules.

A chain asks one thing after another of a picture: is it good enough, what is abnormal, what
does that mean. Each answer may be right by itself and the chain still contradict itself; rules say
where. They are written by people, in a few lines of YAML.

Source:
    Sun et al., "Dr-LLaVA: Visual Instruction Tuning with Symbolic Clinical Grounding",
    arXiv 2405.19567, whose rules reward chains of questions on bone marrow smears. The form of the
    rules and the reading of answers are our own: whole words, with synonyms and denials.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from medrag.language import negated_spans, sentences, without_markers

Conditions = Mapping[str, frozenset[str]]

_LETTER = re.compile(r"\A\(?[A-Za-z][.):]\s+")
_WORD = re.compile(r"[^\W_]+(?:['’+-][^\W_]+)*|[+-]")


@dataclass(frozen=True, slots=True)
class Step:
    """A question of a chain, and the answers it can have.

    Attributes:
        answers: by name, further words that say it.
        several: whether an answer may name more than one of them.
        asks: words by which a question is known to ask for it; the name is one.
    """

    name: str
    answers: Mapping[str, tuple[str, ...]]
    several: bool = False
    asks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from some answers for others.

    Attributes:
        when: answers by step, all of which must be given.
        unless: answers by step, any of which puts the rule out of force.
        implies: steps, and the answers one of which each must then have.
        excludes: steps, and the answers none of which each may then have.
    """

    name: str
    when: Conditions
    unless: Conditions
    implies: Conditions
    excludes: Conditions


@dataclass(frozen=True, slots=True)
class Violation:
    """A contradiction. `step` is what contradicts; `words` say how, with the name of the rule.

    `since` are the steps whose answers it contradicts, `given` the answers that do.
    """

    rule: str
    step: str
    words: str
    since: tuple[str, ...] = ()
    given: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Consistency:
    """How many chains contradict themselves nowhere. `share` is nan without a chain.

    `n_unread` counts the chains with an answer in which no answer of its step was found.
    """

    n_chains: int
    n_consistent: int
    n_unread: int
    share: float


class RuleBook:
    """The steps of a chain, and the rules that their answers must keep.

    Args:
        steps: in the order in which they are asked.
        rules: about answers of those steps; `read_rules` checks that they are.
        language: of the answers, ISO 639-1; tells which words deny.

    Raises:
        ValueError: if two steps or two rules are of one name, or a rule names an answer that its
            step does not have.
    """

    def __init__(
        self, *, name: str, steps: Sequence[Step], rules: Sequence[Rule], language: str = "en"
    ) -> None:
        self.name = name
        self.steps = {step.name: step for step in steps}
        self.rules = tuple(rules)
        self.language = language
        if len(self.steps) < len(steps):
            raise ValueError(f"two steps of {name} have one name: {[s.name for s in steps]}")
        if len({rule.name for rule in rules}) < len(rules):
            raise ValueError(f"two rules of {name} have one name: {[r.name for r in rules]}")
        for rule in rules:
            for conditions in (rule.when, rule.unless, rule.implies, rule.excludes):
                self._check(rule, conditions)

    def check(self, answers: Mapping[str, str]) -> tuple[Violation, ...]:
        """Find where a chain contradicts itself.

        An answer that cannot be read neither puts a rule in force nor breaks one: only what is
        certain is reported.

        Args:
            answers: by the name of the step; steps may be missing.

        Returns:
            In the order of the rules; empty for a consistent chain.

        Raises:
            ValueError: if a name is none of a step.
        """
        said = self.read(answers)
        found: list[Violation] = []
        for rule in self.rules:
            if self._is_in_force(rule, said):
                found += self._broken(rule, said)
        return tuple(found)

    def read(self, answers: Mapping[str, str]) -> dict[str, frozenset[str]]:
        """Read which answers of each step a chain gives; none where it cannot be told.

        Whole words count, not parts of them, and longer phrases before shorter ones; what is
        denied does not count. A step with one answer has that with which the text begins, else
        the only one that it names.

        Raises:
            ValueError: as `check`.
        """
        for name in answers:
            if name not in self.steps:
                raise ValueError(
                    f"{name!r} is no step of {self.name}; its steps are {', '.join(self.steps)}"
                )
        return {name: self._said(self.steps[name], text) for name, text in answers.items()}

    def step_of(self, question: str) -> str | None:
        """Tell which step a question asks for, by the longest words of a step that it holds.

        None where it holds no such words, or equally long ones of several steps.
        """
        asked = f" {' '.join(_words(question))} "
        best: dict[int, set[str]] = {}
        for step in self.steps.values():
            for phrase in (step.name, *step.asks):
                if (joined := " ".join(_words(phrase))) and f" {joined} " in asked:
                    best.setdefault(len(joined), set()).add(step.name)
        found = best.get(max(best, default=0), set())
        return found.pop() if len(found) == 1 else None

    def _check(self, rule: Rule, conditions: Conditions) -> None:
        for step, allowed in conditions.items():
            known = self.steps[step].answers if step in self.steps else None
            if known is None or not allowed or not allowed <= known.keys():
                there = ", ".join(self.steps if known is None else known)
                raise ValueError(
                    f"the rule {rule.name!r} of {self.name} names {step}: {sorted(allowed)}; "
                    f"there {'are the steps' if known is None else 'are the answers'} {there}"
                )

    def _is_in_force(self, rule: Rule, said: Mapping[str, frozenset[str]]) -> bool:
        given = all(said.get(step, frozenset()) & names for step, names in rule.when.items())
        return given and not any(
            said.get(step, frozenset()) & names for step, names in rule.unless.items()
        )

    def _broken(self, rule: Rule, said: Mapping[str, frozenset[str]]) -> list[Violation]:
        found = []
        for step, allowed in rule.implies.items():
            given = said.get(step, frozenset())
            if given and not given & allowed:
                found.append(_violation(rule, step, given, allowed, said))
        for step, barred in rule.excludes.items():
            if given := said.get(step, frozenset()) & barred:
                found.append(_violation(rule, step, given, None, said))
        return found

    def _said(self, step: Step, text: str) -> frozenset[str]:
        plain = _LETTER.sub("", without_markers(text).strip(), count=1)
        named = [
            (start, name)
            for begin, end in sentences(plain, self.language)
            for start, name in self._named(step, plain[begin:end])
        ]
        names = frozenset(name for _, name in named)
        if step.several or len(names) < 2:
            return names
        # "Normal; there is nothing that looks like leukaemia" begins with what it means.
        first = self._readers[step.name].match(" ".join(_words(plain)))
        return frozenset({self._meanings[step.name][first.group(1)]} if first else ())

    def _named(self, step: Step, sentence: str) -> list[tuple[int, str]]:
        """Find the answers that a sentence affirms, by their place."""
        words = [match.span() for match in _WORD.finditer(sentence)]
        joined, starts = _joined(sentence, words)
        denied = negated_spans(sentence, self.language)
        found = []
        for match in self._readers[step.name].finditer(joined):
            start = starts[match.start()]
            if not any(low <= start < high for low, high in denied):
                found.append((start, self._meanings[step.name][match.group(1)]))
        return found

    @cached_property
    def _meanings(self) -> dict[str, dict[str, str]]:
        """By step, which answer each phrase says."""
        return {
            step.name: {
                " ".join(_words(phrase)): name
                for name, phrases in step.answers.items()
                for phrase in (name, *phrases)
            }
            for step in self.steps.values()
        }

    @cached_property
    def _readers(self) -> dict[str, re.Pattern[str]]:
        """By step, a pattern of its phrases, the longest first, with whole words only."""
        readers = {}
        for name, phrases in self._meanings.items():
            listed = sorted(map(re.escape, phrases), key=lambda phrase: -len(phrase))
            readers[name] = re.compile(rf"(?<!\S)({'|'.join(listed)})(?!\S)")
        return readers


def consistency(book: RuleBook, chains: Sequence[Mapping[str, str]]) -> Consistency:
    """Count the chains that contradict themselves nowhere.

    Raises:
        ValueError: as `RuleBook.check`.
    """
    n_consistent = sum(not book.check(chain) for chain in chains)
    n_unread = sum(not all(book.read(chain).values()) for chain in chains)
    share = n_consistent / len(chains) if chains else float("nan")
    return Consistency(len(chains), n_consistent, n_unread, share)


def _words(text: str) -> list[str]:
    return [match.group().casefold() for match in _WORD.finditer(text)]


def _joined(sentence: str, spans: Sequence[tuple[int, int]]) -> tuple[str, dict[int, int]]:
    """Join words by single blanks, and say where in the sentence each of them begins."""
    starts: dict[int, int] = {}
    pieces: list[str] = []
    length = 0
    for start, end in spans:
        starts[length] = start
        pieces.append(sentence[start:end].casefold())
        length += len(pieces[-1]) + 1
    return " ".join(pieces), starts


def _violation(
    rule: Rule,
    step: str,
    given: frozenset[str],
    allowed: frozenset[str] | None,
    said: Mapping[str, frozenset[str]],
) -> Violation:
    since = " and ".join(
        f"{name} is {_either(said[name] & names)}" for name, names in rule.when.items()
    )
    must = f"cannot be {_either(given)}" if allowed is None else f"must be {_either(allowed)}"
    but = "" if allowed is None else f", and is {_either(given)}"
    words = f"{rule.name}: as {since}, {step} {must}{but}"
    return Violation(rule.name, step, words, tuple(rule.when), given)


def _either(names: frozenset[str]) -> str:
    return " or ".join(repr(name) for name in sorted(names))
