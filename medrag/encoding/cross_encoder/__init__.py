"""Models that read a question and a passage together, and say how well they fit."""

from medrag.encoding.cross_encoder.reranker import CrossEncoderReranker

__all__ = ["CrossEncoderReranker"]
