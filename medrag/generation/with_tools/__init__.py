"""A generator that may look again: it calls tools, reads what they found, and then answers."""

from medrag.generation.with_tools.generator import ToolGenerator

__all__ = ["ToolGenerator"]
