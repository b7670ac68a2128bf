from typing import Any

import pytest
import torch

from medrag.encoding import prepacking
from medrag.encoding.prepacking import prepack


def layers(dtype: torch.dtype) -> torch.nn.Module:
    torch.manual_seed(0)
    parts = [torch.nn.Linear(24, 40), torch.nn.GELU(), torch.nn.Linear(40, 8, bias=False)]
    return torch.nn.Sequential(*parts).to(dtype).eval()


def able() -> bool:
    return bool(
        torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


@pytest.mark.skipif(not able(), reason="oneDNN has no bfloat16 on this processor")
@pytest.mark.parametrize("shape", [(1, 24), (7, 24), (3, 5, 24)])
def test_products_stay_the_same(shape: tuple[int, ...]) -> None:
    rows = torch.randn(shape, dtype=torch.bfloat16)
    plain, packed = layers(torch.bfloat16), layers(torch.bfloat16)
    assert prepack(packed) == 2
    with torch.inference_mode():
        # Sums of 24 and 40 products, in another order at most: a few of the last bits of eight.
        torch.testing.assert_close(packed(rows), plain(rows), rtol=0.02, atol=0.01)


def test_other_data_types_are_left_alone() -> None:
    module = layers(torch.float32)
    assert prepack(module) == 0
    assert "forward" not in vars(module[0])  # type: ignore[index]


def test_a_large_model_keeps_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepacking, "_LARGEST", 2 * (24 * 40 + 40 * 8) - 1)
    assert prepack(layers(torch.bfloat16)) == 0


@pytest.mark.parametrize("fault", [RuntimeError("no kernel"), None])
def test_an_operation_that_fails_or_gives_something_else_is_not_used(
    fault: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def product(library: Any, layer: Any) -> Any:
        if fault is not None:
            raise fault
        return lambda rows: torch.zeros(*rows.shape[:-1], layer.out_features)

    monkeypatch.setattr(prepacking, "_product", product)
    module = layers(torch.bfloat16)
    assert prepack(module) == 0
    assert "forward" not in vars(module[0])  # type: ignore[index]
