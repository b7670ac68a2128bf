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
        "published": "medrag.ingestion.published:PublishedIngestor",
        "radgraph": "medrag.ingestion.radgraph:RadGraphIngestor",
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
        "projected": "medrag.encoding.projected:ProjectedEncoder",
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
    "classifier": {
        "asked": "medrag.retrieval.domain.asked:AskedClassifier",
        "first_known": "medrag.retrieval.domain.first_known:FirstKnownClassifier",
        "linear": "medrag.encoding.classifying.linear:LinearClassifier",
        "stated": "medrag.retrieval.domain.stated:StatedClassifier",
        "words": "medrag.encoding.classifying.words:WordsClassifier",
        "zero_shot": "medrag.encoding.classifying.zero_shot:ZeroShotClassifier",
    },
    "reranker": {
        "cross_encoder": "medrag.encoding.cross_encoder:CrossEncoderReranker",
        "factual": "medrag.retrieval.rerank.factual:FactualReranker",
        "image_text": "medrag.retrieval.rerank.image_text:ImageTextReranker",
        "lexical": "medrag.retrieval.rerank.lexical:LexicalReranker",
        "likelihood": "medrag.retrieval.asking:LikelihoodReranker",
        "matching": "medrag.retrieval.matching:MatchingReranker",
        "patho_fusion": "medrag.retrieval.rerank.patho_fusion:PathoFusionReranker",
    },
    "retriever": {
        "agentic": "medrag.retrieval.agentic:AgenticRetriever",
        "attributes": "medrag.retrieval.graph.findings:AttributesRetriever",
        "by_domain": "medrag.retrieval.domain.by_domain:ByDomainRetriever",
        "case_facts": "medrag.retrieval.graph.case_facts:CaseFactsRetriever",
        "channels": "medrag.retrieval.channels:ChannelsRetriever",
        "concepts": "medrag.concepts.retriever:ConceptsRetriever",
        "follow_up": "medrag.retrieval.asking:FollowUpRetriever",
        "found": "medrag.retrieval.found:FoundRetriever",
        "fused": "medrag.retrieval.fused:FusedRetriever",
        "history": "medrag.retrieval.history:HistoryRetriever",
        "image_facts": "medrag.retrieval.graph.image_facts:ImageFactsRetriever",
        "linked": "medrag.retrieval.graph.linked:LinkedRetriever",
        "mixed": "medrag.retrieval.mixed:MixedRetriever",
        "pairs": "medrag.retrieval.pairs:PairsRetriever",
        "region": "medrag.retrieval.region:RegionRetriever",
        "rerank": "medrag.retrieval.rerank.retriever:RerankRetriever",
        "when_unsure": "medrag.retrieval.asking:WhenUnsureRetriever",
    },
    "selector": {
        "budget": "medrag.selection.budget:BudgetSelector",
        "calibrated": "medrag.selection.calibrated:CalibratedSelector",
        "chain": "medrag.selection.chain:ChainSelector",
        "diverse": "medrag.selection.diverse:DiverseSelector",
        "floor": "medrag.selection.floor:FloorSelector",
        "gap": "medrag.selection.gap:GapSelector",
        "mixture": "medrag.selection.mixture:MixtureSelector",
        "no_context_below": "medrag.selection.floor:NoContextBelowSelector",
        "top_k": "medrag.selection.top_k:TopKSelector",
    },
    "answerer": {
        "one_pass": "medrag.answering:OnePassAnswerer",
        "rethinking": "medrag.answering.rethinking:RethinkingAnswerer",
    },
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
    "reward": {
        "answer": "medrag.alignment.rewards:AnswerReward",
        "citations": "medrag.alignment.rewards:CitationReward",
        "format": "medrag.alignment.rewards:FormatReward",
        "router": "medrag.alignment.rewards:RouterReward",
        "rules": "medrag.alignment.rewards:RuleReward",
        "text": "medrag.alignment.rewards:TextReward",
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
