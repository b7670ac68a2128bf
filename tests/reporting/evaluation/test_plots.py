import math
import re
import threading

import matplotlib as mpl
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.evaluation.scores import Curves
from medrag.reporting.evaluation.plots import calibration, risk_coverage

CURVES = Curves(
    "context",
    tuple((n + 1) / 1000 for n in range(1000)),
    tuple(0.3 * (n + 1) / 1000 for n in range(1000)),
    ((0.55, 0.5, 40), (0.75, 0.8, 100), (0.95, 0.9, 60)),
)


def test_text_stays_text_and_colours_come_from_the_page() -> None:
    drawn = risk_coverage(CURVES)
    assert "answered, most confident first (%)" in drawn
    assert "all: 30.0" in drawn
    assert 'class="' in drawn
    assert "stroke-accent" in drawn
    assert "style=" not in drawn
    assert "#0" not in re.sub(r'(href|url\()="?#[^")]*', "", drawn)


def test_the_drawing_is_the_same_each_time_and_has_no_date() -> None:
    assert risk_coverage(CURVES) == risk_coverage(CURVES)
    assert "metadata" not in risk_coverage(CURVES)
    assert not re.search(r"20\d\d-\d\d", calibration(CURVES))


def test_two_drawings_on_one_page_share_no_id() -> None:
    ids = [
        set(re.findall(r'\bid="([^"]+)"', drawn(CURVES))) for drawn in (risk_coverage, calibration)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_every_reference_in_a_drawing_leads_to_its_own_id() -> None:
    for drawn in (risk_coverage(CURVES), calibration(CURVES)):
        ids = set(re.findall(r'\bid="([^"]+)"', drawn))
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawn))
        assert {a or b for a, b in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', drawn)} <= ids


def test_a_long_curve_is_thinned() -> None:
    n = 100_000
    long = Curves("context", tuple((i + 1) / n for i in range(n)), (0.25,) * n, ())
    assert len(risk_coverage(long)) < 60_000


def test_no_points_give_no_drawing() -> None:
    assert risk_coverage(Curves("context", (), (), ())) == ""
    assert risk_coverage(Curves("context", (math.nan,), (0.5,), ())) == ""
    assert calibration(Curves("context", (), (), ((math.nan, 0.5, 3), (0.5, 0.5, 0)))) == ""


def test_drawing_leaves_the_settings_of_the_process_as_they_were() -> None:
    before = dict(mpl.rcParams)
    risk_coverage(CURVES)
    assert dict(mpl.rcParams) == before


def test_threads_draw_what_one_alone_would_draw() -> None:
    wanted = calibration(CURVES)
    drawn: list[str] = []
    threads = [threading.Thread(target=lambda: drawn.append(calibration(CURVES))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [wanted] * 4


points = st.lists(st.tuples(st.floats(), st.floats()), max_size=5)


@settings(max_examples=25)
@given(points, st.lists(st.tuples(st.floats(), st.floats(), st.integers(0, 10**6)), max_size=4))
def test_any_curve_can_be_drawn(
    curve: list[tuple[float, float]], bins: list[tuple[float, float, int]]
) -> None:
    coverage, risk = tuple(c for c, _ in curve), tuple(r for _, r in curve)
    curves = Curves("context", coverage, risk, tuple(bins))
    assert risk_coverage(curves).startswith("<svg") or not risk_coverage(curves)
    assert calibration(curves).startswith("<svg") or not calibration(curves)
