"""Texts and pictures in the space of a model that a server runs."""

from medrag.encoding.remote.encoder import RemoteEncoder

__all__ = ["RemoteEncoder"]
