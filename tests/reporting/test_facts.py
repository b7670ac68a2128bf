import re

from medrag.records import Citation
from medrag.reporting.facts import facts_graph
from tests.reporting.made import fact, figure


def cited(*facts: tuple[str, str, str]) -> list[Citation]:
    return [Citation(i, fact(i, *each), 0.5) for i, each in enumerate(facts, start=1)]


def middles(drawn: str) -> dict[str, float]:
    """Read the horizontal middle of each name from the picture."""
    return {
        name: float(x)
        for x, name in re.findall(r'<text x="([\d.]+)" y="[\d.-]+" class="name">([^<]+)', drawn)
    }


def test_without_facts_there_is_no_graph() -> None:
    assert facts_graph([Citation(1, figure(), 0.5)], "e") is None


def test_facts_about_one_thing_share_its_node() -> None:
    drawn = facts_graph(cited(("a", "has", "b"), ("a", "has", "c")), "e")
    assert drawn is not None
    assert drawn.count('class="node"') == 3
    assert drawn.count('class="edge"') == 2


def test_a_chain_reads_from_left_to_right() -> None:
    drawn = facts_graph(cited(("b", "has", "c"), ("a", "is", "b")), "e")
    assert drawn is not None
    places = middles(drawn)
    assert places["a"] < places["b"] < places["c"]


def test_a_cycle_and_a_loop_are_drawn_too() -> None:
    drawn = facts_graph(cited(("a", "x", "b"), ("b", "x", "a"), ("a", "x", "a")), "e")
    assert drawn is not None
    assert drawn.count('class="edge"') == 3


def test_each_edge_leads_to_the_card_of_its_fact() -> None:
    drawn = facts_graph(cited(("a", "has", "b"), ("a", "has", "c")), "q1-e")
    assert drawn is not None
    assert 'href="#q1-e1"' in drawn
    assert 'href="#q1-e2"' in drawn


def test_names_are_escaped() -> None:
    drawn = facts_graph(cited(("<svg onload=x>", "has", '"b"')), "e")
    assert drawn is not None
    assert "<svg onload" not in drawn
    assert '"b"' not in drawn
