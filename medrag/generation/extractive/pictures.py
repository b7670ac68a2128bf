"""Questions about a picture: what stands with the pictures that look like it."""

from collections.abc import Iterable
from dataclasses import dataclass

from medrag.generation.asked import answer_sign, common_share, content_stems
from medrag.generation.extractive.evidence import Pool, Unit, closeness
from medrag.records import Passage, Question

# Chosen on the training questions of VQA-RAD: two cases whose pictures differ by 0.03 in cosine
# weigh as 1 to e.
_SHARPNESS = 32
# A case was asked the same if it shares this share of words, or the lower one with the last word
# of either question, which is what the others are asked of ("is the heart enlarged").
_SAME, _SAME_WITH_LAST = 0.4, 0.2
_SAME_QUESTION = 0.5
_NEAR_THE_BEST = 0.25


@dataclass(frozen=True, slots=True)
class Told:
    """What stands with a case, and how much it says of the picture in question, in [0, 1]."""

    unit: Unit
    weight: float


def nearness(unit: Unit, *, by_picture: bool) -> float:
    """Weigh a passage by how near its picture is, or where that is unknown by its rank.

    A passage without a picture says nothing of the picture in question: 0.
    """
    if not by_picture:
        return float(1 / unit.marker**0.5)
    close = closeness(unit.hit)
    return 0.0 if close is None else close**_SHARPNESS


def same_question(text: str, case: Passage, language: str, *, by_picture: bool) -> float:
    """Give the share of words that a question and that of a case have in common.

    Returns:
        In [0, 1]; 0 if the case was asked something else.
    """
    asked = content_stems(text, language)
    told = content_stems(str(case.fields.get("question") or ""), language)
    if not by_picture:
        return common_share(asked, told, least=_SAME_QUESTION, least_with_last=_SAME_QUESTION)
    return common_share(asked, told, least=_SAME, least_with_last=_SAME_WITH_LAST)


def told_of(question: Question, pool: Pool) -> list[Told]:
    """List the cases that were asked nearly the same as an open question, the best first.

    A case counts by the words that both questions share and by how near the pictures are; one
    that was answered by yes or no answers no open question. Those that count for less than a
    quarter of the best are left out.
    """
    by_picture = pool.compares_pictures
    found = []
    for unit in pool.units:
        case = unit.hit.passage
        if case.kind != "case" or answer_sign(case.fields.get("answer")):
            continue
        share = same_question(question.text, case, pool.language, by_picture=by_picture)
        weight = share**2 * nearness(unit, by_picture=by_picture)
        if weight > 0:
            found.append(Told(unit, weight))
    least = _NEAR_THE_BEST * max((one.weight for one in found), default=0.0)
    return sorted((one for one in found if one.weight >= least), key=lambda one: -one.weight)


def nearest(pool: Pool) -> list[Unit]:
    """Take one sentence for each picture of the evidence, the most similar picture first.

    Of the cases of one picture, one with an open answer is taken before one with yes or no, which
    says little without its question.
    """
    chosen: dict[str | int, Unit] = {}
    for unit in pool.units:
        passage = unit.hit.passage
        if not passage.images:
            continue
        picture = passage.images[0].sha256 or unit.marker
        known = chosen.get(picture)
        if known is None or (_says_little(known) and not _says_little(unit)):
            chosen[picture] = unit
    return _most_similar_first(chosen.values())


def _says_little(unit: Unit) -> bool:
    return bool(answer_sign(unit.hit.passage.fields.get("answer")))


def _most_similar_first(units: Iterable[Unit]) -> list[Unit]:
    return sorted(units, key=lambda unit: (-(closeness(unit.hit) or 0.0), unit.marker, unit.place))
