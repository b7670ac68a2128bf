from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.language.estimating import text_tokens
from medrag.selection.budget import BudgetSelector
from tests.selection.ranked import names, passage, selected, shown


def words(n: int) -> str:
    return "x" * (3 * n)


def test_hits_are_kept_until_the_next_does_not_fit() -> None:
    ranking = shown([passage("a", words(40)), passage("b", words(70)), passage("c", words(10))])
    found = selected(BudgetSelector(tokens=100), ranking)
    assert names(found.kept) == ["a"]
    assert found.reason == "1 kept, 40 tokens, 0 images; 2 passed over: tokens used up"


def test_a_smaller_hit_may_take_the_place_of_one_that_does_not_fit() -> None:
    ranking = shown([passage("a", words(40)), passage("b", words(70)), passage("c", words(10))])
    found = selected(BudgetSelector(tokens=100, when_full="skip"), ranking)
    assert names(found.kept) == ["a", "c"]


def test_the_first_hit_is_kept_whatever_it_takes() -> None:
    ranking = shown([passage("a", words(500)), passage("b", words(1))])
    assert names(selected(BudgetSelector(tokens=100), ranking).kept) == ["a"]
    assert selected(BudgetSelector(tokens=100, k_min=0), ranking).kept == ()


def test_images_have_a_budget_of_their_own() -> None:
    ranking = shown([passage("a", images=2), passage("b", images=1), passage("c")])
    found = selected(BudgetSelector(images=2, when_full="skip"), ranking)
    assert names(found.kept) == ["a", "c"]


def test_a_summary_is_what_is_shown_and_counted() -> None:
    long = replace(shown([passage("a", words(500), images=3)])[0], summary=words(5))
    found = selected(BudgetSelector(tokens=10, images=0), [long])
    assert found.reason == "1 kept, 5 tokens, 0 images"


def test_kinds_and_domains_that_are_used_up_are_passed_over() -> None:
    ranking = shown(
        [
            passage("a", kind="fact", domain="chest"),
            passage("b", kind="fact", domain="chest"),
            passage("c", kind="page", domain="chest"),
            passage("d", kind="text", domain="skin"),
        ]
    )
    found = selected(BudgetSelector(per_kind={"fact": 1}, per_domain={"chest": 2}), ranking)
    assert names(found.kept) == ["a", "c", "d"]
    assert "1 passed over: kind fact used up" in found.reason
    none = selected(BudgetSelector(per_domain={"chest": 0}, k_min=0), ranking)
    assert names(none.kept) == ["d"]


def test_what_fits_is_kept_whole_and_nothing_fired() -> None:
    assert not selected(BudgetSelector(tokens=100), shown([passage("a"), passage("b")])).fired


@given(st.lists(st.integers(1, 50), max_size=12), st.integers(1, 120), st.booleans())
def test_what_is_kept_fits_but_for_the_first(sizes: list[int], tokens: int, skip: bool) -> None:
    ranking = shown([passage(f"p{i}", words(n)) for i, n in enumerate(sizes)])
    selector = BudgetSelector(tokens=tokens, when_full="skip" if skip else "stop")
    kept = selected(selector, ranking).kept
    spent = [text_tokens(hit.passage.text) for hit in kept]
    assert sum(spent) <= tokens or len(kept) == 1
    assert skip or names(kept) == names(ranking[: len(kept)])


def test_tokens_are_a_third_of_the_bytes_rounded_up() -> None:
    assert [text_tokens(text) for text in ("", "ab", "abcd", "肺炎")] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("given_", "problem"),
    [
        ({}, "a budget needs tokens, images, per_kind or per_domain"),
        ({"tokens": 0}, "tokens must be at least 1"),
        ({"images": -1}, "images must be at least 0"),
        ({"per_kind": {"fakt": 1}}, "unknown kind 'fakt'"),
        ({"per_domain": {"chest": -1}}, "chest must be at least 0"),
        ({"tokens": 5, "when_full": "cut"}, "when_full must be stop or skip"),
        ({"tokens": 5, "k_min": -1}, "k_min must be at least 0"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(given_: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        BudgetSelector(**given_)  # type: ignore[arg-type]
