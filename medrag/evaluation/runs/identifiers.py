"""Items without the identifiers of patients and studies, so that no file of a run holds them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medrag.errors import EvaluationError
from medrag.identity import MIN_KEY_BYTES, load_key, pseudonym
from medrag.records import Item

# A pseudonym is left as it is whatever the key.
_ANY_KEY = bytes(MIN_KEY_BYTES)
# A short identifier may stand in the digits of one by chance.
_PSEUDONYM = r"\bp-[0-9a-f]{32}\b"


def without_identifiers(items: Iterable[Item], key: bytes | None = None) -> list[Item]:
    """Replace subjects and studies by keyed hashes, wherever they stand in their item.

    Besides `question.subject` and `question.study` that is `id`, `question.id`, `cluster`, and the
    texts in `fields`. An identifier counts where it is no part of a longer number or word: "10"
    in "p10/view 2", not in "103". What a question says, and paths of its pictures, stay. Done a
    second time it changes nothing, and the pipeline leaves pseudonyms as they are.

    Args:
        key: of the pipeline; None reads this user's key if an item names anybody.

    Raises:
        EvaluationError: if two items get one id.
        ValueError: if a subject or a study is blank.
    """
    given = list(items)
    if key is None and any(_raw_names(item) for item in given):
        key = load_key()
    found = [_without_names(item, key or _ANY_KEY) for item in given]
    _check_ids(given, found)
    return found


def _names(item: Item) -> tuple[str, ...]:
    question = item.question
    return tuple(name for name in (question.subject, question.study) if name)


def _raw_names(item: Item) -> bool:
    return any(pseudonym(name, _ANY_KEY) != name for name in _names(item))


def _without_names(item: Item, key: bytes) -> Item:
    hashed = {name: pseudonym(name, key) for name in _names(item)}
    if not hashed:
        return item
    written = {form: each for name, each in hashed.items() for form in _forms(name)}
    pattern = _pattern(written)
    question = item.question
    return replace(
        item,
        id=_replaced(item.id, pattern, written),
        cluster=_replaced(item.cluster, pattern, written),
        fields=_replaced(dict(item.fields), pattern, written),
        question=replace(
            question,
            id=_replaced(question.id, pattern, written),
            subject=hashed.get(question.subject or ""),
            study=hashed.get(question.study or ""),
        ),
    )


def _forms(name: str) -> set[str]:
    """List the ways in which an identifier may be written; see `pseudonym` for what is one."""
    bare = name.strip().strip("\0").strip()
    return {name, bare, *(unicodedata.normalize(form, bare) for form in ("NFC", "NFD"))}


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    # The longest first: a study's identifier may begin with the subject's.
    ordered = sorted(names, key=lambda name: (-len(name), name))
    return re.compile("|".join([_PSEUDONYM, *(_bounded(name) for name in ordered)]))


def _bounded(name: str) -> str:
    return f"(?<!{_same(name[0])}){re.escape(name)}(?!{_same(name[-1])})"


def _same(character: str) -> str:
    """Match what would make a number or a word longer; nothing does so to a sign."""
    if character.isdecimal():
        return r"\d"
    return r"[^\W\d_]" if character.isalpha() else r"(?!)"


def _replaced(value: Any, pattern: re.Pattern[str], written: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return pattern.sub(lambda found: written.get(found[0], found[0]), value)
    if isinstance(value, Mapping):
        return {name: _replaced(each, pattern, written) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(each, pattern, written) for each in value)
    return value


def _check_ids(before: Sequence[Item], after: Sequence[Item]) -> None:
    first: dict[str, str] = {}
    for old, new in zip(before, after, strict=True):
        if first.setdefault(new.id, old.id) != old.id:
            raise EvaluationError(
                f"items {first[new.id]!r} and {old.id!r} are both {new.id!r} once the identifiers "
                "of their patients are replaced; give them other ids"
            )
