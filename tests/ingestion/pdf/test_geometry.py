"""Boxes turned, compared and grouped."""

from hypothesis import given
from hypothesis import strategies as st

from medrag.ingestion.pdf.geometry import area, bounds, clusters, turned, unturned
from medrag.records import Box

corners = st.integers(0, 40).map(float)
boxes = st.tuples(corners, corners, corners, corners).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@given(box=boxes, turn=st.sampled_from([0, 90, 180, 270]))
def test_turning_back_a_turned_box_gives_the_box(box: Box, turn: int) -> None:
    sides = (50.0, 70.0)

    there = turned(box, turn, *sides)

    assert unturned(there, turn, *(sides if turn % 180 == 0 else sides[::-1])) == box
    assert area(there) == area(box)


def test_a_page_turned_clockwise_has_its_lower_left_corner_at_the_upper_left() -> None:
    # A page of 50 x 70: its lower left corner, 10 wide and 20 high, becomes 20 wide and 10 high.
    assert turned((0, 50, 10, 70), 90, 50, 70) == (0, 0, 20, 10)


@given(boxes=st.lists(boxes, min_size=1, max_size=12), gap=st.sampled_from([0.0, 3.0]))
def test_clusters_part_what_no_chain_of_neighbours_joins(boxes: list[Box], gap: float) -> None:
    groups = clusters(boxes, gap)

    assert sorted(i for group in groups for i in group) == list(range(len(boxes)))
    around = [bounds(boxes[i] for i in group) for group in groups]
    for n, a in enumerate(around):
        for b in around[n + 1 :]:
            apart = max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3])
            assert apart > gap
    joined = {frozenset(group) for group in slowly_joined(boxes, gap)}
    assert all(any(set(small) <= set(group) for group in groups) for small in joined)


def slowly_joined(boxes: list[Box], gap: float) -> list[set[int]]:
    """Chains of neighbouring boxes, by comparing all pairs until nothing changes."""
    groups = [{i} for i in range(len(boxes))]
    for i, a in enumerate(boxes):
        for j, b in enumerate(boxes[:i]):
            if max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3]) <= gap:
                first = next(g for g in groups if i in g)
                second = next(g for g in groups if j in g)
                if first is not second:
                    groups.remove(second)
                    first |= second
    return groups
