"""Subjects and studies by a keyed hash, so that no identifier of a patient is stored.

Every file kind and every question passes its subject and study through `pseudonym` with one key,
so that the guard against leakage knows the same patient in a DICOM header, in a table of reports
and in a question. The key stays outside every index: whoever has an index alone cannot try all
medical record numbers against it.

The key is, in this order: the file given to `load_key`; the variable MEDRAG_KEY, which holds hex
digits or a passphrase; the file that MEDRAG_KEY_FILE names; the file `medrag/key` in the user's
configuration folder (XDG_CONFIG_HOME, or APPDATA on Windows). A key file that does not exist is
made, readable by its owner only. Another key gives other pseudonyms: an index must be built and
asked with the same one.
"""

import hashlib
import hmac
import os
import re
import secrets
import sys
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from medrag.errors import InputFileError, MedragError

KEY_VARIABLE = "MEDRAG_KEY"
KEY_FILE_VARIABLE = "MEDRAG_KEY_FILE"
MIN_KEY_BYTES = 16

_PSEUDONYM = re.compile(r"p-[0-9a-f]{32}")
_HEX = re.compile(r"[0-9a-fA-F]+")
# A passphrase is guessed faster than a random key; each guess then costs this many hashes.
_STRETCH_ROUNDS = 200_000
_FINGERPRINTED = "medrag.identity fingerprint 1"
_STRETCH_SALT = b"medrag.identity 1"


def pseudonym(value: str, key: bytes) -> str:
    """Name a subject or a study without its identifier.

    White space and NULs around the value, which DICOM pads with, and the Unicode form (NFC) do not
    count; upper and lower case do.

    Args:
        value: an identifier, or what this function returned before, which is returned as it is.
        key: at least 16 bytes, from `load_key`.

    Returns:
        "p-" and 32 hexadecimal digits: the first 128 bits of HMAC-SHA256.

    Raises:
        ValueError: if the value is blank (an absent subject is None, never hashed) or the key is
            too short.

    Source:
        RFC 2104 (HMAC); RFC 6234 (SHA-256).
    """
    if len(key) < MIN_KEY_BYTES:
        raise ValueError(f"key must have at least {MIN_KEY_BYTES} bytes, got {len(key)}")
    identifier = unicodedata.normalize("NFC", value).strip().strip("\0").strip()
    if not identifier:
        raise ValueError("value is blank; an absent subject or study is None")
    if _PSEUDONYM.fullmatch(identifier):
        return identifier
    message = identifier.encode("utf-8", "surrogatepass")
    return "p-" + hmac.digest(key, message, "sha256").hex()[:32]


def fingerprint(key: bytes) -> str:
    """Name a key without telling it, so that an index can say that another one made its pseudonyms.

    Returns:
        "k-" and 16 hexadecimal digits. Like a pseudonym of a known value, it lets its reader try
        guesses of a passphrase, each at the price of stretching it.

    Raises:
        ValueError: if the key is too short.
    """
    return "k-" + pseudonym(_FINGERPRINTED, key)[2:18]


def load_key(path: Path | None = None) -> bytes:
    """Read the key of this user, or make one at first use.

    Args:
        path: a key file that wins over the environment; made if it does not exist.

    Raises:
        MedragError: if MEDRAG_KEY is too short, or there is no folder for a key file.
        InputFileError: if the key file holds no key, or cannot be read or made.
    """
    if path is not None:
        return _key_of_file(path)
    if phrase := os.environ.get(KEY_VARIABLE, ""):
        return _key_of_text(phrase, f"the variable {KEY_VARIABLE}")
    return _key_of_file(key_file(os.environ, sys.platform))


def key_file(environment: Mapping[str, str], platform: str) -> Path:
    """Name the key file of a user, whether it exists or not.

    Args:
        environment: the variables of the process.
        platform: as in `sys.platform`.

    Raises:
        MedragError: if nothing says where the user's files are.
    """
    if named := environment.get(KEY_FILE_VARIABLE, ""):
        return Path(named)
    folder = environment.get("APPDATA" if platform == "win32" else "XDG_CONFIG_HOME", "")
    try:
        parent = Path(folder) if folder else Path.home() / ".config"
    except RuntimeError as error:
        raise MedragError(
            f"this user has no home folder to keep a key in; set {KEY_VARIABLE} or "
            f"{KEY_FILE_VARIABLE}"
        ) from error
    return parent / "medrag" / "key"


def _key_of_text(text: str, place: str) -> bytes:
    """Hexadecimal digits are the key itself; anything else is a passphrase and is stretched."""
    phrase = text.strip()
    is_hex = _HEX.fullmatch(phrase) is not None and len(phrase) % 2 == 0
    raw = bytes.fromhex(phrase) if is_hex else phrase.encode("utf-8", "surrogateescape")
    if len(raw) < MIN_KEY_BYTES:
        kind = "hexadecimal key" if is_hex else "passphrase"
        raise MedragError(
            f"{place} holds a {kind} of {len(raw)} bytes, but a key needs at least "
            f"{MIN_KEY_BYTES}; make one: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    if is_hex:
        return raw
    return hashlib.pbkdf2_hmac("sha256", raw, _STRETCH_SALT, _STRETCH_ROUNDS)


def _key_of_file(path: Path) -> bytes:
    try:
        if not path.exists():
            _make_key_file(path)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text"
        raise InputFileError(
            path, f"the key file cannot be read or made ({reason}); set {KEY_VARIABLE} instead"
        ) from error
    try:
        return _key_of_text(text, f"the key file {path}")
    except MedragError as error:
        raise InputFileError(path, f"not a key: {error}") from error


def _make_key_file(path: Path) -> None:
    """Write a new random key for its owner only; where another process was first, keep its key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes the file 0600. A link, unlike a rename, never replaces a key already there.
    handle, draft = tempfile.mkstemp(prefix=".key-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        _publish(Path(draft), path)
    finally:
        Path(draft).unlink(missing_ok=True)


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    except OSError:
        # Some file systems have no links. A rename is atomic, too; only two first uses at the same
        # moment could then differ, so the last look is as late as it can be.
        if not path.exists():
            draft.replace(path)
