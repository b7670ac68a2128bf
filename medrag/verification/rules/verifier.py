"""Answers of a conversation, checked against what was answered before."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medrag.protocols import Verifier
from medrag.records import Answer, Claim
from medrag.verification.rules.book import RuleBook, Violation
from medrag.verification.rules.reading import read_rules, shipped_rules

STEP = "rules"


class RulesVerifier:
    """Say where an answer contradicts earlier answers of its conversation, by rules.

    The chain is read from `Question.history` and the question itself: a question belongs to the
    step whose words it holds. A claim that says what a rule forbids is "contradicted"; of the
    others the rules know nothing, so they stay as they were. Each contradiction stands in the
    trace, in words: {"step": "rules", "violations": [...]}.

    Args:
        rules: a file, or the name of rules that come with the package ("bone_marrow",
            "chest_xray").
        verifier: looks at claims and evidence first; None leaves what rules do not tell.

    Raises:
        ValueError: if there are no such rules.
        RecipeError: if the file cannot be read.
    """

    def __init__(self, *, rules: str, verifier: Verifier | None = None) -> None:
        is_file = rules.endswith((".yaml", ".yml")) or Path(rules).is_file()
        self.book: RuleBook = read_rules(rules) if is_file else shipped_rules(rules)
        self.verifier = verifier

    def verify(self, answers: Sequence[Answer]) -> list[Answer]:
        """Check each answer; see the class."""
        checked = list(answers) if self.verifier is None else self.verifier.verify(answers)
        return [self._checked(answer) for answer in checked]

    def _checked(self, answer: Answer) -> Answer:
        question = answer.question
        step = self.book.step_of(question.text)
        if step is None or answer.abstained or not answer.text.strip():
            return answer
        chain: dict[str, str] = {}
        for turn in question.history:
            if (earlier := self.book.step_of(turn.question)) is not None:
                chain[earlier] = turn.answer
        chain[step] = answer.text
        found = [each for each in self.book.check(chain) if step == each.step or step in each.since]
        if not found:
            return answer
        told = {"step": STEP, "violations": [each.words for each in found]}
        claims = tuple(self._marked(claim, step, found) for claim in answer.claims)
        return replace(answer, claims=claims, trace=(*answer.trace, told))

    def _marked(self, claim: Claim, step: str, found: Sequence[Violation]) -> Claim:
        said = self.book.read({step: claim.text})[step]
        for each in found:
            # What a rule follows from is as much against it as what it forbids.
            if said and (step in each.since or said & each.given):
                return replace(claim, support="contradicted", score=None)
        return claim
