"""Every recipe, from question to answer, with parts that need no weights."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from medrag.cli.main import app
from medrag.config import Index, load_pipeline
from medrag.evaluation.benchmarks import load_benchmark
from medrag.evaluation.run import run_benchmark
from medrag.pipeline import Pipeline
from medrag.records import Answer, Question
from tests.recipes.conftest import RECIPES, ROOT

NAMES = [path.stem for path in RECIPES]
SCRIPTED = {"kind": "scripted"}
# What each recipe that decides something on the way must have told of it.
STEPS = {
    "mmed_rag": "route",
    "patho_agentic_rag": "route",
    "i_medrag": "follow_up",
    "knobo": "concepts",
    "mag": "history",
    "mira": "rethought",
    "ophtha_reason": "when_unsure",
}
# Questions that a recipe is made for, where those of the sample are not.
LONGITUDINAL = ("mag", "temmed")
WEIGHTLESS = ("best", "cases", "sample")


def asked(name: str, index: Index) -> Question:
    """A question that the recipe can find something for."""
    pictures = [p for p in index.passages if p.kind == "report" and "records" in p.source.corpus]
    resolved = [index.resolve(each).images[0].path for each in pictures]
    text = "Has the effusion in the left lung changed?"
    if name == "mag":
        return Question(text, (resolved[1],), subject="p0", study="s0-1", time="2024-02-01")
    if name == "temmed":
        return Question(text, (resolved[0], resolved[1]))
    return Question("Is there an effusion of the lung?", (resolved[0],))


@pytest.fixture(scope="module")
def answers(everything: Index, recipes: Path) -> dict[str, Answer]:
    return {
        name: built(name, everything, recipes).answer(asked(name, everything)) for name in NAMES
    }


def built(name: str, index: Index, folder: Path) -> Pipeline:
    """A recipe with a script in the place of its models; those without weights are as they are."""
    generator = None if name in WEIGHTLESS else SCRIPTED
    return load_pipeline(folder / f"{name}.yaml", index=index, generator=generator)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_answers_from_evidence(answers: dict[str, Answer], name: str) -> None:
    answer = answers[name]
    assert answer.error is None
    assert answer.text
    if name not in ("ophtha_reason", "chatcad"):
        assert answer.selection.kept


@pytest.mark.parametrize(("name", "step"), STEPS.items())
def test_a_recipe_tells_what_it_decided(answers: dict[str, Answer], name: str, step: str) -> None:
    assert step in [each.get("step") for each in answers[name].trace]


def test_a_recipe_that_needs_no_model_needs_none(answers: dict[str, Answer]) -> None:
    assert answers["sample"].model == "extractive"


@pytest.fixture(scope="module")
def runs(
    everything: Index, recipes: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Runs of the sample benchmark, by recipe; its questions have no earlier studies."""
    benchmark = load_benchmark("sample", ROOT / "corpora" / "sample", split="test")
    folder = tmp_path_factory.mktemp("runs")
    made = {}
    for name in sorted(set(NAMES) - set(LONGITUDINAL)):
        pipeline = built(name, everything, recipes)
        made[name] = run_benchmark(pipeline, benchmark, folder / name).folder
    return made


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(LONGITUDINAL)))
def test_a_recipe_answers_the_sample_benchmark(runs: dict[str, Path], name: str) -> None:
    lines = (runs[name] / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 15
    assert [json.loads(line)["answer"].get("error") for line in lines] == [None] * 15


def test_all_recipes_stand_in_one_table(runs: dict[str, Path]) -> None:
    done = CliRunner().invoke(app, ["eval", "compare", *map(str, runs.values()), "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [each["name"] for each in told["runs"]] == [f"{name}@context" for name in runs]
    for each in told["runs"]:
        for measure in each["measures"].values():
            assert measure["low"] <= measure["value"] <= measure["high"]
