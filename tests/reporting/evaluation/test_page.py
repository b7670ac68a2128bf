import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import (
    STATES,
    ArmScores,
    Curves,
    Diagnostics,
    Estimate,
    Flow,
    ScoreRow,
    Scores,
)
from medrag.records import Item, Question
from medrag.reporting.evaluation import evaluation_page
from tests.reporting.evaluation.made import made_items, made_rows, made_run, made_scores
from tests.reporting.made import ROOTS
from tests.reporting.test_page import read

NAN = float("nan")


@pytest.fixture(scope="module")
def page(run: Run, scores: Scores) -> str:
    return evaluation_page(run, scores, roots=ROOTS, notes=("A <note> of the protocol.",))


def empty_run(**manifest: object) -> Run:
    return Run(Path("nowhere"), manifest, {})


def only(scores: Scores, *arms: str) -> Scores:
    """Keep some arms of scores."""
    return replace(
        scores,
        arms=tuple(arm for arm in scores.arms if arm.arm in arms),
        rows=tuple(row for row in scores.rows if row.arm in arms),
        diagnostics=Diagnostics(),
    )


def test_the_page_needs_nothing_from_outside_and_runs_nothing(page: str) -> None:
    found = read(page)
    assert found.sources
    assert all(uri.startswith("data:image/webp;base64,") for uri in found.sources)
    assert not {"script", "link", "iframe", "object"} & set(found.tags)
    assert "style" not in found.attributes
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|@import|url\((?!#)", page)


def test_every_link_leads_to_a_place_in_the_page(page: str) -> None:
    found = read(page)
    ids = set(found.ids)
    assert len(found.ids) == len(ids)
    assert {link.removeprefix("#") for link in found.links if link} <= ids


def test_the_headline_stands_with_its_interval_and_what_it_counts(
    page: str, scores: Scores
) -> None:
    found = scores.arms[0].measures["accuracy"]
    text = read(page).text
    assert f"{100 * found.value:.1f}%" in text
    assert f"[{100 * found.low:.1f}, {100 * found.high:.1f}]" in text
    assert "share of the reference's words that the answer holds" in text
    assert "these are the numbers to report" in text


def test_every_arm_and_floor_is_on_the_scale_and_in_the_table(page: str) -> None:
    for name in ("with context", "no context", "oracle context", "question only", "nearest case"):
        assert len(re.findall(rf"<th[^>]*>{name}<", page)) >= 2


def test_states_are_drawn_and_counted(page: str, scores: Scores) -> None:
    states = scores.arms[0].states
    told = read(page).text
    assert f"{states['answered']} answered" in told
    assert 's-abstained"' in page


def test_what_a_reader_must_know_comes_before_the_numbers(page: str) -> None:
    assert page.index("All pictures of the split recur") < page.index("Arms and floors</h2>")


def test_a_subset_is_told(run: Run, scores: Scores) -> None:
    arms = (replace(scores.arms[0], n_items=40), *scores.arms[1:])
    told = read(evaluation_page(run, replace(scores, arms=arms))).text
    assert "“with context” covers 40 of 48 items" in told


def test_items_show_question_reference_reading_state_and_evidence(page: str) -> None:
    text = read(page).text
    for told in ("Reference", "Read as", "Evidence cited (2)", "another patient", "Other arms (7)"):
        assert told in text
    assert 'class="mark-wrong"' in page
    assert page.count('class="item"') > 20


def test_a_letter_is_shown_with_the_words_of_its_option(run: Run, scores: Scores) -> None:
    rows = tuple(replace(row, parsed="B") for row in scores.rows)
    assert "B. lymphocyte" in read(evaluation_page(run, replace(scores, rows=rows))).text


def test_notes_manifest_defects_and_commands_are_at_the_foot(page: str) -> None:
    text = read(page).text
    assert "A <note> of the protocol." in text
    assert "no training split: the library's cases stand in for it" in text
    assert "Defects of the released scorer, not repeated here" in text
    assert "a1a1a1a1a1a1a1a1…" in text
    assert "medrag eval run sample sample-vqa --split test" in text
    assert "For research. Not a medical device" in text


def test_a_command_cannot_be_made_of_a_name(scores: Scores) -> None:
    run = empty_run(pipeline={"name": "a; rm -rf b"})
    assert "run 'a; rm -rf b' " in read(evaluation_page(run, replace(scores, rows=()))).text


def test_a_missing_original_leaves_words(tmp_path: Path) -> None:
    items = [
        replace(item, question=replace(item.question, images=(tmp_path / "gone.jpg",)))
        for item in made_items(8)
    ]
    rows = made_rows(items)
    run = made_run(tmp_path / "run", items, rows)
    text = read(evaluation_page(run, made_scores(items, rows))).text
    assert re.search(r"The original is missing: \S*gone\.jpg", text)
    assert "The original is not on this machine." in text


def test_what_could_not_be_computed_is_a_dash_and_not_nan(run: Run, scores: Scores) -> None:
    arms = tuple(
        replace(arm, measures=dict.fromkeys(arm.measures, Estimate(NAN)), groups={})
        for arm in scores.arms
    )
    text = read(evaluation_page(run, replace(scores, arms=arms))).text
    assert "–" in text
    assert not re.search(r"\bnan\b", text)
    assert "nothing can be said" in text


def test_one_arm_without_floors_is_enough(run: Run, scores: Scores) -> None:
    text = read(evaluation_page(run, only(scores, "no_context"))).text
    assert "No floor was run" in text
    assert "What context changes" not in text


def test_floors_alone_make_a_page(run: Run, scores: Scores) -> None:
    assert (
        "Only floors were run." in read(evaluation_page(run, only(scores, "floor:question"))).text
    )


def test_without_confidences_there_are_no_curves(run: Run, scores: Scores) -> None:
    text = read(evaluation_page(run, replace(scores, curves=None))).text
    assert "Risk and coverage" not in text


def test_an_empty_run_makes_a_page() -> None:
    nothing = Scores("", "", "exact", "corrected", (), 0, 0, ())
    text = read(evaluation_page(empty_run(), nothing)).text
    assert "Nothing was scored." in text


def test_an_item_that_was_never_answered_is_told(run: Run, scores: Scores) -> None:
    extra = Item("extra", Question("Never answered?"), ("yes",), "yes_no", True)
    more = Run(run.folder, run.manifest, {**run.items, "extra": extra})
    rows = (ScoreRow("extra", "context", "missing", "", 0.0),)
    text = read(evaluation_page(more, replace(scores, rows=rows))).text
    assert "There is no answer to this item." in text


def test_many_groups_are_folded(run: Run, scores: Scores) -> None:
    values = {f"type {n}": {"accuracy": Estimate(0.5, 0.4, 0.6, n)} for n in range(1, 31)}
    arm = replace(scores.arms[0], groups={"question_type": values})
    text = read(evaluation_page(run, replace(scores, arms=(arm,), rows=()))).text
    assert "18 smaller groups" in text
    assert text.index("type 30") < text.index("type 12")


def test_a_group_without_the_headline_shows_the_share_right(run: Run, scores: Scores) -> None:
    values = {"closed": {"right": Estimate(0.5, 0.4, 0.6, 9)}}
    arm = replace(scores.arms[0], groups={"closed": values})
    text = read(evaluation_page(run, replace(scores, arms=(arm,), rows=()))).text
    assert "closedshare right" in text
    assert "50.0 [40.0, 60.0]" in text


hostile = st.text(st.characters(), max_size=12) | st.sampled_from(
    ['"><script>x</script>', "</style><img src=x onerror=x>", "\u202e", "\ud800", "$\\frac{1}{0}$"]
)
estimates = st.builds(Estimate, st.floats(), st.floats(), st.floats(), st.integers(0, 10**6))
measures = st.dictionaries(hostile | st.just("accuracy"), estimates, max_size=3)
ids = st.lists(hostile, max_size=3).map(tuple)
arms_made = st.builds(
    ArmScores,
    hostile | st.sampled_from(["context", "no_context", "floor:random"]),
    st.integers(0, 9),
    st.dictionaries(st.sampled_from(STATES), st.integers(0, 9)),
    measures,
    st.dictionaries(hostile, st.floats(), max_size=2),
    st.dictionaries(hostile, st.dictionaries(hostile, measures, max_size=2), max_size=2),
    st.dictionaries(hostile, st.floats(), max_size=2),
)
rows_made = st.builds(
    ScoreRow, st.sampled_from(["i1", "gone"]), st.just("context"), st.sampled_from(STATES), hostile,
    st.floats(0, 1) | st.just(NAN), st.none() | st.floats(0, 1),
)  # fmt: skip
scores_made = st.builds(
    Scores, hostile, hostile, hostile | st.just("prefix"),
    st.sampled_from(["faithful", "corrected"]),
    st.lists(hostile | st.just("accuracy"), max_size=2).map(tuple), st.integers(0, 9),
    st.integers(0, 9), st.lists(arms_made, max_size=3).map(tuple),
    st.none() | st.just(Curves("context", (0.5, 1.0), (0.0, math.inf), ((0.5, NAN, 1),))),
    st.builds(
        Diagnostics,
        st.lists(st.builds(Flow, hostile, hostile, ids, ids, ids, ids), max_size=1).map(tuple),
        measures, st.dictionaries(hostile, st.integers(0, 9), max_size=2),
    ),
    st.lists(rows_made, max_size=2).map(tuple), ids,
)  # fmt: skip


@pytest.fixture(scope="module")
def unanswered(tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = made_run(tmp_path_factory.mktemp("unanswered"), [], [])
    item = Item("i1", Question("<b>?</b>", options=("a",)), ("a",), "choice", fields={"x": "<i>"})
    return Run(run.folder, run.manifest, {"i1": item})


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(scores_made, hostile)
def test_any_scores_make_a_page_that_nobody_writes_into(
    unanswered: Run, made: Scores, name: str
) -> None:
    manifest = {**unanswered.manifest, "pipeline": {"name": name, name: [name]}, "model": name}
    manifest["notes"] = {name: name}
    run = replace(unanswered, manifest=manifest)
    page = evaluation_page(run, made, notes=(name,))
    page.encode("utf-8")
    found = read(page)
    assert not {"script", "img", "i"} & set(found.tags)
    assert not {each for each in found.attributes if each.startswith("on")}
    assert found.tags.count("style") == 1
