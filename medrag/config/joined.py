"""Several open indexes that one pipeline asks, seen as one where answers are told."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from medrag.config.index import Index
from medrag.config.resources import Resources
from medrag.errors import IndexFormatError, RecipeError
from medrag.records import Passage


class JoinedIndex:
    """The main index of a pipeline, and those that its retrievers name beside it.

    What draws on all passages (a random context, the channels to list) uses the main one.

    Raises:
        RecipeError: if two indexes give one name to corpora of different folders.
    """

    def __init__(self, *, main: Index, others: Mapping[str, Index]) -> None:
        self.main = main
        self.others = dict(others)
        self._all = (main, *self.others.values())
        self._home: dict[str, Index] = {}
        for index in self._all:
            for corpus, root in index.roots.items():
                home = self._home.setdefault(corpus, index)
                if home.roots[corpus] != root:
                    raise RecipeError(
                        f"{home.folder} and {index.folder} both have a corpus {corpus!r}, of "
                        "different folders; give one of them another name in its card"
                    )

    @property
    def folder(self) -> Path:
        return self.main.folder

    @property
    def store(self) -> Any:
        return self.main.store

    @property
    def channels(self) -> Mapping[str, Any]:
        return self.main.channels

    @cached_property
    def roots(self) -> dict[str, Path]:
        """Absolute folder of each corpus."""
        return {name: root for index in self._all for name, root in index.roots.items()}

    @property
    def corpora(self) -> tuple[str, ...]:
        return tuple(sorted({name for index in self._all for name in index.corpora}))

    @property
    def domains(self) -> tuple[str, ...]:
        return tuple(sorted({name for index in self._all for name in index.domains}))

    @property
    def fingerprint(self) -> str:
        """A sha256 of those of all of the indexes."""
        told = [self.main.fingerprint]
        told += [f"{name} {index.fingerprint}" for name, index in sorted(self.others.items())]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    def resolve(self, passage: Passage) -> Passage:
        """Make the paths of a passage's images absolute, on this machine."""
        home = self._home.get(passage.source.corpus)
        if home is None:
            raise IndexFormatError(f"no index has the corpus {passage.source.corpus!r}")
        return home.resolve(passage)

    def check_key(self, key: bytes | None = None) -> None:
        """Refuse a key of pseudonyms that is not that of every index."""
        for index in self._all:
            index.check_key(key)


def joined(main: Index, others: Mapping[str, Index]) -> Index | JoinedIndex:
    """Join indexes, if there is more than one."""
    return JoinedIndex(main=main, others=others) if others else main


def resources(main: Index, others: Mapping[str, Index]) -> Resources:
    """Give what the components of a pipeline take from its indexes."""
    beside = {name: _resources(index) for name, index in others.items()}
    return Resources(str(main.folder), main.rows, main.channels, beside)


def _resources(index: Index) -> Resources:
    return Resources(str(index.folder), index.rows, index.channels)
