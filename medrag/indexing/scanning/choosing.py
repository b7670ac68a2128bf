"""Which scan is quickest for a channel on this machine."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from medrag.errors import MedragError
from medrag.extras import require
from medrag.indexing.scanning.copies import Coarse, Copy, bytes_per_vector, copied
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows
from medrag.indexing.scanning.plain import PlainScan

Scan = Literal["auto", "float32", "bfloat16", "float16", "int8", "bits"]
Device = str | Sequence[str] | None

# Bytes of vectors up to which a copy, and the import of a library, cost more than they save.
SMALL = 16 << 20

# Of the memory that is free, how much copies may take.
_SHARE = 0.5

_log = logging.getLogger(__name__)


class Scanner(Protocol):
    """Find what could be among the best k of each question."""

    def candidates(self, questions: Floats, k: int, mask: Mask) -> list[Rows]:
        """Give places of the library, for each question; the best k allowed are among them.

        Args:
            questions: (m, d), finite; at least one.
            mask: (n_rows,), which rows count.
        """
        ...


def check_choice(scan: str, device: Device, oversample: int) -> None:
    """Refuse options that mean nothing.

    Raises:
        ValueError: if they do.
    """
    if scan not in get_args(Scan):
        raise ValueError(f"scan must be one of {', '.join(get_args(Scan))}, got {scan!r}")
    names = _names(device)
    for name in names:
        if name.partition(":")[0] not in ("cpu", "cuda"):
            raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    if scan == "bits" and names not in ([], ["cpu"]):
        raise ValueError(f"scan 'bits' runs on the processor only, got device {device!r}")
    if oversample < 1:
        raise ValueError(f"oversample must be at least 1, got {oversample}")


def kept_kind(options: Mapping[str, Any]) -> Coarse | None:
    """Say which copies a build should keep for a backend's options; None if none."""
    scan, names = options.get("scan", "auto"), _names(options.get("device"))
    if scan == "float32":
        return None
    if scan == "auto":
        return "float16" if any(name.startswith("cuda") for name in names) else "int8"
    found: Coarse = scan
    return found


def scanner(
    library: Library,
    scan: Scan,
    device: Device,
    kept: Callable[[Coarse], list[Copy | None]],
    oversample: int,
) -> Scanner:
    """Make what scans a library.

    Args:
        kept: gives the copies of each block that lie on the disk, None where there is none.

    Raises:
        MedragError: if a device is asked for that is not there.
        IndexFormatError: if a vector is not finite.
    """
    names = _devices(device, library, scan)
    if names is not None:
        from medrag.indexing.scanning.device import DeviceScan

        there = _coarse(scan, "float16")
        copies = None if there is None else _copies(library, there, kept(there))
        return DeviceScan(library, copies, names)
    here = _coarse(scan, _kind_here(library) if scan == "auto" else None)
    if here is None:
        return PlainScan(library)
    found = kept(here)
    if not _has_room(library, here, found):
        return PlainScan(library)
    return _scanner_here(library, here, _copies(library, here, found), oversample)


def _scanner_here(
    library: Library, kind: Coarse, copies: Sequence[Copy], oversample: int
) -> Scanner:
    if kind == "bits":
        from medrag.indexing.scanning.bits import BitsScan

        return BitsScan(library, copies, oversample)
    if kind == "int8" and find_spec("numba") is not None:
        from medrag.indexing.scanning.int8 import Int8Scan

        return Int8Scan(library, copies)
    from medrag.indexing.scanning.device import DeviceScan

    return DeviceScan(library, copies, ["cpu"])


def _coarse(scan: Scan, auto: Coarse | None) -> Coarse | None:
    """Say what copy a scan needs; None for the vectors themselves."""
    if scan == "auto":
        return auto
    return None if scan == "float32" else scan


def _kind_here(library: Library) -> Coarse | None:
    if library.size < SMALL:
        return None
    if find_spec("numba") is not None:
        return "int8"
    return "bfloat16" if require("torch").cpu._is_avx512_bf16_supported() else None  # noqa: SLF001


def _copies(library: Library, kind: Coarse, found: Sequence[Copy | None]) -> list[Copy]:
    return [
        copied(shelf, kind) if copy is None else copy
        for shelf, copy in zip(library.shelves, found, strict=True)
    ]


def _has_room(library: Library, kind: Coarse, found: Sequence[Copy | None]) -> bool:
    missing = [shelf for shelf, copy in zip(library.shelves, found, strict=True) if copy is None]
    needed = sum(len(shelf.values) for shelf in missing) * bytes_per_vector(kind, library.d)
    free = free_memory()
    if needed <= _SHARE * free:
        return True
    _log.warning(
        "a copy of the vectors as %s would take %.1f GB, but %.1f GB of memory are free: they are "
        "read from the disk instead, at every search; build the index again to keep a copy there",
        kind, needed / 1e9, free / 1e9,
    )  # fmt: skip
    return False


def free_memory() -> float:
    """Say how many bytes of memory could be had now; infinite where that cannot be told."""
    listed = Path("/proc/meminfo")
    if listed.exists():
        for line in listed.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, AttributeError, OSError):
        return float("inf")


def _names(device: Device) -> list[str]:
    if device is None:
        return []
    parts = device.split(",") if isinstance(device, str) else device
    return [part.strip() for part in parts]


def _devices(device: Device, library: Library, scan: str) -> list[str] | None:
    """Name the devices that torch is to use; None for the processor without torch."""
    names = _names(device)
    if names == ["cpu"] or (not names and (library.size < SMALL or scan == "bits")):
        return None
    if not names:
        return _gpus_with_room(library, scan)
    if any(name.startswith("cuda") for name in names):
        torch = require("torch")
        n = torch.cuda.device_count() if torch.cuda.is_available() else 0
        every = [f"cuda:{i}" for i in range(n)]
        names = [x for name in names for x in (every if name == "cuda" else [name])]
        if not every or not {*names} <= {*every, "cpu"}:
            raise MedragError(
                f"device {device!r} was asked for, but torch sees {n} GPUs here; use device 'cpu', "
                "or install torch with CUDA and a driver"
            )
    return names


def _gpus_with_room(library: Library, scan: str) -> list[str] | None:
    # Without the driver's file there is no need to import torch.
    if not Path("/proc/driver/nvidia").exists() and not Path("/dev/nvidia0").exists():
        return None
    torch = require("torch")
    if not torch.cuda.is_available():
        return None
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    width = 4 if scan == "float32" else 1 if scan == "int8" else 2
    share = library.size * width / 4 / len(names)
    room = min(torch.cuda.mem_get_info(name)[0] for name in names)
    return names if share < 0.8 * room else None
