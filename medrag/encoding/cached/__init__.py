"""An encoder that encodes each passage once, whatever index it goes into."""

from medrag.encoding.cached.encoder import CachedEncoder

__all__ = ["CachedEncoder"]
