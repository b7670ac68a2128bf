"""Which passages are of an earlier study of the patient in question."""

from dataclasses import replace

from medrag.records import Filter, ImageRef, Passage, Question
from medrag.records.times import earlier


def of_earlier_study(passage: Passage, question: Question) -> bool:
    """Tell whether a passage is of the question's own patient, and certainly of an earlier study.

    Never so: a passage of the current study, one that holds the current picture (the last of
    several, as `longitudinal` prompts show them), one without a time, and one of a question
    without. Where question or passage names no study, another hour of the same day may be the
    current study, and only an earlier day counts.
    """
    source = passage.source
    if not question.subject or source.subject != question.subject:
        return False
    if question.study is not None and source.study == question.study:
        return False
    if current_pictures(question) & {image.sha256 for image in passage.images}:
        return False
    by_day = question.study is None or source.study is None
    return earlier(source.time, question.time, by_day=by_day)


def own_filter(question: Question, wanted: Filter, kinds: frozenset[str]) -> Filter | None:
    """Turn the filter of a question into that of its patient's records.

    Subject and current study are those of the question; pictures of earlier studies that it brings
    along may be found again. Everything else stays as it is, `before` too, which is left out here
    for whoever compares times exactly.

    Returns:
        None where the filter leaves nothing of the patient.
    """
    subject = question.subject
    wanted_kinds = wanted.kinds & kinds if wanted.kinds else kinds
    if not subject or not wanted_kinds or (wanted.subjects and subject not in wanted.subjects):
        return None
    study = frozenset() if question.study is None else frozenset({question.study})
    pictures = (wanted.not_images - earlier_pictures(question)) | current_pictures(question)
    return replace(
        wanted,
        kinds=wanted_kinds,
        subjects=frozenset({subject}),
        before=None,
        not_images=pictures,
        not_studies=wanted.not_studies | study,
        not_subjects=wanted.not_subjects - {subject},
    )


def current_pictures(question: Question) -> frozenset[str]:
    """Name the pixels of the pictures of the current study: the last one, and all of its file."""
    named = [each for each in question.images if isinstance(each, ImageRef)]
    return frozenset(
        each.sha256 for each in named if each.sha256 is not None and each.path == named[-1].path
    )


def earlier_pictures(question: Question) -> frozenset[str]:
    """Name the pixels of the pictures that stand before the current one."""
    named = [each for each in question.images if isinstance(each, ImageRef)]
    shown = frozenset(each.sha256 for each in named if each.sha256 is not None)
    return shown - current_pictures(question)
