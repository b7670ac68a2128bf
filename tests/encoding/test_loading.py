"""What a model's name means: a folder, a preset, or a hub id."""

from pathlib import Path

import pytest

from medrag.checkpoints.loading import auto_model, reading
from medrag.encoding import weights
from medrag.encoding.weights import chosen_folder, chosen_preset
from medrag.errors import RecipeError


def test_a_folder_goes_before_a_preset_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = chosen_preset("plip", "clip")
    assert found is not None
    assert found.model == "vinid/plip"
    (tmp_path / "plip").mkdir()
    assert chosen_preset("plip", "clip") is None
    assert chosen_folder("plip", None, "image") == tmp_path / "plip"


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("plip", "plip is an encoder of kind 'clip', not 'page'"),
        ("conch", "conch cannot be loaded"),
    ],
)
def test_a_preset_for_another_kind_of_encoder_is_refused(model: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        chosen_folder(model, None, "page")


def test_a_preset_stands_for_its_hub_id_and_other_ids_for_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, str | None]] = []

    def model_folder(name: str, revision: str | None) -> Path:
        asked.append((name, revision))
        return Path()

    monkeypatch.setattr(weights, "model_folder", model_folder)
    chosen_folder("colqwen2", "v1", "page")
    chosen_folder("someone/else", None, "page")
    assert asked == [("vidore/colqwen2-v1.0-hf", "v1"), ("someone/else", None)]


def test_a_folder_that_transformers_cannot_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"{tmp_path} holds no weights"):
        auto_model(tmp_path, device="cpu", trust_remote_code=False)


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_are_afterwards_as_they_were(shown: bool, tmp_path: Path) -> None:
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    try:
        (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
        with reading(tmp_path, "anything"):
            assert not logging.is_progress_bar_enabled()
        assert logging.is_progress_bar_enabled() == shown
    finally:
        (logging.enable_progress_bar if before else logging.disable_progress_bar)()
