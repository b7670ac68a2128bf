"""The JSON of `--json`. Programs rely on it: a change needs an entry in CHANGELOG.md."""

from collections.abc import Mapping, Sequence
from typing import Any

from medrag.codec import Json, to_json
from medrag.places import place_in_document
from medrag.records import Answer, Claim, Hit, Part, Passage, Region, Source


def search_json(
    query: str, hits: Sequence[Hit], boxes: Mapping[int, Sequence[Region]] | None = None
) -> Json:
    """{"query", "hits": [hit]}; with boxes by rank, a hit has "boxes": [{"page", "box"}]."""
    found = [hit_json(hit) for hit in hits]
    if boxes is not None:
        found = [
            {**each, "boxes": to_json(boxes.get(hit.rank, ()))}
            for each, hit in zip(found, hits, strict=True)
        ]
    return {"query": query, "hits": found}


def hit_json(hit: Hit) -> Json:
    """{"rank", "score", "passage_id", "kind", "text", "source", "parts": {channel: part}}."""
    return {
        "rank": hit.rank,
        "score": hit.score,
        **passage_json(hit.passage),
        "parts": parts_json(hit.parts),
    }


def answer_json(answer: Answer) -> Json:
    """{"question", "answer", "abstained", "confidence", "excluded", "claims", "citations", ...}."""
    return {
        "question": answer.question.text,
        "options": list(answer.question.options),
        "question_id": answer.question.id,
        "answer": answer.text,
        "abstained": answer.abstained,
        "confidence": answer.confidence,
        "error": answer.error,
        "claims": [claim_json(claim) for claim in answer.claims],
        "citations": [
            {"marker": each.marker, **passage_json(each.passage), "score": each.score}
            for each in answer.citations
        ],
        "excluded": [hit_json(hit) for hit in answer.excluded],
        "near_duplicates": [hit_json(hit) for hit in answer.near_duplicates],
        "model": answer.model,
        "timings": dict(answer.timings),
    }


def claim_json(claim: Claim) -> Json:
    """{"text", "markers", "support", "score"}."""
    return {
        "text": claim.text,
        "markers": list(claim.markers),
        "support": claim.support,
        "score": claim.score,
    }


def passage_json(passage: Passage) -> Json:
    """{"passage_id", "kind", "text", "source", "place", "images"}."""
    return {
        "passage_id": passage.id,
        "kind": passage.kind,
        "text": passage.text,
        "source": source_json(passage.source),
        "place": place_in_document(passage),
        "images": [to_json(image) for image in passage.images],
    }


def source_json(source: Source) -> Json:
    """Every field of the source, null where it is absent."""
    return {
        "corpus": source.corpus,
        "document": source.document,
        "regions": [region_json(region) for region in source.regions],
        "domain": source.domain,
        "subject": source.subject,
        "study": source.study,
        "time": source.time,
        "licence": source.licence,
        "language": source.language,
        "sha256": source.sha256,
    }


def region_json(region: Region) -> Json:
    """{"page", "box"}."""
    return {"page": region.page, "box": None if region.box is None else list(region.box)}


def parts_json(parts: Mapping[str, Part]) -> dict[str, Any]:
    """{channel: {"rank", "score"}}."""
    return {name: {"rank": part.rank, "score": part.score} for name, part in parts.items()}
