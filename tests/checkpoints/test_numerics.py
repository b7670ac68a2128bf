from types import SimpleNamespace

import pytest
import torch

from medrag.checkpoints.numerics import check_dtype, chosen_device, chosen_dtype, numerics_of


def machine(*, amx: bool = False, avx: bool = False, gpu: bool = False) -> SimpleNamespace:
    """A torch of another machine."""
    able = {"amx_bf16": amx, "avx512_bf16": avx}
    return SimpleNamespace(
        cpu=SimpleNamespace(get_capabilities=lambda: able),
        cuda=SimpleNamespace(is_bf16_supported=lambda including_emulation: gpu),
        float32="float32",
        bfloat16="bfloat16",
        float16="float16",
    )


@pytest.mark.parametrize(
    ("has", "device", "chosen"),
    [
        ({"amx": True}, "cpu", "bfloat16"),
        ({"avx": True}, "cpu", "bfloat16"),
        ({}, "cpu", "float32"),
        ({"gpu": True}, "cuda:1", "bfloat16"),
        ({"amx": True}, "cuda", "float32"),
        ({"amx": True, "gpu": True}, "mps", "float32"),
    ],
)
def test_bfloat16_is_chosen_where_the_device_computes_it(
    has: dict[str, bool], device: str, chosen: str
) -> None:
    assert chosen_dtype(machine(**has), "auto", device) == chosen


def test_what_is_asked_for_is_taken() -> None:
    assert chosen_dtype(torch, "float16", "cpu") is torch.float16
    assert chosen_dtype(machine(amx=True), "float32", "cpu") == "float32"
    assert chosen_device("cuda:3") == "cuda:3"
    assert chosen_device(None) == ("cuda" if torch.cuda.is_available() else "cpu")


def test_other_names_are_refused() -> None:
    with pytest.raises(ValueError, match="one of auto, float32, bfloat16, float16, got 'int8'"):
        check_dtype("int8")


def test_numerics_are_those_of_the_weights_that_are_not_whole_numbers() -> None:
    module = torch.nn.Linear(2, 2).to(torch.bfloat16)
    holder = torch.nn.ParameterDict(
        {"a": torch.nn.Parameter(torch.zeros(1, dtype=torch.int8), requires_grad=False)}
    )
    assert numerics_of(torch.nn.ModuleList([holder, module])) == "cpu bfloat16"
