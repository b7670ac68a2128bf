"""`medrag align report` as a person and a program use it."""

import json
from pathlib import Path

import pytest

from tests.alignment.comparing.made import run_of
from tests.cli.conftest import Run

ARMS = {
    "base": {"context": "--+-" * 5, "no_context": "-+--" * 5},
    "sft": {"context": "-++-" * 5, "no_context": "-+--" * 5},
    "dpo": {"context": "++++" * 5, "no_context": "-+--" * 5},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: run_of(folder / name, arms).folder for name, arms in ARMS.items()}


def given(runs: dict[str, Path], *names: str) -> list[str]:
    return [part for name in names or tuple(runs) for part in ("--run", f"{name}={runs[name]}")]


def test_a_comparison_is_a_page_a_table_and_claims(
    medrag: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    note = "Phantoms: no evidence about medicine."
    result = medrag("align", "report", *given(runs), "--out", page, "--note", note)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(note)
    assert "dpo beside sft" in result.stdout
    assert "gain of dpo: accuracy (context)" in result.stdout
    assert "one seed each" in result.stderr
    assert note in page.read_text(encoding="utf-8")


def test_the_json_has_the_shape_that_is_documented(medrag: Run, runs: dict[str, Path]) -> None:
    found = json.loads(medrag("align", "report", *given(runs), "--json").stdout)
    assert set(found) == {
        "benchmark", "split", "protocol", "mode", "n_items", "n_clusters", "notes", "problems",
        "variants", "comparisons", "claims", "losses", "claims_note",
    }  # fmt: skip
    assert set(found["variants"][0]) == {
        "name", "n_seeds", "runs", "measures", "from_context", "groups"
    }  # fmt: skip
    assert set(found["variants"][0]["measures"]["accuracy (context)"]) == {
        "value", "low", "high", "n"
    }  # fmt: skip
    beside = next(each for each in found["comparisons"] if each["a"] == "sft")
    assert set(beside) == {
        "a", "b", "differences", "n_fixed", "n_broken", "fixed", "broken",
        "minimum_detectable_difference",
    }  # fmt: skip
    difference = {
        "a", "b", "difference", "low", "high", "n", "relative", "relative_low", "relative_high",
        "p", "adjusted_p",
    }  # fmt: skip
    assert set(beside["differences"]["accuracy (context)"]) == difference
    claim = found["claims"][0]
    assert set(claim) == {"variant", "against", "measure", "caveats", *difference}
    assert (claim["variant"], claim["against"], claim["measure"]) == (
        "dpo", "sft", "accuracy (context)"
    )  # fmt: skip


def test_without_sft_the_claims_are_an_empty_list_and_say_so(
    medrag: Run, runs: dict[str, Path]
) -> None:
    found = json.loads(medrag("align", "report", *given(runs, "base", "dpo"), "--json").stdout)
    assert found["claims"] == []
    assert found["claims_note"].startswith("No gain is claimed: there is no run of the SFT control")


def test_groups_are_those_that_are_asked_for(medrag: Run, runs: dict[str, Path]) -> None:
    found = json.loads(medrag("align", "report", *given(runs), "--group", "type", "--json").stdout)
    groups = found["variants"][2]["groups"]["type"]
    assert set(groups) == {"library", "picture"}
    assert groups["library"]["accuracy"]["context"]["value"] == pytest.approx(1)
    assert groups["library"]["from_context"]["n"] == 10


def test_the_note_of_a_recipe_goes_first(
    medrag: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    recipe = tmp_path / "r.yaml"
    recipe.write_text("note: Nothing about medicine.\n")
    result = medrag("align", "report", *given(runs), "--recipe", recipe, "--note", "Then this.")
    assert result.stdout.startswith("Nothing about medicine.\nThen this.\n")


@pytest.mark.parametrize("text", ["sft", "=runs/sft", "sft="])
def test_a_run_without_a_name_is_misuse(medrag: Run, text: str) -> None:
    result = medrag("align", "report", "--run", text)
    assert result.exit_code == 2
    assert "expected NAME=RUN, such as sft=runs/sft" in " ".join(result.stderr.split())


@pytest.mark.parametrize("name", ["SFT", "Base", "Text-Only"])
def test_a_control_in_another_case_is_misuse(medrag: Run, runs: dict[str, Path], name: str) -> None:
    result = medrag("align", "report", *given(runs, "dpo"), "--run", f"{name}={runs['sft']}")
    assert result.exit_code == 2
    assert f"did you mean {name.lower()}?" in " ".join(result.stderr.split())


def test_one_variant_is_misuse(medrag: Run, runs: dict[str, Path]) -> None:
    result = medrag("align", "report", *given(runs, "sft"))
    assert result.exit_code == 2
    assert "two variants at least" in " ".join(result.stderr.split())


def test_a_folder_that_is_no_run_is_named(medrag: Run, tmp_path: Path) -> None:
    result = medrag("align", "report", "--run", f"sft={tmp_path}", "--run", f"dpo={tmp_path}")
    assert result.exit_code == 1
    assert "is no run: it has no manifest.json" in result.stderr


def test_a_page_is_not_written_into_a_run(medrag: Run, runs: dict[str, Path]) -> None:
    result = medrag("align", "report", *given(runs), "--out", runs["sft"] / "report.html")
    assert result.exit_code == 2
    assert "lies in a run" in result.stderr


def test_a_page_in_a_folder_that_is_not_there_is_refused_at_once(
    medrag: Run, runs: dict[str, Path], tmp_path: Path
) -> None:
    result = medrag("align", "report", *given(runs), "--out", tmp_path / "gone" / "r.html")
    assert result.exit_code == 1
    assert "does not exist" in result.stderr
