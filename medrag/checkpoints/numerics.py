"""Which device and data type a model computes in: chosen by the machine, told to the index."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from numpy.typing import NDArray

from medrag.extras import require

Dtype = Literal["auto", "float32", "bfloat16", "float16"]


def chosen_device(device: str | None) -> str:
    """Give the device of torch that was asked for; without one the GPU if there is one.

    Args:
        device: such as "cpu", "cuda" or "cuda:1"; None to choose.
    """
    if device is not None:
        return device
    return "cuda" if require("torch").cuda.is_available() else "cpu"


def check_dtype(dtype: str) -> None:
    """Refuse a name that is no `Dtype`.

    Raises:
        ValueError: naming those that are.
    """
    if dtype not in get_args(Dtype):
        raise ValueError(f"dtype must be one of {', '.join(get_args(Dtype))}, got {dtype!r}")


def chosen_dtype(torch: Any, wanted: Dtype, device: str) -> Any:
    """Give the data type of torch to compute in.

    Args:
        torch: the library.
        wanted: "auto" is bfloat16 where AMX, AVX-512 or a GPU computes it, else float32.
        device: of torch.

    Raises:
        ValueError: if `wanted` is no `Dtype`.
    """
    check_dtype(wanted)
    if wanted == "auto":
        wanted = "bfloat16" if _computes_bfloat16(torch, device) else "float32"
    return getattr(torch, wanted)


def numerics_of(module: Any) -> str:
    """Say where and in what a module computes, such as "cpu bfloat16".

    Args:
        module: of torch, with at least one weight.
    """
    weight = _weight(module)
    return f"{weight.device.type} {str(weight.dtype).removeprefix('torch.')}"


def moved(inputs: Mapping[str, NDArray[Any]], module: Any) -> dict[str, Any]:
    """Put arrays on a module's device as tensors, fractions in its data type."""
    torch, weight = require("torch"), _weight(module)
    tensors = {key: torch.from_numpy(each) for key, each in inputs.items()}
    return {
        key: each.to(weight.device, weight.dtype if each.is_floating_point() else None)
        for key, each in tensors.items()
    }


def _weight(module: Any) -> Any:
    return next(each for each in module.parameters() if each.is_floating_point())


def _computes_bfloat16(torch: Any, device: str) -> bool:
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.startswith("cpu") and hasattr(torch.cpu, "get_capabilities"):
        able = torch.cpu.get_capabilities()
        return bool(able.get("amx_bf16") or able.get("avx512_bf16"))
    return False
