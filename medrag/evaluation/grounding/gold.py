"""Citations and boxes beside what the benchmark gives as right."""

from collections.abc import Iterable, Sequence

from medrag.evaluation.boxes import iou_matrix
from medrag.records import Answer, Box, ImageRef, Item, Passage

# Where a box lies: a picture of the question, or a page of a document.
Place = tuple[str | int | None, ...]


def gold_values(item: Item, answer: Answer) -> dict[str, float]:
    """Compare what was cited, and what was read, with the item's gold passages.

    Gold is named by the id of a passage, the name of its document in a file of many ("doc_id"), or
    its file.

    Returns:
        Nothing for an item without gold; no precision for an answer without citations.
    """
    gold = frozenset(item.gold_passages)
    if not gold:
        return {}
    read = [gold & _names(hit.passage) for hit in answer.selection.kept]
    values = {"gold_in_evidence": float(any(read))}
    if answer.abstained or not answer.text.strip():
        return values
    cited = {each.passage.id: gold & _names(each.passage) for each in answer.citations}
    values["gold_citation_recall"] = len(frozenset().union(*cited.values())) / len(gold)
    if cited:
        values["gold_citation_precision"] = sum(map(bool, cited.values())) / len(cited)
    return values


def box_values(item: Item, answer: Answer) -> dict[str, float]:
    """Compare boxes: those given for the question's pictures, and those of cited passages.

    "box_overlap" needs reference boxes in the item; boxes that the answer gives and boxes of cited
    pictures that are the question's own count as given. "cited_box_overlap" needs a gold passage
    with boxes among the evidence; boxes count that cited passages have on the same page.

    Returns:
        Means over the reference boxes, 0 for one that nothing given overlaps.
    """
    values: dict[str, float] = {}
    wanted = [((each.image,), each.box) for each in item.regions if each.box is not None]
    if wanted:
        values["box_overlap"] = _overlap(wanted, _given(answer))
    gold = frozenset(item.gold_passages)
    kept = {hit.passage.id: hit.passage for hit in answer.selection.kept} if gold else {}
    pages = [
        each for passage in kept.values() if gold & _names(passage) for each in _boxes(passage)
    ]
    if pages:
        cited = {each.passage.id: each.passage for each in answer.citations}
        found = [each for passage in cited.values() for each in _boxes(passage)]
        values["cited_box_overlap"] = _overlap(pages, found)
    return values


def _names(passage: Passage) -> frozenset[str]:
    named = {passage.id, passage.source.document}
    document = passage.fields.get("doc_id")
    return frozenset(named | {str(document)}) if document is not None else frozenset(named)


def _given(answer: Answer) -> list[tuple[Place, Box]]:
    given: list[tuple[Place, Box]] = [
        ((each.image,), each.box) for each in answer.regions if each.box is not None
    ]
    own = {
        image.sha256: number
        for number, image in enumerate(answer.question.images)
        if isinstance(image, ImageRef) and image.sha256 is not None
    }
    for citation in answer.citations:
        for image in citation.passage.images:
            if image.sha256 in own and image.box is not None:
                given.append(((own[image.sha256],), image.box))
    return given


def _boxes(passage: Passage) -> Iterable[tuple[Place, Box]]:
    source = passage.source
    for region in source.regions:
        if region.box is not None:
            yield (source.corpus, source.document, region.page), region.box


def _overlap(wanted: Sequence[tuple[Place, Box]], given: Sequence[tuple[Place, Box]]) -> float:
    best = []
    for place, box in wanted:
        there = [other for at, other in given if at == place]
        best.append(float(iou_matrix([box], there).max()) if there else 0.0)
    return sum(best) / len(best)
