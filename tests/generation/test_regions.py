"""Boxes, points and numbers that a model writes."""

import json
from itertools import permutations
from time import perf_counter

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medrag.generation.regions import CONVENTIONS, Convention, Shown, quantities_of, regions_of
from medrag.records import Box, Quantity, QuestionRegion

ONE = (Shown(640, 480, 640, 480),)
TWO = (Shown(640, 480, 320, 240), Shown(1000, 2000, 500, 1000))
SIDES = st.integers(20, 5000)
PIECES = st.sampled_from(
    [
        "[", "]", "{", "}", "(", ")", ",", ":", '"', "'", "\\", "\n", " ", "1", "20", "300", "-",
        "0.5", "1e9", "NaN", "bbox_2d", '"bbox_2d":', '"label":', '"count":', "<box>", "</box>",
        "<loc_1>",
        "<points x=", "image 2", "cm", "nodules", "x", "±", "three", "é", "<|box_start|>", "9" * 20,
    ]
)  # fmt: skip
ANY = st.lists(PIECES, max_size=40).map("".join) | st.text()


def boxes(text: str, convention: Convention = "original") -> list[Box | None]:
    return [region.box for region in regions_of(text, convention, ONE)]


def numbers(text: str, *, language: str = "en") -> list[tuple[float, str]]:
    return [(each.value, each.unit) for each in quantities_of(text, language=language)]


@pytest.mark.parametrize(
    "text",
    [
        '```json\n[{"bbox_2d": [30, 40, 300, 400], "label": "polyp"}]\n```',
        'Here: {"bbox": [30.0, 40.0, 300.0, 400.0], "label": "polyp"} and no other.',
        "{'label': 'polyp', 'bbox': (30, 40, 300, 400)}",
        '{"counts": 1, "bbox_2d": [[30, 40, 300, 400], "label": "polyp"}',  # a bracket is missing
        '{"findings": [{"name": "polyp", "box": [[30, 40], [300, 400]]}]}',
        '{"label": "polyp", "x1": 30, "y1": 40, "x2": 300, "y2": 400}',
        '{"label": "polyp", "x": 30, "y": 40, "width": 270, "height": 360}',
        '{"boxes": [[30, 40, 300, 400]], "labels": ["polyp"]}',
        '[{"label": "polyp", "bbox_2d": [30, 40, 300, 400]}, {"label": "x", "bbox_2d": [1, 2, 3',
        "<ref>polyp</ref><box>(30,40),(300,400)</box>",
        "<|object_ref_start|>polyp<|object_ref_end|><|box_start|>(30,40),(300,400)<|box_end|>",
    ],
)
def test_a_labelled_box_is_read_from_each_form(text: str) -> None:
    (region,) = regions_of(text, "original", ONE)
    assert region == QuestionRegion(box=(30.0, 40.0, 300.0, 400.0), name="polyp")


@pytest.mark.parametrize(
    "text",
    [
        "It lies at [30, 40, 300, 400] [1].",
        "[[30, 40, 300, 400]]",
        "from (30, 40) to (300, 400)",
        "<box>[30, 40, 300, 400]</box>",
        "<box>30 40 300 400</box>",
        "The interval [0, 5) of [1], then [30, 40, 300, 400]",
        "[300, 400, 30, 40]",  # inside out
        "[300, 40, 30, 400] and again [30, 40, 300, 400]",
    ],
)
def test_a_bare_box_is_read_once(text: str) -> None:
    assert boxes(text) == [(30.0, 40.0, 300.0, 400.0)]


def test_forms_with_a_scale_of_their_own_keep_it_whatever_the_convention() -> None:
    for convention in CONVENTIONS:
        # In thousandths of 640 x 480, y first: x 200-600 is 128-384, y 100-500 is 48-240.
        assert boxes('[{"box_2d": [100, 200, 500, 600]}]', convention) == [(128, 48, 384, 240)]
        # In hundredths: x 10-50 is 64-320, y 20-90 is 96-432.
        maira = "<obj>Left effusion.<box><x10><y20><x50><y90></box></obj>"
        assert boxes(maira, convention) == [(64, 96, 320, 432)]
        assert boxes("<loc_100><loc_200><loc_300><loc_400>", convention) == [(64, 96, 192, 192)]
        # In 1024ths, y first.
        assert boxes("<loc0256><loc0512><loc0512><loc1023>", convention) == [
            (320, 120, 1023 / 1024 * 640, 240)
        ]
        (point,) = regions_of('<point x="50" y="25.0" alt="node">node</point>', convention, ONE)
        assert (point.point, point.name) == ((320, 120), "node")


def test_points_are_read_with_their_label() -> None:
    text = '```JSON\n{"counts": 2, "point_2d": [[65.5, 115.5], [45.0, 249.5]], "label": "sperm"}'
    regions = regions_of(text, "original", ONE)
    assert [(r.point, r.name) for r in regions] == [
        ((65.5, 115.5), "sperm"), ((45.0, 249.5), "sperm"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Seen in [1] and [1, 2], also [2-4] and [3, 5, 7, 12].",
        "In [2019, 2020, 2021, 2022] and on 2024-05-31 [1-3, 5-8].",
        "A range of [10-20, 30-40] and 3 of [4/5, 6/7, 8/9, 1/2].",
        "[10%, 20%, 30%, 40%] [10mm, 20mm, 30mm, 40mm]",
        '{"scores": [30, 40, 300, 400], "spacing": [100, 200]}',
        "(1, 2), (3, 4)",
        "The points (30, 40) and [300, 400].",
        "[30, 40, 300, 400, 500] [30, 40, 300]",
        '{"bbox_2d": [NaN, 40, 300, 400]} {"bbox_2d": [30, 40, Infinity, 1e999]}',
        '{"bbox_2d": [30, 40, 30, 400]} {"bbox_2d": [700, 40, 900, 400]} {"bbox_2d": []}',
        '{"bbox_2d": [30, 40, 300, 4',  # its last number may be cut
        '{"bbox_2d": [true, false, true, true]} {"point_2d": [9000, 20]}',
        "<box>10-20</box> <box></box>",
    ],
)
def test_what_is_no_box_is_taken_for_none(text: str) -> None:
    assert regions_of(text, "original", ONE) == ()


def test_how_many_markers_there_are_decides_what_a_bare_list_is() -> None:
    assert regions_of("[3, 5, 7, 12]", "original", ONE, n_evidence=8) != ()
    assert regions_of("[3, 5, 7, 12]", "original", ONE, n_evidence=12) == ()


def test_a_box_that_reaches_over_the_edge_is_cut_there() -> None:
    assert boxes("[-5, 40, 700, 470.5]") == [(0.0, 40.0, 640.0, 470.5)]
    assert boxes("[0.5, 0.5, 1.05, 1]", "unit") == [(320.0, 240.0, 640.0, 480.0)]


def test_numbers_of_another_scale_are_not_read() -> None:
    assert boxes("[30, 40, 300, 400]", "unit") == []
    assert boxes("[30, 40, 300, 1400]", "thousand") == []


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("Image 1: [30, 40, 100, 200]. Image 2: [30, 40, 100, 200].", [0, 1]),
        ('{"image_2": [{"bbox": [30, 40, 100, 200]}]}', [1]),
        ('[{"image": 2, "box": [30, 40, 99, 99]}, {"image": 1, "box": [30, 40, 99, 99]}]', [1, 0]),
        ('[{"image": 0, "box": [30, 40, 99, 99]}, {"image": 1, "box": [30, 40, 99, 99]}]', [0, 1]),
        ('{"image": "picture 2", "boxes": [[30, 40, 100, 200], [50, 60, 70, 80]]}', [1, 1]),
        ("[30, 40, 100, 200]", []),  # which one is not said
        ("Image 3: [30, 40, 100, 200]", []),
    ],
)  # fmt: skip
def test_a_box_lies_in_the_picture_that_is_named(text: str, images: list[int]) -> None:
    assert [region.image for region in regions_of(text, "original", TWO)] == images


def test_a_picture_that_was_not_shown_has_no_boxes_and_keeps_its_number() -> None:
    shown = (None, TWO[1])
    assert [r.image for r in regions_of("[30, 40, 100, 200]", "original", shown)] == [1]
    text = "Image 1: [30, 40, 100, 200]. Image 2: [30, 40, 100, 200]."
    assert [r.image for r in regions_of(text, "original", shown)] == [1]


def test_an_unknown_convention_and_an_empty_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="pixels"):
        regions_of("", "pixels", ONE)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="size"):
        regions_of("", "unit", (Shown(640, 480, 0, 480),))


def written(box: Box, convention: Convention, shown: Shown) -> list[float]:
    if convention == "original":
        return list(box)
    if convention == "resized":
        sides = (shown.seen_width / shown.width, shown.seen_height / shown.height)
    else:
        full = 1.0 if convention == "unit" else 1000.0
        sides = (full / shown.width, full / shown.height)
    return [value * sides[i % 2] for i, value in enumerate(box)]


@given(st.data(), SIDES, SIDES, SIDES, SIDES, st.sampled_from(CONVENTIONS))
def test_a_box_written_in_any_convention_comes_back_within_a_pixel(
    data: st.DataObject, width: int, height: int, seen_w: int, seen_h: int, convention: Convention
) -> None:
    shown = Shown(width, height, seen_w, seen_h)
    xs = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    ys = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    box = (float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1]))
    text = json.dumps([{"bbox_2d": [round(v, 6) for v in written(box, convention, shown)]}])
    (region,) = regions_of(f"```json\n{text}\n```", convention, (shown,))
    assert region.box == pytest.approx(box, abs=1)
    (x, y) = written(box, convention, shown)[:2]
    (point,) = regions_of(json.dumps({"point_2d": [x, y]}), convention, (shown,))
    assert point.point == pytest.approx(box[:2], abs=1)


@given(st.lists(st.integers(21, 470), min_size=4, max_size=4, unique=True))
def test_the_corners_of_a_box_may_be_written_in_any_order(corners: list[int]) -> None:
    assume(len({*corners}) == 4)
    for x0, y0, x1, y1 in permutations(corners):
        (box,) = boxes(f"[{x0}, {y0}, {x1}, {y1}]")
        assert box == (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


@given(ANY, st.sampled_from(CONVENTIONS))
def test_whatever_is_written_regions_lie_within_their_picture(
    text: str, convention: Convention
) -> None:
    for region in regions_of(text, convention, TWO):
        shown = TWO[region.image]
        if region.box is not None:
            x0, y0, x1, y1 = region.box
            assert 0 <= x0 < x1 <= shown.width
            assert 0 <= y0 < y1 <= shown.height
        else:
            assert region.point is not None
            assert 0 <= region.point[0] <= shown.width
            assert 0 <= region.point[1] <= shown.height


@given(st.text(alphabet="{}[](),:\"'abc 0123456789.\n", max_size=300))
def test_what_json_can_read_is_read_the_same_way(text: str) -> None:
    box = {"bbox_2d": [30, 40, 300, 400], "label": text}
    (region,) = regions_of(json.dumps(box), "original", ONE)
    assert region.name == (" ".join(text.split())[:200] or None)


@pytest.mark.parametrize(
    "unit",
    [
        "[", "{", "(", "]", "}", '"', "'", "\\", '"\\', "[{", "}]", "1", "1,", "[1,", '{"a":',
        "[1 ", "<box>", "<box>1", "<points ", "(1,2),", "image 1 ", "three ", "1 x ", "9.", "-",
        "[a1", " ", '[{"bbox_2d": [1, 2, 30, 40], "label": "a"}, ', "[}", "three small ", "1 1 1 ",
        "<ref>",
    ],
)  # fmt: skip
def test_a_hostile_text_takes_linear_time(unit: str) -> None:
    text = unit * (60_000 // len(unit))
    started = perf_counter()
    regions_of(text, "original", ONE)
    quantities_of(text)
    # Below 0.7 s each on two shared cores; anything quadratic would take minutes.
    assert perf_counter() - started < 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A mass of 2.3 x 1.5 cm [1].", [(2.3, "cm"), (1.5, "cm")]),
        ("2.3 cm × 1.5 cm × 4 mm", [(2.3, "cm"), (1.5, "cm"), (4.0, "mm")]),
        ("2 by 2 centimeters", [(2.0, "cm"), (2.0, "cm")]),
        ("12 and 14 mm", [(12.0, "mm"), (14.0, "mm")]),
        ("5mm, 38.5 °C, 20 %, 1.2 mg/dL", [(5.0, "mm"), (38.5, "°C"), (20.0, "%"), (1.2, "mg/dL")]),
        ("an area of 5 mm2 and 3 cm^3", [(5.0, "mm²"), (3.0, "cm³")]),
        ("-650 HU and −30 Hounsfield units", [(-650.0, "HU"), (-30.0, "HU")]),
        ("1,200 mL", [(1200.0, "mL")]),
        ("2,5 cm", [(2.5, "cm")]),
        ("a 65-year-old", [(65.0, "year")]),
        ("3.2 ± 0.4 cm", [(3.2, "cm")]),
        ("SUVmax of 4.2, then 3.1 SUV", [(4.2, "SUV"), (3.1, "SUV")]),
        ("120/80 mmHg at 72 bpm", [(120.0, "mmHg"), (80.0, "mmHg"), (72.0, "bpm")]),
        ("in her 80s, in the 1990s, in 2019", []),
        ("3 x 10^9 cells and 1/2 cm", []),
        ("T2, L4, the 2nd, Figure 3, 3D, [4], 2024-05-31", []),
        (
            '{"lesion": {"value": 3.2, "unit": "cm"}, "diameter_mm": 12}',
            [(12.0, "mm"), (3.2, "cm")],
        ),
    ],
)
def test_measures_are_read_with_their_unit(text: str, expected: list[tuple[float, str]]) -> None:
    assert numbers(text) == expected


def test_where_a_language_writes_decimals_with_commas_a_comma_is_one() -> None:
    assert numbers("1,234 mm", language="de") == [(1.234, "mm")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("three small pulmonary nodules", [(3, "small pulmonary nodules")]),
        ("A single lesion; 1 polyp.", [(1, "lesion"), (1, "polyp")]),
        ("0 polyps", [(0, "polyps")]),
        ("3 nodules, again 3 nodules", [(3, "nodules")]),
        ("2-3 nodules", [(2, "nodules, at least"), (3, "nodules, at most")]),
        ("41", [(41, "")]),
        ("Answer: three.", [(3, "")]),
        ('```JSON\n{"counts": 39, "bbox_2d": [[58.0, 109.0, 73.0, 122.0]], "label": "sperm"}\n```',
         [(39, "sperm")]),
        ('{"count": 0, "label": "polyp"}', [(0, "polyp")]),
        ("grade 3 lesions, one of the nodules, segments 2-3 lesions, two options, 5 fracture", []),
        ("3 mm nodules", [(3, "mm")]),
    ],
)  # fmt: skip
def test_counts_are_read_with_what_is_counted(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(q.value, q.name or q.unit) for q in quantities_of(text)] == expected


def test_bounds_are_named() -> None:
    low, high = quantities_of("between 2 and 3 cm")
    assert (low.name, high.name) == ("at least", "at most")
    assert [q.name for q in quantities_of("< 5 mm, more than 6 mm")] == ["less than", "more than"]
    assert quantities_of("120/80 mmHg")[0] == Quantity(120.0, "mmHg", "systolic")


@given(st.floats(0, 1e6).map(lambda v: round(v, 3)), st.sampled_from(["mm", "cm", "mL", "HU", "%"]))
def test_a_measure_comes_back(value: float, unit: str) -> None:
    assert numbers(f"It measures {value:f} {unit}.") == [(pytest.approx(value), unit)]


@given(ANY)
def test_quantities_are_finite_numbers(text: str) -> None:
    assert all(abs(each.value) < float("inf") for each in quantities_of(text))
