"""Rules that the answers of a chain of questions must keep together."""

from medrag.verification.rules.book import (
    Consistency,
    Rule,
    RuleBook,
    Step,
    Violation,
    consistency,
)
from medrag.verification.rules.reading import read_rules, rules_from, shipped_rules
from medrag.verification.rules.verifier import RulesVerifier

__all__ = [
    "Consistency",
    "Rule",
    "RuleBook",
    "RulesVerifier",
    "Step",
    "Violation",
    "consistency",
    "read_rules",
    "rules_from",
    "shipped_rules",
]
