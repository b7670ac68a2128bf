"""Every card and recipe of the repository is sound."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from medrag.config import load_pipeline, lookup
from medrag.config.building import update_index
from medrag.config.cards import read_card
from medrag.config.checking import check_file
from medrag.config.discovery import discover
from medrag.ingestion import columns
from medrag.records import Question

ROOT = Path(__file__).parent.parent
FILES = [
    path
    for shelf in ("corpora", "indexes", "pipelines")
    for path in sorted((ROOT / shelf).glob("*.yaml"))
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_of_the_repository_is_sound(path: Path) -> None:
    assert check_file(path).problem is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_of_the_repository_is_found_by_its_name(path: Path) -> None:
    shelf: lookup.Shelf = path.parent.name  # type: ignore[assignment]
    assert lookup.found(shelf, path.stem).resolve() == path


@pytest.mark.parametrize("shelf", ["corpora", "indexes", "pipelines"])
def test_the_example_of_a_readme_is_sound(shelf: str, tmp_path: Path) -> None:
    written = (ROOT / shelf / "README.md").read_text(encoding="utf-8")
    path = tmp_path / shelf / "example.yaml"
    path.parent.mkdir()
    path.write_text(written.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    assert check_file(path).problem is None


@pytest.mark.parametrize(
    ("kind", "roles"),
    [
        ("report", columns.REPORT_COLUMNS),
        ("captions", columns.CAPTION_COLUMNS),
        ("case", columns.CASE_COLUMNS),
        ("text", columns.TEXT_COLUMNS),
        ("graph", columns.TRIPLE_COLUMNS),
    ],
)
def test_the_readme_lists_the_columns_that_are_understood(
    kind: str, roles: Mapping[str, Sequence[str]]
) -> None:
    written = (ROOT / "corpora" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(rf"^\| `{kind}` \| `\w+` \| .*$", written, re.MULTILINE)
    assert listed == [
        f"| `{kind}` | `{role}` | {', '.join(f'`{name}`' for name in names)} |"
        for role, names in roles.items()
    ]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "corpora").glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_card_says_licence_and_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "licence:" in text
    assert path.stem == "sample" or "source:" in text


@pytest.mark.realdata
@pytest.mark.parametrize(
    "path", sorted((ROOT / "corpora").glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_card_finds_its_files(path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDRAG_DATA", str(data))
    assert discover([read_card(path)]).files


def test_the_cases_recipe_answers_from_cases_of_other_pictures(tmp_path: Path) -> None:
    from PIL import Image

    asked = "Is the heart enlarged?"
    library = tmp_path / "library"
    library.mkdir()
    for name, grey in {"asked": 100, "near": 104, "far": 240}.items():
        Image.linear_gradient("L").point(lambda each, g=grey: each * g // 255).save(
            library / f"{name}.png"
        )
    answers = {"asked": "yes", "near": "no", "far": "yes"}
    (library / "cases.jsonl").write_text(
        "".join(
            json.dumps({"question": asked, "answer": told, "image": f"{name}.png"}) + "\n"
            for name, told in answers.items()
        )
    )
    (library / "notes.md").write_text("# Heart\n\nThe heart is enlarged in cardiomegaly.\n")
    index = update_index(tmp_path / "index", sources=[library]).folder
    question = Question(text=asked, images=(library / "asked.png",))
    answer = load_pipeline("cases", index=index).answer(question)
    assert answer.text.startswith("No [")
    assert {each.passage.kind for each in answer.selection.kept} == {"case"}
    assert [each.passage.fields["answer"] for each in answer.excluded] == ["yes"]


@pytest.mark.slow
@pytest.mark.realdata
def test_the_medical_library_builds_whole_and_answers(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDRAG_DATA", str(data))
    report = update_index(tmp_path / "library", recipe=ROOT / "indexes" / "medical_library.yaml")
    assert report.failed == ()
    assert {"text", "page", "figure", "image", "report", "case", "term", "fact"} <= set(
        report.passages
    )
    pipeline = load_pipeline("sample", index=tmp_path / "library")
    picture = data / "radiology/covid_cxr_notes/images/covid-19-pneumonia-7-PA.jpg"
    answers = pipeline.answer_all(
        [
            Question(text="Which layers of the skin does the epidermis consist of?"),
            Question(text="Which symptoms does influenza have?"),
            Question(text="What does the radiograph show?", images=(picture,)),
        ]
    )
    assert all(answer.citations for answer in answers)
    assert all(answer.error is None for answer in answers)
    assert {"fact", "term"} & {each.passage.kind for each in answers[1].citations}
    assert answers[2].excluded


def test_a_template_that_is_not_there_is_told_by_the_check_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "pipelines" / "odd.yaml"
    path.parent.mkdir()
    path.write_text(
        "answer: {kind: one_pass, template: vqaa, generator: {kind: extractive}}\n",
        encoding="utf-8",
    )
    problem = check_file(path).problem
    assert problem is not None
    assert "answer.template" in problem
    assert "did you mean vqa?" in problem
