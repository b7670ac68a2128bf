"""The guard against leakage: what a question must not see of its own picture and patient."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medrag.images import hamming, identified
from medrag.records import Filter, Hit, ImageRef, Passage, Question
from medrag.records.times import earlier
from medrag.retrieval.history import earlier_pictures, of_earlier_study

# Bits of 64 in which the perceptual hashes of two pictures may differ to be called near-duplicates.
# Of 285 radiographs, CT, smears and textbook figures, copies at half size or saved anew as JPEG
# differ in at most 4, copies cropped by 2% at every side in 4 to 6 (median) and at most 12; of
# 12,000 pairs of different pictures one, a picture printed twice, is nearer than 10.
NEAR_DUPLICATE_BITS = 8


def guarded(question: Question, allow: Filter) -> Filter:
    """Add the guard against leakage: not the question's pictures, study and subject.

    Where `allow` asks for the question's own subject (a history), its passages may be seen, but
    neither the current study nor its pictures, and what is earlier than the question's time alone,
    if it has one.
    """
    images = {sha for image in question.images for sha in _pixels(image)}
    own = question.subject is not None and question.subject in allow.subjects
    subject = {question.subject} if question.subject and not own else set()
    study = {question.study} if question.study else set()
    return replace(
        allow,
        before=_stricter(allow.before, question.time) if own else allow.before,
        not_images=allow.not_images | images,
        not_studies=allow.not_studies | study,
        not_subjects=allow.not_subjects | subject,
    )


def violates(hit: Hit, wanted: Filter) -> bool:
    """Tell whether the guard of a filter keeps a hit out, a time that is not earlier included.

    The subject of a hit of history is the question's own; its picture and study are not. Whether it
    is history in truth is for `is_history` to say.
    """
    return _bars(wanted, hit.passage, history=hit.history)


def allows(wanted: Filter, passage: Passage) -> bool:
    """Tell whether a filter lets a passage through, as the channels of an index have it."""
    source = passage.source
    named = (
        (wanted.kinds, passage.kind),
        (wanted.domains, source.domain),
        (wanted.corpora, source.corpus),
        (wanted.subjects, source.subject),
    )
    return all(not names or value in names for names, value in named) and not _bars(wanted, passage)


def allowed(hits: Iterable[Hit], wanted: Filter) -> tuple[Hit, ...]:
    """Keep the hits whose passages a filter lets through, as they were ranked."""
    return tuple(hit for hit in hits if allows(wanted, hit.passage))


def is_history(hit: Hit, question: Question, wanted: Filter) -> bool:
    """Tell whether a hit is what history may give, though it is of the question's own patient.

    It is of a study that is certainly earlier, and not the current one (`of_earlier_study`); and
    beyond the patient, and pictures of earlier studies that the question brings along, the guard
    has nothing against it.
    """
    rest = replace(wanted, not_images=wanted.not_images - earlier_pictures(question))
    return of_earlier_study(hit.passage, question) and not violates(
        replace(hit, history=True), rest
    )


def kept_in(question: Question, hits: Sequence[Hit], wanted: Filter) -> list[Hit]:
    """Leave out what the guard keeps out, whatever retriever brought it; ranks close up.

    A hit of history (`Hit.history`) is held against what history may give, whatever else allows.
    """
    sound = [hit for hit in hits if _may_stay(hit, question, wanted)]
    if len(sound) == len(hits):
        return list(hits)
    return [replace(hit, rank=rank) for rank, hit in enumerate(sound, start=1)]


def kept_out(question: Question, hits: Sequence[Hit], wanted: Filter) -> tuple[Hit, ...]:
    """List what `kept_in` leaves out, as it was ranked."""
    return tuple(hit for hit in hits if not _may_stay(hit, question, wanted))


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


def guards(wanted: Filter) -> bool:
    return bool(wanted.not_images or wanted.not_studies or wanted.not_subjects)


def _bars(wanted: Filter, passage: Passage, *, history: bool = False) -> bool:
    source = passage.source
    return (
        source.study in wanted.not_studies
        or (source.subject in wanted.not_subjects and not history)
        or any(image.sha256 in wanted.not_images for image in passage.images)
        or (wanted.before is not None and not earlier(source.time, wanted.before))
    )


def _may_stay(hit: Hit, question: Question, wanted: Filter) -> bool:
    return is_history(hit, question, wanted) if hit.history else not violates(hit, wanted)


def _stricter(one: str | None, other: str | None) -> str | None:
    """Give the earlier of two times, or the one that is there."""
    if one is None or other is None:
        return one or other
    return other if earlier(other, one) else one


def _pixels(image: ImageRef | str | Path) -> list[str]:
    """Name the pixels of a picture of a prepared question, and of the bare whole behind them."""
    if not isinstance(image, ImageRef) or image.sha256 is None:
        return []
    if image.box is None and not image.marks:
        return [image.sha256]
    whole = identified(replace(image, box=None, marks=(), sha256=None, phash=None))
    return [image.sha256, *_pixels(whole)]
