"""What findings look like, from the passages of a knowledge graph."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from medrag.ingestion.graph import GraphIngestor
from medrag.records import Corpus, Kind, Passage, Source
from medrag.tools.definitions import Definition, definitions_from, described

OBO = """\
format-version: 1.2

[Term]
id: X:1
name: pleural effusion
def: "Fluid in the pleural space." []
synonym: "Hydrothorax" EXACT []

[Term]
id: X:2
name: hydrothorax sign

[Term]
id: X:3
name: costophrenic angle
relationship: part_of X:1

[Typedef]
id: part_of
name: part of
"""


def passage(kind: Kind, **fields: Any) -> Passage:
    name = f"{kind}{sorted(fields.items(), key=str)}"
    return Passage(name, kind, name, Source("c", "d", "0"), fields=fields)


def fact(head: str, relation: str, tail: str) -> Passage:
    return passage("fact", head=head, relation=relation, tail=tail)


def test_a_definition_has_the_words_of_its_term_and_the_looks_of_its_facts() -> None:
    passages = [
        fact("Pleural effusion", "has_shape", "crescent"),
        passage("term", name="pleural effusion", definition="Fluid about the lung.",
                synonyms=["hydrothorax"]),
        fact("pleural effusion", "has_density", "homogeneous opacity"),
        fact("pleural effusion", "located_in", "costophrenic angle"),
        fact("pleural effusion", "caused_by", "heart failure"),
    ]  # fmt: skip
    found = definitions_from(passages)
    assert found["pleural effusion"] is found["hydrothorax"]
    assert described(found["hydrothorax"]) == (
        "Fluid about the lung; shape: crescent; density: homogeneous opacity; "
        "location: costophrenic angle"
    )
    assert found["hydrothorax"].passages == tuple(passages[i].id for i in (0, 1, 2, 3))


def test_an_ontology_gives_definitions(tmp_path: Path) -> None:
    path = tmp_path / "a.obo"
    path.write_text(OBO)
    ingestor = GraphIngestor(corpus=Corpus("c", tmp_path))
    passages = [each for each in ingestor.passages(path) if isinstance(each, Passage)]
    found = definitions_from(passages)
    assert {*found} == {"pleural effusion", "hydrothorax"}
    assert described(found["hydrothorax"]) == "Fluid in the pleural space"


def test_a_name_goes_before_a_synonym_of_another_term() -> None:
    found = definitions_from([
        passage("term", name="mass", definition="a large one", synonyms=["nodule"]),
        passage("term", name="nodule", definition="a small one"),
    ])  # fmt: skip
    assert found["nodule"].text == "a small one"


def test_relations_that_tell_of_no_looks_are_passed_over() -> None:
    relations = ["opposite_of", "composition", "transforms_into", "is_a", "positively_regulates"]
    assert definitions_from([fact("x", relation, "y") for relation in relations]) == {}


def test_what_is_said_twice_is_told_once_and_long_lists_are_cut() -> None:
    facts = [fact("x", "has_site", f"site {i % 9}") for i in range(20)]
    told = described(definitions_from(facts)["x"])
    assert told == "location: site 0, site 1, site 2, site 3"
    assert described(Definition("x")) == ""


@given(st.dictionaries(st.sampled_from(["name", "definition", "synonyms", "head", "relation",
                                        "tail"]),
                       st.none() | st.integers() | st.text(max_size=5) | st.lists(
                           st.none() | st.text(max_size=5), max_size=2)))  # fmt: skip
def test_fields_of_any_type_are_read_without_an_error(fields: dict[str, Any]) -> None:
    for kind in ("term", "fact", "text"):
        for name, found in definitions_from([passage(kind, **fields)]).items():  # type: ignore[arg-type]
            assert name
            assert described(found)
