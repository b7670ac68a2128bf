"""Questions made ready to be asked: pictures decoded and named, pseudonyms, an id."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid5

from medrag.codec import to_json
from medrag.errors import MedragError
from medrag.identity import load_key, pseudonym
from medrag.images import asked_parts
from medrag.images.pointing import check_regions
from medrag.records import ImageRef, Question, QuestionRegion

_NAMESPACE = UUID("6d656472-6167-5a00-8000-000000000003")


def prepared(questions: Sequence[Question], key: bytes | None = None) -> list[Question]:
    """Make questions ready to be asked: images decoded and named, pseudonyms, an id.

    An image that several questions share is decoded once.

    Args:
        questions: as a person asks them.
        key: None reads this user's key if any question names a subject or a study.

    Raises:
        MedragError: if an image cannot be read, or a region lies in none or outside of its own;
            names the question and the image or region.
    """
    if key is None and any(question.subject or question.study for question in questions):
        key = load_key()
    known: dict[ImageRef, tuple[ImageRef, ...]] = {}
    ready = []
    for place, question in enumerate(questions, start=1):
        shown = [_identified(image, known, question, place) for image in question.images]
        ready.append(
            replace(
                question,
                images=tuple(part for parts in shown for part in parts),
                regions=tuple(_moved(each, shown, question, place) for each in question.regions),
                subject=_pseudonym(question.subject, key, question, place),
                study=_pseudonym(question.study, key, question, place),
            )
        )
    return [_named(_checked(question, place)) for place, question in enumerate(ready, start=1)]


def _checked(question: Question, place: int) -> Question:
    """Refuse regions that make no sense, and make the paths of masks absolute."""
    regions = tuple(
        region if region.mask is None
        else replace(region, mask=str(Path(region.mask).expanduser().absolute()))
        for region in question.regions
    )  # fmt: skip
    question = replace(question, regions=regions)
    try:
        check_regions(question)
    except (ValueError, MedragError, OSError) as error:
        raise MedragError(f"question {_called(question, place)}: {error}") from error
    return question


def _identified(
    image: ImageRef | str | Path,
    known: dict[ImageRef, tuple[ImageRef, ...]],
    question: Question,
    place: int,
) -> tuple[ImageRef, ...]:
    ref = image if isinstance(image, ImageRef) else ImageRef(path=str(image))
    ref = replace(ref, path=str(Path(ref.path).expanduser().absolute()))
    if ref not in known:
        try:
            known[ref] = (ref,) if ref.sha256 and ref.phash else asked_parts(ref)
        except (MedragError, OSError) as error:
            raise MedragError(f"question {_called(question, place)}: {error}") from error
    return known[ref]


def _moved(
    region: QuestionRegion, shown: Sequence[Sequence[ImageRef]], question: Question, place: int
) -> QuestionRegion:
    """Count the image that a region lies in among the slices of those before it."""
    if len(shown) > region.image and len(shown[region.image]) > 1:
        raise MedragError(
            f"question {_called(question, place)}: a region lies in a scan of several slices; give "
            "the slice as the image: ImageRef(path, axis=2, slice=N)"
        )
    return replace(region, image=sum(map(len, shown[: region.image])))


def _called(question: Question, place: int) -> str:
    return repr(question.id or question.text[:60] or place)


def _pseudonym(value: str | None, key: bytes | None, question: Question, place: int) -> str | None:
    if not value or key is None:
        return None
    try:
        return pseudonym(value, key)
    except ValueError as error:
        raise ValueError(f"question {_called(question, place)}: {error}") from error


def _named(question: Question) -> Question:
    if question.id:
        return question
    content = json.dumps(to_json(replace(question, images=())), sort_keys=True)
    pictures = [image.sha256 for image in question.images if isinstance(image, ImageRef)]
    return replace(question, id=str(uuid5(_NAMESPACE, f"{content}{pictures}")))
