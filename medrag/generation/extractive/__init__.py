"""Answers that quote the evidence and invent nothing: no model, no download."""

from medrag.generation.extractive.generator import ABSTENTION, ExtractiveGenerator

__all__ = ["ABSTENTION", "ExtractiveGenerator"]
