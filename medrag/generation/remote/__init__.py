"""Answers by a model that a server runs."""

from medrag.generation.remote.budget import Budget
from medrag.generation.remote.generator import RemoteGenerator
from medrag.generation.remote.telling import RESTARTED

__all__ = ["RESTARTED", "Budget", "RemoteGenerator"]
