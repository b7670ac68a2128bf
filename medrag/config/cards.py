"""Corpus cards: what a collection is, where it lies, and how its files are read.

The format is described in corpora/README.md.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from medrag.config.components import keywords, planned
from medrag.config.lookup import found
from medrag.config.place import Place, shown, unknown
from medrag.config.reading import read_mapping
from medrag.config.tables import constructor, kinds
from medrag.records import Corpus

# What the builder gives to every ingestor, and no card may.
GIVEN = frozenset({"corpus", "key"})

_TEXTS = ("domain", "language", "licence", "source", "citation", "about")
_KEYS = ("name", "root", "files", "exclude", "kind", "columns", "options", *_TEXTS)
_FILE_KEYS = ("glob", "kind", "columns", "options", "domain", "licence")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class FileRule:
    """Some files of a corpus and how they are read.

    Attributes:
        glob: relative to the corpus root.
        corpus: with the rule's own domain and licence, where it has them.
        kind: of ingestor; None to detect it file by file.
        options: keywords of the ingestor; without a kind, those that a detected one does not take
            are not given to it.
    """

    glob: str
    corpus: Corpus
    kind: str | None
    options: Mapping[str, Any]
    place: Place


@dataclass(frozen=True, slots=True)
class Card:
    """A checked corpus card. `source` and `citation` are for readers and reports."""

    corpus: Corpus
    rules: tuple[FileRule, ...]
    exclude: tuple[str, ...]
    place: Place
    source: str | None = None
    citation: str | None = None


def read_card(name: str | Path, *, folder: Path | None = None, check_root: bool = True) -> Card:
    """Find, read and check a corpus card.

    Args:
        name: a path, or the name of a card in ./corpora or of one shipped with medrag.
        folder: looked into first; where the recipe that names the card keeps its cards.
        check_root: False checks what the card says, whether or not its files are here.

    Raises:
        RecipeError: if there is no such card, it says something that cannot be read, its root
            names a variable of the environment that is not set, or the root is not a folder.
    """
    path = found("corpora", name, folder=folder)
    return planned_card(read_mapping(path), path, root=None if check_root else Path())


def planned_card(spec: Mapping[str, Any], path: Path, *, root: Path | None = None) -> Card:
    """Check what a card says.

    Args:
        path: of the card; its root is relative to that folder, and its name is the default one.
        root: instead of the card's own, which is then neither expanded nor looked for.
    """
    place = Place(str(path))
    for key in spec:
        if key not in _KEYS:
            raise place.at(key).error(unknown("key of a corpus card", key, _KEYS))
    for key in ("name", "kind", "root", *_TEXTS):
        _text(spec, key, place)
    corpus = Corpus(
        name=_name(spec.get("name", path.stem), place),
        root=root or _root(spec.get("root", "."), path, place.at("root")),
        domain=spec.get("domain"),
        language=_language(spec.get("language", "en"), place.at("language")),
        licence=spec.get("licence"),
    )
    return Card(
        corpus=corpus,
        rules=_rules(spec, corpus, place),
        exclude=_globs(spec.get("exclude", []), place.at("exclude")),
        place=place,
        source=spec.get("source"),
        citation=spec.get("citation"),
    )


def accepted(kind: str, options: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """Keep the options that the ingestor of a kind takes."""
    wanted = keywords(constructor("ingestor", kind, place), GIVEN)
    return {key: value for key, value in options.items() if key in wanted}


def unset_variables(root: str) -> list[str]:
    """List the variables of a card's root that the environment lacks."""
    return [name for name in _VARIABLE.findall(root) if not os.environ.get(name)]


def _rules(spec: Mapping[str, Any], corpus: Corpus, place: Place) -> tuple[FileRule, ...]:
    files = spec.get("files", ["**/*"])
    entries = [files] if isinstance(files, str | Mapping) else files
    if not isinstance(entries, list) or not entries:
        problem = f"expected a glob or a list of them, such as ['*.pdf'], got {shown(files)}"
        raise place.at("files").error(problem)
    return tuple(
        _rule(entry, spec, corpus, place.at("files").at(position))
        for position, entry in enumerate(entries)
    )


def _rule(entry: Any, spec: Mapping[str, Any], corpus: Corpus, place: Place) -> FileRule:
    own = {"glob": entry} if isinstance(entry, str) else entry
    if not isinstance(own, Mapping) or "glob" not in own:
        raise place.error(f"expected a glob, or a mapping with the key 'glob', got {shown(entry)}")
    for key in own:
        if key not in _FILE_KEYS:
            raise place.at(key).error(unknown("key of a files entry", key, _FILE_KEYS))
    for key in ("kind", "domain", "licence"):
        _text(own, key, place)
    kind = own.get("kind", spec.get("kind"))
    options = _options(spec, place) | _options(own, place)
    _check_options(kind, options, corpus, place)
    narrowed = replace(
        corpus,
        domain=own.get("domain", corpus.domain),
        licence=own.get("licence", corpus.licence),
    )
    return FileRule(_glob(own["glob"], place.at("glob")), narrowed, kind, options, place)


def _options(spec: Mapping[str, Any], place: Place) -> dict[str, Any]:
    options = spec.get("options", {})
    if not isinstance(options, Mapping):
        raise place.at("options").error(f"expected a mapping, got {shown(options)}")
    columns = {"columns": spec["columns"]} if "columns" in spec else {}
    return {**options, **columns}


def _check_options(
    kind: str | None, options: Mapping[str, Any], corpus: Corpus, place: Place
) -> None:
    if kind is not None:
        plan = planned("ingestor", {"kind": kind, **options}, place, given=GIVEN)
        # An ingestor checks its keywords when it is built, and reads nothing before it is used.
        plan(corpus=corpus, key=bytes(32))
        return
    takes: dict[str, str] = {}
    for each in kinds("ingestor") if options else ():
        takes |= dict.fromkeys(keywords(constructor("ingestor", each, place), GIVEN), each)
    for key, value in options.items():
        if key not in takes:
            raise place.at(key).error(unknown("option of any ingestor", key, takes))
        # The annotation is that of one ingestor which takes the key: they mean the same by it.
        planned("ingestor", {"kind": takes[key], key: value}, place, given=GIVEN)


def _text(spec: Mapping[str, Any], key: str, place: Place) -> None:
    if key in spec and not (isinstance(spec[key], str) and spec[key].strip()):
        raise place.at(key).error(f"expected a text, got {shown(spec[key])}")


def _name(name: str, place: Place) -> str:
    if not _NAME.fullmatch(name):
        raise place.at("name").error(
            f"expected letters, digits, '_', '-' and '.', got {shown(name)}"
        )
    return name


def _language(code: str, place: Place) -> str:
    from medrag.language import LANGUAGES

    if code not in LANGUAGES:
        raise place.error(unknown("language", code, LANGUAGES))
    return code


def _root(root: str, path: Path, place: Place) -> Path:
    for name in unset_variables(root):
        raise place.error(
            f"the environment variable {name} is not set; set it to the folder that {root!r} is "
            f"relative to, for example: export {name}=/path/to/folder"
        )
    expanded = Path(_VARIABLE.sub(lambda match: os.environ[match[1]], root)).expanduser()
    folder = Path(os.path.normpath(path.parent.absolute() / expanded))
    if not folder.is_dir():
        raise place.error(f"{folder} is not a folder; correct the root, or fetch the corpus")
    return folder


def _globs(patterns: Any, place: Place) -> tuple[str, ...]:
    listed = [patterns] if isinstance(patterns, str) else patterns
    if not isinstance(listed, list):
        raise place.error(f"expected a list of globs, got {shown(patterns)}")
    return tuple(_glob(each, place.at(position)) for position, each in enumerate(listed))


def _glob(pattern: Any, place: Place) -> str:
    if not isinstance(pattern, str) or not pattern.strip():
        raise place.error(f"expected a glob such as '*.pdf', got {shown(pattern)}")
    parts = PurePosixPath(pattern.replace("\\", "/")).parts
    if not parts or parts[0].startswith("/") or ":" in parts[0] or ".." in parts:
        raise place.error(f"a glob stays inside the corpus root, got {shown(pattern)}")
    return pattern.replace("\\", "/")
