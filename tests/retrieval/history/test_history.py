from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import MedragError
from medrag.prompting import build_prompt
from medrag.records import (
    Filter,
    Hit,
    ImageRef,
    Passage,
    Question,
    QuestionRegion,
    Retrieved,
    Selection,
    Source,
)
from medrag.records.times import earlier
from medrag.retrieval.history import HistoryRetriever, of_earlier_study
from tests.retrieval.history.library import Shelf

NOW = Question(id="q", text="What has changed?", subject="p", study="now", time="2020-05-03")


def record(
    name: str, time: str | None, text: str = "The heart is large.", **source: Any
) -> Passage:
    given = {"subject": "p", "study": name, "time": time, "domain": "radiology", **source}
    images = given.pop("images", ())
    kind = given.pop("kind", "report")
    return Passage(name, kind, text, Source("reports", "r.csv", "0", **given), images)


def retrieved(
    passages: Sequence[Passage],
    question: Question = NOW,
    wanted: Filter = Filter(),  # noqa: B008 - frozen
    k: int = 20,
    **options: Any,
) -> Retrieved:
    retriever = HistoryRetriever(rows=Shelf(*passages), **options)
    return retriever.retrieve_traced([question], k, [wanted])[0]


def names(found: Retrieved) -> list[str]:
    return [hit.passage.id for hit in found.hits]


def test_earlier_studies_come_newest_first_and_are_marked_as_history() -> None:
    shelf = [record("a", "2018"), record("b", "2020-01-02T08:00"), record("c", "2019-07")]
    found = retrieved(shelf)
    assert names(found) == ["b", "c", "a"]
    assert all(hit.history for hit in found.hits)
    assert [(hit.rank, hit.score) for hit in found.hits] == [(1, 1), (2, 1 / 2), (3, 1 / 3)]
    assert found.trace[0]["studies"] == ["2020-01-02T08:00", "2019-07", "2018"]


def test_what_is_not_certainly_an_earlier_study_of_the_patient_is_no_history() -> None:
    shelf = [
        record("now", "2019-01-01"),
        record("later", "2020-05-04"),
        record("today", "2020-05-03"),
        record("this year", "2020"),
        record("timeless", None),
        record("another", "2019", subject="q"),
        record("nobody", "2019", subject=None),
        record("odd", "03/04/2019"),
    ]
    assert names(retrieved(shelf)) == []


def test_an_hour_of_the_same_day_is_earlier_only_where_both_studies_are_named() -> None:
    morning = record("morning", "2020-05-03T08:00")
    at_noon = replace(NOW, time="2020-05-03T12:00")
    assert names(retrieved([morning], at_noon)) == ["morning"]
    assert names(retrieved([morning], replace(at_noon, study=None))) == []
    unnamed = record("morning", "2020-05-03T08:00", study=None)
    assert names(retrieved([unnamed], at_noon)) == []
    assert names(retrieved([record("d", "2020-05-02", study=None)], at_noon)) == ["d"]


def test_a_record_with_the_current_picture_is_none_but_one_with_an_earlier_one_is() -> None:
    now, then = (ImageRef(f"/{name}.png", sha256=name) for name in ("now", "then"))
    shelf = [record("a", "2019", images=(now,)), record("b", "2018", images=(then,))]
    question = replace(NOW, images=(then, now))
    wanted = Filter(not_images=frozenset({"now", "then"}), not_subjects=frozenset({"p"}))
    assert names(retrieved(shelf, question, wanted)) == ["b"]
    assert names(retrieved(shelf, question)) == ["b"]
    assert names(retrieved(shelf, replace(NOW, images=(then,)), wanted)) == []


def test_the_filter_is_its_own_but_kinds_domains_and_corpora_hold() -> None:
    shelf = [record("a", "2019"), record("b", "2018", domain="pathology")]
    assert names(retrieved(shelf, wanted=Filter(not_subjects=frozenset({"p"})))) == ["a", "b"]
    assert names(retrieved(shelf, wanted=Filter(domains=frozenset({"pathology"})))) == ["b"]
    assert names(retrieved(shelf, wanted=Filter(corpora=frozenset({"others"})))) == []
    assert names(retrieved(shelf, wanted=Filter(kinds=frozenset({"text"})))) == []
    assert names(retrieved(shelf, wanted=Filter(not_studies=frozenset({"a"})))) == ["b"]
    assert names(retrieved(shelf, wanted=Filter(subjects=frozenset({"q"})))) == []
    assert names(retrieved(shelf, wanted=Filter(before="2019"))) == ["b"]


def test_kinds_of_records_may_be_chosen() -> None:
    shelf = [record("a", "2019"), record("b", "2018", kind="image", images=(ImageRef("b.png"),))]
    assert names(retrieved(shelf, kinds=("report", "image"))) == ["a", "b"]
    assert names(retrieved(shelf, kinds=("image",))) == ["b"]


def test_only_so_many_studies_are_told_of_each_text_once() -> None:
    shelf = [
        record("a", "2018"),
        record("b", "2019"),
        record("b again", "2019", study="b"),
        record("b otherwise", "2019", "The spine is bent.", study="b"),
        record("c", "2017"),
    ]
    assert names(retrieved(shelf, studies=2)) == ["b", "b otherwise", "a"]
    assert names(retrieved(shelf, studies=2, k=1)) == ["b"]


def test_a_question_without_a_time_is_refused_with_the_way_out() -> None:
    for time, said in ((None, "it has no time"), ("03/04/2020", "its time is '03/04/2020'")):
        with pytest.raises(MedragError, match=f"question 'q' names a patient, but {said}.*--time"):
            retrieved([record("a", "2019")], replace(NOW, time=time))


def test_a_question_without_a_time_may_be_skipped_which_the_trace_tells() -> None:
    found = retrieved([record("a", "2019")], replace(NOW, time=None), missing="skip")
    assert found.hits == ()
    assert found.trace[0]["note"] == "no history: it has no time"


def test_a_question_that_names_no_patient_has_no_history() -> None:
    found = retrieved([record("a", "2019", subject=None)], replace(NOW, subject=None, time=None))
    assert found.hits == ()
    assert found.trace[0]["note"] == "the question names no patient"


REGIONAL = [
    record("a", "2019-05", "The heart is large. The spine is bent."),
    record("b", "2019-04", "Left effusion. No right effusion. The left base is dull."),
    record("c", "2019-03", "The left lung is clear. The heart is small."),
]
ASKED = replace(NOW, text="Has the left pleural effusion changed?")


def test_regional_history_gives_the_sentences_about_the_region_with_the_report_behind() -> None:
    found = retrieved(REGIONAL, ASKED, scope="regional")
    assert [(hit.passage.id, hit.summary) for hit in found.hits] == [
        ("b", "Left effusion. The left base is dull."),
        ("c", "The left lung is clear."),
    ]
    assert found.hits[0].passage == REGIONAL[1]
    assert found.trace[0]["regions"] == ["left costophrenic angle"]


def test_the_newest_studies_that_speak_of_the_region_are_taken() -> None:
    assert names(retrieved(REGIONAL, ASKED, scope="regional", studies=1)) == ["b"]


def test_a_region_of_the_question_counts_before_its_words() -> None:
    question = replace(ASKED, regions=(QuestionRegion(name="spine"),))
    found = retrieved(REGIONAL, question, scope="regional")
    assert [hit.summary for hit in found.hits] == ["The spine is bent."]


@pytest.mark.parametrize("scope", ["regional", "both"])
@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("What has changed?", "whole reports: the question names no region"),
        ("Is the liver large?", "whole reports: no earlier study speaks of liver"),
    ],
)
def test_without_a_region_the_whole_reports_are_given_which_the_trace_tells(
    scope: str, text: str, note: str
) -> None:
    found = retrieved(REGIONAL, replace(NOW, text=text), scope=scope, studies=2)
    assert [(hit.passage.id, hit.summary) for hit in found.hits] == [("a", ""), ("b", "")]
    assert found.trace[0]["note"] == note


def test_both_gives_the_newest_studies_whole_and_what_older_ones_say_of_the_region() -> None:
    found = retrieved(
        REGIONAL, replace(NOW, text="Is the left lung clear?"), scope="both", studies=1
    )
    assert [(hit.passage.id, hit.summary) for hit in found.hits] == [
        ("a", ""),
        ("b", "Left effusion. The left base is dull."),
    ]
    found = retrieved(REGIONAL, replace(NOW, text="Is the heart large?"), scope="both", studies=1)
    assert [(hit.passage.id, hit.summary) for hit in found.hits] == [
        ("a", "The heart is large.\nThe heart is large. The spine is bent."),
    ]


def test_a_study_is_cut_at_a_sentence_once_it_takes_too_many_tokens() -> None:
    # 3 bytes a token: "The heart is large. …" has 23 bytes, 8 tokens; the whole has 38, 13 tokens.
    (hit,) = retrieved(REGIONAL[:1], tokens=12).hits
    assert hit.summary == "The heart is large. …"
    (hit,) = retrieved(REGIONAL[:1], tokens=13).hits
    assert hit.summary == ""
    assert retrieved(REGIONAL[:1], tokens=1).hits == ()


@given(
    st.lists(st.text("ab .\n", max_size=30), min_size=1, max_size=4),
    st.integers(1, 40),
    st.sampled_from(["global", "regional", "both"]),
)
def test_no_study_takes_more_tokens_than_it_may(texts: list[str], tokens: int, scope: str) -> None:
    shelf = [
        record(str(n), "2019", f"x{text} The heart is large. {text}", study="one")
        for n, text in enumerate(texts)
    ]
    found = retrieved(shelf, replace(NOW, text="heart?"), scope=scope, tokens=tokens)
    shown = [hit.summary or hit.passage.text for hit in found.hits]
    assert sum(-(-len(each.encode()) // 3) for each in shown) <= tokens


def test_the_prompt_says_of_each_record_when_it_is_from() -> None:
    found = retrieved(REGIONAL, ASKED, scope="regional", studies=1)
    prompt = build_prompt(ASKED, Selection(found.hits), template="longitudinal")
    told = "\n".join(part for part in prompt.parts if isinstance(part, str))
    assert "[1] of the same patient, 2019-04" in told
    assert "Left effusion. The left base is dull." in told
    assert "No right effusion" not in told
    assert "about other patients" not in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"studies": 0}, "studies must be at least 1, got 0"),
        ({"tokens": 0}, "tokens must be at least 1, got 0"),
        ({"kinds": ()}, "kinds names nothing"),
        ({"regions": {"x": ("",)}}, "a name without a word"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HistoryRetriever(rows=Shelf(), **options)


def test_a_wrong_k_or_number_of_filters_is_refused() -> None:
    retriever = HistoryRetriever(rows=Shelf())
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        retriever.retrieve([NOW], 0, [Filter()])
    with pytest.raises(ValueError, match="1 questions need as many filters: 0"):
        retriever.retrieve([NOW], 1, [])


SAID = {
    "left lower lung zone": ("Dull left base, as of {}.", "The left lower lobe is clear, {}."),
    "right lower lung zone": ("Dull right base, as of {}.", "The right lower lobe is free, {}."),
    "cardiac silhouette": ("The heart is large, {}.", "Cardiomegaly, {}."),
    "spine": ("The spine is bent, {}.",),
}


def patient(draw: Random, name: str) -> list[Passage]:
    """Draw a patient of 2 to 6 studies, at times of differing precision, out of order."""
    studies = []
    for number in range(draw.randint(2, 6)):
        day = f"20{draw.randint(10, 20)}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        time = draw.choice([day, day, day[:7], day[:4], f"{day}T{draw.randint(0, 23):02d}:00"])
        regions = draw.sample(list(SAID), draw.randint(1, 3))
        text = " ".join(draw.choice(SAID[region]).format(f"{name} {number}") for region in regions)
        study = f"{name} {number}"
        passage = Passage(
            study, "report", text,
            Source("reports", "r.csv", "0", subject=name, study=study, time=time),
            fields={"said": regions},
        )  # fmt: skip
        studies.append(passage)
    draw.shuffle(studies)
    return studies


class OfSubject(Shelf):
    """A shelf of many patients, which is quick to find those of one."""

    def __init__(self, *passages: Passage) -> None:
        super().__init__(*passages)
        self.by_subject: dict[str, Shelf] = {}
        for passage in passages:
            held = self.by_subject.get(passage.source.subject or "", Shelf())
            self.by_subject[passage.source.subject or ""] = Shelf(*held.passages, passage)

    def passages_where(self, wanted: Filter) -> Any:
        (subject,) = wanted.subjects
        return self.by_subject[subject].passages_where(wanted)


def check_history(hits: Sequence[Hit], question: Question, region: str, scope: str) -> None:
    for hit in hits:
        assert hit.history
        assert hit.passage.source.subject == question.subject
        assert hit.passage.source.study != question.study
        assert earlier(hit.passage.source.time, question.time)
        assert of_earlier_study(hit.passage, question)
        if scope == "regional" and hit.summary:
            assert region in hit.passage.fields["said"]
            said = [form.partition("{")[0] for form in SAID[region]]
            assert any(each in hit.summary for each in said)
            others = {form.partition("{")[0] for key in SAID if key != region for form in SAID[key]}
            assert not any(each in hit.summary for each in others)
    times = [hit.passage.source.time for hit in hits]
    assert not any(earlier(newer, older) for newer, older in pairwise(times))


def test_in_ten_thousand_draws_the_current_study_never_appears_and_order_and_regions_hold() -> None:
    draw = Random(20)
    patients = [patient(draw, f"p{number}") for number in range(500)]
    shelf = OfSubject(*(passage for studies in patients for passage in studies))
    retrievers = {
        scope: HistoryRetriever(rows=shelf, scope=scope, studies=draw.randint(1, 6))
        for scope in ("global", "regional", "both")
    }
    n_hits = 0
    for _ in range(10_000):
        current = draw.choice(draw.choice(patients))
        region, scope = draw.choice(list(SAID)), draw.choice(list(retrievers))
        question = Question(
            text=f"What has changed in the {region}?",
            subject=current.source.subject,
            study=draw.choice([current.source.study, None]),
            time=current.source.time,
        )
        guard = Filter(
            not_subjects=frozenset({current.source.subject or ""}),
            not_studies=frozenset({question.study} if question.study else ()),
        )
        (hits,) = retrievers[scope].retrieve([question], 6, [guard])
        assert current.id not in {hit.passage.id for hit in hits}
        check_history(hits, question, region, scope)
        n_hits += len(hits)
    assert n_hits > 5_000


def test_all_certainly_earlier_studies_are_found() -> None:
    draw = Random(21)
    for number in range(200):
        studies = patient(draw, f"p{number}")
        current = draw.choice(studies).source
        question = Question(subject=current.subject, study=current.study, time=current.time)
        expected = {each.id for each in studies if earlier(each.source.time, current.time)}
        assert set(names(retrieved(studies, question, studies=6))) == expected


@pytest.mark.parametrize(
    ("one", "is_earlier"),
    [
        (record("old", "2019"), True),
        (record("now", "2019"), False),
        (record("old", "2019", images=(ImageRef("/now.png", sha256="now"),)), False),
        (record("old", "2019", images=(ImageRef("/then.png", sha256="then"),)), True),
        (record("old", "2019", subject="q"), False),
        (record("old", "2020-05-03"), False),
        (record("old", None), False),
    ],
)
def test_the_rule_of_history_stands_without_a_filter(one: Passage, is_earlier: bool) -> None:
    pictures = tuple(ImageRef(f"/{name}.png", sha256=name) for name in ("then", "now"))
    assert of_earlier_study(one, replace(NOW, images=pictures)) == is_earlier


def test_all_slices_of_the_current_scan_are_current() -> None:
    slices = tuple(ImageRef("/scan.nii", sha256=str(n), axis=2, slice=n) for n in range(3))
    for image in slices:
        assert not of_earlier_study(
            record("old", "2019", images=(image,)), replace(NOW, images=slices)
        )
