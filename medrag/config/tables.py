"""Which class each `kind` of a recipe means: one closed table per protocol.

A table names classes and imports none. Kinds of other packages register through the entry-point
group `medrag.components`, under "PROTOCOL.KIND" (for example "selector.novelty"); a kind of medrag
itself cannot be replaced so.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from medrag.config.place import Place, unknown
from medrag.errors import MissingExtraError

GROUP = "medrag.components"

TABLES: Mapping[str, Mapping[str, str]] = {
    "ingestor": {
        "beir": "medrag.ingestion.beir:BeirIngestor",
        "captions": "medrag.ingestion.captions:CaptionsIngestor",
        "case": "medrag.ingestion.case:CaseIngestor",
        "dicom": "medrag.ingestion.dicom:DicomIngestor",
        "graph": "medrag.ingestion.graph:GraphIngestor",
        "image": "medrag.ingestion.image:ImageIngestor",
        "jats": "medrag.ingestion.jats:JatsIngestor",
        "nifti": "medrag.ingestion.nifti:NiftiIngestor",
        "nodes": "medrag.ingestion.llama_index:NodesIngestor",
        "report": "medrag.ingestion.report:ReportIngestor",
        "text": "medrag.ingestion.text:TextIngestor",
        "textbook": "medrag.ingestion.textbook:TextbookIngestor",
    },
    "encoder": {
        "clip": "medrag.encoding.clip:ClipEncoder",
        "descriptor": "medrag.encoding.descriptor:DescriptorEncoder",
        "image": "medrag.encoding.image:ImageEncoder",
        "medcpt": "medrag.encoding.medcpt:MedCptEncoder",
        "page": "medrag.encoding.page:PageEncoder",
        "remote": "medrag.encoding.remote:RemoteEncoder",
        "sentence": "medrag.encoding.sentence:SentenceEncoder",
        "sparse": "medrag.encoding.sparse:SparseTextEncoder",
        "volume": "medrag.encoding.volume:VolumeEncoder",
    },
    "store": {
        "exact": "medrag.indexing.exact:ExactSearch",
        "faiss": "medrag.indexing.faiss:FaissSearch",
        "late_interaction": "medrag.indexing.late_interaction:LateInteractionSearch",
        "qdrant": "medrag.indexing.qdrant:QdrantSearch",
    },
    "channel": {
        "dense": "medrag.indexing.dense:DenseChannel",
        "graph": "medrag.indexing.graph:GraphChannel",
        "lexical": "medrag.indexing.lexical:LexicalChannel",
        "sparse": "medrag.indexing.sparse:SparseChannel",
    },
    "classifier": {},
    "reranker": {},
    "retriever": {
        "channels": "medrag.retrieval.channels:ChannelsRetriever",
        "concepts": "medrag.concepts.retriever:ConceptsRetriever",
    },
    "selector": {"top_k": "medrag.selection.top_k:TopKSelector"},
    "answerer": {"one_pass": "medrag.answering:OnePassAnswerer"},
    "generator": {
        "cases": "medrag.generation.cases:CasesGenerator",
        "extractive": "medrag.generation.extractive:ExtractiveGenerator",
        "local": "medrag.generation.local:LocalGenerator",
        "remote": "medrag.generation.remote:RemoteGenerator",
        "with_tools": "medrag.generation.with_tools:ToolGenerator",
    },
    "tool": {
        "crop": "medrag.tools.crop:CropTool",
        "endpoint": "medrag.tools.endpoint:EndpointTool",
        "florence2": "medrag.tools.grounder:FlorenceGrounder",
        "mark": "medrag.tools.mark:MarkTool",
    },
    "verifier": {
        "entailment": "medrag.verification.entailment:EntailmentVerifier",
        "judge": "medrag.verification.judge:JudgeVerifier",
        "lexical": "medrag.verification.lexical:LexicalVerifier",
        "rules": "medrag.verification.rules:RulesVerifier",
    },
}


def kinds(protocol: str) -> list[str]:
    """List the kinds of a protocol, those of other packages included."""
    return sorted({*TABLES[protocol], *_registered(protocol)})


def constructor(protocol: str, kind: str, place: Place) -> type[Any]:
    """Import the class that a kind means.

    Raises:
        RecipeError: if there is no such kind, or its package does not import.
    """
    path = TABLES[protocol].get(kind)
    if path is None:
        return _foreign(protocol, kind, place)
    module, _, name = path.partition(":")
    found: type[Any] = getattr(import_module(module), name)
    return found


def _foreign(protocol: str, kind: str, place: Place) -> type[Any]:
    registered = _registered(protocol)
    if kind not in registered:
        raise place.at("kind").error(unknown(f"kind of {protocol}", kind, kinds(protocol)))
    entry = registered[kind]
    try:
        found: type[Any] = entry.load()
    except (ImportError, AttributeError) as error:
        if isinstance(error, MissingExtraError):
            raise
        problem = f"{kind!r} of the installed package is {entry.value}, which fails: {error}"
        raise place.at("kind").error(problem) from error
    return found


@cache
def _registered(protocol: str) -> dict[str, EntryPoint]:
    start = f"{protocol}."
    found = entry_points(group=GROUP)
    return {each.name.removeprefix(start): each for each in found if each.name.startswith(start)}
