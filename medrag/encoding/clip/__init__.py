"""Pictures and texts in one space: CLIP, SigLIP and their like."""

from medrag.encoding.clip.encoder import ClipEncoder

__all__ = ["ClipEncoder"]
