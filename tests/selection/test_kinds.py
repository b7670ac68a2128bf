"""What `medrag check` finds wrong with a selector before anything is built."""

from typing import Any

import pytest

from medrag.config.components import planned
from medrag.config.place import Place
from medrag.errors import RecipeError
from medrag.selection.chain import ChainSelector
from medrag.selection.floor import NoContextBelowSelector
from medrag.selection.gap import GapSelector

PLACE = Place("p.yaml").at("select")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"kind": "gap", "rule": "adjacent_gap"}, r"select\.rule: expected 'adjacent_log_gap' or"),
        ({"kind": "gap", "scale": "logits"}, r"select\.scale: expected 'raw' or 'cosine' or"),
        ({"kind": "gap", "gama": 0.4}, r"select\.gama.*did you mean 'gamma'"),
        ({"kind": "gap", "gamma": "much"}, r"select\.gamma: expected a number or null"),
        ({"kind": "gap", "otherwise": {"kind": "topk"}}, r"otherwise\.kind.*did you mean 'top_k'"),
        ({"kind": "floor"}, "needs the key 'floor'"),
        ({"kind": "budget", "when_full": "cut"}, r"select\.when_full: expected 'stop' or 'skip'"),
        ({"kind": "budget", "per_kind": {"fact": "few"}}, r"select\.per_kind"),
        ({"kind": "budget", "tokens": 9, "count": "words"}, r"select\.count: expected a value"),
        ({"kind": "chain", "selectors": [{"kind": "gap", "rule": 1}]}, r"select\.selectors\.0"),
        ({"kind": "chain", "selectors": {"kind": "gap"}}, "expected a list of such"),
        ({"kind": "calibrated"}, "needs the key 'file'"),
        ({"kind": "diverse", "library": "x"}, "unknown key of 'diverse'"),
    ],
)
def test_a_mistake_in_a_selector_is_found_without_building_it(
    spec: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecipeError, match=told):
        planned("selector", spec, PLACE)


def test_a_chain_of_selectors_is_built_from_a_list() -> None:
    spec = {
        "kind": "chain",
        "selectors": [
            {"kind": "gap", "rule": "top1_ratio", "tau": 1.2, "score": "text"},
            {"kind": "no_context_below", "floor": 0.1},
        ],
    }
    chain = planned("selector", spec, PLACE)()
    assert isinstance(chain, ChainSelector)
    gap, last = chain.selectors
    assert isinstance(gap, GapSelector)
    assert (gap.rule, gap.tau, gap.score) == ("top1_ratio", 1.2, "text")
    assert isinstance(last, NoContextBelowSelector)
