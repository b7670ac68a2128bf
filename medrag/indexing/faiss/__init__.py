"""Search vectors through an index that FAISS keeps of them.

The segments stay the truth. FAISS finds candidates: by one of its many kinds of index, trained on
the vectors and extended as they come. They are scored again from the segments.
"""

from medrag.indexing.faiss.searching import FaissSearch, derive, problem

__all__ = ["FaissSearch", "derive", "problem"]
