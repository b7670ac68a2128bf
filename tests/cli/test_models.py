"""`medrag models`: the listing, one in full, JSON, and what it costs."""

import json

import pytest

from medrag.encoding.presets import presets
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
