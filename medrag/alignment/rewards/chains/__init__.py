"""Rules between the answers to a chain of questions, and whether a reply keeps them."""

from medrag.alignment.rewards.chains.asking import chain_question
from medrag.alignment.rewards.chains.judging import Verdict, judge, said_of
from medrag.alignment.rewards.chains.reading import read_rules, rules_of
from medrag.alignment.rewards.chains.reward import RuleReward
from medrag.alignment.rewards.chains.rules import Asked, Condition, Rule, RuleTree

__all__ = [
    "Asked",
    "Condition",
    "Rule",
    "RuleReward",
    "RuleTree",
    "Verdict",
    "chain_question",
    "judge",
    "read_rules",
    "rules_of",
    "said_of",
]
