"""A run made by hand over the sample's pictures, and scores of made-up values for it."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medrag.codec import to_json
from medrag.evaluation.runs import ANSWERS, ITEMS, MANIFEST, PASSAGES, Run, open_run
from medrag.evaluation.runs.writing import Writer
from medrag.evaluation.scores import (
    ArmScores,
    Curves,
    Diagnostics,
    Estimate,
    Flow,
    ScoreRow,
    Scores,
    State,
)
from medrag.records import Answer, Citation, Claim, Hit, Item, Passage, Question, Selection
from tests.reporting.made import LIBRARY, fact, figure, report

ARMS = (
    "context", "no_context", "random_context", "oracle_context", "blank_image",
    "floor:constant", "floor:question", "floor:nearest_case",
)  # fmt: skip
# How often each arm of the made-up run is right.
_SKILL = dict(zip(ARMS, (0.63, 0.52, 0.5, 0.81, 0.47, 0.45, 0.55, 0.5), strict=True))
_ASKED = (
    ("Is there a pneumothorax?", "radiographs/s06.jpg", "yes", "presence"),
    ("Is there a pleural effusion?", "radiographs/s03.jpg", "yes", "presence"),
    ("Is the heart enlarged?", "radiographs/s01.jpg", "no", "size"),
    ("Is the mediastinum shifted to the left?", "radiographs/s08.jpg", "no", "position"),
    ("Which finding is seen near the macula?", "fundus/f03.jpg", "hard exudates", "abnormality"),
    ("What does the optic disc of this eye show?", "fundus/f02.jpg", "a large pale cup", "organ"),
    ("Which cell stands in the middle of this smear?", "smears/b02.jpg", "neutrophil", "cell"),
    ("Are there blast cells in this smear?", "smears/b04.jpg", "no", "cell"),
)  # fmt: skip
_OPTIONS = ("neutrophil", "lymphocyte", "monocyte", "eosinophil")
_MODALITY = {"radiographs": "radiograph", "fundus": "fundus photograph", "smears": "blood smear"}


def made_items(n: int) -> list[Item]:
    """Make items over the sample's pictures: yes or no, choice and open in turn."""
    items = []
    for number in range(n):
        text, picture, reference, kind = _ASKED[number % len(_ASKED)]
        options = _OPTIONS if reference in _OPTIONS else ()
        closed = reference in ("yes", "no")
        question = Question(text, (LIBRARY / picture,), id=f"item-{number}", options=options)
        items.append(
            Item(
                f"item-{number}", question, (reference,),
                "choice" if options else "yes_no" if closed else "text", closed,
                cluster=f"image-{number % 60}",
                fields={"question_type": kind, "modality": _MODALITY[picture.split("/")[0]]},
            )
        )  # fmt: skip
    return items


def made_rows(items: Sequence[Item], arms: Sequence[str] = ARMS) -> tuple[ScoreRow, ...]:
    """Draw who is right, with confidences that know a little of it."""
    drawn = np.random.default_rng(7)
    rows = []
    for arm in arms:
        for item in items:
            right = bool(drawn.random() < _SKILL.get(arm, 0.5))
            sure = float(np.clip(drawn.normal(0.72 if right else 0.58, 0.16), 0.02, 0.99))
            state: State = "answered"
            if not right and not arm.startswith("floor:"):
                states: list[State] = ["answered", "abstained", "unparsed", "failed"]
                state = states[int(drawn.choice(4, p=[0.84, 0.1, 0.04, 0.02]))]
            read = item.references[0] if right else "no" if item.closed else "something else"
            read = "yes" if item.references == ("no",) and not right else read
            has = state == "answered" and not arm.startswith("floor:")
            rows.append(
                ScoreRow(item.id, arm, state, read if state == "answered" else state,
                         float(right), sure if has else None)
            )  # fmt: skip
    return tuple(rows)


def answer_of(item: Item, row: ScoreRow) -> Answer:
    """Write an answer with evidence, such as the row says it was read."""
    about: list[Passage] = [figure(), report(), fact(3, "pneumothorax", "has_finding", "line")]
    if "fundus" in str(item.question.images[0]):
        image = replace(report("fundus/f03.jpg"), id="p-fundus", kind="image")
        caption = "Diabetic retinopathy with microaneurysms and a ring of hard exudates."
        about = [replace(image, text=caption, fields={}), fact(4, "retinopathy", "has", "exudate")]
    hits = tuple(Hit(passage, 0.9 - 0.1 * i, i + 1) for i, passage in enumerate(about))
    if row.state == "abstained":
        return Answer(item.question, "No evidence found in this library.", abstained=True,
                      selection=Selection(hits))  # fmt: skip
    if row.state == "failed":
        return Answer(item.question, "", error="The model gave no answer within 60 s.")
    said = f"{row.parsed.capitalize()} [1]. {about[0].text.split('.')[0]} is described [2]."
    return Answer(
        item.question, said, claims=(Claim(about[0].text, (1,)),),
        citations=tuple(Citation(i, hit.passage, hit.score) for i, hit in enumerate(hits[:2], 1)),
        selection=Selection(hits), confidence=row.confidence,
        timings={"retrieve": 0.012, "generate": 1.4},
    )  # fmt: skip


def made_run(folder: Path, items: Sequence[Item], rows: Sequence[ScoreRow]) -> Run:
    """Write a run and open it."""
    folder.mkdir(parents=True, exist_ok=True)
    by_id = {item.id: item for item in items}
    manifest = {
        "format": 1, "medrag": "0.1.0", "created": "2026-11-30T14:02:11+00:00",
        "benchmark": {"name": "sample-vqa", "split": "test", "layout": "vqa_rad"},
        "n_items": len(items),
        "pipeline": {"name": "sample", "sha256": "a1" * 32},
        "index": {"name": "sample", "sha256": "b2" * 32},
        "model": "lingshu-7b", "seed": 0, "arms": sorted({row.arm for row in rows}),
        "notes": {"floor:nearest_case": "no training split: the library's cases stand in for it"},
        "problems": [], "memory": {},
    }  # fmt: skip
    lines = "".join(f"{json.dumps(to_json(item))}\n" for item in items).encode()
    manifest["items_sha256"] = hashlib.sha256(lines).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    (folder / ITEMS).write_bytes(lines)
    for name in (PASSAGES, ANSWERS):
        (folder / name).write_bytes(b"")
    writer = Writer(folder)
    for arm in dict.fromkeys(row.arm for row in rows):
        own = [row for row in rows if row.arm == arm]
        asked = [by_id[row.item] for row in own]
        writer.write(arm, asked, [answer_of(i, row) for i, row in zip(asked, own, strict=True)])
    return open_run(folder)


def share(right: Sequence[float]) -> Estimate:
    """Give a share with the interval of the normal approximation: made-up, but of likely width."""
    n = len(right)
    if not n:
        return Estimate(math.nan)
    p = sum(right) / n
    half = 1.96 * math.sqrt(max(p * (1 - p), 0.01) / n)
    return Estimate(p, max(p - half, 0.0), min(p + half, 1.0), n)


def made_arm(arm: str, items: Sequence[Item], rows: Sequence[ScoreRow]) -> ArmScores:
    own = {row.item: row for row in rows if row.arm == arm}
    closed = [own[i.id].right for i in items if i.closed]
    opened = [own[i.id].right * 0.8 for i in items if not i.closed]
    asked = not arm.startswith("floor:")
    groups: dict[str, dict[str, dict[str, Estimate]]] = {}
    for column in ("question_type", "modality"):
        for value in sorted({str(item.fields[column]) for item in items}):
            chosen = [own[i.id].right for i in items if i.fields[column] == value]
            groups.setdefault(column, {})[value] = {"accuracy": share(chosen)}
    states: dict[State, int] = {}
    for row in own.values():
        states[row.state] = states.get(row.state, 0) + 1
    return ArmScores(
        arm, len(items), states,
        {
            "accuracy": share([row.right for row in own.values()]),
            "closed_accuracy": share(closed), "open_recall": share(opened),
            "ece": Estimate(0.113, 0.08, 0.15, len(items)),
        },
        {"precision": 0.512} if asked else {}, groups,
        {"prepare": 0.0041, "retrieve": 0.031, "select": 0.0003, "answer": 1.43, "generate": 1.42}
        if asked
        else {},
    )  # fmt: skip


def made_scores(items: Sequence[Item], rows: Sequence[ScoreRow]) -> Scores:
    """Score rows as made; every part of the page has something to show."""
    arms = tuple(dict.fromkeys(row.arm for row in rows))
    flows = tuple(
        _flow(before, after, rows)
        for before, after in (("no_context", "context"), ("context", "oracle_context"))
        if before in arms and after in arms
    )
    shares = {
        "rescue": Estimate(0.41, 0.33, 0.49, 110), "interference": Estimate(0.2, 0.14, 0.27, 130),
        "over_reliance (blank_image)": Estimate(0.55, 0.49, 0.61, 240),
        "image_blind (blank_image)": Estimate(0.47, 0.41, 0.53, 240),
        "rule_fired": Estimate(0.3, 0.24, 0.36, 240), "mean_evidence": Estimate(2.6, 2.5, 2.7, 240),
        "laterality_contradicted": Estimate(0.0125, 0.0, 0.03, 240),
        "negation_contradicted": Estimate(math.nan),
    }  # fmt: skip
    counts = {"excluded: same image": 31, "excluded: same study": 4, "near duplicates": 12}
    return Scores(
        "sample-vqa", "test", "llava_med", "corrected",
        ("accuracy", "closed_accuracy", "open_recall"), len(items),
        len({item.cluster for item in items}), tuple(made_arm(a, items, rows) for a in arms),
        _curves(rows), Diagnostics(flows, shares, counts), tuple(rows),
        ("All pictures of the split recur among the training rows; the guard kept them out.",),
        {"retrieve": 1_310_000_000, "generate": 16_400_000_000},
    )  # fmt: skip


def _flow(before: str, after: str, rows: Sequence[ScoreRow]) -> Flow:
    was = {row.item: row.right for row in rows if row.arm == before}
    now = {row.item: row.right for row in rows if row.arm == after}

    def where(first: float, second: float) -> tuple[str, ...]:
        return tuple(i for i in was if was[i] == first and now[i] == second)

    return Flow(before, after, where(0, 1), where(1, 0), where(1, 1), where(0, 0))


def _curves(rows: Sequence[ScoreRow]) -> Curves:
    own = [row for row in rows if row.arm == "context" and row.confidence is not None]
    own.sort(key=lambda row: -(row.confidence or 0.0))
    wrong = np.cumsum([1 - row.right for row in own])
    ranks = np.arange(1, len(own) + 1)
    bins = []
    for low in np.arange(0, 1, 0.1):
        inside = [row for row in own if low <= (row.confidence or 0.0) < low + 0.1]
        if inside:
            sure = sum(row.confidence or 0.0 for row in inside) / len(inside)
            bins.append((sure, sum(row.right for row in inside) / len(inside), len(inside)))
    coverage, risk = ranks / max(len(own), 1), wrong / ranks
    return Curves("context", tuple(coverage.tolist()), tuple(risk.tolist()), tuple(bins))
