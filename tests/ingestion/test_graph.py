"""Terms and facts of ontologies and tables."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medrag.errors import InputFileError
from medrag.ingestion.graph import GraphIngestor, sentence
from medrag.records import Corpus, Passage, Skipped

OBO = r"""format-version: 1.2
ontology: test

[Term]
id: T:1
name: disease
def: "A \"bad\" state that results_in harm." [url:http\://a]

[Term]
id: T:2
name: sarcoma
synonym: "malignant\, soft" EXACT []
synonym: "flesh tumour" RELATED [X:1]
xref: MESH:1 "note"
is_a: T:1 ! disease
relationship: part_of U:9 {source="x"} ! soft tissue

[Term]
id: T:3
name: old
is_a: T:1
is_obsolete: true

[Term]
id: T:4
name: angiosarcoma
is_a: T:2 ! sarcoma
"""

OWL = """<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [<!ENTITY obo "http://purl.obolibrary.org/obo/">]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
  xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" xmlns:owl="http://www.w3.org/2002/07/owl#"
  xmlns:obo="http://purl.obolibrary.org/obo/"
  xmlns:oio="http://www.geneontology.org/formats/oboInOwl#">
  <owl:Ontology rdf:about="http://a"><owl:imports rdf:resource="http://nowhere.invalid/b"/>
  </owl:Ontology>
  <owl:ObjectProperty rdf:about="&obo;BFO_0000050"><rdfs:label>part of</rdfs:label>
  </owl:ObjectProperty>
  <owl:Class rdf:about="&obo;U_1"><rdfs:label xml:lang="de">Organ auf Deutsch</rdfs:label>
    <rdfs:label xml:lang="en">organ</rdfs:label></owl:Class>
  <owl:Class rdf:about="&obo;U_2"><rdfs:label>lung</rdfs:label>
    <obo:IAO_0000115>It breathes.</obo:IAO_0000115>
    <oio:hasExactSynonym>pulmo</oio:hasExactSynonym><oio:hasDbXref>FMA:7</oio:hasDbXref>
    <rdfs:subClassOf rdf:resource="&obo;U_1"/>
    <rdfs:subClassOf><owl:Restriction>
      <owl:onProperty rdf:resource="&obo;BFO_0000050"/>
      <owl:someValuesFrom rdf:resource="&obo;U_4"/></owl:Restriction></rdfs:subClassOf>
  </owl:Class>
  <owl:Class rdf:about="&obo;U_3"><rdfs:label>gone</rdfs:label>
    <owl:deprecated rdf:datatype="http://www.w3.org/2001/XMLSchema#boolean">true</owl:deprecated>
  </owl:Class>
  <owl:Class rdf:about="&obo;U_4"><rdfs:label>thorax</rdfs:label></owl:Class>
</rdf:RDF>"""

TURTLE = """@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix obo: <http://purl.obolibrary.org/obo/> .
obo:U_1 a owl:Class ; rdfs:label "organ" .
obo:U_2 a owl:Class ; rdfs:label "lung" ; rdfs:subClassOf obo:U_1 .
"""


def _read(path: Path, **options: object) -> tuple[list[Passage], list[Skipped]]:
    ingestor = GraphIngestor(corpus=Corpus("c", path.parent), **options)  # type: ignore[arg-type]
    found = list(ingestor.passages(path))
    return (
        [each for each in found if isinstance(each, Passage)],
        [each for each in found if isinstance(each, Skipped)],
    )


def _file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def _facts(passages: list[Passage]) -> list[tuple[str, str, str]]:
    return [
        (
            each.fields.get("head_id", each.fields["head"]),
            each.fields["relation"],
            each.fields.get("tail_id", each.fields["tail"]),
        )
        for each in passages
        if each.kind == "fact"
    ]


def _terms(passages: list[Passage]) -> dict[str, Passage]:
    terms = [each for each in passages if each.kind == "term"]
    return {each.fields.get("id", each.fields["name"]): each for each in terms}


def test_a_term_says_its_definition_synonyms_and_parents(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "t.obo", OBO))
    terms = _terms(passages)
    assert terms["T:1"].text == 'disease. A "bad" state that results in harm.'
    assert terms["T:1"].fields["definition"] == 'A "bad" state that results_in harm.'
    assert (
        terms["T:2"].text == "sarcoma. Synonyms: malignant, soft; flesh tumour. Kind of: disease."
    )
    assert terms["T:2"].fields["synonyms"] == ["malignant, soft", "flesh tumour"]
    assert terms["T:2"].fields["xrefs"] == ["MESH:1"]
    assert terms["T:2"].fields["parents"] == ["T:1"]


def test_a_fact_names_both_ends_and_their_ids(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "t.obo", OBO))
    assert _facts(passages) == [
        ("T:2", "is_a", "T:1"), ("T:2", "part_of", "U:9"), ("T:4", "is_a", "T:2"),
    ]  # fmt: skip
    texts = [each.text for each in passages if each.kind == "fact"]
    assert texts[0] == "sarcoma is a disease."
    assert texts[1] == "sarcoma is part of soft tissue."


def test_obsolete_terms_are_left_out_and_counted(tmp_path: Path) -> None:
    passages, (skipped,) = _read(_file(tmp_path, "t.obo", OBO))
    assert "T:3" not in _terms(passages)
    assert (skipped.reason, skipped.failed) == ("obsolete", False)
    assert skipped.detail.startswith("1 obsolete term")


def test_stanzas_need_no_blank_line_between_them(tmp_path: Path) -> None:
    tight = "\n".join(line for line in OBO.splitlines() if line)
    passages, _ = _read(_file(tmp_path, "t.obo", f"! a comment\n{tight}"))
    assert set(_terms(passages)) == {"T:1", "T:2", "T:4"}


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ("\n[Term]\nid: T:5\nname: x\nbroken line\n", r"line \d+: not a line of OBO"),
        ("\n[Term]\nname: without id\n", "no line 'id'"),
        ("\n[Term]\nid: T:5\nname: x\nis_a: T:6\n\n[Term]\nid: T:6\nname: y\nis_a: T:5\n",
         r"circle: T:[56] .* > T:[56] .* > T:[56]"),
        ("\n[Term]\nid: T:5\nname: x\nis_a: T:5\n", r"circle: T:5 \(x\) > T:5"),
    ],
)  # fmt: skip
def test_a_damaged_ontology_counts_not_at_all(tmp_path: Path, added: str, words: str) -> None:
    path = _file(tmp_path, "t.obo", OBO + added)
    with pytest.raises(InputFileError, match=words):
        _read(path)


def test_a_circle_of_another_relation_is_no_error(tmp_path: Path) -> None:
    added = "\n[Term]\nid: T:5\nname: x\nrelationship: near T:6\n\n[Term]\nid: T:6\nname: y\n"
    passages, _ = _read(_file(tmp_path, "t.obo", OBO + added + "relationship: near T:5\n"))
    assert ("T:6", "near", "T:5") in _facts(passages)


def test_no_logging_is_set_up_by_a_nameless_ontology(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _read(_file(tmp_path, "t.obo", "[Term]\nid: T:1\nname: x\n"))
    assert not caplog.records


def test_classes_of_owl_are_read_with_their_restrictions(tmp_path: Path) -> None:
    passages, (skipped,) = _read(_file(tmp_path, "t.owl", OWL))
    terms = _terms(passages)
    assert set(terms) == {"U:1", "U:2", "U:4"}
    assert terms["U:1"].fields["name"] == "organ"
    assert terms["U:2"].text == "lung. It breathes. Synonyms: pulmo. Kind of: organ."
    assert terms["U:2"].fields["xrefs"] == ["FMA:7"]
    assert set(_facts(passages)) == {("U:2", "is_a", "U:1"), ("U:2", "part_of", "U:4")}
    assert skipped.reason == "obsolete"


def test_labels_follow_the_language_of_the_corpus(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.owl", OWL)
    german = GraphIngestor(corpus=Corpus("c", tmp_path, language="de"))
    names = [each.fields.get("name") for each in german.passages(path) if isinstance(each, Passage)]
    assert "Organ auf Deutsch" in names


@pytest.mark.parametrize(("content", "ids"), [(OBO, 3), (OWL, 3), (TURTLE, 2)])
def test_an_ontology_is_known_whatever_its_name(tmp_path: Path, content: str, ids: int) -> None:
    passages, _ = _read(_file(tmp_path, "terms.txt", content))
    assert len(_terms(passages)) == ids


def test_turtle_says_the_same(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "t.ttl", TURTLE))
    assert _facts(passages) == [("U:2", "is_a", "U:1")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.owl", OWL[:900], "RDF/XML"),
        ("t.ttl", TURTLE + "broken", "Turtle"),
        ("t.ttl", "@prefix a: <http://a/> .\na:b a:c a:d .\n", "no terms"),
        ("t.owl", OWL.replace('"http://purl.obolibrary.org/obo/"', '"&a;&a;"', 1), "entity 'obo'"),
        ("t.owl", OWL.replace('"http://purl.obolibrary.org/obo/"', 'SYSTEM "/etc/passwd"', 1),
         "entity 'obo'"),
    ],
)  # fmt: skip
def test_an_rdf_that_cannot_be_trusted_is_refused(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    with pytest.raises(InputFileError, match=words):
        _read(_file(tmp_path, name, content))


def test_triples_are_read_by_named_columns(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", "subject,predicate,object\naspirin,treats,headache\n")
    passages, _ = _read(path)
    assert _facts(passages) == [("aspirin", "treats", "headache")]
    assert [each.text for each in passages if each.kind == "fact"] == ["aspirin treats headache."]


def test_pairs_of_id_and_label_name_their_relation(tmp_path: Path) -> None:
    table = "disease_id\tdisease_label\tsymptom_id\tsymptom_label\nD:1\tflu\tS:1\tfever\n"
    passages, _ = _read(_file(tmp_path, "t.tsv", table))
    assert _facts(passages) == [("D:1", "has_symptom", "S:1")]
    terms = _terms(passages)
    assert terms["D:1"].text == "flu. Has symptom: fever."
    assert terms["S:1"].text == "fever. Symptom of: flu."
    assert terms["S:1"].fields["name"] == "fever"


def test_a_label_is_not_passed_off_as_an_id(tmp_path: Path) -> None:
    passages, _ = _read(_file(tmp_path, "t.csv", "head,relation,tail\nflu,has,fever\n"))
    assert not any({"id", "head_id", "tail_id"} & each.fields.keys() for each in passages)


def test_a_card_names_columns_and_relation(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", "Krankheit,Organ\nGrippe,Lunge\n")
    with pytest.raises(InputFileError, match=r"found Krankheit, Organ.*corpus card"):
        _read(path)
    columns = {"head": "Krankheit", "tail": "Organ"}
    passages, _ = _read(path, columns=columns, relation="located_in")
    assert _facts(passages) == [("Grippe", "located_in", "Lunge")]


def test_a_row_without_an_end_gives_its_term_alone(tmp_path: Path) -> None:
    table = "id\tlabel\txrefs\tanatomy_id\tanatomy_label\nD:1\ttumour\tICDO:1\t\t\n"
    passages, skipped = _read(_file(tmp_path, "t.tsv", table))
    assert _facts(passages) == []
    assert _terms(passages)["D:1"].fields["xrefs"] == ["ICDO:1"]
    assert not skipped


def test_a_fact_of_several_rows_counts_them(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", "head,relation,tail\na,r,b\na,r,b\na,r,c\n")
    passages, _ = _read(path)
    supports = [each.fields.get("support") for each in passages if each.kind == "fact"]
    assert supports == [2, None]


def test_a_bad_row_is_numbered_and_the_rest_counts(tmp_path: Path) -> None:
    path = _file(tmp_path, "t.csv", "head,relation,tail\na,r\n,r,b\na,,b\na,r,b\n")
    passages, skipped = _read(path)
    assert _facts(passages) == [("a", "r", "b")]
    assert [each.detail.split(":")[0] for each in skipped] == ["line 2", "line 3", "line 4"]
    assert all(each.failed for each in skipped)


@pytest.mark.parametrize(
    ("relation", "text"),
    [
        ("is_a", "a is an edema."),
        ("part_of", "a is part of edema."),
        ("located_in", "a is located in edema."),
        ("has_symptom", "a has symptom edema."),
        ("derives from", "a derives from edema."),
    ],
)
def test_a_relation_is_said_in_words(relation: str, text: str) -> None:
    assert sentence("a", relation, "edema") == text


@settings(max_examples=60)
@given(st.lists(st.tuples(*[st.sampled_from("abcd")] * 3), min_size=1, max_size=20))
def test_every_triple_is_one_fact_with_its_count(
    tmp_path_factory: pytest.TempPathFactory, triples: list[tuple[str, str, str]]
) -> None:
    rows = "".join(",".join(triple) + "\n" for triple in triples)
    path = _file(tmp_path_factory.getbasetemp(), "t.csv", f"head,relation,tail\n{rows}")
    passages, _ = _read(path)
    facts = [each for each in passages if each.kind == "fact"]
    assert set(_facts(passages)) == set(triples)
    assert sum(each.fields.get("support", 1) for each in facts) == len(triples)
    assert set(_terms(passages)) == {end for head, _, tail in triples for end in (head, tail)}
    assert len({each.id for each in passages}) == len(passages)


@settings(max_examples=100)
@given(content=st.binary(max_size=200), name=st.sampled_from(["a.obo", "a.tsv", "a.ttl", "a.owl"]))
def test_any_bytes_give_passages_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    path = _file(tmp_path_factory.getbasetemp(), name, content)
    try:
        passages, _ = _read(path)
    except InputFileError as error:
        assert error.path == path  # noqa: PT017 - the message must name the file
    else:
        assert all(passage.text for passage in passages)


@pytest.mark.realdata
def test_the_disease_ontology_is_read_whole_in_seconds(data: Path) -> None:
    begun = time.process_time()
    passages, (skipped,) = _read(data / "kg" / "doid_2016-09-01.obo")
    assert len(_terms(passages)) == 9344 - 2373
    assert len(_facts(passages)) == 8155
    assert skipped.detail.startswith("2373 obsolete")
    assert len({each.id for each in passages}) == len(passages)
    assert time.process_time() - begun < 10


@pytest.mark.realdata
def test_the_real_tables_give_their_rows(data: Path) -> None:
    symptoms, bad = _read(data / "kg" / "disease-symptom.tsv")
    assert (len(_facts(symptoms)), len(bad)) == (2222, 0)
    assert len({head for head, _, _ in _facts(symptoms)}) == 863
    sites, bad = _read(data / "kg" / "DO-ICDO-anatomy.tsv")
    assert {relation for _, relation, _ in _facts(sites)} == {"located_in"}
    assert not bad
