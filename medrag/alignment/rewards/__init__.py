"""Rewards that can be checked: of form, answers, citations, texts, decisions and rules."""

from medrag.alignment.rewards.answers import AnswerReward
from medrag.alignment.rewards.chains import RuleReward, RuleTree, read_rules
from medrag.alignment.rewards.citations import CitationReward
from medrag.alignment.rewards.example import Example, examples_of, examples_of_answers
from medrag.alignment.rewards.protocol import Reward, Rewarded, WeightedRewards
from medrag.alignment.rewards.routes import RouterReward
from medrag.alignment.rewards.tagged import FormatReward
from medrag.alignment.rewards.texts import TextReward

__all__ = [
    "AnswerReward",
    "CitationReward",
    "Example",
    "FormatReward",
    "Reward",
    "Rewarded",
    "RouterReward",
    "RuleReward",
    "RuleTree",
    "TextReward",
    "WeightedRewards",
    "examples_of",
    "examples_of_answers",
    "read_rules",
]
