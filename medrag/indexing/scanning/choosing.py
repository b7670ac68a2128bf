"""Which scan is quickest for a channel on this machine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

from medrag.indexing.machine import (
    Device,
    device_names,
    gpus_with_room,
    has_room,
    present_devices,
)
from medrag.indexing.scanning.copies import Coarse, Copy, bytes_per_vector, copied
from medrag.indexing.scanning.library import Floats, Library, Mask, Rows
from medrag.indexing.scanning.plain import PlainScan

Scan = Literal["auto", "float32", "bfloat16", "float16", "int8", "bits"]

# Bytes of vectors up to which a copy, and the import of a library, cost more than they save.
SMALL = 16 << 20


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
    names = device_names(device)
    if scan == "bits" and names not in ([], ["cpu"]):
        raise ValueError(f"scan 'bits' runs on the processor only, got device {device!r}")
    if oversample < 1:
        raise ValueError(f"oversample must be at least 1, got {oversample}")


def kept_kind(options: Mapping[str, Any]) -> Coarse | None:
    """Say which copies a build should keep for a backend's options; None if none."""
    scan, names = options.get("scan", "auto"), device_names(options.get("device"))
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
    best: Coarse | None = "float16" if names else "int8" if library.size >= SMALL else None
    kind = best if scan == "auto" else None if scan == "float32" else scan
    if kind is None:
        return _with_torch(library, None, names) if names else PlainScan(library)
    found = kept(kind)
    missing = [shelf for shelf, copy in zip(library.shelves, found, strict=True) if copy is None]
    size = sum(len(shelf.values) for shelf in missing) * bytes_per_vector(kind, library.d)
    if not names and not has_room(size, kind):
        return PlainScan(library)
    copies = [
        copied(shelf, kind) if copy is None else copy
        for shelf, copy in zip(library.shelves, found, strict=True)
    ]
    if kind == "bits":
        from medrag.indexing.scanning.bits import BitsScan

        return BitsScan(library, copies, oversample)
    if kind == "int8" and not names:
        from medrag.indexing.scanning.int8 import Int8Scan

        return Int8Scan(library, copies)
    return _with_torch(library, copies, names or ["cpu"])


def _with_torch(library: Library, copies: Sequence[Copy] | None, devices: Sequence[str]) -> Scanner:
    from medrag.indexing.scanning.device import DeviceScan

    return DeviceScan(library, copies, devices)


def _devices(device: Device, library: Library, scan: Scan) -> list[str]:
    """Name the devices that torch is to use; none for the processor without it."""
    names = device_names(device)
    if names:
        return [] if names == ["cpu"] else present_devices(names)
    if library.size < SMALL or scan == "bits":
        return []
    width = {"float32": 4, "int8": 1}.get(scan, 2)
    return gpus_with_room(library.size * width / 4)
