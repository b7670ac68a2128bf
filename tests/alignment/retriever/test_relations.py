"""Who shares what: positives, what is ignored, clusters."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.retriever.pair import RetrieverPair
from medrag.alignment.retriever.relations import masks, part, relations
from medrag.records import ImageRef

ROWS = np.arange(3, dtype=np.int64)


def pair(name: str, image: str, text: str, **shared: str | None) -> RetrieverPair:
    return RetrieverPair(name, ImageRef(image), text, **shared)  # type: ignore[arg-type]


def test_an_equal_text_is_right_whatever_its_spaces() -> None:
    known = relations([pair("a", "1", "no effusion"), pair("b", "2", "no  effusion\n")])
    positives, ignored = masks(known, ROWS[:2], ROWS[:2])
    assert positives.all()
    assert not ignored.any()


def test_two_texts_of_one_picture_are_both_right() -> None:
    known = relations([pair("a", "1", "a cyst"), pair("b", "1", "a stone"), pair("c", "2", "air")])
    positives, _ = masks(known, ROWS, ROWS)
    assert positives.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


def test_equal_pixels_are_one_picture_wherever_they_lie() -> None:
    one, two = (ImageRef(path, sha256="f" * 64) for path in ("here", "there"))
    known = relations([RetrieverPair("a", one, "x"), RetrieverPair("b", two, "y")])
    assert masks(known, ROWS[:2], ROWS[:2])[0].all()


def test_another_text_of_the_same_study_or_subject_is_neither_right_nor_wrong() -> None:
    known = relations([
        pair("a", "1", "x", subject="p"), pair("b", "2", "y", subject="p"), pair("c", "3", "z"),
    ])  # fmt: skip
    positives, ignored = masks(known, ROWS, ROWS)
    assert positives.tolist() == np.eye(3, dtype=bool).tolist()
    assert ignored.tolist() == [[False, True, False], [True, False, False], [False] * 3]


def test_pairs_that_share_nothing_known_are_apart() -> None:
    known = relations([pair(name, name, name) for name in "abc"])
    assert len(set(known.clusters.tolist())) == 3


def test_clusters_join_over_others() -> None:
    # a and b share a subject, b and c a picture, c and d a study, d and e a chapter.
    known = relations([
        pair("a", "1", "x", subject="p"), pair("b", "2", "y", subject="p"), pair("c", "2", "z"),
        pair("d", "3", "u"), pair("e", "4", "v", group="g"),
    ])  # fmt: skip
    assert known.clusters.tolist() == [0, 0, 0, 1, 2]


def test_what_states_the_same_is_right_one_way() -> None:
    known = relations([pair(n, n, n) for n in "abc"], facts={0: frozenset({2})})
    positives, _ = masks(known, ROWS, ROWS)
    assert positives[0].tolist() == [True, False, True]
    assert positives[2].tolist() == [False, False, True]


@given(
    st.lists(
        st.tuples(*[st.sampled_from("abcd") for _ in range(2)], st.sampled_from(["p", "q", None])),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_a_part_keeps_what_its_pairs_share(rows: list[tuple[str, str, str | None]]) -> None:
    pairs = [pair(str(n), i, t, subject=s) for n, (i, t, s) in enumerate(rows)]
    chosen = np.arange(0, len(rows), 2, dtype=np.int64)
    known = relations(pairs)
    some = np.arange(len(chosen), dtype=np.int64)
    for whole, cut in zip(
        masks(known, chosen, chosen), masks(part(known, chosen), some, some), strict=True
    ):
        assert (whole == cut).all()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["p", "q", None])), max_size=12)
)  # fmt: skip
def test_pairs_of_one_picture_or_subject_are_of_one_cluster(
    rows: list[tuple[str, str | None]],
) -> None:
    pairs = [pair(str(n), image, str(n), subject=s) for n, (image, s) in enumerate(rows)]
    clusters = relations(pairs).clusters.tolist()
    for left, one in zip(rows, clusters, strict=True):
        for right, other in zip(rows, clusters, strict=True):
            if left[0] == right[0] or (left[1] and left[1] == right[1]):
                assert one == other
