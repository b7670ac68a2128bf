"""Whether what was derived is whole: looked at by every build, and read by `verify`."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from medrag.errors import IndexFormatError, is_panic
from medrag.indexing.graph import GraphChannel
from medrag.indexing.manifest import NEEDED, ChannelEntry, FileSum
from medrag.indexing.postings import has_fields, opened_postings, postings_from_json, stamp_of
from medrag.indexing.segment import file_sum, size_problem


def derived_sums(
    folder: Path, previous: Path | None, known: Mapping[str, FileSum] | None
) -> dict[str, dict[str, object]]:
    """Sum up the files of a derived folder; only count their bytes if `known` is None.

    Those that are links to files of the previous folder, whose sums are known, are not read.
    """
    found = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if known is None:
            each = FileSum(path.stat().st_size, "")
        elif name in known and previous and path.samefile(previous / name):
            each = known[name]
        else:
            each = file_sum(path)
        found[name] = asdict(each)
    return found


def written(entry: ChannelEntry) -> dict[str, FileSum]:
    """Give the files of a derived folder as they were written; empty where that is not known."""
    return {name: FileSum(**each) for name, each in entry.derived.get("files", {}).items()}


def postings_problem(folder: Path, entry: ChannelEntry, n: int) -> str | None:
    """Say why the postings of a channel are not those of `n` passages; reads no file whole."""
    postings = postings_from_json(entry.derived)
    stamp = stamp_of(folder / postings.folder) if postings else None
    if postings is None or stamp is None:
        return "its postings are missing; the same build again makes them"
    if stamp != postings.stamp:
        return "its postings are of a build that was cut short; the same build again mends them"
    try:
        index, searcher = opened_postings(folder / postings.folder)
    except BaseException as error:
        # On some damaged files Tantivy does not raise an error, but gives up.
        if not (isinstance(error, ValueError) or is_panic(error)):
            raise
        return f"its postings are damaged ({error})"
    if not has_fields(index, postings.languages):
        return "its postings are damaged (meta.json has other fields than were written)"
    found = int(searcher.num_docs)
    return None if found == n else f"its postings hold {found} passages instead of {n}"


def graph_problem(folder: Path, entry: ChannelEntry) -> str | None:
    """Say why a graph cannot be searched; of its files, only the sizes are looked at."""
    if problem := _folder_problem(folder, entry):
        return f"its graph is {problem}"
    try:
        GraphChannel(
            folder=folder / entry.derived["folder"], mask=lambda _: np.empty(0, dtype=np.bool_)
        )
    except IndexFormatError as error:
        return f"its graph is damaged ({error})"
    return None


def backend_problem(folder: Path, kind: str, entry: ChannelEntry) -> str | None:
    """Say what a backend misses of what it keeps; of files, only the sizes are looked at."""
    if "folder" not in entry.derived and kind not in NEEDED:
        return None
    problem = _folder_problem(folder, entry)
    return f"what {kind} searches is {problem}" if problem else None


def _folder_problem(folder: Path, entry: ChannelEntry) -> str | None:
    derived = entry.derived.get("folder")
    if derived is None or not (folder / derived).is_dir():
        return "missing; the same build again makes it"
    problem = size_problem(folder / derived, written(entry))
    return f"damaged ({problem}); the same build again makes it anew" if problem else None
