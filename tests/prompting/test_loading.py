"""Templates of one's own: read by path, and refused where they would lose something."""

from importlib.resources import files
from pathlib import Path

import pytest

from medrag.errors import RecipeError
from medrag.prompting.templates import (
    build_prompt,
    digest,
    digests,
    label,
    load_template,
    shipped,
)
from medrag.records import Question, Selection

MINE = """
name: mine
version: 3
role: You are brief.
evidence: Evidence stands between <<< and >>>.
no_evidence: There is none.
other_patient: Mind the patient.
question: |-
  {history}
  {regions}
  Q: {question}
  {options}
answer: Answer.
answer_without_evidence: {open: Say what you know., yes_no: Say yes or no.}
"""


def written(folder: Path, content: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    return str(path)


def test_a_template_of_ones_own_is_named_by_its_path(tmp_path: Path) -> None:
    prompt = build_prompt(
        Question(text="Is it so?"), Selection(()), template=written(tmp_path, MINE)
    )
    assert prompt.template == "mine/3"
    assert prompt.parts == ("You are brief.\n\nThere is none.\n\nQ: Is it so?\n\nSay yes or no.",)


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = written(tmp_path, MINE)
    assert label(load_template(path)) == "mine/3"
    written(tmp_path, MINE.replace("version: 3", "version: 14"))
    assert label(load_template(path)) == "mine/14"


def test_a_digest_tells_two_contents_of_one_version_apart(tmp_path: Path) -> None:
    path = written(tmp_path, MINE)
    before = digest(path)
    written(tmp_path, MINE.replace("brief", "terse"))
    assert digest(path) != before
    assert digest("vqa") == digests()["vqa/2"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (MINE.replace("{question}", "{questoin}"), "question: unknown placeholder {questoin}"),
        (
            MINE.replace("You are brief.", "On {question}"),
            "role: unknown placeholder {question}; it m",
        ),
        (MINE.replace("  {options}\n", ""), "question: must hold {options} once, holds it 0 times"),
        (MINE.replace("{history}", "{regions}"), "must hold {history} once"),
        (MINE.replace("role: You are brief.\n", ""), "lacks role"),
        (MINE.replace("role:", "rule:"), "current_image; did you mean role?"),
        (MINE.replace("You are brief.", "''"), "role: expected a text, got ''"),
        (MINE.replace("You are brief.", "[a]"), "role: expected a text in quotes or after |-"),
        (MINE.replace(", yes_no: Say yes or no.", ""), "one each for open and yes_no; got open"),
        (MINE.replace("version: 3", "version: true"), "version: expected a whole number from 1"),
        (MINE.replace("version: 3", "version: 0"), "version: expected a whole number from 1"),
        (MINE.replace("name: mine", "name: My own"), "name: expected small letters"),
        (MINE.replace("name: mine", "name: vqa"), "'vqa' is the name of a template of medrag"),
        (MINE + "role: again\n", "role stands there twice"),
        (MINE.replace("You are brief.", "!!python/name:os.system"), "not YAML that can be read"),
        ("- a list", "expected a mapping of parts to texts"),
        ("name: [", "not YAML that can be read"),
        ("x" * 70_000, "larger than 64 KiB"),
        (MINE.replace("role: You are brief.", "role: &a You\nno_text: *a"), "holds an alias"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, content: str, problem: str
) -> None:
    with pytest.raises(RecipeError, match=r"template .*mine\.yaml") as refused:
        load_template(written(tmp_path, content))
    assert problem in str(refused.value)


def test_an_unknown_name_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(RecipeError, match=r"unknown template 'vqb'; known are .*did you mean vqa"):
        load_template("vqb")


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.yaml: cannot be read .*vqa"):
        load_template(str(tmp_path / "none.yaml"))


def test_every_shipped_template_is_named_as_its_file() -> None:
    assert [load_template(name).name for name in shipped()] == list(shipped())
    assert len(digests()) == len(shipped())


@pytest.mark.parametrize("name", ["vqa", "grounding", "longitudinal", "few_shot_pairs"])
def test_a_shipped_template_can_be_copied_and_changed(tmp_path: Path, name: str) -> None:
    text = (files("medrag.prompting.templates") / f"{name}.yaml").read_text(encoding="utf-8")
    own = load_template(written(tmp_path, text.replace(f"name: {name}", "name: own")))
    assert own.question == load_template(name).question


def test_a_small_file_of_aliases_within_aliases_is_refused_at_once(tmp_path: Path) -> None:
    # Written out, the last of the lists would have 10^12 words.
    nested = "".join(f"  - &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    bomb = f"{MINE}no_text:\n  - &a0 [{', '.join('x' * 10)}]\n{nested}"
    with pytest.raises(RecipeError, match="holds an alias"):
        load_template(written(tmp_path, bomb))


def test_a_file_without_an_end_is_no_template(tmp_path: Path) -> None:
    endless = tmp_path / "endless.yaml"
    endless.symlink_to("/dev/zero")
    with pytest.raises(RecipeError, match=r"endless\.yaml: is no file"):
        load_template(str(endless))
