import re
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.records import Answer, Citation, Hit, Passage, Question, Selection
from medrag.reporting.graph import evidence_graph, graph_of
from medrag.reporting.graph_layout import COLUMN, Edge, Node, columns
from medrag.reporting.page import answer_page
from tests.reporting.made import abstained, answered, fact, figure, source

Triple = tuple[str, str, str]


def term(
    name: str, *, parents: dict[str, str] | None = None, synonyms: Sequence[str] = ()
) -> Passage:
    listed = f" Kind of: {'; '.join((parents or {}).values())}." if parents else ""
    fields = {"id": f"T:{name}", "name": name, "synonyms": list(synonyms),
              "parents": list(parents or {})}  # fmt: skip
    return Passage(f"t-{name}", "term", f"{name}.{listed}", source("a.obo"), (), fields)


def answer_of(
    passages: Sequence[Passage], cited: Sequence[int] = (), question: str = "why?"
) -> Answer:
    hits = tuple(Hit(each, 1.0 / i, i) for i, each in enumerate(passages, start=1))
    citations = tuple(Citation(i, passages[i - 1], 0.5) for i in cited)
    return Answer(Question(question), "so.", citations=citations, selection=Selection(hits))


def of(*triples: Triple, cited: Sequence[int] = (), question: str = "why?") -> Answer:
    facts = [fact(i, *each) for i, each in enumerate(triples, start=1)]
    return answer_of(facts, cited, question)


def denied(number: int, head: str, tail: str) -> Passage:
    made = fact(number, head, "not_located_at", tail)
    return replace(made, fields={**made.fields, "polarity": "absent"})


def drawn(answer: Answer, anchor: str = "q1-e") -> str:
    page = evidence_graph(answer, anchor)
    assert page is not None
    return page


def drawings(answer: Answer) -> list[ET.Element]:
    return [each for each in ET.fromstring(drawn(answer)) if each.tag == "svg"]  # noqa: S314 - our own


def test_without_facts_there_is_no_graph() -> None:
    assert evidence_graph(answer_of([figure()], [1]), "e") is None


def test_where_nothing_was_found_what_was_read_is_not_drawn() -> None:
    facts = of(("a", "has", "b")).selection
    assert evidence_graph(replace(abstained(), selection=facts), "e") is None


def test_facts_about_one_thing_share_its_node() -> None:
    graph = graph_of(of(("a", "has", "b"), ("A", "has", "c")))
    assert [node.name for node in graph.nodes.values()] == ["a", "b", "c"]
    assert len(graph.edges) == 2


def test_equal_facts_are_one_edge_with_the_markers_of_both() -> None:
    answer = of(("a", "has_symptom", "b"), ("a", "has_symptom", "b"), cited=(1, 2))
    (edge,) = graph_of(answer).edges
    assert edge.markers == (1, 2)
    assert 'href="#q1-e1"' in drawn(answer)
    assert 'href="#q1-e2"' in drawn(answer)


def test_cited_facts_are_marked_and_lead_to_their_card() -> None:
    answer = of(("a", "has", "b"), ("a", "has", "c"), cited=(2,))
    page = drawn(answer)
    assert 'href="#q1-e2"' in page
    assert 'href="#q1-e1"' not in page
    # In columns, and in the tree.
    assert page.count('class="edge cited"') == 2
    assert "bold: cited" in page


def test_what_is_denied_is_dashed_and_said_so() -> None:
    answer = answer_of([denied(1, "effusion", "pleura")], [1])
    page = drawn(answer)
    assert page.count('class="edge cited denied"') == 2
    assert "not located at" in page
    assert "dashed: denied" in page


def test_a_doubtful_fact_is_dotted() -> None:
    made = fact(1, "opacity", "suggestive_of", "pneumonia")
    doubtful = replace(made, fields={**made.fields, "polarity": "uncertain"})
    assert 'class="edge uncertain"' in drawn(answer_of([doubtful]))


def test_concepts_that_the_question_names_stand_out() -> None:
    graph = graph_of(of(("asthma", "has", "cough"), question="What are symptoms of asthma?"))
    assert {key: node.asked for key, node in graph.nodes.items()} == {
        "asthma": True,
        "cough": False,
    }


def test_a_concept_is_known_by_a_synonym_of_its_term() -> None:
    passages = [fact(1, "dyspnea", "of", "asthma"), term("dyspnea", synonyms=["air hunger"])]
    graph = graph_of(answer_of(passages, question="What causes air hunger?"))
    assert graph.nodes["dyspnea"].asked


def test_the_parents_of_a_cited_term_are_edges() -> None:
    passages = [term("asthma", parents={"T:1": "bronchial disease"}), fact(1, "asthma", "has", "x")]
    graph = graph_of(answer_of(passages, [1]))
    assert [(e.head, e.relation, e.tail, e.markers) for e in graph.edges] == [
        ("asthma", "is a", "bronchial disease", (1,)),
        ("asthma", "has", "x", ()),
    ]
    assert graph.nodes["asthma"].marker == 1


def test_a_kind_that_is_not_asked_about_is_left_out() -> None:
    passages = [
        fact(1, "asthma", "has", "cough"),
        term("mild asthma", parents={"T:asthma": "asthma"}),
    ]
    graph = graph_of(answer_of(passages, [1]))
    assert "mild asthma" not in graph.nodes


def test_uncited_facts_that_nothing_leads_to_are_left_out() -> None:
    answer = of(("a", "has", "b"), ("b", "has", "c"), ("x", "has", "y"), cited=(1,))
    assert set(graph_of(answer).nodes) == {"a", "b", "c"}


def test_all_facts_are_drawn_where_none_is_cited_and_nothing_named() -> None:
    assert len(graph_of(of(("a", "has", "b"), ("x", "has", "y"))).edges) == 2


def test_cited_facts_come_first_and_what_is_left_out_is_counted() -> None:
    triples = [("asthma", "has", f"thing {i}") for i in range(40)]
    answer = of(*triples, cited=(40, 39))
    graph = graph_of(answer)
    assert [edge.tail for edge in graph.edges[:2]] == ["thing 39", "thing 38"]
    assert (len(graph.edges), graph.left_out) == (30, 10)
    assert "10 more not drawn" in drawn(answer)


def test_a_chain_reads_from_left_to_right() -> None:
    graph = graph_of(of(("b", "has", "c"), ("a", "is", "b")))
    places = columns(graph.nodes, graph.edges).places
    assert places["a"].x < places["b"].x < places["c"].x


def test_columns_that_would_be_a_tangle_give_way_to_the_tree() -> None:
    names = [f"finding {i}" for i in range(6)]
    tangled = of(*((a, "suggestive_of", b) for a in names for b in names if a != b))
    (only,) = drawings(tangled)
    assert only.get("class") == "graph tree"
    wide, narrow = drawings(of(("a", "has", "b")))
    assert (wide.get("class"), narrow.get("class")) == ("graph wide", "graph tree narrow")


def test_a_cycle_and_a_loop_are_drawn_too() -> None:
    answer = of(("a", "x", "b"), ("b", "x", "a"), ("a", "x", "a"))
    for each in drawings(answer):
        assert len([p for p in each if "edge" in str(p.get("class"))]) == 3


def test_the_graph_is_told_in_words() -> None:
    answer = of(("asthma", "has_symptom", "cough"), cited=(1,))
    wide = drawings(answer)[0]
    title = wide.find("title")
    assert title is not None
    assert title.text == "Facts: asthma has symptom cough [1]"
    assert wide.get("aria-labelledby") == title.get("id")


def test_names_are_escaped() -> None:
    page = drawn(of(("<svg onload=x>", "has", '"b"')))
    assert "<svg onload" not in page
    assert '"b"' not in page


def test_long_names_are_wrapped_and_whole_in_their_title() -> None:
    name = "acute respiratory distress syndrome of the newborn after a long labour at night"
    page = drawn(of((name, "is_a", "disease")))
    assert f"<title>{name}</title>" in page
    assert all(len(each) <= 40 for each in re.findall(r'class="name">([^<]*)', page))


def test_the_page_of_an_answer_shows_the_graph_and_says_what_is_denied() -> None:
    page = answer_page([answer_of([denied(1, "effusion", "pleura")], [1])], roots={})
    assert '<svg class="graph' in page
    assert "effusion not_located_at pleura." in page
    assert "not located at" in page


def test_the_support_of_a_fact_is_told_on_its_card() -> None:
    made = fact(1, "opacity", "suggestive_of", "pneumonia")
    counted = replace(made, fields={**made.fields, "support": 4})
    of_studies = replace(counted, source=replace(made.source, study="p-1"))
    assert "stated by 4 studies" in answer_page([answer_of([of_studies], [1])], roots={})
    assert "stated by" not in answer_page([answer_of([counted], [1])], roots={})


def test_equal_answers_are_drawn_alike() -> None:
    assert drawn(answered()) == drawn(answered())


NAMES = st.sampled_from(["a", "b", "c", "d", "a longer name of a finding", "e" * 60, "<&>"])
TRIPLES = st.lists(
    st.tuples(NAMES, st.sampled_from(["is_a", "suggestive_of", "x" * 50]), NAMES), min_size=1,
    max_size=34,
)  # fmt: skip


@given(TRIPLES, st.sets(st.integers(1, 5)))
def test_every_fact_is_drawn_once_in_each_drawing(triples: list[Triple], cited: set[int]) -> None:
    answer = of(*triples, cited=[each for each in sorted(cited) if each <= len(triples)])
    graph = graph_of(answer)
    for each in drawings(answer):
        assert len([p for p in each if "edge" in str(p.get("class"))]) == len(graph.edges)
        x, y, width, height = map(float, str(each.get("viewBox")).split())
        for box in each.iter("rect"):
            assert x <= float(str(box.get("x")))
            assert float(str(box.get("x"))) + float(str(box.get("width"))) <= x + width + 1
            assert y <= float(str(box.get("y"))) + 1
            assert float(str(box.get("y"))) + float(str(box.get("height"))) <= y + height + 1


@given(TRIPLES)
def test_nodes_of_a_column_never_cover_each_other(triples: list[Triple]) -> None:
    names = dict.fromkeys(name for head, _, tail in triples for name in (head, tail))
    edges = [Edge(head, relation, tail) for head, relation, tail in triples]
    places = columns({name: Node(name) for name in names}, edges).places
    for name, one in places.items():
        for other_name, other in places.items():
            if name < other_name and abs(one.x - other.x) < COLUMN:
                assert abs(one.y - other.y) >= (one.height + other.height) / 2


@pytest.mark.parametrize("relation", ["has_symptom", "not_located_at"])
def test_relations_are_written_as_words(relation: str) -> None:
    assert relation.replace("_", " ") in drawn(of(("a", relation, "b")))
