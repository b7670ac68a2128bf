"""When a domain counts as known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.encoding.classifying.deciding import Thresholds, check_thresholds, decided, voted

shares = st.lists(st.floats(0.001, 1), min_size=1, max_size=6).map(
    lambda values: np.array(values) / sum(values)
)
thresholds = st.builds(Thresholds, st.floats(0, 1), st.floats(0, 1))


@given(shares, thresholds)
def test_a_domain_is_known_exactly_if_it_reaches_both_thresholds(
    told: np.ndarray, rules: Thresholds
) -> None:
    names = [f"d{place}" for place in range(len(told))]
    routing = decided(names, told, rules)
    ordered = [*sorted(told, reverse=True), 0.0]
    assert routing.known == (ordered[0] >= rules.least and ordered[0] - ordered[1] >= rules.margin)
    assert set(routing.domains) == set(names)
    assert sum(routing.probabilities.values()) == pytest.approx(1)
    found = [routing.probabilities[name] for name in routing.domains]
    assert found == sorted(found, reverse=True)


@given(shares, thresholds, st.randoms())
def test_the_order_of_the_domains_does_not_matter(
    told: np.ndarray, rules: Thresholds, random: object
) -> None:
    names = [f"d{place}" for place in range(len(told))]
    order = list(range(len(told)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = decided([names[at] for at in order], told[order], rules)
    assert shuffled == decided(names, told, rules)
    assert shuffled.domains == decided(names, told, rules).domains


def test_pictures_vote_with_their_probabilities() -> None:
    told = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    routing = voted(["a", "b"], told, np.zeros(3, dtype=bool), Thresholds(0.5, 0.0))
    # a: (0.9 + 0.2 + 0.4) / 3, b: (0.1 + 0.8 + 0.6) / 3
    assert routing.probabilities == pytest.approx({"a": 0.5, "b": 0.5})
    assert "3 of 3 pictures vote" in routing.reason


def test_a_picture_that_is_unlike_all_has_no_vote() -> None:
    told = np.array([[0.9, 0.1], [0.2, 0.8]])
    routing = voted(["a", "b"], told, np.array([True, False]), Thresholds())
    assert routing.domains[0] == "b"
    assert routing.known
    assert "1 of 2 pictures vote" in routing.reason


def test_where_all_pictures_are_unlike_no_domain_is_named() -> None:
    told = np.array([[0.9, 0.1], [0.2, 0.8]])
    routing = voted(["a", "b"], told, np.ones(2, dtype=bool), Thresholds())
    assert routing.domains == ()
    assert not routing.known
    assert sum(routing.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong", [{"least": 1.1}, {"margin": -0.1}, {"temperature": 0.0}, {"least": float("nan")}]
)
def test_thresholds_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        check_thresholds(**wrong)
