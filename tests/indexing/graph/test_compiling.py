"""Terms and facts as a graph on disk: joined by id and name, the same bytes every time."""

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from medrag.errors import IndexFormatError
from medrag.indexing.graph import GraphChannel, compile_graph
from medrag.indexing.graph.compiling import relation_words
from medrag.records import Filter, Passage, Question
from tests.indexing.graph.passages import (
    ONTOLOGY,
    PASSAGES,
    TABLE,
    compiled,
    everything,
    fact,
    term,
)


def test_a_concept_of_two_files_is_joined_by_its_id(tmp_path: Path) -> None:
    # The table calls it differently; both names lead to both.
    channel = compiled(
        [term("D:1", "lung rot"), fact("D:1 pulmonary rot", "has_symptom", "S:1 cough")], tmp_path
    )
    for name in ("lung rot", "pulmonary rot"):
        [ranking] = channel.search([Question(f"What are symptoms of {name}?")], 5, [Filter()])
        assert {row for row, _ in ranking} == {0, 1}


def test_a_fact_without_ids_is_joined_by_its_names(tmp_path: Path) -> None:
    bare = Passage(
        "f", "fact", "words", TABLE,
        fields={"head": "Lung Rots", "relation": "hasSymptom", "tail": "cough"},
    )  # fmt: skip
    channel = compiled([term("D:1", "lung rot", "LRX"), bare], tmp_path)
    [ranking] = channel.search([Question("What are the symptoms of LRX?")], 5, [Filter()])
    assert [row for row, _ in ranking] == [1, 0]


def test_an_index_without_terms_and_facts_compiles_to_a_graph_that_finds_nothing(
    tmp_path: Path,
) -> None:
    channel = compiled([Passage("t", "text", "words", ONTOLOGY)], tmp_path)
    assert channel.search([Question("words"), Question("")], 5, [Filter()] * 2) == [[], []]


def test_a_folder_without_a_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(IndexFormatError, match="is not a compiled graph"):
        GraphChannel(folder=tmp_path, mask=everything)
    compile_graph([], tmp_path)
    about = (tmp_path / "graph.json").read_text(encoding="utf-8")
    (tmp_path / "graph.json").write_text(about.replace('"format": 2', '"format": 99'))
    with pytest.raises(IndexFormatError, match="format 99, expected 2"):
        GraphChannel(folder=tmp_path, mask=everything)
    (tmp_path / "graph.json").write_text(about.replace("n_nodes", "n_nodez"))
    with pytest.raises(IndexFormatError, match="is not a compiled graph"):
        GraphChannel(folder=tmp_path, mask=everything)


def test_a_number_of_a_graph_that_stands_for_nothing_is_named(tmp_path: Path) -> None:
    compiled(PASSAGES, tmp_path)
    names = np.load(tmp_path / "name_nodes.npy")
    np.save(tmp_path / "name_nodes.npy", names + 10**6)
    channel = GraphChannel(folder=tmp_path, mask=everything)
    with pytest.raises(IndexFormatError, match="is not a compiled graph"):
        channel.search([Question("Define sun blindness.")], 5, [Filter()])


@pytest.mark.parametrize("array", ["node_starts", "term_starts", "parents", "node_others"])
def test_no_array_of_wild_numbers_ends_in_another_error(tmp_path: Path, array: str) -> None:
    compiled(PASSAGES, tmp_path)
    numbers = np.load(tmp_path / f"{array}.npy")
    for wild in (numbers + 10**6, -numbers - 10**6, numbers[::-1].copy()):
        np.save(tmp_path / f"{array}.npy", wild)
        channel = GraphChannel(folder=tmp_path, mask=everything)
        for text in ("Miller carditis and sun blindness", "Where is acute Miller carditis?"):
            for ask in (channel.paths, channel.expand, channel.link):
                with suppress(IndexFormatError):
                    ask(text)
            with suppress(IndexFormatError):
                channel.search([Question(text)], 5, [Filter()])


def test_the_same_passages_compile_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        compile_graph(enumerate(PASSAGES), tmp_path / name)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


@pytest.mark.parametrize(
    ("relation", "words"),
    [("is_a", "is a"), ("hasSymptom", "has symptom"), ("part-of", "part of"), ("HAS", "has")],
)
def test_a_relation_is_written_as_words(relation: str, words: str) -> None:
    assert relation_words(relation) == words
