"""Recipes that route, over real indexes."""

from pathlib import Path

import pytest

from medrag.config import Index, build_index, load_pipeline
from medrag.config.components import planned
from medrag.config.place import Place
from medrag.errors import InputFileError, RecipeError
from medrag.records import Question

ANSWER = "answer: {kind: one_pass, generator: {kind: extractive}}\n"
TWO = """
retrieve:
  kind: by_domain
  classify:
    kind: first_known
    classifiers: [{kind: stated}, {kind: words}]
  domains:
    radiology: {kind: channels, index: lungs, channels: [lexical]}
    pathology: {kind: channels, index: blood, channels: [lexical]}
"""


def built(folder: Path, name: str, text: str) -> Index:
    folder.mkdir()
    (folder / f"{name}.md").write_text(f"# {name}\n\n{text}\n", encoding="utf-8")
    return build_index(folder / "index", sources=[folder / f"{name}.md"], channels=["lexical"])


@pytest.fixture
def indexes(tmp_path: Path) -> dict[str, Index]:
    return {
        "lungs": built(tmp_path / "a", "lungs", "An effusion is seen on a radiograph."),
        "blood": built(tmp_path / "b", "blood", "An effusion holds cells, seen in a smear."),
    }


def recipe(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text + ANSWER, encoding="utf-8")
    return path


def documents(path: Path, indexes: dict[str, Index], question: Question) -> set[str]:
    answer = load_pipeline(path, indexes=indexes).answer(question)
    return {hit.passage.source.document for hit in answer.selection.kept}


def test_each_domain_is_searched_in_an_index_of_its_own(
    indexes: dict[str, Index], tmp_path: Path
) -> None:
    path = recipe(tmp_path, TWO)
    x_ray = Question("Does the chest X-ray show an effusion?")
    assert documents(path, indexes, x_ray) == {"lungs.md"}
    assert documents(path, indexes, Question("An effusion in the smear?")) == {"blood.md"}
    stated = Question("An effusion in the smear?", domain="radiology")
    assert documents(path, indexes, stated) == {"lungs.md"}
    assert documents(path, indexes, Question("What is an effusion?")) == {"lungs.md", "blood.md"}


def test_an_answer_tells_how_its_question_was_routed(
    indexes: dict[str, Index], tmp_path: Path
) -> None:
    pipeline = load_pipeline(recipe(tmp_path, TWO), indexes=indexes)
    answer = pipeline.answer(Question("Does the chest X-ray show an effusion?"))
    step = next(each for each in answer.trace if each["step"] == "route")
    assert (step["domains"], step["known"]) == (["radiology"], True)
    assert "'x-ray'" in step["reason"]


def test_a_head_is_looked_for_beside_the_recipe(indexes: dict[str, Index], tmp_path: Path) -> None:
    classify = "classify: {kind: linear, head: h.npz}"
    text = f"retrieve: {{kind: by_domain, {classify}, default: {{kind: channels}}}}\n"
    with pytest.raises(InputFileError, match=str(tmp_path / "h.npz")):
        load_pipeline(recipe(tmp_path, text), index=indexes["lungs"])


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"classify": {"kind": "wrods"}}, "did you mean 'words'"),
        ({"classify": {"kind": "words"}, "unknown": "three"}, "expected 'two' or 'all'"),
        ({"classify": {"kind": "words"}, "domains": {"a": {"kind": "chanels"}}}, r"domains\.a"),
        ({"classify": {"kind": "linear"}}, "'linear' needs the key 'head'"),
        ({"classify": {"kind": "asked", "domains": ["a", "b"]}}, "needs the key 'generator'"),
        ({"classify": {"kind": "zero_shot", "encoder": {"kind": "clip", "model": "m"},
                       "side": "both"}}, "'image' or 'text' or 'any'"),
        ({"domains": {}}, "needs the key 'classify'"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_anything_is_built(spec: dict[str, object], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        planned("retriever", {"kind": "by_domain", **spec}, Place("a.yaml"))
