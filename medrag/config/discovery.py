"""From what a person names (files, folders, cards) to the files of an index, none left unsaid."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from medrag.build import SourceFile
from medrag.config.cards import Card, FileRule, accepted, read_card
from medrag.config.place import Place
from medrag.config.references import referenced_pictures
from medrag.errors import RecipeError
from medrag.ingestion.detect import detect, not_read
from medrag.records import Corpus, Skipped, Source

Sourced = str | Path | Card

# Files that systems leave in folders of their own accord.
_LITTER = frozenset({"thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class Discovered:
    """What was found: files to read, in order, and everything that is not read, with its reason."""

    files: tuple[SourceFile, ...]
    skipped: tuple[Skipped, ...]


def discover(
    sources: Iterable[Sourced], *, taken: Iterable[Corpus] = (), into: Path | None = None
) -> Discovered:
    """List the files that sources hold, with the kind of each.

    A folder is a corpus of its name; a file belongs to the corpus of its folder; a card (a path
    ending in .yaml, or a `Card`) says its own. Two folders of one name get that of the folder
    above in front. Indexes that lie in a folder are passed over.

    Args:
        taken: corpora that the index holds already; they keep their names.
        into: the folder of the index, which may lie in a source.

    Raises:
        RecipeError: if a source does not exist, is an index, has the name of a corpus whose folder
            is gone, or a card's glob matches no file, or two cards share a name.
    """
    files: dict[Path, SourceFile] = {}
    skipped: dict[Path, Skipped] = {}
    for card, chosen in _cards(sources, taken):
        if not chosen and _is_index(card.corpus.root, into):
            raise RecipeError(f"{card.corpus.root} is an index; give the folder of its sources")
        inside = card.corpus.root.resolve()
        listed = [_file(card.corpus, each, inside) for each in chosen]
        for found in _of_card(card, listed or _walk(card.corpus, into)):
            if isinstance(found, SourceFile):
                files.setdefault(found.path, found)
            else:
                skipped.setdefault(card.corpus.root / found.source.document, found)
    shown = referenced_pictures(files.values())
    for path in [path for path, file in files.items() if file.kind == "image" and path in shown]:
        skipped[path] = _skipped(files.pop(path).corpus, path, "referenced", shown[path].name)
    rest = [each for path, each in sorted(skipped.items()) if path not in files]
    return Discovered(tuple(files.values()), tuple(rest))


def _cards(
    sources: Iterable[Sourced], taken: Iterable[Corpus]
) -> list[tuple[Card, Sequence[Path]]]:
    """Make a card of every source; the files are those of its folder that alone are meant."""
    cards: list[Card] = []
    loose: dict[Path, list[Path]] = {}
    for source in sources:
        if isinstance(source, Card):
            cards.append(source)
            continue
        path = Path(os.path.abspath(Path(source).expanduser()))  # noqa: PTH100 - keeps links
        if path.suffix in (".yaml", ".yml") and path.is_file():
            cards.append(read_card(path))
        elif path.is_dir():
            loose[path] = []
        elif path.is_file():
            if loose.get(path.parent) != []:
                loose.setdefault(path.parent, []).append(path)
        else:
            problem = "is neither a file nor a folder" if path.exists() else "does not exist"
            raise RecipeError(f"{source} {problem}; give a file, a folder or a corpus card")
    _refuse_twins(cards)
    held = {each.name: each.root for each in taken}
    names = {each.corpus.name: each.corpus.root for each in cards} | held
    found: list[tuple[Card, Sequence[Path]]] = [(card, ()) for card in cards]
    for folder, chosen in loose.items():
        _refuse_lost(folder, held)
        name = _free_name(folder, names)
        names[name] = folder
        found.append((_card_of_folder(Corpus(name, folder), chosen), sorted(set(chosen))))
    return found


def _refuse_lost(folder: Path, held: Mapping[str, Path]) -> None:
    """Refuse to guess whether a folder is a corpus that was moved, or another of its name."""
    root = held.get(folder.name, folder)
    if not root.is_dir():
        raise RecipeError(
            f"the index holds a corpus {folder.name!r}, whose folder {root} is gone; if {folder} "
            f"is that folder, say so: medrag index move INDEX '{folder.name}={folder}'; if it is "
            "another one, give it another name by a corpus card"
        )


def _refuse_twins(cards: Sequence[Card]) -> None:
    seen: dict[str, Card] = {}
    for card in cards:
        other = seen.setdefault(card.corpus.name, card)
        if other is not card and other.place != card.place:
            raise card.place.at("name").error(
                f"{card.corpus.name!r} is also the name of {other.place.file}; rename one"
            )


def _free_name(folder: Path, names: dict[str, Path]) -> str:
    parts = [part for part in folder.parts if part != folder.anchor] or ["root"]
    for depth in range(1, len(parts) + 1):
        name = "-".join(parts[-depth:])
        if names.get(name, folder).resolve() == folder.resolve():
            return name
    return "-".join(parts)


def _card_of_folder(corpus: Corpus, chosen: Sequence[Path]) -> Card:
    place = Place(str(corpus.root))
    globs = [_literal(path.name) for path in chosen] or ["**/*"]
    rules = tuple(FileRule(glob, corpus, None, {}, place) for glob in globs)
    return Card(corpus, rules, (), place)


def _of_card(card: Card, there: Iterable[Path | Skipped]) -> Iterator[SourceFile | Skipped]:
    listed = list(there)
    documents = {
        each.relative_to(card.corpus.root).as_posix(): each
        for each in listed
        if isinstance(each, Path)
    }
    yield from (each for each in listed if isinstance(each, Skipped))
    claimed: set[str] = set()
    for rule in card.rules:
        matching = [name for name in documents if matches(name, rule.glob)]
        if not matching and rule.place.keys:
            raise rule.place.error(
                f"{rule.glob!r} matches no file in {card.corpus.root}; correct the glob or the root"
            )
        for name in matching:
            if name not in claimed and not any(matches(name, each) for each in card.exclude):
                claimed.add(name)
                yield _of_file(documents[name], rule)


def _of_file(path: Path, rule: FileRule) -> SourceFile | Skipped:
    if rule.kind is not None:
        return SourceFile(path, rule.corpus, rule.kind, dict(rule.options))
    detected = detect(path)
    if detected.kind is None:
        return not_read(rule.corpus, path, detected)
    options = accepted(detected.kind, rule.options, rule.place) if rule.options else {}
    return SourceFile(path, rule.corpus, detected.kind, options)


def matches(document: str, glob: str) -> bool:
    """Tell whether a path with "/" matches a glob, in which "**" stands for any folders."""
    return _matches(document.split("/"), [part for part in glob.split("/") if part != "."])


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        rest = patterns[1:] or ["*"]
        return any(_matches(parts[start:], rest) for start in range(len(parts) + 1)) or (
            len(patterns) == 1 and bool(parts)
        )
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _walk(corpus: Corpus, into: Path | None) -> Iterator[Path | Skipped]:
    """Give the files below the root in sorted order, and what is passed over."""
    inside = corpus.root.resolve()
    closed: list[OSError] = []
    for folder, folders, names in os.walk(corpus.root, onerror=closed.append):
        here = Path(folder)
        hidden = [name for name in folders if name.startswith(".")]
        linked = [name for name in folders if (here / name).is_symlink() and name not in hidden]
        indexes = [name for name in folders if _is_index(here / name, into)]
        folders[:] = sorted(set(folders) - set(hidden) - set(linked) - set(indexes))
        for name in hidden:
            yield _skipped(corpus, here / name, "hidden", "a hidden folder")
        for name in linked:
            yield _skipped(corpus, here / name, "outside", "a link to a folder is not followed")
        for name in indexes:
            yield _skipped(corpus, here / name, "index_folder", "an index, and not a source")
        for name in sorted(names):
            yield _file(corpus, here / name, inside)
    for error in closed:
        problem = f"a folder that cannot be read: {error.strerror}"
        yield _skipped(corpus, Path(error.filename), "unreadable", problem, failed=True)


def _is_index(folder: Path, into: Path | None) -> bool:
    """Tell whether a folder is an index, also one whose first build was cut short."""
    if into is not None and folder.resolve() == into.resolve():
        return True
    signs = (folder / "manifest.json", folder / "lock")
    return (folder / "segments").is_dir() and any(sign.is_file() for sign in signs)


def _file(corpus: Corpus, path: Path, inside: Path) -> Path | Skipped:
    if path.name.startswith(".") or path.name.lower() in _LITTER:
        return _skipped(corpus, path, "hidden", "a hidden file")
    if path.is_symlink() and not path.resolve().is_relative_to(inside):
        return _skipped(corpus, path, "outside", "a link that leaves the folder")
    if _text(path.name) != path.name:
        problem = "a name that is not UTF-8; rename the file"
        return _skipped(corpus, path, "unreadable", problem, failed=True)
    if not path.is_file():
        detail = "not a regular file" if path.exists() else "a link that leads nowhere"
        return _skipped(corpus, path, "unknown_type", detail)
    return path


def _skipped(
    corpus: Corpus, path: Path, reason: str, detail: str, *, failed: bool = False
) -> Skipped:
    document = _text(path.relative_to(corpus.root).as_posix())
    source = Source(corpus.name, document, "", language=corpus.language)
    whole = replace(source, domain=corpus.domain, licence=corpus.licence)
    return Skipped(whole, reason, detail, failed)


def _text(name: str) -> str:
    """Replace what Python puts into a name for bytes that are not UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")
