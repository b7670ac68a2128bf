"""Careless and hostile use: one clear message, the right exit code, nothing half-written."""

import json
import shutil
from pathlib import Path

import pytest

from medrag.cli import ask
from medrag.cli import index as commands
from medrag.cli.main import app
from medrag.cli.output import show_json, typed
from tests.cli.conftest import Run

KEY, OTHER = "one key of sixteen bytes", "other key of sixteen bytes"


def test_an_empty_folder_gives_a_library_that_has_no_evidence(medrag: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    built = medrag("index", "build", tmp_path / "ix", "--from", tmp_path / "empty")
    assert built.exit_code == 0
    assert "none of the sources" in built.stdout
    assert medrag("search", tmp_path / "ix", "gout").exit_code == 0
    asked = medrag("ask", "sample", "What causes gout?", "--index", tmp_path / "ix")
    assert asked.stdout.strip() == "No evidence found in this library."


def test_one_file_is_indexed_without_a_word_about_its_neighbours(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    built = medrag("index", "build", tmp_path / "ix", "--from", library / "notes.md", "--json")
    report = json.loads(built.stdout)
    assert (report["added"], report["unknown"]) == (1, [])


def test_a_line_that_cannot_be_read_is_told_with_its_number(medrag: Run, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"findings": "clear", "impression": "normal"}\n{broken\n')
    built = medrag("index", "build", tmp_path / "ix", "--from", tmp_path / "r.jsonl", "--strict")
    assert built.exit_code == 1
    assert "r.jsonl, line 2: not JSON" in built.stderr


def test_the_index_in_its_own_source_folder_is_not_read(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    shutil.copytree(library, folder)
    reports = [
        json.loads(medrag("index", "build", folder / name, "--from", folder, "--json").stdout)
        for name in ("one", "two", "one")
    ]
    assert [report["added"] for report in reports] == [3, 3, 0]
    documents = {each["document"]: each["reason"] for each in reports[1]["unknown"]}
    assert documents["one"] == "index_folder"
    assert not any(name.startswith("one/") for name in documents)


def test_a_name_with_a_separator_is_a_path(
    medrag: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert medrag("index", "build", "./mine", "--from", library).exit_code == 0
    assert (tmp_path / "mine/manifest.json").is_file()
    assert medrag("index", "build", "", "--from", library).exit_code == 1


def test_another_key_is_noticed_when_a_patient_is_named(
    medrag: Run, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDRAG_KEY", KEY)
    medrag("index", "build", tmp_path / "ix", "--from", library)
    question = ("ask", "sample", "Is there an effusion?", "--index", tmp_path / "ix")
    assert medrag(*question, "--subject", "patient-1").exit_code == 0
    monkeypatch.setenv("MEDRAG_KEY", OTHER)
    assert medrag(*question).exit_code == 0
    for refused in (
        medrag(*question, "--subject", "patient-1"),
        medrag(*question, "--study", "study-1"),
        medrag("index", "build", tmp_path / "ix", "--from", library),
    ):
        assert refused.exit_code == 1
        assert "another key" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--option", "one"),
        ("--option", "one", "--option", "one"),
        ("--option", "one", "--option", " "),
        ("--subject", " "),
        ("--study", "\t"),
    ],
)
def test_a_question_that_cannot_be_meant_is_misuse(
    medrag: Run, index: Path, arguments: tuple[str, ...]
) -> None:
    result = medrag("ask", "sample", "What is gout?", "--index", index, *arguments)
    assert result.exit_code == 2
    assert arguments[0] in result.stderr


def test_a_huge_k_is_answered(medrag: Run, index: Path) -> None:
    assert medrag("search", index, "gout", "--k", 10**20).exit_code == 0


def test_a_corpus_whose_folder_was_moved_is_not_indexed_twice(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    shutil.copytree(library, tmp_path / "a/books")
    medrag("index", "build", tmp_path / "ix", "--from", tmp_path / "a/books")
    (tmp_path / "a").rename(tmp_path / "b")
    again = ("index", "build", tmp_path / "ix", "--from", tmp_path / "b/books")
    refused = medrag(*again)
    assert refused.exit_code == 1
    assert "medrag index move" in refused.stderr
    assert medrag("index", "move", tmp_path / "ix", f"books={tmp_path / 'b/books'}").exit_code == 0
    assert "nothing to do" in medrag(*again).stdout


DERIVED = ["graph-*/fact_heads.npy", "lexical-*/*.term", "faiss-*/image.faiss"]


def damaged(
    library: Path, folder: Path, pattern: str, medrag: Run
) -> tuple[tuple[object, ...], Path]:
    """Build an index; give the command that did, and a file that was derived."""
    build = ("index", "build", folder, "--from", library)
    medrag(*build, "--store", "faiss")
    return build, next(iter(sorted(folder.glob(f"derived/{pattern}"))))


@pytest.mark.parametrize("harm", ["cut", "deleted", "its folder"])
@pytest.mark.parametrize("pattern", DERIVED)
def test_derived_files_that_are_missing_or_cut_are_made_anew_by_the_same_build(
    medrag: Run, library: Path, tmp_path: Path, pattern: str, harm: str
) -> None:
    build, path = damaged(library, tmp_path / "ix", pattern, medrag)
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif harm == "deleted":
        path.unlink()
    else:
        shutil.rmtree(path.parent)
    found = medrag("index", "verify", tmp_path / "ix")
    assert found.exit_code == 1
    assert f"mend it: medrag index verify {tmp_path / 'ix'} --repair" in found.stderr
    channel = pattern.split("-")[0].replace("faiss", "image")
    told = f"what is derived for {channel} was missing or damaged, and is made anew: 3 files are"
    assert medrag(*build).stdout.startswith(told)
    assert medrag("index", "verify", tmp_path / "ix").exit_code == 0
    assert "nothing to do" in medrag(*build).stdout


@pytest.mark.parametrize("pattern", DERIVED)
def test_a_byte_that_changed_in_a_derived_file_is_found_and_repaired(
    medrag: Run, library: Path, tmp_path: Path, pattern: str
) -> None:
    _, path = damaged(library, tmp_path / "ix", pattern, medrag)
    content = bytearray(path.read_bytes())
    # Not in the head of an array, which could not even be opened then.
    content[-1 if path.suffix == ".npy" else len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    found = medrag("index", "verify", tmp_path / "ix")
    assert found.exit_code == 1
    assert path.name in found.stderr
    repaired = medrag("index", "verify", tmp_path / "ix", "--repair")
    assert repaired.exit_code == 0
    assert "made anew what is derived from the segments" in repaired.stderr
    assert medrag("index", "verify", tmp_path / "ix").exit_code == 0


def test_an_index_that_says_nothing_of_its_derived_files_opens_and_is_sound(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    from medrag.indexing.manifest import read_manifest, write_manifest

    folder = tmp_path / "ix"
    build, _ = damaged(library, folder, DERIVED[0], medrag)
    manifest = read_manifest(folder)
    channels = {
        name: replace(each, derived={k: v for k, v in each.derived.items() if k != "files"})
        for name, each in manifest.channels.items()
    }
    write_manifest(folder, replace(manifest, channels=channels))
    assert medrag("index", "verify", folder).exit_code == 0
    assert "nothing to do" in medrag(*build).stdout
    assert medrag("search", folder, "gout").exit_code == 0


def test_a_graph_that_cannot_be_read_is_named_and_made_anew_by_the_next_build(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    build = ("index", "build", tmp_path / "ix", "--from", library)
    medrag(*build)
    (path,) = (tmp_path / "ix").glob("derived/graph-*/graph.json")
    path.write_text("{")
    assert "its graph is damaged" in medrag("index", "verify", tmp_path / "ix").stderr
    medrag(*build)
    assert medrag("index", "verify", tmp_path / "ix").exit_code == 0


def test_a_channel_that_is_being_built_is_left_out_of_a_search(
    medrag: Run, library: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    from medrag.indexing.manifest import ChannelEntry, read_manifest, write_manifest

    folder = tmp_path / "ix"
    medrag("index", "build", folder, "--from", library / "notes.md")
    manifest = read_manifest(folder)
    channels = {**manifest.channels, "graph": ChannelEntry({"kind": "graph"})}
    write_manifest(folder, replace(manifest, channels=channels))
    assert medrag("search", folder, "gout").exit_code == 0
    assert medrag("ask", "sample", "What is gout?", "--index", folder).exit_code == 0


def test_a_fault_of_medrag_itself_is_one_line_without_debug(
    medrag: Run, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(ask, "_need_question", fail)
    result = medrag("search", index, "gout")
    assert result.exit_code == 1
    assert "RuntimeError: nobody foresaw this" in result.stderr
    assert "Traceback" not in result.output
    assert isinstance(medrag("--debug", "search", index, "gout").exception, RuntimeError)
    assert app.info.name == "medrag"


def test_json_drives_no_terminal_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"text": "a\x9b31m b\u202ec \x1b[0m é"}
    show_json(value)
    printed = capsys.readouterr().out
    assert not any(each in printed for each in ("\x9b", "\u202e", "\x1b"))
    assert json.loads(printed) == value
    assert "é" in printed


def test_a_question_is_utf8_whatever_the_locale_made_of_it() -> None:
    assert typed("café".encode().decode("ascii", "surrogateescape")) == "café"
    assert typed("gout \udcff?") == "gout \N{REPLACEMENT CHARACTER}?"
    assert typed("café") == "café"


class PanicException(BaseException):
    """What a library written in Rust raises where it gives up."""


def test_a_library_that_gives_up_is_one_line_with_the_way_out(
    medrag: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def give_up(_: str) -> Path:
        raise PanicException("index out of bounds")

    monkeypatch.setattr(commands, "_folder", give_up)
    told = medrag("index", "info", tmp_path)
    assert told.exit_code == 1
    assert "a library gave up (index out of bounds)" in told.stderr
    assert "medrag index verify NAME --repair" in told.stderr
