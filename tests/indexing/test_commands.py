"""Every way out that an error of an index names is gone here, from another folder."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from medrag.build import ChannelPlan
from medrag.cli.main import app
from medrag.errors import IndexFormatError
from medrag.indexing.checking import verify
from medrag.indexing.commands import command, repair
from medrag.indexing.dense import DenseChannel
from medrag.indexing.faiss import FaissSearch
from medrag.indexing.late_interaction import LateInteractionSearch
from medrag.indexing.lexical import LexicalChannel
from medrag.indexing.manifest import FORMAT, Manifest, read_manifest, write_manifest
from medrag.indexing.scanning import choosing, kept
from medrag.indexing.segment import file_sums
from medrag.indexing.storage import Store, open_store
from medrag.protocols import Channel
from medrag.records import Filter, Question
from tests.indexing.library import LEXICAL, WordEncoder, build_lines

LINES = {"a.lines": ["effusion of the lung", "cell"], "b.lines": ["white matter"]}


def plans(encoder: str = "words", **spec: Any) -> dict[str, ChannelPlan]:
    words = {"kind": "dense", "encoder": {"kind": encoder}, **spec}
    return {"lexical": LEXICAL, "words": ChannelPlan(words, partial(WordEncoder, encoder))}


def built(folder: Path, channels: Mapping[str, ChannelPlan]) -> None:
    for name, lines in LINES.items():
        build_lines(folder, folder.parent / "in", {name: lines}, channels=channels)


def found(store: Store, channel: Channel) -> list[str]:
    (ranking,) = channel.search([Question(text="white matter")], 1, [Filter()])
    return [passage.text for passage in store.passages_at([hit.row for hit in ranking])]


def dense(folder: Path, search: Callable[..., Any] | None = None) -> list[str]:
    store = open_store(folder)
    vectors = search(store=store, name="words") if search else None
    encoder = WordEncoder()
    channel = DenseChannel(store=store, name="words", encoder=encoder, side="text", vectors=vectors)
    return found(store, channel)


def lexical(folder: Path) -> list[str]:
    store = open_store(folder)
    return found(store, LexicalChannel(store=store))


def values_of(folder: Path) -> Path:
    return sorted(folder.glob("segments/*/*words/values.npy"))[0]


def poisoned(folder: Path) -> None:
    """Damage a vector, as many bytes as before."""
    values = np.load(values_of(folder))
    values[0] = np.nan
    np.save(values_of(folder), values)


def poisoned_from_the_start(folder: Path) -> None:
    """Damage a vector, and let the manifest say that it was written so."""
    poisoned(folder)
    manifest = read_manifest(folder)
    first, *others = manifest.segments
    sums = file_sums(folder / "segments" / first.name)
    write_manifest(folder, replace(manifest, segments=(replace(first, sums=sums), *others)))


def cut(folder: Path) -> None:
    values_of(folder).write_bytes(values_of(folder).read_bytes()[:-4])


def no_array(folder: Path) -> None:
    content = values_of(folder).read_bytes()
    values_of(folder).write_bytes(b"?" * 8 + content[8:])


def unspoken(folder: Path) -> None:
    """Damage the text of a passage, as many bytes as before."""
    path = sorted(folder.glob("segments/*/passages.jsonl"))[0]
    path.write_bytes(b"?" + path.read_bytes()[1:])


def unposted(folder: Path) -> None:
    for path in folder.glob("derived/lexical-*/*.term"):
        path.write_bytes(b"?" * path.stat().st_size)


def unfaissed(folder: Path) -> None:
    (path,) = folder.glob("derived/faiss-*/words.faiss")
    path.write_bytes(b"?" * path.stat().st_size)


def uncopied(folder: Path) -> None:
    path = next(folder.glob("derived/exact-*/*.codes.npy"))
    np.save(path, np.load(path)[:0])


def unheaded(folder: Path) -> None:
    path = next(folder.glob("derived/exact-*/*.codes.npy"))
    path.write_bytes(b"?" * path.stat().st_size)


FAISS = {"kind": "faiss"}
exactly, by_faiss = dense, partial(dense, search=FaissSearch)


@pytest.mark.parametrize(
    ("spec", "harm", "use"),
    [
        ({}, poisoned, exactly),
        ({}, poisoned_from_the_start, exactly),
        ({}, cut, open_store),
        ({}, cut, partial(built, channels=plans())),
        ({}, no_array, exactly),
        ({}, unspoken, lambda folder: list(open_store(folder).passages)),
        ({}, unposted, lexical),
        ({}, poisoned, partial(built, channels=plans(store=FAISS))),
        ({"store": FAISS}, unfaissed, by_faiss),
        ({"interaction": "sum"}, poisoned, partial(dense, search=LateInteractionSearch)),
        ({}, uncopied, exactly),
        ({}, unheaded, exactly),
    ],
)
def test_what_a_command_in_an_error_mends_is_mended(
    spec: dict[str, Any],
    harm: Callable[[Path], None],
    use: Callable[[Path], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if harm in (uncopied, unheaded):
        monkeypatch.setattr(choosing, "SMALL", 1)
        monkeypatch.setattr(kept, "SMALL", 1)
    folder = tmp_path / "my index"
    built(folder, plans(**spec))
    harm(folder)
    with pytest.raises(IndexFormatError) as told:
        use(folder)
    follow(str(told.value), folder, tmp_path, monkeypatch)
    build_lines(folder, tmp_path / "in", channels=plans(**spec))
    assert verify(folder) == []
    use(folder)
    assert (dense(folder), lexical(folder)) == (["white matter"], ["white matter"])


def follow(told: str, folder: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the command that an error names, in another folder than the index was built in."""
    said = re.search(r"medrag (index verify .*?--repair)", told)
    assert said, told
    monkeypatch.chdir(elsewhere)
    arguments = [str(folder) if each == "NAME" else each for each in shlex.split(said[1])]
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_an_encoder_that_is_not_the_index_s_gets_a_channel_of_another_name(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    built(folder, plans())
    other = plans("other")
    with pytest.raises(IndexFormatError, match="a channel of another name, or build in another"):
        build_lines(folder, tmp_path / "in", channels=other)
    build_lines(folder, tmp_path / "in", channels={**plans(), "others": other["words"]})
    store = open_store(folder)
    encoder = WordEncoder("other")
    channel = DenseChannel(store=store, name="others", encoder=encoder, side="text")
    assert found(store, channel) == dense(folder) == ["white matter"]


def test_a_later_format_is_read_by_another_medrag_or_built_in_another_folder(
    tmp_path: Path,
) -> None:
    write_manifest(tmp_path, Manifest(format=FORMAT + 1))
    with pytest.raises(IndexFormatError, match="build the index anew in another folder"):
        built(tmp_path, plans())
    built(tmp_path / "another", plans())
    assert dense(tmp_path / "another") == ["white matter"]


@pytest.mark.parametrize("place", [".", "segments/1/ids.npy", "derived/faiss-000001"])
def test_a_command_names_the_whole_index_by_its_full_path(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my index").mkdir()
    (tmp_path / "my index" / "manifest.json").touch()
    monkeypatch.chdir(tmp_path)
    expected = ["medrag", "index", "verify", str(tmp_path / "my index"), "--repair"]
    assert shlex.split(repair(Path("my index") / place)) == expected
    assert command("build", Path("none")) == f"medrag index build {tmp_path}/none"
