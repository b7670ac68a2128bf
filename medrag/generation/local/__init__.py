"""Models of pictures and texts that run on this machine, by transformers."""

from medrag.generation.local.generator import LocalGenerator

__all__ = ["LocalGenerator"]
