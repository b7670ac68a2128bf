"""Models that write answers, through the command line: in this process, and behind a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from medrag.cli.main import app
from tests.generation.tiny_vlms import save_tiny
from tests.integrations.tiny_chat import served

pytestmark = [
    pytest.mark.slow,
    # Torch builds parts of itself at import with what will be gone.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

ROOT = Path(__file__).parent.parent
RECIPE = """
retrieve: {{kind: channels}}
select: {{kind: top_k, k: 4}}
answer:
  kind: one_pass
  generator: {generator}
  verifier: {{kind: lexical}}
"""


def medrag(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], prog_name="medrag")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("indexes") / "sample"
    assert medrag("index", "build", folder, "--from", ROOT / "corpora" / "sample").exit_code == 0
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    save_tiny("qwen2_5_vl", folder)
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[str]:
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with served(model) as url:
        yield url


@pytest.fixture(params=["local", "remote"])
def recipe(request: pytest.FixtureRequest, model: Path, tmp_path: Path) -> Path:
    if request.param == "local":
        generator = f"{{kind: local, model: '{model}', max_tokens: 8, device: cpu}}"
    else:
        url = request.getfixturevalue("server")
        generator = (
            f"{{kind: remote, url: '{url}', model: '{model}', max_tokens: 8, "
            "trained_multi_image: true, timeout: 240}"
        )
    path = tmp_path / f"{request.param}.yaml"
    path.write_text(RECIPE.format(generator=generator), encoding="utf-8")
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for n, path in enumerate(paths):
        Image.linear_gradient("L").resize((60 + 20 * n, 50)).save(path)
    return paths


@pytest.mark.parametrize("n_pictures", [0, 1, 3])
def test_a_question_is_answered_with_no_one_and_three_pictures(
    recipe: Path, index: Path, pictures: list[Path], n_pictures: int
) -> None:
    given = [part for path in pictures[:n_pictures] for part in ("--image", path)]
    asked = ("ask", recipe, "Is there a pleural effusion?", "--index", index, *given)
    result = medrag(*asked, "--json")
    told = json.loads(result.stdout)
    assert told["answer"], result.output
    assert told["template"].startswith("vqa/")
    # The words of a random model are the same each time.
    streamed = medrag(*asked, "--stream")
    assert told["answer"].split()[0] in streamed.stdout


def test_a_benchmark_is_run_in_every_arm_and_scored(
    recipe: Path, index: Path, tmp_path: Path
) -> None:
    sample = ROOT / "corpora" / "sample"
    out = tmp_path / "run"
    ran = medrag(
        "eval", "run", recipe, "sample", "--data", sample, "--index", index, "--out", out,
        "--limit", 3, "--arm", "context", "--arm", "no_context", "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    scored = medrag("eval", "score", out, "--json")
    assert scored.exit_code == 0, scored.output
    assert {"context", "no_context"} <= set(json.loads(scored.stdout)["arms"])
