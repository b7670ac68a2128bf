"""What an index that came from someone else may not do while it is kept up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medrag.cli import index as commands
from medrag.config import build_index
from medrag.config.building import update_index
from medrag.config.index import kept_up
from medrag.errors import RecipeError
from medrag.indexing.manifest import read_manifest, write_manifest

FAR: dict[str, Any] = {"kind": "qdrant", "url": "https://far.example:6333"}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Build an index whose manifest names a store on another machine."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("The heart pumps blood.", encoding="utf-8")
    build_index(tmp_path / "index", sources=[tmp_path / "in"], channels=["lexical"]).close()
    _respecified(tmp_path / "index", {"kind": "lexical", "store": FAR})
    return tmp_path / "index"


def _respecified(folder: Path, spec: dict[str, Any]) -> None:
    manifest = read_manifest(folder)
    entry = replace(manifest.channels["lexical"], spec=spec)
    write_manifest(folder, replace(manifest, channels={"lexical": entry}))


def test_looking_after_an_index_sends_nothing_to_a_machine_that_was_not_allowed(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"passages would be sent to 'far\.example'"):
        kept_up(foreign)
    monkeypatch.setenv("MEDRAG_ALLOW_HOSTS", "far.example")
    assert kept_up(foreign) == foreign


@pytest.mark.parametrize(
    "command",
    [
        lambda name: commands.remove(name, ["a.txt"]),
        lambda name: commands.remove(name, ["a.txt"], purge=True),
        commands.compact,
        commands.verify,
        lambda name: commands.verify(name, repair=True),
        lambda name: commands.move(name, copy_sources=True),
        lambda name: commands.add(name, [Path(name).parent / "in"]),
    ],
)
def test_no_command_reaches_for_the_store_of_a_foreign_index(foreign: Path, command: Any) -> None:
    before = (foreign / "manifest.json").read_bytes()
    with pytest.raises(RecipeError, match=r"MEDRAG_ALLOW_HOSTS=far\.example"):
        command(str(foreign))
    assert (foreign / "manifest.json").read_bytes() == before


def test_a_build_refuses_what_the_index_alone_says_and_takes_what_the_user_says(
    foreign: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=r"passages would be sent to 'far\.example'"):
        update_index(foreign, sources=[tmp_path / "in"])
    with pytest.raises(RecipeError, match=r"passages would be sent to 'far\.example'"):
        commands.add(str(foreign), [tmp_path / "in"])
    build_index(foreign, sources=[tmp_path / "in"], stores={"lexical": {"kind": "qdrant"}}).close()
    assert read_manifest(foreign).channels["lexical"].spec["store"] == {"kind": "qdrant"}


def test_a_build_runs_no_code_that_the_index_alone_asks_for(foreign: Path, tmp_path: Path) -> None:
    encoder = {"kind": "sentence", "model": "somewhere", "trust_remote_code": True}
    manifest = read_manifest(foreign)
    held = manifest.channels["lexical"]
    channels = {
        "lexical": replace(held, spec={"kind": "lexical"}),
        "text": replace(held, spec={"kind": "dense", "encoder": encoder, "side": "text"}),
    }
    write_manifest(foreign, replace(manifest, channels=channels))
    for build in (
        lambda: update_index(foreign, sources=[tmp_path / "in"]),
        lambda: commands.add(str(foreign), [tmp_path / "in"]),
    ):
        with pytest.raises(RecipeError, match="would run Python code"):
            build()


def test_a_store_that_no_search_can_use_gives_way_to_another(foreign: Path, tmp_path: Path) -> None:
    _respecified(foreign, {"kind": "lexical", "store": {"kind": "gone-with-its-package"}})
    with build_index(
        foreign, sources=[tmp_path / "in"], stores={"lexical": {"kind": "qdrant"}}
    ) as index:
        assert [hit.passage.text for hit in index.search("blood", k=1)]
