"""The JSON of `--json`. Programs rely on it: a change needs an entry in CHANGELOG.md."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from medrag.codec import Json, to_json
from medrag.places import place_in_document
from medrag.records import (
    Answer,
    Claim,
    Hit,
    Omission,
    Part,
    Passage,
    Quantity,
    QuestionRegion,
    Region,
    Source,
)
from medrag.verification.abstention import held_back
from medrag.verification.others import resting_on_others


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
    """{"question", "answer", "abstained", "confidence", "excluded", "claims", "citations", ...}.

    A claim is "of_another_patient" if it is supported by records of other patients alone.
    """
    others = resting_on_others(answer)
    return {
        "question": answer.question.text,
        "options": list(answer.question.options),
        "question_id": answer.question.id,
        "answer": answer.text,
        "abstained": answer.abstained,
        "held_back": held_back(answer),
        "confidence": answer.confidence,
        "error": answer.error,
        "claims": [
            {**claim_json(claim), "of_another_patient": place in others}
            for place, claim in enumerate(answer.claims)
        ],
        "citations": [
            {"marker": each.marker, **passage_json(each.passage), "score": each.score}
            for each in answer.citations
        ],
        "excluded": [hit_json(hit) for hit in answer.excluded],
        "near_duplicates": [hit_json(hit) for hit in answer.near_duplicates],
        "model": answer.model,
        "template": answer.template,
        "asked_regions": [question_region_json(each) for each in answer.question.regions],
        "regions": [question_region_json(each) for each in answer.regions],
        "quantities": [quantity_json(each) for each in answer.quantities],
        "left_out": [omission_json(each) for each in answer.left_out],
        "thoughts": answer.thoughts,
        "option_scores": _finite(answer.option_scores),
        "signals": _finite(answer.signals),
        "trace": _finite(to_json(answer.trace)),
        "timings": dict(answer.timings),
    }


def question_region_json(region: QuestionRegion) -> Json:
    """{"image", "box", "point", "mask", "name"}; "image" counts from 0, the rest may be null."""
    return {
        "image": region.image,
        "box": None if region.box is None else list(region.box),
        "point": None if region.point is None else list(region.point),
        "mask": region.mask,
        "name": region.name,
    }


def quantity_json(quantity: Quantity) -> Json:
    """{"value", "unit", "name"}; "unit" is empty for a count."""
    return {"value": _finite(quantity.value), "unit": quantity.unit, "name": quantity.name}


def omission_json(omission: Omission) -> Json:
    """{"marker", "kind", "detail"}; "marker" is 0 for what belongs to the question."""
    return {"marker": omission.marker, "kind": omission.kind, "detail": omission.detail}


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


def _finite(value: Any) -> Any:
    """Put null for a number that JSON cannot hold."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, list | tuple) else value
