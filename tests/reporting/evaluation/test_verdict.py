from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from medrag.evaluation.runs import Run
from medrag.evaluation.scores import ArmScores, Estimate, ScoreRow, Scores
from medrag.records import Item, Question
from medrag.reporting.evaluation.verdict import differences, strongest_floor, verdict

N = 100
ITEMS = {f"i{n}": Item(f"i{n}", Question("?"), cluster=f"c{n // 2}") for n in range(N)}
RUN = Run(Path("nowhere"), {}, ITEMS)


def scores_of(right: Mapping[str, int], headline: str = "accuracy") -> Scores:
    """Score arms that have so many of the hundred items right, the first ones."""
    arms = tuple(
        ArmScores(arm, N, {"answered": N}, {headline: Estimate(n / N, n=N)})
        for arm, n in right.items()
    )
    rows = tuple(
        ScoreRow(item, arm, "answered", "", float(place < n))
        for arm, n in right.items()
        for place, item in enumerate(ITEMS)
    )
    return Scores("b", "test", "exact", "corrected", (headline,), N, N // 2, arms, rows=rows)


def test_context_that_helps_is_said_to_add_points() -> None:
    told = verdict(RUN, scores_of({"context": 90, "no_context": 40}))
    assert told.startswith("Context adds 50.0 points [")


def test_context_that_harms_is_said_to_cost_points() -> None:
    told = verdict(RUN, scores_of({"context": 40, "no_context": 90}))
    assert told.startswith("Context costs 50.0 points [")
    assert "without it the model does better" in told


def test_a_small_difference_is_not_called_one() -> None:
    told = verdict(RUN, scores_of({"context": 51, "no_context": 50, "floor:random": 50}))
    assert told.startswith("Whether context helps cannot be told from 100 items: +1.0 point [")
    assert "The answers cannot be told from the strongest floor, “random answer”" in told


def test_the_strongest_floor_is_the_one_compared_with() -> None:
    scores = scores_of({"context": 90, "floor:random": 20, "floor:question": 60})
    assert strongest_floor(scores) is scores.arms[2]
    assert "30.0 points [" in verdict(RUN, scores)
    assert "above the strongest floor, “question only”" in verdict(RUN, scores)


def test_of_errors_the_strongest_floor_makes_the_fewest() -> None:
    scores = scores_of({"floor:random": 20, "floor:question": 60}, "count_mae")
    assert strongest_floor(scores) is scores.arms[0]


def test_a_headline_that_is_no_mean_over_items_is_told_apart() -> None:
    scores = scores_of({"context": 90, "no_context": 40})
    arms = tuple(replace(arm, measures={"macro_f1": Estimate(0.3, n=N)}) for arm in scores.arms)
    told = verdict(RUN, replace(scores, headline=("macro_f1",), arms=arms))
    assert "] of items right." in told


def test_the_headline_counts_only_its_own_items() -> None:
    # Of the closed first half 25 of 50 are right with context, none without: 50 points.
    scores = scores_of({"context": 25, "no_context": 0}, "closed_accuracy")
    rows = tuple(
        replace(row, values={"closed_accuracy": row.right} if int(row.item[1:]) < 50 else {})
        for row in scores.rows
    )
    apart = differences(RUN, replace(scores, rows=rows), "context", ["no_context"])["no_context"]
    assert (apart.value, apart.n) == (0.5, 50)


def test_items_that_one_arm_lacks_do_not_count() -> None:
    scores = scores_of({"context": 90, "no_context": 40})
    # Of the first ten items all are right in both arms.
    rows = tuple(r for r in scores.rows if r.arm == "context" or int(r.item[1:]) < 10)
    apart = differences(RUN, replace(scores, rows=rows), "context", ["no_context"])["no_context"]
    assert (apart.value, apart.n) == (0.0, 10)


def test_without_floors_it_is_said_that_nothing_is_known_of_guessing() -> None:
    assert "No floor was run" in verdict(RUN, scores_of({"context": 90}))


def test_floors_alone_are_called_so() -> None:
    assert verdict(RUN, scores_of({"floor:random": 30})) == "Only floors were run."


def test_nothing_scored_is_said_plainly() -> None:
    assert verdict(RUN, scores_of({})) == "Nothing was scored."
    nothing = Estimate(float("nan"))
    scores = scores_of({"context": 0})
    arms = (replace(scores.arms[0], measures={"accuracy": nothing}),)
    assert verdict(RUN, replace(scores, arms=arms)).startswith("No item counts")
