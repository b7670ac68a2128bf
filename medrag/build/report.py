"""What a build did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from medrag.records import Skipped

Outcome = Literal["added", "changed", "unchanged", "failed"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one source file.

    Attributes:
        passages: by kind.
        pages: distinct pages read.
        skipped: parts left out or unreadable, by reason code.
        unreadable: how many of those could not be read.
        problem: why it failed; None if it did not.
        lost: the first of the parts that could not be read, by place and reason.
    """

    corpus: str
    document: str
    kind: str
    outcome: Outcome
    passages: Mapping[str, int] = field(default_factory=dict, hash=False)
    pages: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict, hash=False)
    unreadable: int = 0
    problem: str | None = None
    seconds: float = 0.0
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did: counts over the files that it read, and a row for each file.

    Attributes:
        unchanged: files that stay as the index holds them.
        passages: of added and changed files, by kind.
        pages: of added and changed files.
        skipped: by reason code, of added and changed files.
        unreadable: parts that could not be read, of added and changed files.
        missing: files that the index holds and this build was not given; (corpus, document).
        pruned: whether those were removed.
        unknown: files that no ingestor knows, as the caller found them.
        encoded: passages encoded for a channel that older segments lacked, by channel.
        stores: what now searches the channels whose store this build changed, in words.
        mended: channels of which what is derived was missing or damaged, and was made anew.
    """

    folder: Path
    files: tuple[FileReport, ...]
    added: int
    changed: int
    unchanged: int
    failed: tuple[FileReport, ...]
    passages: Mapping[str, int] = field(hash=False)
    pages: int
    skipped: Mapping[str, int] = field(hash=False)
    unreadable: int
    n_passages: int
    missing: tuple[tuple[str, str], ...] = ()
    pruned: bool = False
    unknown: tuple[Skipped, ...] = ()
    encoded: Mapping[str, int] = field(default_factory=dict, hash=False)
    stores: Mapping[str, str] = field(default_factory=dict, hash=False)
    mended: tuple[str, ...] = ()
    seconds: float = 0.0
