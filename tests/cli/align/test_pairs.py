"""`medrag align pairs` as a person and a program use it."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medrag.alignment.pairs import read_pairs
from tests.alignment.pairs.made import all_outcomes
from tests.cli.conftest import Run
from tests.evaluation.library import written_questions

RAG_PT = "pairs: {families: [cross_modality, use_context, not_misled]}\n"


@pytest.fixture(scope="module")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return all_outcomes(tmp_path_factory.mktemp("mined")).folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RAG_PT)
    return path


def test_pairs_of_a_run_are_counted_and_can_be_read(
    medrag: Run, mined: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pairs.jsonl"
    result = medrag("align", "pairs", recipe, "--run", mined, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    # Of the 16 outcomes 4 are right with context of both pictures, 4 right with context alone, and
    # 4 right without it alone.
    assert told["families"] == {"cross_modality": 4, "use_context": 4, "not_misled": 4}
    assert told["n_pairs"] == 12
    assert Counter(pair.family for pair in read_pairs(out)) == told["families"]


def test_a_person_sees_a_table_and_what_to_do_next(
    medrag: Run, mined: Path, recipe: Path, tmp_path: Path
) -> None:
    result = medrag("align", "pairs", recipe, "--run", mined, "--out", tmp_path / "p.jsonl")
    assert "not_misled" in result.stdout
    assert "12 pairs" in result.stdout
    assert "medrag align sft" in result.stderr


def test_how_items_were_answered_is_told_without_the_sides_that_were_not_run(
    medrag: Run, tmp_path: Path
) -> None:
    from tests.alignment.comparing.made import run_of

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("pairs: {families: [use_context]}\n")
    run = run_of(tmp_path / "run", {"context": "++-", "no_context": "--+"})
    # This run keeps no prompts, so that no pair comes of it; how it answered is told before.
    result = medrag("align", "pairs", recipe, "--run", run.folder, "--out", tmp_path / "p.jsonl")
    assert "2 items right with context, wrong without\n" in result.stderr
    assert "1 item wrong with context, right without\n" in result.stderr


def test_a_file_of_pairs_is_never_overwritten(
    medrag: Run, mined: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pairs.jsonl"
    out.write_text("mine\n")
    result = medrag("align", "pairs", recipe, "--run", mined, "--out", out)
    assert result.exit_code == 1
    told = " ".join(result.stderr.split())
    assert f"{out} exists already; name another file for --out" in told
    assert out.read_text() == "mine\n"


def test_items_of_a_benchmark_give_pairs_without_any_model(medrag: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        "sampling:\n  written: {seed: 1}\n"
        "  noised: [{family: global_noise, noise: {kind: diffusion, step: 500}}]\n"
    )
    asked = written_questions(tmp_path / "asked", pictures=True)
    out = tmp_path / "pairs.jsonl"
    result = medrag(
        "align", "pairs", recipe, "--benchmark", "qa", "--data", asked, "--out", out, "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["families"] == {"written": 6, "global_noise": 6}
    noised = [pair for pair in read_pairs(out) if pair.family == "global_noise"]
    assert all(pair.chosen == pair.rejected and pair.noise is not None for pair in noised)


def released(folder: Path) -> Path:
    folder.mkdir()
    rows = []
    for place in range(4):
        pixels = np.random.default_rng(place).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{place}.png")
        rows.append({
            "id": str(place), "image": f"{place}.png", "weighted_score": place / 4,
            "conversations": [
                {"from": "human", "value": "<image>\nIs there fluid?"},
                {"from": "gpt", "value": "Yes."},
            ],
            "rejected_conversations": [
                {"from": "human", "value": "<image>\nIs there fluid?"},
                {"from": "gpt", "value": "No."},
            ],
        })  # fmt: skip
    (folder / "pairs.json").write_text(json.dumps(rows))
    return folder


@pytest.mark.parametrize("kind", ["mmed-rag", "rule"])
def test_a_published_file_is_read(medrag: Run, tmp_path: Path, kind: str) -> None:
    folder = released(tmp_path / "released")
    rows = json.loads((folder / "pairs.json").read_text())
    for row in rows:
        del row["weighted_score"]
    (folder / "pairs.json").write_text(json.dumps(rows))
    out = tmp_path / "out.jsonl"
    result = medrag(
        "align", "pairs", kind.replace("-", "_"), "--released", kind,
        "--from", folder / "pairs.json", "--images", folder, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(read_pairs(out)) == 4


def test_published_scores_become_weights_of_mean_one(medrag: Run, tmp_path: Path) -> None:
    folder = released(tmp_path / "released")
    recipe = tmp_path / "recipe.yaml"
    out = tmp_path / "out.jsonl"
    command = ["--released", "mmedpo", "--from", folder / "pairs.json", "--images", folder]
    recipe.write_text("weights: {}\n")
    medrag("align", "pairs", recipe, *command, "--out", out)
    # 0, 1/4, 1/2, 3/4 lie 1.34 and 0.45 sigma from their mean: 1 -+ 0.42, cut to 0.25, and 0.14.
    weights = [pair.weight for pair in read_pairs(out)]
    assert weights == pytest.approx([0.75, 1 - 0.1**0.5 / 5**0.5, 1 + 0.1**0.5 / 5**0.5, 1.25])
    # Judges are for pairs that nobody has scored.
    recipe.write_text("weights: {judges: [{kind: extractive}]}\n")
    out = tmp_path / "judged.jsonl"
    medrag("align", "pairs", recipe, *command, "--out", out)
    assert [pair.weight for pair in read_pairs(out)] == weights
    recipe.write_text("about: as they are\n")
    out = tmp_path / "as_they_are.jsonl"
    medrag("align", "pairs", recipe, *command, "--out", out)
    assert [pair.weight for pair in read_pairs(out)] == [0, 0.25, 0.5, 0.75]


def test_pairs_that_share_a_picture_with_a_test_are_refused_or_left_out(
    medrag: Run, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("sampling: {written: {seed: 1}}\n")
    # The pictures of both splits are the same.
    asked = written_questions(tmp_path / "asked", pictures=True)
    command = ["align", "pairs", recipe, "--benchmark", "qa", "--data", asked]
    command += ["--against", "qa", "--out", tmp_path / "p.jsonl"]
    result = medrag(*command)
    assert result.exit_code == 1
    assert "6 of 6 pairs share a picture" in result.stderr
    result = medrag(*command, "--leave-out")
    assert result.exit_code == 1
    assert "no pair came of it (has the picture of an item that is tested: 6)" in result.stderr
    assert not (tmp_path / "p.jsonl").exists()


def test_nothing_to_make_pairs_of_is_misuse(medrag: Run, recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    assert medrag("align", "pairs", recipe, "--out", out).exit_code == 2
    assert medrag("align", "pairs", recipe, "--benchmark", "qa", "--out", out).exit_code == 2
    assert medrag("align", "pairs", recipe, "--released", "rule", "--out", out).exit_code == 2
    told = medrag("align", "pairs", recipe, "--released", "ruel", "--out", out)
    assert told.exit_code == 2
    assert "did you mean 'rule'" in " ".join(told.stderr.split())


def test_a_run_without_the_arm_that_a_family_needs_says_how_to_answer_it(
    medrag: Run, tmp_path: Path, recipe: Path
) -> None:
    from tests.alignment.comparing.made import run_of

    run = run_of(tmp_path / "run", {"context": "+-", "no_context": "-+"})
    result = medrag("align", "pairs", recipe, "--run", run.folder, "--out", tmp_path / "p.jsonl")
    assert result.exit_code == 1
    assert "pairs of cross_modality need the arm noise_image" in result.stderr
    assert "--arm noise_image" in result.stderr


def test_a_recipe_without_sampling_says_what_it_could_be(
    medrag: Run, tmp_path: Path, recipe: Path
) -> None:
    asked = written_questions(tmp_path / "asked", pictures=True)
    result = medrag(
        "align", "pairs", recipe, "--benchmark", "qa", "--data", asked,
        "--out", tmp_path / "p.jsonl",
    )  # fmt: skip
    assert result.exit_code == 1
    assert "needs the section 'sampling'" in result.stderr


def test_questions_of_a_router_give_pairs(medrag: Run, tmp_path: Path) -> None:
    recipe, asked = tmp_path / "recipe.yaml", tmp_path / "asked.jsonl"
    recipe.write_text("rewards: [{kind: router, partitions: [Breast]}]\n")
    rows = [
        {
            "id": "a",
            "question": "What is it?",
            "queries": [{"text": "signs", "partition": "Breast"}],
        },
        {"id": "b", "question": "Is it seen?", "queries": []},
    ]
    asked.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "pairs.jsonl"
    result = medrag("align", "pairs", recipe, "--router", asked, "--out", out)
    assert result.exit_code == 0, result.output
    assert '"partition": "Breast"' in read_pairs(out)[0].chosen
    recipe.write_text("rewards: [{kind: router, partitions: [Lung]}]\n")
    result = medrag("align", "pairs", recipe, "--router", asked, "--out", tmp_path / "lung.jsonl")
    assert result.exit_code == 1
    assert "asked.jsonl" in result.stderr
    assert "Breast" in result.stderr


def test_a_panel_weighs_pairs_and_its_replies_are_kept(medrag: Run, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    # A reader without weights says no score that can be read: all weigh the same.
    recipe.write_text("sampling: {written: {seed: 1}}\nweights: {judges: [{kind: extractive}]}\n")
    asked = written_questions(tmp_path / "asked", pictures=True)
    out = tmp_path / "pairs.jsonl"
    result = medrag("align", "pairs", recipe, "--benchmark", "qa", "--data", asked, "--out", out)
    assert result.exit_code == 0, result.output
    assert "the panel agreed on" in result.stderr
    assert {pair.weight for pair in read_pairs(out)} == {1.0}
    assert (tmp_path / "pairs.judges.sqlite").is_file()
