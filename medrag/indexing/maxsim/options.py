"""What a search of late interaction may be told, and what "auto" means on this machine."""

from typing import Literal, NamedTuple, get_args

from medrag.indexing.machine import device_names, gpus_with_room, multiplies_int8
from medrag.indexing.maxsim.device import Half
from medrag.indexing.maxsim.packed import CopyKind

First = Literal["exact", "bits", "pooled"]
FirstPass = First | Literal["auto"]
Scan = Literal["auto", "int8", "float16", "bfloat16", "float32"]

# Numbers of a channel below which NumPy searches it in its own vectors, without torch; and above
# which "auto" takes the pass by bits first.
_SMALL, _LARGE = 1 << 22, 1 << 32


class Options(NamedTuple):
    """As `medrag.indexing.late_interaction.LateInteractionSearch` explains them."""

    first_pass: FirstPass = "exact"  # noqa: S105 (no password)
    candidates: int = 200
    scan: Scan = "auto"
    device: str | None = None
    pool: int = 8

    def checked(self) -> "Options":
        """Give the options as they are.

        Raises:
            ValueError: if one is none of those.
        """
        for name, value, known in (
            ("first_pass", self.first_pass, (*get_args(First), "auto")),
            ("scan", self.scan, get_args(Scan)),
        ):
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
        if self.candidates < 1:
            raise ValueError(f"candidates must be at least 1, got {self.candidates}")
        if self.pool < 2:
            raise ValueError(f"pool must be at least 2, got {self.pool}")
        if _is_gpu(self.device) and self.first_pass in ("bits", "pooled"):
            raise ValueError(
                f"first_pass {self.first_pass!r} runs on the processor only, got device "
                f"{self.device!r}; leave one of the two out"
            )
        if _is_gpu(self.device) and self.scan in ("int8", "float32"):
            raise ValueError(
                f"a device holds float16 or bfloat16, got scan {self.scan!r} for {self.device!r}; "
                "leave scan or device out"
            )
        return self


class Plan(NamedTuple):
    """What a channel is searched with.

    Attributes:
        first: pass; never "auto".
        kind: of the copies that the processor reads.
        half, devices: of the copies that devices hold; no devices for none.
    """

    first: First
    kind: CopyKind
    half: Half
    devices: tuple[str, ...]


def plan_of(options: Options, size: int) -> Plan:
    """Choose for a channel of `size` numbers."""
    first: First = "bits" if size > _LARGE and not _is_gpu(options.device) else "exact"
    if options.first_pass != "auto":  # noqa: S105 (no password)
        first = options.first_pass
    half: Half = "bfloat16" if options.scan == "bfloat16" else "float16"
    devices = _devices(options, size) if first == "exact" else ()
    if options.scan != "auto":
        # A device's candidates are few, and scored from the vectors themselves.
        return Plan(first, "float32" if devices else options.scan, half, devices)
    fast = size >= _SMALL and not devices and multiplies_int8()
    return Plan(first, "int8" if fast else "float32", half, devices)


def _is_gpu(device: str | None) -> bool:
    """Tell whether an option names more than the processor."""
    return device_names(device) not in ([], ["cpu"])


def _devices(options: Options, size: int) -> tuple[str, ...]:
    names = device_names(options.device)
    if names:
        return () if names == ["cpu"] else tuple(names)
    if size < _SMALL or options.scan in ("int8", "float32"):
        return ()
    return tuple(gpus_with_room(2 * size))
