from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.scores import ArmScores, Estimate, Scores
from medrag.reporting.evaluation import markdown_table

MAIN = ArmScores(
    "context", 240, {"answered": 240}, {"accuracy": Estimate(0.542, 0.481, 0.603, 240)}
)
FLOOR = ArmScores("floor:question", 240, {"answered": 240}, {"accuracy": Estimate(0.5, n=240)})
SCORES = Scores(
    "vqa_rad", "test", "llava_med", "corrected", ("accuracy",), 240, 60, (FLOOR, MAIN),
    problems=("Three pictures are missing.",),
)  # fmt: skip


def test_arms_are_rows_and_headline_measures_are_columns_in_percent() -> None:
    lines = markdown_table([SCORES]).splitlines()
    assert lines[0] == r"**vqa\_rad**, test"
    assert lines[2] == "|  | accuracy (%) |"
    assert lines[3] == "| :--- | ---: |"
    # Floors come after the arms, whatever their order in the scores.
    assert lines[4] == "| with context | 54.2 [48.1, 60.3] |"
    assert lines[5] == "| floor: question only | 50.0 |"


def test_the_footnote_names_protocol_mode_items_clusters_and_intervals() -> None:
    note = markdown_table([SCORES]).split("\n\n")[-1]
    for told in ("`llava_med`", "corrected mode", "n = 240 items in 60 clusters", "bootstrap"):
        assert told in note
    assert "Three pictures are missing." in note


def test_a_measure_over_fewer_items_says_over_how_many() -> None:
    closed = replace(MAIN, measures={"closed_accuracy": Estimate(0.5, n=150)})
    note = markdown_table([replace(SCORES, headline=("closed_accuracy",), arms=(closed,))])
    assert r"60 clusters of image or patient (closed\_accuracy: 150)".replace(r"\_", " ") in note


def test_two_protocols_of_one_benchmark_stand_side_by_side() -> None:
    other = replace(SCORES, protocol="exact", mode="faithful", arms=(MAIN,))
    lines = markdown_table([SCORES, other]).splitlines()
    assert r"llava\_med, corrected: accuracy (%)" in lines[2]
    assert "exact, faithful: accuracy (%)" in lines[2]
    # The floor was not run for the second.
    assert lines[5] == "| floor: question only | 50.0 | – |"


def test_two_benchmarks_have_a_table_each() -> None:
    written = markdown_table([SCORES, replace(SCORES, benchmark="slake")])
    assert written.count("| :--- |") == 2


def test_without_scores_there_is_no_table() -> None:
    assert markdown_table([]) == ""


@given(st.text(), st.text(), st.text())
def test_a_name_cannot_break_a_row(arm: str, measure: str, problem: str) -> None:
    scores = Scores(
        arm, measure, problem, "corrected", (measure,), 1, 1,
        (ArmScores(arm, 1, {}, {measure: Estimate(0.5)}),), problems=(problem,),
    )  # fmt: skip
    written = markdown_table([scores])
    written.encode("utf-8")
    rows = [line for line in written.split("\n") if line.startswith("|")]
    assert len(rows) == 3
    bars = [row.replace("\\\\", "").replace("\\|", "").count("|") for row in rows]
    assert bars == [3, 3, 3]
