"""LlamaIndex itself, imported where it is used."""

from medrag.extras import Library, require


def core(module: str) -> Library:
    """Import a module of `llama_index.core`.

    Raises:
        MissingExtraError: if llama-index-core is not installed.
    """
    return require(f"llama_index.core.{module}")
