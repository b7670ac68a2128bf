"""Pages as pictures, by late interaction, and where on a page the words of a question are."""

from medrag.encoding.page.encoder import PageEncoder

__all__ = ["PageEncoder"]
