"""Copies, signs and means on the disk, so that a new process maps them instead of making them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medrag.indexing import durable
from medrag.indexing.backends import backend_options
from medrag.indexing.manifest import ChannelEntry
from medrag.indexing.maxsim.options import Options, Plan, plan_of
from medrag.indexing.maxsim.packed import STORED, CopyKind, copied
from medrag.indexing.maxsim.parts import Part, copy_names, parts_of, planes_name
from medrag.indexing.maxsim.signs import n_words, sign_planes
from medrag.indexing.segment import file_sums
from medrag.indexing.storage import Store

# What a derived folder holds: the sums of its files, and the parts of each channel.
_CONTENTS = "contents.json"


def derive(
    *, store: Store, channels: Mapping[str, ChannelEntry], folder: Path, previous: Path | None
) -> bool:
    """Keep the copies, signs and means that a search on this machine reads.

    Small channels, and those that GPUs hold, need none.
    """
    kept: dict[str, list[str]] = {}
    for name, entry in channels.items():
        options = Options(**backend_options(entry)).checked()
        parts = parts_of(store, name, None)
        plan = plan_of(options, sum(part.source.values.size for part in parts))
        if plan.kind != "float32" or plan.first == "bits":
            kept[name] = [part.key for part in parts]
            for part in parts:
                _keep(part, plan, options.pool, folder, previous)
    if not any(kept.values()):
        return False
    sums = {name: asdict(each) for name, each in file_sums(folder).items()}
    contents = json.dumps({"files": sums, "parts": kept})
    (folder / _CONTENTS).write_text(contents, encoding="utf-8")
    return True


def problem(*, store: Store, channels: Mapping[str, ChannelEntry], folder: Path) -> str | None:
    """Say what is wrong with what was kept; reads its files whole."""
    try:
        contents = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        expected, kept = contents["files"], contents["parts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{_CONTENTS} cannot be read ({error})"
    found = {name: asdict(each) for name, each in file_sums(folder).items() if name != _CONTENTS}
    wrong = sorted(name for name in {*expected, *found} if found.get(name) != expected.get(name))
    if wrong:
        return f"missing, new or other than written: {', '.join(wrong)}"
    for name in set(channels) & set(kept):
        lacking = [part.key for part in parts_of(store, name, None) if part.key not in kept[name]]
        if lacking:
            return f"channel {name!r} lacks {len(lacking)} segments; the same build again adds them"
    return None


def _keep(part: Part, plan: Plan, pool: int, folder: Path, previous: Path | None) -> None:
    """Keep what a plan reads of a part; linked if made before."""
    if plan.kind != "float32":
        for size in (1, pool) if plan.first == "pooled" else (1,):
            names = copy_names(part.key, plan.kind, size)
            if not durable.taken_over(names, previous, folder):
                _write_copy(part, plan.kind, size, [folder / name for name in names])
    if plan.first == "bits":
        name = planes_name(part.key)
        if not durable.taken_over((name,), previous, folder):
            n, d = part.source.values.shape
            planes = _new_file(folder / name, (n_words(d), n), "<u8")
            sign_planes(part.source, planes)
            planes.flush()


def _write_copy(part: Part, kind: CopyKind, size: int, paths: list[Path]) -> None:
    source = part.means(size)
    codes = _new_file(paths[0], source.values.shape, STORED[kind])
    made = copied(source, kind, codes)
    codes.flush()
    np.save(paths[1], np.stack(made.bounds))


def _new_file(path: Path, shape: tuple[int, ...], dtype: str) -> "np.memmap[Any, Any]":
    made: np.memmap[Any, Any] = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.dtype(dtype), shape=shape
    )
    return made
