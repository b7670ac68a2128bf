"""From a question and its selected hits to an answer."""

from medrag.answering.one_pass import OnePassAnswerer, answer_id

__all__ = ["OnePassAnswerer", "answer_id"]
