"""The graph retrievers over a built index, as recipes have them."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from medrag.config import Index, build_index, load_pipeline
from medrag.identity import load_key, pseudonym
from medrag.records import Answer, Question
from tests.ingestion.test_radgraph import entity

ONTOLOGY = """format-version: 1.2

[Term]
id: F:1
name: pleural effusion
synonym: "hydrothorax" EXACT []
def: "A crescent opacity of fluid in the costophrenic angle." []

[Term]
id: F:2
name: heart failure

[Term]
id: F:3
name: congestive heart failure
is_a: F:2 ! heart failure
"""
OWN = "19999999"
CASES = {"kind": "channels", "channels": ["lexical"], "cases_need_picture": False}


def graph_of(state: str) -> dict[str, object]:
    entities = {
        "1": entity("pleural", "ANAT-DP", 3),
        "2": entity("effusion", f"OBS-{state}", 4, ("located_at", "1")),
    }
    return {"text": "There is some pleural effusion .", "entities": entities}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Reports of four patients with their graphs, 100 of the questions' own, and an ontology."""
    folder = tmp_path_factory.mktemp("graph")
    states = {"10000001": "DP", "10000002": "DP", "10000003": "DA", "10000004": "U"}
    graphs = {f"p10/p{s}/s5{s}.txt": graph_of(state) for s, state in states.items()}
    rows = ["subject_id,study_id,findings"]
    rows += [f"{s},5{s},There is some pleural effusion." for s in states]
    for i in range(100):
        graphs[f"p10/p19999999/s{60000000 + i}.txt"] = graph_of("DP")
        rows.append(f"19999999,{60000000 + i},There is some pleural effusion.")
    (folder / "graphs.json").write_text(json.dumps(graphs), encoding="utf-8")
    (folder / "reports.csv").write_text("\n".join(rows), encoding="utf-8")
    (folder / "findings.obo").write_text(ONTOLOGY, encoding="utf-8")
    return build_index(folder / "index", sources=[folder], channels=["lexical", "graph"])


def answered(index: Index, folder: Path, retrieve: Mapping[str, object], text: str) -> Answer:
    recipe = folder / "recipe.yaml"
    answer = {"kind": "one_pass", "generator": {"kind": "extractive"}}
    spec = {"retrieve": retrieve, "select": {"kind": "top_k", "k": 500}, "answer": answer}
    recipe.write_text(json.dumps(spec), encoding="utf-8")
    return load_pipeline(recipe, index=index, k=500).answer(Question(text, subject=OWN))


def test_similar_cases_vote_on_facts(index: Index, tmp_path: Path) -> None:
    retrieve = {"kind": "case_facts", "cases": CASES, "graph": "graph", "n_cases": 10}
    answer = answered(index, tmp_path, retrieve, "There is some pleural effusion.")
    (hit,) = [h for h in answer.selection.kept if h.passage.kind == "fact"]
    # Weights are equal: 1 + 1 + 0.5 - 1 of 4.
    assert hit.score == pytest.approx(1.5 / 4)
    assert (hit.parts["support"].score, hit.parts["against"].score) == (3, 1)
    assert answer.trace[0]["step"] == "case_facts"


def test_the_own_patient_never_comes_back(index: Index, tmp_path: Path) -> None:
    linked = {"kind": "linked", "documents": CASES, "graph": "graph", "books": CASES,
              "n_documents": 200, "n_graph": 200, "n_books": 200}  # fmt: skip
    cases = {"kind": "case_facts", "cases": CASES, "graph": "graph", "n_cases": 200}
    attributes = {"kind": "attributes", "graph": "graph", "texts": CASES, "n_texts": 200}
    own = pseudonym(OWN, load_key())
    assert sum(each.source.subject == own for each in index.passages) == 200
    for retrieve in (linked, cases, attributes):
        answer = answered(index, tmp_path, retrieve, "pleural effusion")
        hits = (*answer.selection.kept, *answer.selection.dropped)
        assert hits
        assert own not in {hit.passage.source.subject for hit in hits}


def test_a_finding_is_told_by_what_can_be_seen(index: Index, tmp_path: Path) -> None:
    retrieve = {"kind": "attributes", "graph": "graph"}
    answer = answered(index, tmp_path, retrieve, "hydrothorax")
    (hit,) = answer.selection.kept
    assert hit.passage.fields["attributes"] == {
        "shape": ["crescent"],
        "density": ["opacity"],
        "location": ["costophrenic angle"],
    }
