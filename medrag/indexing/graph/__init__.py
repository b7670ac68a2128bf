"""Search terms and facts by the concepts that a question names, along a compiled graph."""

from medrag.indexing.graph.compiling import FORMAT, compile_graph
from medrag.indexing.graph.exporting import from_networkx, to_networkx
from medrag.indexing.graph.mentions import Mention
from medrag.indexing.graph.pagerank import Walk, personalised_pagerank
from medrag.indexing.graph.searching import Concept, GraphChannel, RowPath

__all__ = [
    "FORMAT",
    "Concept",
    "GraphChannel",
    "Mention",
    "RowPath",
    "Walk",
    "compile_graph",
    "from_networkx",
    "personalised_pagerank",
    "to_networkx",
]
