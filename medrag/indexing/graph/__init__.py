"""Search terms and facts by the concepts that a question names, along a compiled graph."""

from medrag.indexing.graph.compiling import FORMAT, compile_graph
from medrag.indexing.graph.searching import GraphChannel

__all__ = ["FORMAT", "GraphChannel", "compile_graph"]
