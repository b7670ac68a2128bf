"""Classes on top of vectors: described by texts, or learned from labelled pictures. NumPy alone."""

from medrag.encoding.heads.calibrated import CalibratedHead, load_head, save_head
from medrag.encoding.heads.described import ClassPrototypes, described
from medrag.encoding.heads.linear import LinearHead, fitted
from medrag.encoding.heads.neighbours import Neighbours

__all__ = [
    "CalibratedHead",
    "ClassPrototypes",
    "LinearHead",
    "Neighbours",
    "described",
    "fitted",
    "load_head",
    "save_head",
]
