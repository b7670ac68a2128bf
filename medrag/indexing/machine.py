"""What this machine can search with: GPUs, memory that is free, and products of int8."""

import logging
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from medrag.errors import MedragError
from medrag.extras import require

Device = str | Sequence[str] | None

# Of the memory that is free, how much copies may take: of the processor, and of a GPU.
_SHARE, _SHARE_OF_GPU = 0.5, 0.8

_log = logging.getLogger(__name__)


def device_names(device: Device) -> list[str]:
    """List the devices that an option names, such as "cuda:0, cuda:1"; nothing for None.

    Raises:
        ValueError: if one is of another kind than searches run on.
    """
    if device is None:
        return []
    names = [part.strip() for part in (device.split(",") if isinstance(device, str) else device)]
    for name in names:
        if name.partition(":")[0] not in ("cpu", "cuda"):
            raise ValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    return names


def present_devices(names: Sequence[str]) -> list[str]:
    """Give devices, with every GPU for "cuda".

    Raises:
        MedragError: if one is not there.
    """
    if not any(name.startswith("cuda") for name in names):
        return list(names)
    torch = require("torch")
    n = torch.cuda.device_count() if torch.cuda.is_available() else 0
    every = [f"cuda:{i}" for i in range(n)]
    found = [each for name in names for each in (every if name == "cuda" else [name])]
    if not every or not {*found} <= {*every, "cpu"}:
        raise MedragError(
            f"device {','.join(names)!r} was asked for, but torch sees {n} GPUs here; use device "
            "'cpu', or install torch with CUDA and a driver"
        )
    return found


def gpus_with_room(size: float) -> list[str]:
    """Name all GPUs, if they can share so many bytes evenly; else none."""
    # Without the driver's file there is no need to import torch.
    if not Path("/proc/driver/nvidia").exists() and not Path("/dev/nvidia0").exists():
        return []
    torch = require("torch")
    if not torch.cuda.is_available():
        return []
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    room = min(torch.cuda.mem_get_info(name)[0] for name in names)
    return names if size / len(names) < _SHARE_OF_GPU * room else []


def has_room(size: float, kind: str) -> bool:
    """Tell whether a copy of so many bytes may be made in memory; a warning says where not."""
    free = free_memory()
    if size <= _SHARE * free:
        return True
    _log.warning(
        "a copy of the vectors as %s would take %.1f GB, but %.1f GB of memory are free: they are "
        "read from the disk instead, at every search; build the index again to keep a copy there",
        kind, size / 1e9, free / 1e9,
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


@cache
def multiplies_int8() -> bool:
    """Tell whether this processor multiplies int8 in hardware. Imports torch.

    On others such products are slow, or saturate on the way.
    """
    cpu = require("torch").cpu
    return bool(cpu._is_vnni_supported() or cpu._is_amx_tile_supported())  # noqa: SLF001
