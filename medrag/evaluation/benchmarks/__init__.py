"""Medical benchmarks from a folder: a card per benchmark says how its files are read.

Nothing is downloaded. `load_benchmark` reads the official files or a common mirror, checks the
counts, finds every picture, and gives items that runs and scorers share.
"""

from medrag.evaluation.benchmarks.card import Card, Layout
from medrag.evaluation.benchmarks.cards_folder import known_benchmarks, read_card
from medrag.evaluation.benchmarks.loading import Benchmark, load_benchmark

__all__ = ["Benchmark", "Card", "Layout", "known_benchmarks", "load_benchmark", "read_card"]
