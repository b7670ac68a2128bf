"""`medrag models`: the listing, one in full, JSON, and what it costs."""

import json

import pytest

from medrag.encoding.presets import presets
from medrag.generation.presets import presets as generators
from tests.cli.conftest import Run
from tests.cli.test_imports import loaded_by


def test_every_preset_is_listed_in_a_terminal_of_a_hundred_columns(medrag: Run) -> None:
    result = medrag("models")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert [line.split()[0] for line in lines[1:-1]] == [preset.name for preset in presets()]
    assert lines[-1] == f"{len(presets())} encoders"
    assert "known: V" in result.stderr


def test_a_kind_and_a_domain_narrow_the_list(medrag: Run) -> None:
    pages = medrag("models", "--kind", "page").stdout
    assert "colqwen2" in pages
    assert "biomedclip" not in pages
    pathology = medrag("models", "--domain", "pathology", "--kind", "remote").stdout
    assert "conch" in pathology
    assert "plip" not in pathology
    nothing = medrag("models", "--kind", "page", "--domain", "chest")
    assert nothing.exit_code == 0
    assert nothing.stdout == ""
    assert "no encoder of kind page was made for chest" in nothing.stderr


def test_one_encoder_is_told_in_full(medrag: Run) -> None:
    told = medrag("models", "MedSigLIP").stdout
    for words in (
        "google/medsiglip-448", "1152 [from memory]", "sigmoid", "448 pixels", "64 tokens",
        "Health AI Developer Foundations terms [secondary]", "accept its terms", "verified",
        "--channel image=medsiglip",
    ):  # fmt: skip
        assert words in told
    assert max(map(len, told.splitlines())) <= 100


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("conch", "github.com/mahmoodlab/CONCH"),
        ("conceptclip", "{kind: clip, model: conceptclip, trust_remote_code: true}"),
        ("unimed-clip", "{kind: clip, model: unimed-clip-b16, checkpoint: PATH}"),
        ("merlin", "a recipe with an encoder of your own"),
        ("descriptor", "--channel image"),
        ("splade", "--channel sparse=splade"),
        ("ncbi/MedCPT-Query-Encoder", "ncbi/MedCPT-Article-Encoder"),
    ],
)
def test_it_says_how_to_use_an_encoder(name: str, words: str, medrag: Run) -> None:
    assert words in " ".join(medrag("models", name).stdout.split())


def test_json_holds_every_fact(medrag: Run) -> None:
    listed = json.loads(medrag("models", "--json").stdout)["models"]
    assert len(listed) == len(presets())
    one = json.loads(medrag("models", "biomedclip", "--json").stdout)
    assert one == listed[0]
    assert one["d"] == 512
    assert one["image"] == [224, 224]
    assert one["here"] in ("ready", "download", "install")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("biomedclop",), "did you mean biomedclip"),
        (("--kind", "pages"), "did you mean 'page'"),
        (("--domain", "feet"), "unknown domain 'feet'"),
        (("plip", "--kind", "clip"), "takes neither"),
    ],
)
def test_what_is_no_encoder_exits_as_misuse(
    arguments: tuple[str, ...], words: str, medrag: Run
) -> None:
    result = medrag("models", *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())


def test_the_list_loads_nothing_heavy() -> None:
    code, loaded = loaded_by("models")
    assert code == 0
    assert not {"torch", "transformers", "open_clip", "sentence_transformers", "PIL"} & loaded


def test_every_generator_is_listed_in_a_terminal_of_a_hundred_columns(medrag: Run) -> None:
    result = medrag("models", "--generators")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    assert max(map(len, result.stderr.splitlines())) <= 100
    assert [line.split()[0] for line in lines[1:-1]] == [each.name for each in generators()]
    assert lines[-1] == f"{len(generators())} generators"
    assert "known: V" in result.stderr


def test_generators_are_narrowed_to_where_they_run_and_what_they_are_for(medrag: Run) -> None:
    local = medrag("models", "--generators", "--kind", "local").stdout
    assert "medgemma-4b" in local
    assert "hulu-med-7b" not in local
    eyes = medrag("models", "--generators", "--kind", "remote", "--domain", "ophthalmology").stdout
    assert "retinavlm" in eyes
    assert "llm-cxr" not in eyes
    wrong = medrag("models", "--generators", "--kind", "page")
    assert wrong.exit_code == 2
    nothing = medrag("models", "--generators", "--kind", "local", "--domain", "feet")
    assert nothing.exit_code == 2


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("medgemma", "google/medgemma-4b-it accept its terms {kind: local, model: medgemma-4b}"),
        ("med-r1", "subfolder: NAME <think> </think> 401,408 1 at most"),
        ("pointdetectcount", "SimulaMet/PointDetectCount-Qwen2.5-VL-7B-LoRA"),
        ("qwen3-vl", "thousandths of its sides [from memory] any number"),
        ("hulu-med", "Serve it with vLLM kind: remote"),
        ("medgemma-27b-text", "none: it reads texts alone"),
    ],
)
def test_one_generator_is_told_in_full(name: str, words: str, medrag: Run) -> None:
    result = medrag("models", name)
    told = " ".join(result.stdout.split())
    assert max(map(len, result.stdout.splitlines())) <= 100
    assert all(word in told for word in words.split())


def test_json_holds_every_fact_of_a_generator(medrag: Run) -> None:
    listed = json.loads(medrag("models", "--generators", "--json").stdout)["models"]
    assert len(listed) == len(generators())
    one = json.loads(medrag("models", "lingshu", "--json").stdout)
    assert one == next(each for each in listed if each["name"] == "lingshu-7b")
    assert one["kind"] == "local"
    assert one["differs"]["coordinates"] == "from memory"
    assert one["here"] in ("ready", "download", "install")


def test_a_name_near_that_of_a_generator_is_offered(medrag: Run) -> None:
    result = medrag("models", "medgema-4b")
    assert result.exit_code == 2
    assert "medgemma-4b" in result.stderr


def test_the_list_of_generators_loads_nothing_heavy() -> None:
    code, loaded = loaded_by("models", "--generators")
    assert code == 0
    assert not {"torch", "transformers", "peft", "PIL"} & loaded
