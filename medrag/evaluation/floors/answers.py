"""The floors by name: texts and confidences for test items, and what must be known of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medrag.evaluation.floors.counting import Counts, by_chance, constant, counted, of_question
from medrag.evaluation.floors.forms import (
    CLOSED,
    NOTHING,
    Told,
    chooses,
    form_of,
    is_polar,
    lettered,
    nearest_places,
    right_answer,
)
from medrag.evaluation.floors.nearest import nearest_cases
from medrag.records import Item

FLOORS = ("constant", "question", "random", "nearest_case")
_LEARNT = frozenset({"question", "nearest_case"})
# Forms whose answers are known without training items.
_KNOWN = frozenset({CLOSED, "choice", "choices"})


@dataclass(frozen=True, slots=True)
class Floor:
    """The answers of one floor.

    Attributes:
        name: of `FLOORS`.
        texts: one for each item, in order, as a reader would give them; empty where the floor has
            no answer.
        confidences: in [0, 1], or None where the floor has none.
        note: what a reader of its score must know; empty if nothing.
    """

    name: str
    texts: tuple[str, ...]
    confidences: tuple[float | None, ...]
    note: str = ""


def floor_answers(
    name: str,
    items: Sequence[Item],
    training: Sequence[Item],
    *,
    seed: int = 0,
    guard: bool = True,
) -> Floor | None:
    """Answer items without a model.

    - constant: the most frequent training answer of the same form (closed, open, choice, report).
      For choices the option most often right among items with the same options, or else the letter
      most often right.
    - question: the most frequent training answer to the same words, or else to the same first two
      words, or else the constant.
    - random: yes or no, an option, or a training answer of the form, drawn evenly.
    - nearest_case: the answer of the training item nearest in words and picture; pictures that
      cannot be read count as absent, and the note tells how many there are.

    Confidence is the share of that answer among those counted, the similarity of the nearest case,
    and None for what is drawn.

    Args:
        name: of `FLOORS`.
        items: to be answered, of any kinds.
        training: items with references; may be empty.
        seed: of `random`.
        guard: keep training items of the same picture, study or subject from `nearest_case`.

    Returns:
        None where there is no such floor; `why_left_out` says why.

    Raises:
        ValueError: if the name is none of `FLOORS`.
    """
    if why_left_out(name, items, training) is not None:
        return None
    counts = counted(training)
    notes: list[str] = []
    if name == "constant":
        told = _constants(items, counts, notes)
    elif name == "question":
        told = [of_question(item, counts) for item in items]
    elif name == "random":
        told = list(by_chance(items, counts, seed))
    else:
        told = _of_nearest(items, training, counts, guard=guard, notes=notes)
    if lacking := _lacking(items, told):
        notes.append(lacking)
    texts, confidences = [one.text for one in told], [one.confidence for one in told]
    return Floor(name, tuple(texts), tuple(confidences), "; ".join(notes))


def why_left_out(name: str, items: Sequence[Item], training: Sequence[Item]) -> str | None:
    """Say why a floor cannot be made; None if it can.

    Raises:
        ValueError: if the name is none of `FLOORS`.
    """
    if name not in FLOORS:
        raise ValueError(f"there is no floor {name!r}; known: {', '.join(FLOORS)}")
    learnt = {form_of(item) for item in training if right_answer(item)}
    wanted = {form_of(item) for item in items} - {None}
    if not wanted:
        return "no item is answered by a text"
    if not wanted & (learnt if name in _LEARNT else learnt | _KNOWN):
        forms = ", ".join(sorted(form for form in wanted if form is not None))
        return f"it needs training items with answers of the form {forms}, and there are none"
    return None


def _constants(items: Sequence[Item], counts: Counts, notes: list[str]) -> list[Told]:
    told = [constant(item, counts) for item in items]
    unlearnt = [
        place
        for place, item in enumerate(items)
        if told[place] is NOTHING and form_of(item) in _KNOWN
    ]
    if unlearnt:
        # Few items share their options, and an item must not be told its own answer.
        labels = replace(counted([items[place] for place in unlearnt]), options={})
        for place in unlearnt:
            told[place] = constant(items[place], labels)
        notes.append("learnt from the test labels themselves: the best of all constants")
    return told


def _of_nearest(
    items: Sequence[Item],
    training: Sequence[Item],
    counts: Counts,
    *,
    guard: bool,
    notes: list[str],
) -> list[Told]:
    told, n_constant = [], 0
    cases = nearest_cases(items, training, guard=guard)
    for item, near in zip(items, cases.nearest, strict=True):
        text = "" if near is None else _as_in(item, training[near.place])
        if near is not None and text:
            told.append(Told(text, near.similarity))
        else:
            told.append(constant(item, counts))
            n_constant += told[-1] is not NOTHING
    if n_constant:
        notes.append(f"{n_constant} of {len(items)} items fit no case and get the constant")
    if cases.n_unread:
        notes.append(f"pictures that cannot be read and count as absent: {cases.n_unread}")
    if not guard:
        notes.append("the same picture, study and subject were allowed")
    return told


def _as_in(item: Item, case: Item) -> str:
    """Word the right answer of a case for an item; empty if it is none of the item's options."""
    if chooses(item):
        places = nearest_places(item, case)
        return lettered(item, places) if places else ""
    right = right_answer(case)
    polar = is_polar(item) and right in (("yes",), ("no",))
    return right[0] if polar else case.references[0].strip()


def _lacking(items: Sequence[Item], told: Sequence[Told]) -> str:
    lacking = Counter(item.kind for item, one in zip(items, told, strict=True) if one is NOTHING)
    listed = ", ".join(f"{n} of kind {kind}" for kind, n in sorted(lacking.items()))
    return f"no answer for {listed}" if lacking else ""
