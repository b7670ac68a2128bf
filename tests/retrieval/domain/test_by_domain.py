"""Questions go to the retriever of their domain."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.protocols import TracedRetriever
from medrag.records import Filter, Hit, Part, Question, Routing
from medrag.retrieval.domain import AskedClassifier, ByDomainRetriever
from medrag.retrieval.domain.merging import merged
from tests.retrieval.domain.library import Holds, Says, known, names, passage, unsure

DOMAINS = ("eye", "lung", "skin")


def holders(*domains: str) -> dict[str, Holds]:
    return {name: Holds(name, {f"{name}{n}": name for n in (1, 2, 3)}) for name in domains}


def ranking(retriever: ByDomainRetriever, wanted: Filter | None = None, k: int = 10) -> list[str]:
    return names(retriever.retrieve([Question("q")], k, [wanted or Filter()])[0])


def test_a_known_domain_is_searched_alone() -> None:
    domains = holders(*DOMAINS)
    retriever = ByDomainRetriever(classify=Says(known("lung", "eye")), domains=domains)
    assert isinstance(retriever, TracedRetriever)
    assert ranking(retriever) == ["lung1", "lung2", "lung3"]
    assert not domains["eye"].asked
    assert ranking(retriever, k=2) == ["lung1", "lung2"]


def test_an_unknown_domain_searches_the_likeliest_two_and_merges_by_rank() -> None:
    retriever = ByDomainRetriever(
        classify=Says(unsure(eye=0.3, lung=0.45, skin=0.25)), domains=holders(*DOMAINS)
    )
    (found,) = retriever.retrieve_traced([Question("q")], 3, [Filter()])
    # Each rank is 1 / (60 + rank) in one ranking; of equals, the likelier domain comes first.
    assert names(found.hits) == ["lung1", "eye1", "lung2"]
    assert [hit.rank for hit in found.hits] == [1, 2, 3]
    assert found.hits[0].score == pytest.approx(1 / 61)
    assert found.hits[1].parts == {"eye": Part(1, 1.0), "domain eye": Part(1, 1.0)}


def test_all_domains_are_searched_on_request_or_where_none_is_named() -> None:
    for classify, unknown in ((Says(unsure(eye=0.4, lung=0.6)), "all"), (Says(Routing()), "two")):
        options: dict[str, Any] = {"unknown": unknown}
        retriever = ByDomainRetriever(classify=classify, domains=holders(*DOMAINS), **options)
        assert {name[:-1] for name in ranking(retriever)} == set(DOMAINS)


def test_a_domain_without_a_retriever_goes_to_the_default_one() -> None:
    default = Holds("default", {"d1": "bone", "d2": "eye"})
    retriever = ByDomainRetriever(
        classify=Says(known("bone")), domains=holders("eye"), default=default
    )
    assert ranking(retriever) == ["d1", "d2"]


def test_without_a_default_such_a_domain_is_unknown() -> None:
    retriever = ByDomainRetriever(classify=Says(known("bone")), domains=holders("eye", "lung"))
    assert {name[:-1] for name in ranking(retriever)} == {"eye", "lung"}


def test_a_default_alone_is_narrowed_to_the_domain_on_request() -> None:
    default = Holds("default", {"a": "eye", "b": "lung", "c": "eye", "d": "skin"})
    retriever = ByDomainRetriever(classify=Says(known("eye")), default=default, filter=True)
    assert ranking(retriever) == ["a", "c"]
    both = ByDomainRetriever(
        classify=Says(unsure(eye=0.5, lung=0.5, skin=0)), default=default, filter=True
    )
    # Ranks: a 1, c 2 of eye; b 1 of lung. Of equals, the smaller name of two equal domains first.
    assert ranking(both) == ["a", "b", "c"]


def test_two_unknown_domains_of_one_default_are_asked_once() -> None:
    default = Holds("default", {"a": "eye"})
    retriever = ByDomainRetriever(classify=Says(unsure(eye=0.5, lung=0.4)), default=default)
    assert ranking(retriever) == ["a"]
    assert len(default.asked) == 1


def test_each_retriever_is_asked_once_for_all_its_questions() -> None:
    domains = holders(*DOMAINS)
    classify = Says(known("eye"), b=known("lung"), c=unsure(eye=0.5, skin=0.4))
    retriever = ByDomainRetriever(classify=classify, domains=domains)
    asked = [Question(text) for text in "abca"]
    found = retriever.retrieve(asked, 5, [Filter()] * 4)
    assert [asked for asked, _, _ in domains["eye"].asked] == [["a", "c", "a"]]
    assert [names(hits)[0] for hits in found] == ["eye1", "lung1", "eye1", "eye1"]
    assert retriever.retrieve([], 5, []) == []


def test_the_filter_of_a_question_wins_over_its_domain() -> None:
    domains = holders(*DOMAINS)
    retriever = ByDomainRetriever(classify=Says(known("eye")), domains=domains, filter=True)
    assert ranking(retriever, Filter(domains=frozenset({"skin"}))) == ["skin1", "skin2", "skin3"]
    assert ranking(retriever, Filter(domains=frozenset({"heart"}))) == []
    assert not domains["eye"].asked


@given(
    st.dictionaries(st.sampled_from(DOMAINS), st.floats(0, 1)),
    st.booleans(),
    st.sampled_from(["two", "all"]),
    st.booleans(),
    st.sets(st.sampled_from((*DOMAINS, "heart"))),
    st.sets(st.sampled_from(DOMAINS)),
    st.booleans(),
)
def test_nothing_is_returned_that_the_filter_excludes(
    shares: dict[str, float], sure: bool, unknown: Any, narrow: bool, allowed: set[str],
    own: set[str], has_default: bool,
) -> None:  # fmt: skip
    if not own and not has_default:
        return
    mixed = {f"{name}{n}": name for n in range(2) for name in DOMAINS}
    retriever = ByDomainRetriever(
        classify=Says(Routing(tuple(shares), sure, shares)),
        domains={name: Holds(name, mixed) for name in own},
        default=Holds("default", mixed) if has_default else None,
        unknown=unknown,
        filter=narrow,
    )
    (hits,) = retriever.retrieve([Question("q")], 4, [Filter(domains=frozenset(allowed))])
    assert all(not allowed or hit.passage.source.domain in allowed for hit in hits)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert len({hit.passage.id for hit in hits}) == len(hits) <= 4


rankings = st.dictionaries(
    st.sampled_from(DOMAINS),
    st.lists(st.integers(0, 9), unique=True, max_size=6),
)


@given(rankings, st.dictionaries(st.sampled_from(DOMAINS), st.floats(0, 1)), st.randoms())
def test_merging_does_not_depend_on_the_order_of_the_domains(
    rows: dict[str, list[int]], likely: dict[str, float], random: Any
) -> None:
    given = {
        name: [Hit(passage(str(row)), 1 / rank, rank, parts={"x": Part(rank, 0.5)})
               for rank, row in enumerate(each, start=1)]
        for name, each in rows.items()
    }  # fmt: skip
    order = list(given)
    random.shuffle(order)
    shuffled = merged({name: given[name] for name in order}, 5, c=60, likely=likely)
    assert shuffled == merged(given, 5, c=60, likely=likely)
    # As defined: each passage has the sum of 1 / (60 + rank) over the rankings that hold it.
    scores = {
        hit.passage.id: sum(
            1 / (60 + each.index(int(hit.passage.id)) + 1)
            for each in rows.values()
            if int(hit.passage.id) in each
        )
        for hit in shuffled
    }
    assert [hit.score for hit in shuffled] == pytest.approx(list(scores.values()))
    ordered = sorted(scores.values(), reverse=True)
    assert [hit.score for hit in shuffled] == pytest.approx(ordered)


def test_the_trace_tells_the_route_and_what_was_searched_then() -> None:
    classify = Says(unsure(eye=0.6, lung=0.4))
    retriever = ByDomainRetriever(classify=classify, domains=holders("eye", "lung"))
    (found,) = retriever.retrieve_traced([Question("q")], 3, [Filter()])
    assert found.trace == (
        {
            "step": "route", "domains": ["eye", "lung"], "known": False,
            "probabilities": {"eye": 0.6, "lung": 0.4}, "reason": "unsure",
        },
        {"step": "eye", "domain": "eye"},
        {"step": "lung", "domain": "lung"},
    )  # fmt: skip
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.cost) == (2, 1.0)


def test_what_must_not_be_asked_twice_within_makes_the_whole_so() -> None:
    class Once(Holds):
        repeatable = False

    class Model:
        name = "m"

        def generate(self, prompts: Any) -> Any:
            raise NotImplementedError

    plain = holders("eye")
    asked = AskedClassifier(generator=Model(), domains=("eye", "lung"))
    assert ByDomainRetriever(classify=Says(Routing()), domains=plain).repeatable
    assert not ByDomainRetriever(classify=asked, domains=plain).repeatable
    once = {"eye": Once("eye", {})}
    assert not ByDomainRetriever(classify=Says(Routing()), domains=once).repeatable


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "name a retriever"),
        ({"domains": holders("eye"), "unknown": "three"}, "'two' or 'all'"),
        ({"domains": holders("eye"), "c": 0}, "c must be positive"),
        ({"domains": {"": Holds("x", {})}}, "must not be empty"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ByDomainRetriever(classify=Says(Routing()), **options)


def test_as_many_filters_as_questions_and_a_k_are_needed() -> None:
    retriever = ByDomainRetriever(classify=Says(Routing()), domains=holders("eye"))
    with pytest.raises(ValueError, match="as many filters"):
        retriever.retrieve([Question("q")], 3, [])
    with pytest.raises(ValueError, match="k must be"):
        retriever.retrieve([Question("q")], 0, [Filter()])
