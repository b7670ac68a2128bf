"""Pseudonyms and the key that makes them."""

import hashlib
import hmac
import multiprocessing
import os
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medrag.errors import InputFileError, MedragError
from medrag.identity import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    fingerprint,
    key_file,
    load_key,
    pseudonym,
)

KEY = bytes(range(32))
IDENTIFIERS = st.text(min_size=1).filter(lambda text: text.strip().strip("\0").strip())


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user without a key, whose configuration folder is `tmp_path`."""
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    monkeypatch.delenv(KEY_FILE_VARIABLE, raising=False)
    monkeypatch.setenv("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_a_pseudonym_is_the_first_half_of_a_keyed_hash() -> None:
    expected = hmac.new(KEY, b"MRN 0042", hashlib.sha256).hexdigest()[:32]
    assert pseudonym("MRN 0042", KEY) == f"p-{expected}"


@given(IDENTIFIERS)
def test_a_pseudonym_of_a_pseudonym_is_itself(identifier: str) -> None:
    once = pseudonym(identifier, KEY)
    assert pseudonym(once, KEY) == once


@given(IDENTIFIERS, IDENTIFIERS)
def test_different_subjects_have_different_pseudonyms(first: str, second: str) -> None:
    same = pseudonym(first, KEY) == pseudonym(second, KEY)
    assert same == (pseudonym(first, b"x" * 32) == pseudonym(second, b"x" * 32))


def test_padding_of_dicom_and_tables_does_not_make_another_subject() -> None:
    names = {pseudonym(value, KEY) for value in ("17", " 17", "17 \0", "17\n")}
    assert len(names) == 1


def test_case_makes_another_subject() -> None:
    assert pseudonym("a1", KEY) != pseudonym("A1", KEY)


def test_another_key_gives_other_pseudonyms() -> None:
    assert pseudonym("17", KEY) != pseudonym("17", KEY[::-1])


@pytest.mark.parametrize("blank", ["", "  ", "\0", " \0 "])
def test_a_blank_identifier_names_nobody(blank: str) -> None:
    with pytest.raises(ValueError, match="blank"):
        pseudonym(blank, KEY)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        pseudonym("17", b"short")


def test_hex_digits_in_the_environment_are_the_key(
    no_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY.hex().upper())
    assert load_key() == KEY


def test_a_passphrase_is_stretched_and_stays_the_same(
    no_key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "correct horse battery staple")
    first = load_key()
    assert len(first) == 32
    assert b"horse" not in first
    assert load_key() == first


@pytest.mark.parametrize("short", ["abc", "00112233445566", "fifteen letters"])
def test_a_short_key_in_the_environment_says_how_to_make_one_without_showing_it(
    no_key: Path, monkeypatch: pytest.MonkeyPatch, short: str
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, short)
    with pytest.raises(MedragError, match="token_hex") as caught:
        load_key()
    assert short not in str(caught.value)


def test_the_first_use_makes_a_key_file_and_later_ones_read_it(no_key: Path) -> None:
    first = load_key()
    assert len(first) == 32
    assert load_key() == first
    assert [path.name for path in (no_key / "medrag").iterdir()] == ["key"]


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_new_key_file_is_for_its_owner_only(no_key: Path) -> None:
    load_key()
    assert stat.S_IMODE((no_key / "medrag" / "key").stat().st_mode) == 0o600


def test_a_named_key_file_wins_over_the_folder(
    no_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "deep" / "mine"))
    key = load_key()
    assert load_key(tmp_path / "deep" / "mine") == key
    assert not (tmp_path / "medrag").exists()


def test_a_file_given_in_code_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "another key of thirty-two bytes.")
    file = tmp_path / "key"
    file.write_text(KEY.hex(), encoding="ascii")
    assert load_key(file) == KEY


@pytest.mark.parametrize("content", [b"", b"too short", b"\xff\xfe\x00"])
def test_a_damaged_key_file_is_named_and_not_replaced(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(InputFileError, match="key"):
        load_key(file)
    assert file.read_bytes() == content


def test_a_key_file_that_cannot_be_made_says_what_else_to_set(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(InputFileError, match=KEY_VARIABLE):
        load_key(blocked / "key")


def test_windows_keeps_the_key_in_its_own_folder(tmp_path: Path) -> None:
    assert key_file({"APPDATA": str(tmp_path)}, "win32") == tmp_path / "medrag" / "key"
    assert key_file({"XDG_CONFIG_HOME": str(tmp_path)}, "linux") == tmp_path / "medrag" / "key"


def _loaded(path: str) -> str:
    return load_key(Path(path)).hex()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="quick processes")
def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        keys = pool.map(_loaded, [str(tmp_path / "key")] * 8, chunksize=1)
    assert len(set(keys)) == 1


def test_a_fingerprint_tells_keys_apart_and_is_no_key_or_pseudonym() -> None:
    name = fingerprint(KEY)
    assert name == fingerprint(KEY) != fingerprint(bytes(32))
    assert len(name) == 18
    assert KEY.hex()[:16] not in name
