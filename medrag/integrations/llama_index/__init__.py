"""medrag for LlamaIndex, and LlamaIndex for medrag.

    MedragRetriever      a LlamaIndex retriever over an index or a pipeline of medrag
    LlamaIndexGenerator  a LlamaIndex LLM as a generator of medrag
    write_corpus         LlamaIndex nodes and documents as a corpus that an index is built from

LlamaIndex is imported when one of them is first used. Nothing is sent anywhere by these parts
themselves, but what a retriever returns goes to whatever handlers of callbacks and events the
program has set up in LlamaIndex.

Source:
    llama-index-core 0.14: `BaseRetriever`, `NodeWithScore`, `MetadataFilters`, `LLM.chat`.
"""

from typing import TYPE_CHECKING, Any

from medrag.integrations.llama_index.corpus import write_corpus
from medrag.integrations.llama_index.generator import LlamaIndexGenerator
from medrag.integrations.llama_index.retriever import retriever_class

if TYPE_CHECKING:
    MedragRetriever: Any

__all__ = ["LlamaIndexGenerator", "MedragRetriever", "write_corpus"]


def __getattr__(name: str) -> Any:
    # Its base class is LlamaIndex's: made at first use, so that importing this costs nothing.
    if name == "MedragRetriever":
        return retriever_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
