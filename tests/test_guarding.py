"""The guard by its rules: what a question must not see, whoever brings it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Filter, Hit, ImageRef, Passage, Question, Source
from medrag.records.times import earlier
from medrag.retrieval.guarding import allows, guarded, is_history, kept_in, kept_out, violates

NOW = ImageRef("/now.png", sha256="now")
THEN = ImageRef("/then.png", sha256="then")
ASKED = Question(
    text="?", images=(THEN, NOW), subject="me", study="current", time="2020-05-03T10:00"
)
GUARD = guarded(ASKED, Filter())


def hit(
    subject: str | None = "me",
    study: str | None = "old",
    time: str | None = "2019",
    *images: ImageRef,
    history: bool = True,
) -> Hit:
    source = Source("c", "d", "0", subject=subject, study=study, time=time)
    return Hit(Passage("p", "report", "x", source, images), 1.0, 1, history=history)


def test_a_guard_names_pictures_study_and_subject_of_the_question() -> None:
    assert guarded(ASKED, Filter()) == Filter(
        not_images=frozenset({"now", "then"}),
        not_studies=frozenset({"current"}),
        not_subjects=frozenset({"me"}),
    )


def test_who_asks_for_the_own_patient_sees_what_is_earlier_than_the_question_alone() -> None:
    wanted = guarded(ASKED, Filter(subjects=frozenset({"me"})))
    assert wanted.before == ASKED.time
    assert wanted.not_subjects == frozenset()
    assert violates(hit(time="2020-05-03", history=False), wanted)
    assert violates(hit(time=None, history=False), wanted)
    assert not violates(hit(history=False), wanted)


@pytest.mark.parametrize(
    ("before", "expected"), [("2019", "2019"), ("2021", ASKED.time), (None, ASKED.time)]
)
def test_the_stricter_of_two_times_counts(before: str | None, expected: str) -> None:
    allow = Filter(subjects=frozenset({"me"}), before=before)
    assert guarded(ASKED, allow).before == expected


def test_who_asks_for_another_patient_is_guarded_against_the_own_one() -> None:
    wanted = guarded(ASKED, Filter(subjects=frozenset({"other"})))
    assert wanted.not_subjects == frozenset({"me"})
    assert wanted.before is None


@pytest.mark.parametrize(
    ("one", "is_sound"),
    [
        (hit(), True),
        (hit("me", "old", "2019", THEN), True),
        (hit("me", "old", "2019", NOW), False),
        (hit("me", "current", "2019"), False),
        (hit("me", None, "2020-05-03T08:00"), False),
        (hit("me", "old", "2020-05-03T08:00"), True),
        (hit("me", "old", "2020-05-03"), False),
        (hit("me", "old", "2021"), False),
        (hit("me", "old", None), False),
        (hit("other", "old", "2019"), False),
        (hit(None, "old", "2019"), False),
    ],
)
def test_history_is_an_earlier_study_of_the_own_patient(one: Hit, is_sound: bool) -> None:
    assert is_history(one, ASKED, GUARD) == is_sound
    assert kept_in(ASKED, [one], GUARD) == ([one] if is_sound else [])
    assert kept_out(ASKED, [one], GUARD) == (() if is_sound else (one,))


def test_no_question_without_patient_or_time_has_a_history() -> None:
    for question in (replace(ASKED, subject=None), replace(ASKED, time=None)):
        assert kept_in(question, [hit()], guarded(question, Filter())) == []


def test_what_is_not_marked_as_history_is_held_against_the_patient() -> None:
    assert kept_in(ASKED, [hit(history=False)], GUARD) == []


NAMES = st.sampled_from([None, "me", "other"])
STUDIES = st.sampled_from([None, "current", "old"])
TIMES = st.sampled_from(
    [None, "2019", "2020", "2020-05", "2020-05-02", "2020-05-03", "2020-05-03T09:00",
     "2020-05-03T10:00", "2020-05-03T11:00", "2021", "odd"]
)  # fmt: skip
IMAGES = st.lists(st.sampled_from([NOW, THEN, ImageRef("/x.png", sha256="x")]), max_size=2)
HITS = st.builds(
    lambda subject, study, time, images, history: hit(
        subject, study, time, *images, history=history
    ),
    NAMES, STUDIES, TIMES, IMAGES, st.booleans(),
)  # fmt: skip
QUESTIONS = st.builds(
    lambda subject, study, time, images: Question(
        text="?", subject=subject, study=study, time=time, images=tuple(images)
    ),
    NAMES, STUDIES, TIMES, IMAGES,
)  # fmt: skip


def may_stay(one: Hit, question: Question) -> bool:
    """Say slowly and plainly what the guard lets through."""
    source, shown = one.passage.source, {image.sha256 for image in one.passage.images}
    asked = [image.sha256 for image in question.images if isinstance(image, ImageRef)]
    if question.study is not None and source.study == question.study:
        return False
    if asked and asked[-1] in shown:
        return False
    if not one.history:
        own = question.subject is not None and source.subject == question.subject
        return not own and not shown & set(asked)
    if question.subject is None or source.subject != question.subject:
        return False
    by_day = source.study is None or question.study is None
    return earlier(source.time, question.time, by_day=by_day)


@given(st.lists(HITS, max_size=6), QUESTIONS)
def test_the_guard_is_its_rule_whoever_brings_what(hits: list[Hit], question: Question) -> None:
    ranked = [replace(each, rank=rank) for rank, each in enumerate(hits, start=1)]
    wanted = guarded(question, Filter())
    kept, out = kept_in(question, ranked, wanted), kept_out(question, ranked, wanted)
    expected = [each for each in ranked if may_stay(each, question)]
    assert [each.passage for each in kept] == [each.passage for each in expected]
    assert [each.rank for each in kept] == list(range(1, len(kept) + 1))
    assert list(out) == [each for each in ranked if not may_stay(each, question)]


@pytest.mark.parametrize(("time", "is_allowed"), [("2019", True), ("2020", False), (None, False)])
def test_a_filter_lets_through_what_is_certainly_before_its_time(
    time: str | None, is_allowed: bool
) -> None:
    # "2020" sorts before "2020-05", and may still be later.
    wanted = Filter(kinds=frozenset({"report"}), before="2020-05")
    assert allows(wanted, hit(time=time).passage) is is_allowed
    assert not allows(replace(wanted, kinds=frozenset({"fact"})), hit(time=time).passage)
