"""Classes on top of vectors: described by texts, or learned from labelled pictures. NumPy alone."""

from medrag.encoding.heads.described import ClassPrototypes, described
from medrag.encoding.heads.linear import LinearHead, fitted

__all__ = ["ClassPrototypes", "LinearHead", "described", "fitted"]
