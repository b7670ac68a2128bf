"""Visual yes-or-no questions written from documents, asked of pictures, and cited (KnoBo)."""

from medrag.concepts.book import Concept, ConceptBook, load_book, save_book
from medrag.concepts.bottleneck import Bottleneck, fit_bottleneck
from medrag.concepts.grounding import ConceptHeads, contrasted, fit_heads
from medrag.concepts.writing import write_concepts

__all__ = [
    "Bottleneck",
    "Concept",
    "ConceptBook",
    "ConceptHeads",
    "contrasted",
    "fit_bottleneck",
    "fit_heads",
    "load_book",
    "save_book",
    "write_concepts",
]
