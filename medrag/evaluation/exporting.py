"""The contexts of a run in the file formats of published systems, for their own programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from medrag.errors import EvaluationError
from medrag.evaluation.runs import Run
from medrag.indexing.durable import replacing
from medrag.records import Answer, Hit, ImageRef, Item

Format = Literal["mmed_rag", "rule", "kg_llava"]


def export_contexts(run: Run, out: Path, *, form: Format, arm: str = "context") -> int:
    """Write what a run found for each of its items.

    Args:
        form: "mmed_rag" writes JSON lines with `reference_reports` and `retrieve_k`; "rule" the
            same with `reference_report`, the spelling that its own readers look for; "kg_llava"
            one JSON object, from the first picture's name to its triplets.
        arm: of the run.

    Returns:
        How many items were written.

    Raises:
        EvaluationError: if the run lacks the arm, or not one item of it has a context.
        ValueError: if the format is not known.

    Source:
        The released readers of arXiv 2410.13085, 2407.05131 and 2410.04749.
    """
    if form not in get_args(Format):
        raise ValueError(f"form must be one of {', '.join(get_args(Format))}, got {form!r}")
    if arm not in run.arms:
        raise EvaluationError(f"{run.folder} has no arm {arm!r}; it has {', '.join(run.arms)}")
    answered = [(run.items[each.item], each.answer) for each in run.answers() if each.arm == arm]
    if not any(answer.selection.kept for _, answer in answered):
        raise EvaluationError(
            f"not one of {len(answered)} answers of the arm {arm!r} has a context, so that a "
            "reader would silently go without any; look at the retriever of the run"
        )
    facts = any(hit.passage.kind == "fact" for _, a in answered for hit in a.selection.kept)
    if form == "kg_llava" and not facts:
        raise EvaluationError(
            f"not one context of the arm {arm!r} is a fact, and the format kg_llava holds nothing "
            "else; write mmed_rag or rule"
        )
    lines = _triplets(answered) if form == "kg_llava" else _references(answered, form)
    with replacing(out) as file:
        for line in lines:
            file.write(line.encode())
    return len(answered)


def _references(answered: Sequence[tuple[Item, Answer]], form: Format) -> Iterator[str]:
    key = "reference_report" if form == "rule" else "reference_reports"
    for item, answer in answered:
        kept = answer.selection.kept
        row: dict[str, Any] = {
            "question_id": item.id,
            "image": _picture(answer),
            "question": item.question.text,
            "answer": item.references[0] if item.references else "",
            key: [hit.summary or hit.passage.text for hit in kept],
            "retrieve_k": len(kept),
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _triplets(answered: Sequence[tuple[Item, Answer]]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for _, answer in answered:
        name = Path(_picture(answer)).stem or answer.question.id
        facts = [_triplet(hit) for hit in answer.selection.kept if hit.passage.kind == "fact"]
        found.setdefault(name, []).extend(each for each in facts if each not in found.get(name, ()))
    yield json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _triplet(hit: Hit) -> str:
    fields: Mapping[str, Any] = hit.passage.fields
    return f"({fields.get('head')}, {fields.get('relation')}, {fields.get('tail')})"


def _picture(answer: Answer) -> str:
    """Name the first picture of a question, without the folders of this machine."""
    first = next(iter(answer.question.images), None)
    path = first.path if isinstance(first, ImageRef) else str(first or "")
    return Path(path).name
