import re

from hypothesis import given
from hypothesis import strategies as st

from medrag.evaluation.scores import Diagnostics, Estimate, Flow
from medrag.reporting.evaluation.flow import flows, shares


def flow(fixed: int, broken: int, both_right: int, both_wrong: int) -> Flow:
    ids = [tuple(f"{n}" for n in range(k)) for k in (fixed, broken, both_right, both_wrong)]
    return Flow("no_context", "context", *ids)


def drawn(one: Flow) -> str:
    return flows(Diagnostics((one,)))


def test_each_fate_has_a_ribbon_with_its_count() -> None:
    page = drawn(flow(65, 52, 84, 39))
    for told in ("65 fixed", "52 broken", "84 right in both", "39 wrong in both"):
        assert told in page
    assert "65 of 240 items fixed, 52 broken: 13 more right." in page


def test_each_side_counts_its_right_and_wrong() -> None:
    # before: 84 + 52 right, 65 + 39 wrong; after: 84 + 65 right, 52 + 39 wrong.
    counts = re.findall(r'class="count">([\d,]+)<', drawn(flow(65, 52, 84, 39)))
    assert counts == ["136", "104", "149", "91"]


def test_what_did_not_happen_has_no_ribbon() -> None:
    page = drawn(flow(3, 0, 5, 0))
    assert "ribbon-broken" not in page
    assert "ribbon-fixed" in page


def test_a_flow_of_no_items_is_not_drawn() -> None:
    assert drawn(flow(0, 0, 0, 0)) == ""


@given(*[st.integers(0, 500)] * 4)
def test_ribbons_and_labels_stay_inside_the_drawing(a: int, b: int, c: int, d: int) -> None:
    page = drawn(flow(a, b, c, d))
    heights = [float(y) for y in re.findall(r' y="([-\d.]+)"', page)]
    assert all(0 <= y <= 176 for y in heights)


def test_a_share_is_explained_and_one_that_is_nan_is_a_dash() -> None:
    known = {
        "over_reliance (blank_image)": Estimate(0.55, 0.49, 0.61, 240),
        "made_up": Estimate(float("nan")),
    }
    page = shares(Diagnostics(shares=known, counts={"excluded: same image": 31}))
    assert "over reliance (blank picture)" in page
    assert "[49.0, 61.0]" in page
    assert "the picture shows nothing" in page
    assert "<b>–</b>" in page
    assert "excluded: same image" in page
