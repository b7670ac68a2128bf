"""What the answers of a chain say, by whole words, and which rules they break."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from medrag.alignment.rewards.chains.rules import Asked, RuleTree, broken, fires, is_asked
from medrag.language import negated_spans, sentences

# As `medrag.language.words` parts a text.
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# Characters of one answer that are read: a model may repeat itself without end.
_LONGEST = 4000
NOT_SAID, UNKNOWN, SEVERAL = "not answered", "no allowed answer", "several answers"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a chain of answers says, and what is wrong with it.

    Attributes:
        answers: by question, the name of what was read; None where nothing was, and for questions
            that are not asked after the others.
        unread: questions that are asked and could not be read, with the reason.
        broken: names of the rules that are broken.
        n_checks: questions that are asked, and rules whose "if" holds.
    """

    answers: Mapping[str, str | None] = field(hash=False)
    unread: Mapping[str, str] = field(hash=False)
    broken: tuple[str, ...]
    n_checks: int

    @property
    def consistency(self) -> float:
        """The share of checks that hold, in [0, 1]."""
        return 1.0 - (len(self.unread) + len(self.broken)) / self.n_checks


def judge(tree: RuleTree, said: Mapping[str, str]) -> Verdict:
    """Read a chain of answers and hold it against the rules.

    An answer says what it affirms: a phrase that stands in it as whole words and is not denied
    ("no effusion" does not say "effusion"); of phrases within each other the longest counts. Two
    different answers are several, and none.

    Args:
        said: the answer to each question in words; one that is left out was not answered.
    """
    answers: dict[str, str | None] = {}
    unread: dict[str, str] = {}
    for name, asked in tree.questions.items():
        answers[name] = None
        if is_asked(asked, answers):
            found = sorted(set(_read(said.get(name, ""), asked)))
            if len(found) == 1:
                answers[name] = found[0]
            else:
                nothing = UNKNOWN if said.get(name, "").strip() else NOT_SAID
                unread[name] = SEVERAL if found else nothing
    n_asked = sum(is_asked(asked, answers) for asked in tree.questions.values())
    n_fired = sum(fires(rule, answers) for rule in tree.rules)
    return Verdict(answers, unread, broken(tree, answers), n_asked + n_fired)


def said_of(text: str, tree: RuleTree) -> dict[str, str]:
    """Find the answers of a chain in one text: lines that begin with a question's name and a colon.

    An answer goes on until the next such line. Capitals, list marks and bold type before a name do
    not matter. A question that is answered twice has both answers.
    """
    names = {_words(name): name for name in tree.questions}
    said: dict[str, str] = {}
    current = None
    for line in text.splitlines():
        label, colon, rest = line.partition(":")
        name = names.get(_unnumbered(_words(label))) if colon else None
        if name is not None:
            current, line = name, rest
        if current is not None:
            said[current] = f"{said.get(current, '')}\n{line.strip()}".strip()
    return said


def _read(text: str, asked: Asked) -> Iterator[str]:
    """Name each answer that a text affirms."""
    phrases = _by_first_word(asked)
    text = text[:_LONGEST]
    for begin, end in sentences(text):
        sentence = text[begin:end]
        denied = negated_spans(sentence)
        found = list(_WORD.finditer(sentence))
        told = [each.group().casefold() for each in found]
        at = 0
        while at < len(told):
            match = next((each for each in phrases.get(told[at], ())
                          if tuple(told[at : at + len(each[0])]) == each[0]), None)  # fmt: skip
            if match is None:
                at += 1
                continue
            start = found[at].start()
            if not any(low <= start < high for low, high in denied):
                yield match[1]
            at += len(match[0])


def _by_first_word(asked: Asked) -> dict[str, list[tuple[tuple[str, ...], str]]]:
    """List phrases and what they say by their first word, the longest first."""
    phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for name, several in asked.answers.items():
        for phrase in several:
            told = _words(phrase)
            phrases.setdefault(told[0], []).append((told, name))
    return {first: sorted(each, key=lambda one: -len(one[0])) for first, each in phrases.items()}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _WORD.findall(text[:_LONGEST]))


def _unnumbered(told: tuple[str, ...]) -> tuple[str, ...]:
    return told[1:] if told and told[0].isdigit() else told
