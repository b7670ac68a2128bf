"""Answers of a run as ragas takes them: its fields, and why one of them is not there."""

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from medrag.errors import EvaluationError
from medrag.evaluation.parsed import Abstained, Letters, Parsed, YesNo
from medrag.evaluation.parsing import parse_answer
from medrag.evaluation.runs import Run
from medrag.language import without_markers
from medrag.records import Answer, Item

ABSTAINS = "the answer abstains"


class Sample(NamedTuple):
    """One answer as ragas takes it.

    Attributes:
        item: the id.
        fields: by the names of ragas; the response as it was written, without markers.
        compared: response and reference as they are compared word by word.
        abstains: whether the answer declines, as `parse_answer` reads it.
        missing: why a field is not there, by field.
    """

    item: str
    fields: dict[str, Any]
    compared: dict[str, str]
    abstains: bool
    missing: dict[str, str]


def samples_of(run: Run, arm: str, limit: int | None) -> list[Sample]:
    """Turn the answers of one arm into samples, in their order.

    Args:
        limit: answers to take, from the first; None for all.

    Raises:
        EvaluationError: if the run has no answer of the arm.
    """
    answered = (each for each in run.answers() if each.arm == arm)
    samples = [_sample(run.items[each.item], each.answer) for each in islice(answered, limit)]
    if not samples:
        raise EvaluationError(
            f"{run.folder} holds no answer of the arm {arm!r}; it has {', '.join(run.arms)}"
        )
    return samples


def lacking(sample: Sample, wanted: Sequence[str], *, compared: bool) -> str:
    """Say why a sample cannot be scored; empty if it can.

    Args:
        wanted: fields that the metric asks for.
        compared: whether it compares words with a reference, which are none where an answer
            abstains.
    """
    for field in wanted:
        if field in sample.missing:
            return sample.missing[field]
    return ABSTAINS if compared and sample.abstains else ""


def _sample(item: Item, answer: Answer) -> Sample:
    kept = [hit.passage for hit in answer.selection.kept]
    parsed = parse_answer(answer.text, item, abstained=answer.abstained)
    response, reference = without_markers(answer.text), _reference(item)
    fields = {
        "user_input": _asked(item),
        "response": response,
        "retrieved_contexts": [p.text or f"(a {p.kind} without text)" for p in kept],
        "reference": reference,
        "retrieved_context_ids": [passage.id for passage in kept],
        "reference_context_ids": list(item.gold_passages),
    }
    compared = {
        "response": _read(parsed, item) or response,
        "reference": _compared_reference(item) or reference,
    }
    abstains = isinstance(parsed, Abstained)
    missing = {}
    if not reference:
        missing["reference"] = "the item has no reference"
    if not response:
        missing["response"] = _no_answer(answer.error, abstains=abstains)
    if not kept:
        missing["retrieved_contexts"] = "no evidence was read"
    return Sample(item.id, fields, compared, abstains, missing)


def _no_answer(error: str | None, *, abstains: bool) -> str:
    if error:
        return f"no answer: {error}"
    return ABSTAINS if abstains else "no answer"


def _read(parsed: Parsed, item: Item) -> str:
    """Give what a reader chose as the reference writes it; empty for other forms than choices."""
    match parsed:
        case YesNo(value):
            return "yes" if value else "no"
        case Letters(options):
            return "; ".join(item.question.options[option] for option in options)
        case _:
            return ""


def _reference(item: Item) -> str:
    references = item.references if item.kind == "choices" else item.references[:1]
    return "; ".join(references)


def _compared_reference(item: Item) -> str:
    """Give a reference that is read, or ordered, as an answer is: "No" as "no"."""
    if item.kind == "yes_no" and item.references:
        return _read(parse_answer(item.references[0], item), item)
    options = item.question.options
    if item.kind == "choices" and set(item.references) <= set(options):
        return "; ".join(sorted(item.references, key=options.index))
    return ""


def _asked(item: Item) -> str:
    options = [f"{chr(ord('A') + i)}. {option}" for i, option in enumerate(item.question.options)]
    return "\n".join([item.question.text, *options])
