"""One concept of several ontologies is one node; two of one ontology never are."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medrag.indexing.graph.joining import joined_by_reference, reference
from medrag.records import Filter, Passage, Question
from tests.indexing.graph.passages import compiled, fact, term


def referring(passage: Passage, *xrefs: str) -> Passage:
    fields: dict[str, Any] = {**passage.fields, "xrefs": list(xrefs)}
    return replace(passage, fields=fields)


@pytest.mark.parametrize(
    "written",
    ["UMLS_CUI:C0018923", "UMLS:C0018923", "CUI:C0018923", "C0018923", "umls:C0018923"],
)
def test_a_cui_is_one_however_it_is_written(written: str) -> None:
    assert reference(written) == ("UMLS", "C0018923")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("SNOMEDCT_US_2016_03_01:331", ("SNOMEDCT", "331")),
        ("MSH:D006394", ("MESH", "D006394")),
        ("http://purl.obolibrary.org/obo/DOID_114", ("DOID", "114")),
        ("D006394", ("D", "D006394")),
    ],
)
def test_a_reference_is_an_ontology_and_a_code(written: str, read: tuple[str, str]) -> None:
    assert reference(written) == read


def test_a_concept_is_joined_to_that_which_its_term_refers_to(tmp_path: Path) -> None:
    passages = [
        referring(term("DOID:1", "lung rot"), "MESH:D9"),
        term("MESH:D9", "pulmonary decay"),
        fact("MESH:D9 pulmonary decay", "has_symptom", "S:1 cough"),
    ]
    channel = compiled(passages, tmp_path)
    [mention] = channel.link("lung rot")
    [concept] = channel.concepts(mention.nodes)
    assert concept.rows == (0, 1)
    [ranking] = channel.search([Question("What are symptoms of lung rot?")], 5, [Filter()])
    assert ranking[0].row == 2


def test_a_shared_cui_joins_concepts_of_two_ontologies(tmp_path: Path) -> None:
    passages = [
        referring(term("DOID:1", "lung rot"), "UMLS_CUI:C0000001"),
        referring(term("HP:7", "rotten lung"), "UMLS:C0000001"),
    ]
    [mention] = compiled(passages, tmp_path).link("rotten lung")
    assert compiled(passages, tmp_path).concepts(mention.nodes)[0].id == "DOID:1"


def test_a_reference_that_two_concepts_of_an_ontology_share_joins_neither() -> None:
    ids = {0: "DOID:1", 1: "DOID:2", 2: "HP:7"}
    cui = ["UMLS:C0000001"]
    assert joined_by_reference(ids, {0: cui, 1: cui, 2: cui}) == {}
    assert joined_by_reference(ids, {0: cui, 2: cui}) == {2: 0}


def test_no_chain_of_references_makes_two_concepts_of_an_ontology_one() -> None:
    # 0 and 2 share a CUI, 2 refers to 3, and 3 shares one with 1, of the ontology of 0.
    ids = {0: "DOID:1", 1: "DOID:2", 2: "HP:7", 3: "MESH:D9"}
    joined = joined_by_reference(
        ids, {0: ["C0000001"], 2: ["C0000001", "MESH:D9"], 3: ["C0000002"], 1: ["C0000002"]}
    )
    assert joined == {2: 0, 3: 0}


def test_a_class_code_that_concepts_share_does_not_join_them() -> None:
    ids = {0: "DOID:1", 1: "HP:7"}
    assert joined_by_reference(ids, {0: ["ICD10CM:H11"], 1: ["ICD10CM:H11"]}) == {}
