import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.config import Index, build_index, load_pipeline
from medrag.errors import InputFileError, MedragError
from medrag.records import Filter, Question
from medrag.retrieval.found import FoundRetriever, read_contexts

REPORTS = """report_id,subject_id,study_id,findings,impression
r1,p1,s1,A large effusion.,Effusion.
r2,p2,s2,The heart is normal.,Normal chest.
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("reports")
    (folder / "reports.csv").write_text(REPORTS)
    (folder / "graph.tsv").write_text("head\trelation\ttail\nopacity\tsuggestive_of\tedema\n")
    return build_index(folder / "index", sources=[folder])


def written(folder: Path, *rows: Any, name: str = "found.jsonl") -> Path:
    path = folder / name
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize("key", ["reference_reports", "reference_report"])
def test_both_spellings_bring_the_same_contexts(index: Index, tmp_path: Path, key: str) -> None:
    path = written(
        tmp_path,
        {"question_id": 7, key: ["The heart is  normal. Normal chest.", "A large effusion."]},
    )
    made = FoundRetriever(rows=index.rows, contexts=path)
    (hits,) = made.retrieve([Question("Is it normal?", id="7")], 5, [Filter()])
    assert [hit.passage.fields["sections"]["findings"] for hit in hits] == [
        "The heart is normal.",
        "A large effusion.",
    ]


def test_one_text_in_place_of_a_list_is_one_context(index: Index, tmp_path: Path) -> None:
    path = written(tmp_path, {"id": "a", "reference_report": "A large effusion."})
    made = FoundRetriever(rows=index.rows, contexts=path)
    assert len(made.retrieve([Question(id="a")], 5, [Filter()])[0]) == 1


def test_triplets_of_kg_llava_are_facts_of_the_index(index: Index, tmp_path: Path) -> None:
    triplets = {"img": ["(opacity, suggestive_of, edema)", "(x, suggestive_of, y)"], "other": []}
    path = tmp_path / "found.json"
    path.write_text(json.dumps(triplets))
    made = FoundRetriever(rows=index.rows, contexts=path)
    found, none = made.retrieve_traced([Question(id="img"), Question(id="no")], 7, [Filter()] * 2)
    assert [hit.passage.kind for hit in found.hits] == ["fact"]
    assert found.trace[0] == {"step": "found", "listed": 2, "in_index": 1, "kept": 1}
    assert none.hits == ()


def test_the_guard_holds_for_contexts_of_others(index: Index, tmp_path: Path) -> None:
    path = written(tmp_path, {"id": "a", "reference_reports": ["A large effusion."]})
    made = FoundRetriever(rows=index.rows, contexts=path)
    source = next(p for p in index.passages if "effusion" in p.text).source
    wanted = Filter(not_subjects=frozenset({str(source.subject)}))
    assert made.retrieve([Question(id="a")], 5, [wanted]) == [[]]


def test_an_index_of_other_reports_is_told(index: Index, tmp_path: Path) -> None:
    path = written(tmp_path, {"id": "a", "reference_reports": ["Nobody wrote this."]})
    made = FoundRetriever(rows=index.rows, contexts=path)
    with pytest.raises(MedragError, match="has none of the contexts"):
        made.retrieve([Question(id="a")], 5, [Filter()])


def test_a_file_without_any_context_is_refused(index: Index, tmp_path: Path) -> None:
    path = written(
        tmp_path, {"id": "a", "reference_reports": []}, {"id": "b", "reference_report": ""}
    )
    with pytest.raises(InputFileError, match="no context for any of 2"):
        FoundRetriever(rows=index.rows, contexts=path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ('{"id": "a", "reference_reports": 3}', "no text or list"),
        ('{"reference_reports": ["a"]}', "has no question_id"),
        ('{"id": "a", "text": "b"}', "has no reference_reports"),
        ('{"id": "a", "reference_reports": ["b"]}\n{', "line 2: is not JSON"),
        ('{"id": "a", "reference_reports": ["b"]}\n3', "line 2: is no object"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "found.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputFileError, match=problem):
        read_contexts(path)


CONTEXTS = st.none() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=9))
RECORDS = st.fixed_dictionaries({"id": st.text(max_size=9), "reference_reports": CONTEXTS})


@given(st.text(max_size=60) | RECORDS.map(json.dumps))
def test_any_text_is_contexts_that_say_something_or_an_input_file_error(
    tmp_path_factory: pytest.TempPathFactory, content: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "found.jsonl"
    path.write_bytes(content.encode("utf-8", errors="surrogatepass"))
    found: dict[str, list[str]] = {}
    with suppress(InputFileError):
        found = read_contexts(path)
    assert all(text.strip() for texts in found.values() for text in texts)


def test_a_recipe_answers_from_what_another_system_found(index: Index, tmp_path: Path) -> None:
    written(tmp_path, {"id": "a", "reference_reports": ["A large effusion. Effusion."]})
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "retrieve: {kind: found, contexts: found.jsonl}\n"
        "answer: {kind: one_pass, generator: {kind: extractive}}\n",
        encoding="utf-8",
    )
    answer = load_pipeline(recipe, index=index).answer(Question("Is there an effusion?", id="a"))
    assert [hit.passage.source.document for hit in answer.selection.kept] == ["reports.csv"]
    assert answer.trace[0]["step"] == "found"


def test_a_question_is_known_by_its_words_and_picture_where_its_id_is_not(
    index: Index, tmp_path: Path
) -> None:
    row = {"id": "a", "question": "Is it?", "image": "x.png", "reference_reports": ["Effusion."]}
    made = FoundRetriever(rows=index.rows, contexts=written(tmp_path, row))
    same = Question("Is it?", images=("/elsewhere/x.png",), id="made up")
    other = Question("Is it?", images=("/elsewhere/y.png",), id="made up")
    found = made.retrieve([same, other], 5, [Filter()] * 2)
    assert [len(hits) for hits in found] == [1, 0]
