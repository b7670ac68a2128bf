"""Search vectors with Qdrant: in this process (Edge), on a server, or in memory.

The segments stay the truth. A point is a passage: its id is the passage's, its named vectors are
those of the index's Qdrant channels, its payload is what filters ask for. Candidates that Qdrant
finds are scored again from the segments, so that scores are those of `exact`.
"""

from medrag.indexing.qdrant.keeping import derive, problem
from medrag.indexing.qdrant.searching import QdrantSearch

__all__ = ["QdrantSearch", "derive", "problem"]
