"""The floors of the part of VQA-RAD that is at hand."""

import json
from collections import Counter
from pathlib import Path

import pytest

from medrag.evaluation.floors import Floor, floor_answers
from medrag.evaluation.floors.nearest import nearest_cases
from medrag.language import words
from medrag.records import AnswerKind, Item, Question

pytestmark = pytest.mark.realdata


def made(name: str, items: list[Item], training: list[Item]) -> Floor:
    floor = floor_answers(name, items, training)
    assert floor is not None
    return floor


@pytest.fixture(scope="module")
def vqa_rad(data: Path) -> tuple[list[Item], list[Item]]:
    """The test and the training rows of the part of VQA-RAD that is at hand."""
    folder = data / "radiology" / "vqa_rad"
    rows = json.loads((folder / "vqa_rad.json").read_text(encoding="utf-8"))
    parts: dict[bool, list[Item]] = {True: [], False: []}
    for row in rows:
        answer, closed = str(row["answer"]).strip(), row["answer_type"].strip() == "CLOSED"
        question = Question(
            text=row["question"],
            images=(folder / "images" / row["image_name"],),
            study=row["image_case_url"],
        )
        kind: AnswerKind = "yes_no" if answer.lower() in ("yes", "no") and closed else "text"
        tested = row["phrase_type"].startswith("test")
        parts[tested].append(Item(str(row["qid"]), question, (answer,), kind, closed))
    return parts[True], parts[False]


def share_right(texts: tuple[str, ...], items: list[Item], *, closed: bool) -> float:
    chosen = [(t, each) for t, each in zip(texts, items, strict=True) if each.closed is closed]
    return sum(t.lower() == each.references[0].lower() for t, each in chosen) / len(chosen)


def test_the_constant_of_vqa_rad_is_no(vqa_rad: tuple[list[Item], list[Item]]) -> None:
    items, training = vqa_rad
    floor = made("constant", items, training)
    # Of closed training questions 289 are answered by no and 284 by yes; of 177 closed test
    # questions 79 by no.
    assert share_right(floor.texts, items, closed=True) == pytest.approx(79 / 177)


def test_the_question_floor_of_vqa_rad_equals_a_slow_obvious_one(
    vqa_rad: tuple[list[Item], list[Item]],
) -> None:
    items, training = vqa_rad
    floor = made("question", items, training)

    def split(item: Item) -> list[str]:
        return [word.lower() for word in words(item.question.text)]

    for item, text in zip(items, floor.texts, strict=True):
        pool = [each for each in training if each.closed is item.closed]
        same = [each for each in pool if split(each) == split(item)]
        begun = [each for each in pool if split(each)[:2] == split(item)[:2]]
        # Counted by words, so that "Ct." and "CT" are one answer.
        known = [tuple(w.lower() for w in words(e.references[0])) for e in same or begun or pool]
        assert tuple(word.lower() for word in words(text)) == Counter(known).most_common(1)[0][0]
    # 85 of 177 closed and 13 of 110 open; of the whole set 52.6% and 11.7% are published.
    assert share_right(floor.texts, items, closed=True) == pytest.approx(0.48, abs=0.02)
    assert share_right(floor.texts, items, closed=False) == pytest.approx(0.118, abs=0.02)


@pytest.mark.slow
def test_the_nearest_case_of_vqa_rad_is_of_another_image_and_beats_the_constant(
    vqa_rad: tuple[list[Item], list[Item]],
) -> None:
    items, training = vqa_rad
    shown = [item.question.images[0] for item in items]
    known = [item.question.images[0] for item in training]
    guarded = nearest_cases(items, training, guard=True).nearest
    leaking = nearest_cases(items, training, guard=False).nearest
    assert all(known[n.place] != s for n, s in zip(guarded, shown, strict=True) if n)
    # All 120 test images are in training as well, mostly asked of something else.
    same = [known[n.place] == s for n, s in zip(leaking, shown, strict=True) if n]
    assert sum(same) > 20
    floor = made("nearest_case", items, training)
    # 102 of 177 closed and 16 of 110 open
    assert share_right(floor.texts, items, closed=True) == pytest.approx(0.576, abs=0.03)
    assert share_right(floor.texts, items, closed=False) == pytest.approx(0.145, abs=0.03)
