"""The right half of the flow: retrieve, select, answer."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID, uuid5

from medrag.codec import to_json
from medrag.errors import MedragError
from medrag.identity import load_key, pseudonym
from medrag.images import asked_parts, hamming, identified
from medrag.protocols import Answerer, Retriever, Selector
from medrag.records import Answer, Filter, Hit, ImageRef, Question, QuestionRegion, Selection

# Bits of 64 in which the perceptual hashes of two pictures may differ to be called near-duplicates.
# Of 285 radiographs, CT, smears and textbook figures, copies at half size or saved anew as JPEG
# differ in at most 4, copies cropped by 2% at every side in 4 to 6 (median) and at most 12; of
# 12,000 pairs of different pictures one, a picture printed twice, is nearer than 10.
NEAR_DUPLICATE_BITS = 8

_NAMESPACE = UUID("6d656472-6167-5a00-8000-000000000003")


@dataclass(frozen=True, slots=True)
class Selected:
    """A prepared question and what was selected for it: all that answering needs.

    Attributes:
        excluded: hits that the guard removed.
        seconds: by stage, so far.
    """

    question: Question
    selection: Selection
    excluded: tuple[Hit, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict, hash=False)


class Pipeline:
    """Answer questions from a library.

    Args:
        retriever: ranks passages for a question.
        selector: chooses the hits worth reading.
        answerer: writes the answer from them.
        k: hits to retrieve for each question.
        guard: keep hits of the question's own picture, study and subject from the evidence; they
            are listed in `Answer.excluded`.
        allow: what every question may see, besides the guard.
        key: of the pseudonyms of subjects and studies; None reads this user's key when a question
            first names one.
        check_key: called with the key when a question names a subject or a study; raises if the
            library was built with another, as the guard would then not know its patients.
        index: what the hits come from, for those who draw their pictures; not used here.
        identity: what the answers depend on, as JSON values (recipe, index); not used here.

    Raises:
        ValueError: if k is below 1.
    """

    def __init__(
        self,
        *,
        retriever: Retriever,
        selector: Selector,
        answerer: Answerer,
        k: int = 20,
        guard: bool = True,
        allow: Filter = Filter(),  # noqa: B008 - frozen
        key: bytes | None = None,
        check_key: Callable[[bytes], None] | None = None,
        index: Any = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.retriever = retriever
        self.selector = selector
        self.answerer = answerer
        self.k = k
        self.guard = guard
        self.allow = allow
        self.key = key
        self.check_key = check_key
        self.index = index
        self.identity = dict(identity or {})

    def answer(self, question: Question, *, allow: Filter | None = None) -> Answer:
        """Answer one question; see `answer_all`."""
        return self.answer_all([question], allow=allow)[0]

    def answer_all(
        self, questions: Sequence[Question], *, allow: Filter | None = None
    ) -> list[Answer]:
        """Answer questions, in order.

        Args:
            questions: as a person asks them.
            allow: what these questions may see, instead of the pipeline's own `allow`.

        Returns:
            One answer per question. `Answer.question` is the question as it was prepared: images
            decoded and named, subject and study as pseudonyms, an id. `Answer.timings` holds
            seconds for "prepare", "retrieve", "guard", "select" and "answer", the batch's time
            shared equally by its questions, beside those of the answerer.

        Raises:
            MedragError: if an image of a question cannot be read; names the question. Or if a
                question names a patient and the library was built with another key. Nothing was
                answered then.
            ValueError: if the subject or study of a question is blank.
        """
        return self.answer_selected(self.select_all(questions, allow=allow))

    def select_all(
        self, questions: Sequence[Question], *, allow: Filter | None = None
    ) -> list[Selected]:
        """Do the first half of `answer_all`: prepare, retrieve and select."""
        clock = _Clock()
        with clock.stage("prepare"):
            ready = self.prepared(questions)
        seconds = clock.shared(len(ready))
        return [
            replace(each, seconds={**seconds, **each.seconds})
            for each in self.select(ready, allow=allow)
        ]

    def prepared(self, questions: Sequence[Question]) -> list[Question]:
        """Make questions ready to be asked; see `prepared` for what that is and may raise."""
        return prepared(questions, self._checked_key(questions))

    def select(
        self,
        questions: Sequence[Question],
        *,
        allow: Filter | None = None,
        guard: bool | None = None,
        about: Sequence[Question] | None = None,
    ) -> list[Selected]:
        """Retrieve and select for prepared questions.

        Args:
            guard: another setting than the pipeline's own.
            about: the questions that the guard is for, where others are asked in their place (the
                same without its pictures, say).
        """
        clock = _Clock()
        guard = self.guard if guard is None else guard
        allowed = self.allow if allow is None else allow
        filters = [guarded(q, allowed) if guard else allowed for q in about or questions]
        with clock.stage("retrieve"):
            rankings = self.retriever.retrieve(questions, self.k, filters)
        with clock.stage("guard"):
            excluded = self._excluded(questions, filters if guard else [], allowed)
        with clock.stage("select"):
            selections = [
                self.selector.select(q, r) for q, r in zip(questions, rankings, strict=True)
            ]
        seconds = clock.shared(len(questions))
        return [
            Selected(question, selection, excluded.get(i, ()), seconds)
            for i, (question, selection) in enumerate(zip(questions, selections, strict=True))
        ]

    def answer_selected(self, selected: Sequence[Selected]) -> list[Answer]:
        """Do the second half of `answer_all`: answer from what was selected."""
        clock = _Clock()
        with clock.stage("answer"):
            answers = self.answerer.answer(
                [each.question for each in selected], [each.selection for each in selected]
            )
        seconds = clock.shared(len(selected))
        return [
            replace(
                answer,
                excluded=each.excluded,
                near_duplicates=near_duplicates(answer.question, answer.selection.kept),
                timings={**each.seconds, **seconds, **answer.timings},
            )
            for answer, each in zip(answers, selected, strict=True)
        ]

    def _checked_key(self, questions: Sequence[Question]) -> bytes | None:
        """Give the key of pseudonyms, if a question needs one, after the library accepted it."""
        if not any(question.subject or question.study for question in questions):
            return self.key
        key = load_key() if self.key is None else self.key
        if self.check_key is not None:
            self.check_key(key)
        return key

    def _excluded(
        self, questions: Sequence[Question], filters: Sequence[Filter], allowed: Filter
    ) -> dict[int, tuple[Hit, ...]]:
        """Find what the guard removed, by asking again without it where it could remove a hit."""
        asked = [i for i, wanted in enumerate(filters) if _guards(wanted)]
        if not asked:
            return {}
        rankings = self.retriever.retrieve(
            [questions[i] for i in asked], self.k, [allowed for _ in asked]
        )
        return {
            i: tuple(hit for hit in ranking if violates(hit, filters[i]))
            for i, ranking in zip(asked, rankings, strict=True)
        }


def prepared(questions: Sequence[Question], key: bytes | None = None) -> list[Question]:
    """Make questions ready to be asked: images decoded and named, pseudonyms, an id.

    An image that several questions share is decoded once.

    Args:
        questions: as a person asks them.
        key: None reads this user's key if any question names a subject or a study.

    Raises:
        MedragError: if an image cannot be read; names the question and the image.
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
    return [_named(question) for question in ready]


def guarded(question: Question, allow: Filter) -> Filter:
    """Add the guard against leakage: not the question's pictures, study and subject.

    Where `allow` asks for the subject's own passages (a history), subject and pictures are left to
    it and the current study alone is guarded.
    """
    images = {sha for image in question.images for sha in _pixels(image)}
    subject = {question.subject} if question.subject and not allow.subjects else set()
    study = {question.study} if question.study else set()
    return replace(
        allow,
        not_images=allow.not_images | images,
        not_studies=allow.not_studies | study,
        not_subjects=allow.not_subjects | subject,
    )


def violates(hit: Hit, wanted: Filter) -> bool:
    """Tell whether the guard of a filter keeps a hit out."""
    source = hit.passage.source
    return (
        source.study in wanted.not_studies
        or source.subject in wanted.not_subjects
        or any(image.sha256 in wanted.not_images for image in hit.passage.images)
    )


def near_duplicates(question: Question, hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Find the hits with a picture that looks like one of the question's.

    Two pictures are near if their perceptual hashes differ in at most `NEAR_DUPLICATE_BITS` bits.
    """
    asked = [i.phash for i in question.images if isinstance(i, ImageRef) and i.phash]
    return tuple(
        hit
        for hit in hits
        if any(
            image.phash and hamming(image.phash, phash) <= NEAR_DUPLICATE_BITS
            for image in hit.passage.images
            for phash in asked
        )
    )


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = perf_counter()
        yield
        self.seconds[name] = perf_counter() - started

    def shared(self, n: int) -> Mapping[str, float]:
        return {name: seconds / max(1, n) for name, seconds in self.seconds.items()}


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


def _pixels(image: ImageRef | str | Path) -> list[str]:
    """Name the pixels of a picture of a prepared question, and those of the whole of a part."""
    if not isinstance(image, ImageRef) or image.sha256 is None:
        return []
    if image.box is None:
        return [image.sha256]
    whole = identified(replace(image, box=None, sha256=None, phash=None))
    return [image.sha256, *_pixels(whole)]


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


def _guards(wanted: Filter) -> bool:
    return bool(wanted.not_images or wanted.not_studies or wanted.not_subjects)
