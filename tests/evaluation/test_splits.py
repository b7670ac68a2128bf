from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import EvaluationError
from medrag.evaluation.splits import (
    ConfoundedSplits,
    Labelled,
    SplitSizes,
    Triple,
    confounded_gap,
    confounded_splits,
    held_out_combination,
    labelled,
)

NAN = float("nan")
PAIRING = {"ill": "male", "well": "female"}
SIZES = SplitSizes(train=20, test=8, ood=8)


def rows(n_each: int, *, per_group: int = 1) -> list[Labelled]:
    """Rows of every class with every sex, patients of several rows each."""
    return [
        Labelled(f"{label} {sex} {number}", label, sex, f"{label} {sex} {number // per_group}")
        for label in ("ill", "well")
        for sex in ("male", "female")
        for number in range(n_each)
    ]


def kinds(given: list[Labelled], ids: tuple[str, ...]) -> Counter[tuple[str, str]]:
    by_id = {row.id: row for row in given}
    return Counter((by_id[name].label, by_id[name].confounder) for name in ids)


def test_classes_go_with_their_confounder_until_it_is_swapped_out_of_domain() -> None:
    given = rows(20)
    splits = confounded_splits(given, PAIRING, SIZES)
    assert kinds(given, splits.train) == {("ill", "male"): 10, ("well", "female"): 10}
    assert kinds(given, splits.test) == {("ill", "male"): 4, ("well", "female"): 4}
    assert kinds(given, splits.ood) == {("ill", "female"): 4, ("well", "male"): 4}


def test_a_weaker_pairing_mixes_the_rest_in() -> None:
    given = rows(20)
    splits = confounded_splits(given, PAIRING, SIZES, strength=0.8)
    assert kinds(given, splits.train) == {
        ("ill", "male"): 8, ("ill", "female"): 2, ("well", "female"): 8, ("well", "male"): 2,
    }  # fmt: skip
    # 0.8 of 4 is 3.2, rounded
    assert kinds(given, splits.ood) == {
        ("ill", "male"): 1, ("ill", "female"): 3, ("well", "female"): 1, ("well", "male"): 3,
    }  # fmt: skip


@given(st.integers(0, 99), st.integers(1, 5), st.sampled_from([0.5, 0.75, 1.0]))
def test_splits_are_balanced_and_share_neither_rows_nor_patients(
    seed: int, per_group: int, strength: float
) -> None:
    given = rows(60, per_group=per_group)
    splits = confounded_splits(given, PAIRING, SIZES, strength=strength, seed=seed)
    parts = (splits.train, splits.test, splits.ood)
    assert [len(part) for part in parts] == [20, 8, 8]
    group = {row.id: row.group for row in given}
    groups = [{group[name] for name in part} for part in parts]
    assert sum(map(len, groups)) == len(set.union(*groups))
    for part in parts:
        labels = Counter(label for label, _ in kinds(given, part).elements())
        assert labels["ill"] == labels["well"]


def test_the_seed_decides_whatever_the_order_of_the_rows() -> None:
    given = rows(30)

    def sets(splits: ConfoundedSplits) -> list[set[str]]:
        return [set(splits.train), set(splits.test), set(splits.ood)]

    first = sets(confounded_splits(given, PAIRING, SIZES, seed=1))
    assert sets(confounded_splits(given[::-1], PAIRING, SIZES, seed=1)) == first
    assert sets(confounded_splits(given, PAIRING, SIZES, seed=2)) != first


def test_patients_seen_with_both_classes_stay_in_one_split() -> None:
    given = [
        Labelled(f"{patient} {label}", label, sex, str(patient))
        for patient in range(60)
        for sex in [("male", "female")[patient % 2]]
        for label in ("ill", "well")
    ]
    splits = confounded_splits(given, PAIRING, SIZES)
    held = [{name.split()[0] for name in part} for part in (splits.train, splits.test, splits.ood)]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]


def test_other_classes_and_rows_without_a_patient_are_borne() -> None:
    given = [*rows(20), Labelled("other", "unsure", "male")]
    alone = [Labelled(row.id, row.label, row.confounder) for row in given]
    splits = confounded_splits(alone, PAIRING, SIZES)
    assert len(splits.train) == 20
    assert "other" not in splits.train + splits.test + splits.ood


def test_too_few_rows_are_counted_by_kind() -> None:
    # ill and male: 10 for training and 4 for testing of 12
    with pytest.raises(
        EvaluationError, match=r"lacks \d+ rows of 'ill' with 'male' \(there are 12"
    ):
        confounded_splits(rows(12), PAIRING, SIZES)


def test_the_rows_that_lack_add_up() -> None:
    with pytest.raises(EvaluationError) as raised:
        confounded_splits(rows(0), PAIRING, SIZES)
    for part in ("train lacks 10", "test lacks 4", "ood lacks 4"):
        assert part in str(raised.value)


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(EvaluationError, match="given 2 times"):
        confounded_splits(rows(20) * 2, PAIRING, SIZES)


@pytest.mark.parametrize(
    ("pairing", "sizes", "strength"),
    [
        ({"ill": "male"}, SIZES, 1.0),
        ({"ill": "male", "well": "male"}, SIZES, 1.0),
        (PAIRING, SplitSizes(3, 2, 2), 1.0),
        (PAIRING, SplitSizes(2, -2, 2), 1.0),
        (PAIRING, SIZES, 0.4),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    pairing: dict[str, str], sizes: SplitSizes, strength: float
) -> None:
    with pytest.raises(ValueError, match="got"):
        confounded_splits(rows(20), pairing, sizes, strength=strength)


def test_rows_are_read_by_the_names_of_their_columns() -> None:
    table = [
        {"image": 1, "finding": "ill", "sex": "male", "patient": 7},
        {"image": 2, "finding": "well", "sex": "female", "patient": None},
    ]
    read = labelled(table, id="image", label="finding", confounder="sex", group="patient")
    assert read == (Labelled("1", "ill", "male", "7"), Labelled("2", "well", "female", None))


@pytest.mark.parametrize("missing", ["image", "finding", "sex", "patient"])
def test_a_row_without_a_column_is_named(missing: str) -> None:
    row = {"image": 1, "finding": "ill", "sex": "male", "patient": 7}
    broken = {name: value for name, value in row.items() if name != missing}
    with pytest.raises(EvaluationError, match=f"row 2 has no '{missing}'"):
        labelled([row, broken], id="image", label="finding", confounder="sex", group="patient")


def test_the_gap_is_what_accuracy_loses_out_of_domain() -> None:
    found = confounded_gap([1, 1, 1, 0, 1, 0, NAN], [0, 0, 0, 0, 1, 1, 1], [None] * 7)
    # in: 3 / 4; out: 1 / 2
    assert (found.in_domain.value, found.out_of_domain.value) == (0.75, 0.5)
    assert (found.mean.value, found.gap.value, found.drop.value) == (0.625, 0.25, 0.25)
    assert (found.in_domain.n, found.out_of_domain.n, found.gap.n) == (4, 2, 6)


def test_a_gap_in_favour_of_the_swapped_split_is_a_gap_but_no_drop() -> None:
    found = confounded_gap([0, 1, 1, 1], [0, 0, 1, 1], [None] * 4)
    assert (found.gap.value, found.drop.value) == (0.5, -0.5)


def test_a_system_that_reads_the_confounder_shows_a_certain_gap() -> None:
    generator = np.random.default_rng(1)
    right = np.r_[generator.random(200) < 0.9, generator.random(200) < 0.3].astype(float)
    fair = (generator.random(400) < 0.7).astype(float)
    swapped = np.arange(400) >= 200
    assert confounded_gap(right, swapped, [None] * 400).drop.low > 0.4
    found = confounded_gap(fair, swapped, [None] * 400)
    assert found.drop.low < 0 < found.drop.high
    assert found.gap.low >= 0


def test_answers_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="same items"):
        confounded_gap([1, 0], [0, 1], [None])


SEEN = {
    "1": Triple("CT", "lung", "cancer"),
    "2": Triple("CT", "brain", "cancer"),
    "3": Triple("X-ray", "lung", "cancer"),
    "4": Triple("CT", "lung", "COVID"),
    "5": Triple("OCT", "retina", "drusen"),
    "6": Triple("CT", "lung", "cancer"),
}


def test_a_combination_is_held_out_and_its_parts_are_not() -> None:
    found = held_out_combination(SEEN, Triple("CT", "lung", "cancer"))
    assert found.test == ("1", "6")
    assert found.related == ("2", "3", "4")
    assert found.unrelated == ("5",)


def test_a_combination_with_a_part_of_its_own_is_refused() -> None:
    with pytest.raises(EvaluationError, match="modality 'OCT' of OCT x retina x drusen occurs in"):
        held_out_combination(SEEN, Triple("OCT", "retina", "drusen"))


def test_a_combination_without_rows_is_refused() -> None:
    with pytest.raises(EvaluationError, match="no row is of CT x retina x cancer"):
        held_out_combination(SEEN, Triple("CT", "retina", "cancer"))
