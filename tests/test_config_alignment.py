"""Alignment recipes: what they may say, and what is told of what they may not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medrag.alignment.noise import Noise
from medrag.alignment.training.settings import LoraSettings
from medrag.config import checking, lookup
from medrag.config.alignment import SECTIONS, built_rewards, load_alignment, planned_alignment
from medrag.config.checking import check_file
from medrag.config.place import Place
from medrag.config.settings import settings
from medrag.errors import MedragError, RecipeError

ROOT = Path(__file__).parent.parent
RECIPES = sorted((ROOT / "pipelines" / "align").glob("*.yaml"))
LOCAL = {"kind": "local", "model": "m"}


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(spec: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as told:
        planned_alignment(spec, Path("r.yaml"))
    return str(told.value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_the_repository_is_sound(path: Path) -> None:
    checked = check_file(path)
    assert (checked.what, checked.problem) == ("alignment", None)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_the_repository_is_found_by_its_name(path: Path) -> None:
    assert lookup.found("pipelines/align", path.stem).resolve() == path
    assert path.resolve() in [each.resolve() for each in checking.checkable()]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_that_prefers_brings_its_control(path: Path) -> None:
    recipe = load_alignment(path)
    assert recipe.dpo is None or recipe.sft is not None


def test_the_recipe_of_phantoms_says_what_it_is_no_evidence_of() -> None:
    note = load_alignment("phantoms").note
    assert note is not None
    assert "No evidence about medicine" in note


def test_a_recipe_says_all_steps(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        about: all of it
        model: {model: some/folder, dtype: float32}
        lora: {r: 8, alpha: 16}
        pairs: {families: [use_context], noise: {kind: diffusion, step: 600, seed: 3}, limit: 9}
        sft: {learning_rate: 1e-4, epochs: 2}
        dpo: {loss: hinge, beta: 0.2, learning_rate: 5.0e-6, batch: 2}
        grpo: {replies: 4, batch: 8, learning_rate: 1e-6}
        rewards: [{kind: format}, {kind: answer, weight: 2}]
        retriever: {train: head, epochs: 3}
        """,
    )
    recipe = load_alignment(path)
    assert recipe.model is not None
    assert recipe.model.model == "some/folder"
    assert recipe.lora == LoraSettings(r=8, alpha=16)
    noise = Noise("diffusion", seed=3, step=600)
    assert recipe.pairs == {"families": ("use_context",), "noise": noise, "limit": 9}
    assert recipe.sft is not None
    assert recipe.sft.learning_rate == pytest.approx(1e-4)
    assert recipe.dpo is not None
    assert (recipe.dpo.preference.loss, recipe.dpo.training.batch) == ("hinge", 2)
    assert recipe.grpo is not None
    assert (recipe.grpo.grpo.replies, recipe.grpo.training.batch) == (4, 8)
    assert [each.weight for each in recipe.rewards] == [1, 2]
    assert recipe.retriever is not None
    assert recipe.retriever.settings.epochs == 3


def test_lora_is_the_default_and_null_tunes_all_weights() -> None:
    assert planned_alignment({}, Path("r.yaml")).lora == LoraSettings()
    assert planned_alignment({"lora": None}, Path("r.yaml")).lora is None


def test_a_power_of_ten_is_a_number_and_a_word_is_none() -> None:
    recipe = planned_alignment({"sft": {"learning_rate": "1e-4"}}, Path("r.yaml"))
    assert recipe.sft is not None
    assert recipe.sft.learning_rate == pytest.approx(1e-4)
    assert "expected a number, got '1e-4x'" in refused({"sft": {"learning_rate": "1e-4x"}})


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"dop": {}}, "dop: unknown section of an alignment recipe 'dop'; did you mean 'dpo'?"),
        ({"dpo": {"bata": 1}}, "dpo.bata: unknown key of 'dpo' 'bata'; did you mean 'beta'?"),
        ({"dpo": {"loss": "sigmod"}}, "dpo.loss: unknown value 'sigmod'; did you mean 'sigmoid'?"),
        ({"dpo": {"beta": -1}}, "dpo: beta must be above 0, got -1"),
        ({"sft": {"epochs": True}}, "sft.epochs: expected a number, got True"),
        ({"sft": []}, "sft: expected a mapping of settings, got []"),
        ({"model": {}}, "model: needs the key 'model', which is missing"),
        ({"lora": {"r": 0}}, "lora: r must be at least 1, got 0"),
        (
            {"pairs": {"families": ["use_contxt"]}},
            "pairs.families.0: unknown value 'use_contxt'; did you mean 'use_context'?",
        ),
        (
            {"pairs": {"families": ["sampled"]}},
            "pairs.families.0: unknown family that is mined 'sampled'",
        ),
        ({"pairs": {"noise": {"kind": "diffusion"}}}, "pairs.noise: step is needed by diffusion"),
        ({"pairs": {"runs": "x"}}, "pairs.runs: unknown key of 'pairs' 'runs'"),
        ({"grpo": {"replies": 1}}, "grpo: replies must be at least 2"),
        ({"rewards": {"kind": "answer"}}, "rewards: expected a list such as [{kind: answer}]"),
        (
            {"rewards": [{"kind": "answr"}]},
            "rewards.0.kind: unknown kind of reward 'answr'; did you mean 'answer'?",
        ),
        (
            {"rewards": [{"kind": "answer", "tolerance": 3}]},
            "rewards.0: tolerance must be from 0 to 1",
        ),
        (
            {"rewards": [{"kind": "rules"}]},
            "rewards.0.tree: expected the file of a rule tree, got None",
        ),
        (
            {"rewards": [{"kind": "format", "weight": float("nan")}]},
            "rewards.0.weight: expected a finite number, got nan",
        ),
        ({"weights": {"judges": LOCAL}}, "weights.judges: expected a list of generators"),
        (
            {"weights": {"judges": [LOCAL], "rounds": 9}},
            "weights: rounds must be from 1 to 5, got 9",
        ),
        (
            {"weights": {"judges": [{"kind": "locl"}]}},
            "weights.judges.0.kind: unknown kind of generator 'locl'",
        ),
        (
            {"sampling": {"sampeld": {}}},
            "sampling.sampeld: unknown key of 'sampling' 'sampeld'; did you mean 'sampled'?",
        ),
        ({"sampling": {"sampled": {"sampler": LOCAL}}}, "sampling.sampled: needs the key 'judge'"),
        (
            {"sampling": {"noised": [{"family": "lesion", "noise": {"kind": "blank"}}]}},
            "sampling.noised.0.noise: the family lesion takes",
        ),
        (
            {
                "sampling": {
                    "noised": [
                        {
                            "family": "conditional",
                            "noise": {"kind": "diffusion", "step": 1},
                            "tool": {"kind": "crop"},
                        }
                    ]
                }
            },
            "sampling.noised.0.tool: only the family lesion looks for a place",
        ),
        ({"retriever": {"train": "clip"}}, "retriever: train: clip needs a model"),
        (
            {"retriever": {"text": {"kind": "sentenc"}}},
            "retriever.text.kind: unknown kind of encoder 'sentenc'",
        ),
        ({"note": 3}, "note: expected a text or null, got 3"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_the_way_out(spec: dict[str, Any], told: str) -> None:
    assert refused(spec).startswith(f"r.yaml, {told}")


def test_a_recipe_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(RecipeError, match=r"unknown alignment recipe 'ruel'; did you mean 'rule'"):
        load_alignment("ruel")


def test_a_recipe_elsewhere_is_known_by_its_sections(tmp_path: Path) -> None:
    assert check_file(written(tmp_path, "sft: {epochs: 1}")).what == "alignment"
    assert check_file(written(tmp_path, "dpo: {bta: 1}")).problem is not None


def test_every_section_but_words_tells_what_a_file_is() -> None:
    known = checking._ALIGNMENT_KEYS
    assert known == set(SECTIONS) - {"about", "note"}


def test_rewards_are_built_and_weighed() -> None:
    recipe = planned_alignment(
        {"rewards": [{"kind": "format", "weight": 0.5}, {"kind": "answer"}]}, Path("r.yaml")
    )
    rewards = built_rewards(recipe)
    assert [each.name for each in rewards.rewards] == ["format", "answer"]
    assert rewards.weights == (0.5, 1.0)


def test_two_rewards_of_one_name_are_refused_when_they_are_built() -> None:
    recipe = planned_alignment(
        {"rewards": [{"kind": "answer"}, {"kind": "answer"}]}, Path("r.yaml")
    )
    with pytest.raises(RecipeError, match=r"r.yaml, rewards: two rewards are called 'answer'"):
        built_rewards(recipe)


def test_rules_are_read_from_beside_the_recipe(tmp_path: Path) -> None:
    path = written(tmp_path, "rewards: [{kind: rules, tree: gone.yaml}]")
    with pytest.raises(MedragError, match=r"gone\.yaml"):
        load_alignment(path)


def test_a_recipe_without_rewards_says_what_they_could_be() -> None:
    with pytest.raises(RecipeError, match=r"needs the section 'rewards', such as"):
        built_rewards(planned_alignment({}, Path("r.yaml")))


def test_checking_imports_no_torch(tmp_path: Path) -> None:
    code = (
        "import json, sys\nfrom pathlib import Path\n"
        "from medrag.config.checking import check_file\n"
        f"found = check_file(Path({str(ROOT / 'pipelines' / 'align' / 'mmedpo.yaml')!r}))\n"
        "heavy = {'torch', 'transformers', 'peft', 'trl'} & set(sys.modules)\n"
        "print(json.dumps([found.problem, sorted(heavy)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [None, []]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["kind", "model", "r", "judges", "noise"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(SECTIONS), VALUES, max_size=3))
def test_whatever_a_recipe_says_it_is_read_or_refused_by_name(spec: dict[str, Any]) -> None:
    try:
        planned_alignment(spec, Path("r.yaml"))
    except MedragError as error:
        assert str(error).startswith("r.yaml")  # noqa: PT017 - most are refused, some are not


@given(st.floats(min_value=1e-12, max_value=1e3))
def test_a_number_survives_however_yaml_writes_it(rate: float) -> None:
    spec = yaml.safe_load(f"learning_rate: {rate!r}")
    from medrag.alignment.training.settings import TrainingSettings

    assert settings(TrainingSettings, spec, Place("r")).learning_rate == rate


def test_an_alignment_recipe_may_be_named_with_its_folder() -> None:
    from medrag.config.checking import named

    found = named(Path("align/mmed_rag"))
    assert found.is_file()
    assert found.parts[-3:] == ("pipelines", "align", "mmed_rag.yaml")
