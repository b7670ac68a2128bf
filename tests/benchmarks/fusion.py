"""What a question and its picture each bring to retrieval, on VQA-RAD.

    python -m tests.benchmarks.fusion [--data DIR] [--k 10] [--depth 1000]

Every official test question of the kept subset is asked of the cases of all other pictures: the
guard keeps those of its own picture out. Arms differ in the retriever alone; whichever cases stand
first are read by the same reader, which sees words only, so that a picture counts through the cases
that it brings. Nothing was tuned on these questions. Intervals are by bootstrap over pictures,
tests paired over pictures and corrected after Holm.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medrag.config import Index, build_index, load_pipeline
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.statistics import estimate, holm, mean_of, paired
from medrag.language import stems
from medrag.pipeline import Pipeline
from medrag.records import Answer, Hit, Item, Question

DEFAULT_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_READER = "{kind: one_pass, generator: {kind: cases, words_alone: true}}"


class Outcome(NamedTuple):
    """What an arm did with each question.

    Attributes:
        organ: (n,) share of the first five cases that are of the same part of the body.
        case: (n,) whether one of the first five is of the same part and has the same answer; nan
            for questions that are answered by yes or no.
        closed: (n,) whether the reader was right, which one that abstains is not; nan for open
            questions.
        silent: (n,) whether the reader abstained; nan likewise.
    """

    organ: NDArray[np.float64]
    case: NDArray[np.float64]
    closed: NDArray[np.float64]
    silent: NDArray[np.float64]


def arms(depth: int) -> Mapping[str, str]:
    """Give the retriever of each arm, as a recipe has it."""
    text = "text: {kind: channels, channels: [lexical]}"
    image = "image: {kind: channels, channels: [image]}"
    both = f"retrievers: {{{text}, {image}}}, depth: {depth}"
    meaning = "meaning: {kind: channels, channels: [text]}"
    return {
        "text (BM25)": "{kind: channels, channels: [lexical]}",
        "text (MiniLM)": "{kind: channels, channels: [text]}",
        "image (descriptor)": "{kind: channels, channels: [image]}",
        "rrf, c 60": f"{{kind: fused, {both}}}",
        "rrf, with MiniLM": (
            f"{{kind: fused, retrievers: {{{text}, {meaning}, {image}}}, depth: {depth}}}"
        ),
        "rrf, c 100, depth 100": f"{{kind: fused, retrievers: {{{text}, {image}}}, rrf_k: 100}}",
        "weighted sum": f"{{kind: fused, {both}, fusion: weighted_sum}}",
        "z-norm sum": f"{{kind: fused, {both}, fusion: z_sum}}",
        "in turns": f"{{kind: fused, {both}, fusion: interleave}}",
        "image, reranked by words": (
            "{kind: rerank, retriever: {kind: channels, channels: [image]}, "
            "rerankers: [{kind: lexical}], depth: 200}"
        ),
        "image, half by words": (
            "{kind: rerank, retriever: {kind: channels, channels: [image]}, "
            "rerankers: [{kind: lexical}], depth: 200, weight: 0.5}"
        ),
        "channels, plain": "{kind: channels, channels: [lexical, image]}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("MEDRAG_DATA", DEFAULT_DATA))
    parser.add_argument("--k", type=int, default=10, help="cases that the reader gets")
    parser.add_argument("--depth", type=int, default=1000, help="cases that are fused")
    given = parser.parse_args()
    os.environ.setdefault("MEDRAG_KEY", "a key of the tests only, 32 bytes")
    folder = given.data / "radiology" / "vqa_rad"
    items = load_benchmark("vqa_rad", folder, subset=True).items
    with tempfile.TemporaryDirectory() as room:
        channels = ["lexical", "image", "text=minilm"]
        index = build_index(Path(room) / "index", sources=[folder], channels=channels)
        pipelines = {
            name: piped(index, retriever, given.k, Path(room) / "arm.yaml")
            for name, retriever in arms(given.depth).items()
        }
        # Pictures are decoded and described once for all arms.
        ready = next(iter(pipelines.values())).prepared([item.question for item in items])
        found = {name: outcome(pipeline, ready, items) for name, pipeline in pipelines.items()}
    clusters = [item.cluster for item in items]
    print(f"{len(items)} questions, {len(set(clusters))} pictures, reader gets {given.k} cases\n")
    print(table(found, clusters))
    print()
    print(comparisons(found, clusters))


def piped(index: Index, retriever: str, k: int, recipe: Path) -> Pipeline:
    """Put a retriever and the reader together."""
    recipe.write_text(
        f"allow: {{kinds: [case]}}\nretrieve: {retriever}\nk: {k}\n"
        f"select: {{kind: top_k, k: {k}}}\nanswer: {_READER}\n",
        encoding="utf-8",
    )
    return load_pipeline(recipe, index=index)


def outcome(pipeline: Pipeline, ready: Sequence[Question], items: Sequence[Item]) -> Outcome:
    """Ask all questions of one arm."""
    selected = pipeline.select(ready)
    answers = pipeline.answerer.answer(ready, [each.selection for each in selected])
    measured = [_measured(item, each) for item, each in zip(items, answers, strict=True)]
    return Outcome(*(np.array(column) for column in zip(*measured, strict=True)))


def table(found: Mapping[str, Outcome], clusters: Sequence[str | None]) -> str:
    lines = [
        "| arm | same part, of 5 | open: case@5 | yes or no: right | abstained |",
        "|---|---|---|---|---|",
    ]
    for name, each in found.items():
        cells = [estimate(mean_of(column), clusters) for column in each]
        shown = " | ".join(f"{c.value:.3f} ({c.low:.3f}-{c.high:.3f})" for c in cells)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)


def comparisons(found: Mapping[str, Outcome], clusters: Sequence[str | None]) -> str:
    singles = ("text (BM25)", "image (descriptor)")
    pairs = [(a, b) for a in singles for b in found if "(" not in b or b == singles[1] != a]
    lines = ["| measure | from | to | difference | p, Holm |", "|---|---|---|---|---|"]
    for measure in ("organ", "case", "closed"):
        tested = [
            paired(
                mean_of(getattr(found[a], measure)), mean_of(getattr(found[b], measure)), clusters
            )
            for a, b in pairs
        ]
        corrected = holm([each.p for each in tested])
        for (a, b), each, p in zip(pairs, tested, corrected, strict=True):
            low, high = each.interval
            lines.append(
                f"| {measure} | {a} | {b} | {each.difference:+.3f} ({low:+.3f} to {high:+.3f}) "
                f"| {p:.3f} |"
            )
    return "\n".join(lines)


def _measured(item: Item, answer: Answer) -> tuple[float, float, float, float]:
    shown = (*answer.selection.kept, *answer.selection.dropped)[:5]
    wanted = _sign(item.references[0])
    organs = [_organ(hit) == item.fields["organ"] for hit in shown]
    same = any(
        _sign(str(hit.passage.fields["answer"])) == wanted and organ
        for hit, organ in zip(shown, organs, strict=True)
    )
    closed = item.kind == "yes_no"
    right = _sign(answer.text.partition("[")[0]) == wanted
    return (
        sum(organs) / 5,
        float("nan") if closed else float(same),
        float(right) if closed else float("nan"),
        float(answer.abstained) if closed else float("nan"),
    )


def _organ(hit: Hit) -> Any:
    return hit.passage.fields["title"]


def _sign(text: str) -> str:
    """Say an answer so that answers that say the same are equal."""
    plain = text.strip(" .").lower()
    return plain if plain in ("yes", "no") else " ".join(stems(text)) or plain


if __name__ == "__main__":
    main()
