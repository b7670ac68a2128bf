"""Weights laid out once for the matrix unit of a CPU, instead of at each product."""

from collections.abc import Callable
from typing import Any

from medrag.extras import require

# The packed copy stands beside the weights: of larger models memory matters more.
_LARGEST = 1 << 30
# Rows of a product that the layout is made for; others are right as well.
_ROWS = 2048
# What torch's own compiler puts in place of a linear layer; not documented, so tried before use.
_PACK = "_reorder_linear_weight"
_MULTIPLY = "_linear_pointwise"


def prepack(module: Any) -> int:
    """Let the linear layers of a model multiply with a packed copy of their weights.

    Only for bfloat16 on a CPU, where oneDNN would otherwise lay the weights out anew, and write the
    bias beforehand, at each call; nothing happens elsewhere, or where this build of torch lacks
    the operation. Results are the same. The model is for inference afterwards: changes of its
    weights have no effect.

    Args:
        module: of torch, at its final place and data type.

    Returns:
        How many layers were packed.
    """
    torch = require("torch")
    layers = [each for each in module.modules() if type(each) is torch.nn.Linear]
    fitting = [
        each
        for each in layers
        if each.weight.device.type == "cpu" and each.weight.dtype == torch.bfloat16
    ]
    size = sum(each.weight.nbytes for each in fitting)
    if not _available(torch) or size > _LARGEST:
        return 0
    products = []
    for layer in fitting:
        try:
            product = _product(torch, layer)
            if not _agrees(torch, layer, product):
                return 0
        except RuntimeError:
            return 0  # A processor, or a shape, that oneDNN has no kernel for.
        products.append(product)
    for layer, product in zip(fitting, products, strict=True):
        layer.forward = product
    return len(products)


def _available(torch: Any) -> bool:
    operations = torch.ops.mkldnn
    return bool(torch.backends.mkldnn.is_available()) and all(
        hasattr(operations, name) for name in (_PACK, _MULTIPLY)
    )


def _product(torch: Any, layer: Any) -> Callable[[Any], Any]:
    pack = getattr(torch.ops.mkldnn, _PACK)
    multiply = getattr(torch.ops.mkldnn, _MULTIPLY)
    with torch.no_grad():
        weight = pack(layer.weight.detach(), _ROWS)
    bias = None if layer.bias is None else layer.bias.detach()

    def product(rows: Any) -> Any:
        return multiply(rows, weight, bias, "none", [], "")

    return product


def _agrees(torch: Any, layer: Any, product: Callable[[Any], Any]) -> bool:
    """Try the packed product on a few rows."""
    rows = torch.linspace(-1, 1, 3 * layer.in_features, dtype=torch.bfloat16).view(3, -1)
    with torch.inference_mode():
        expected = layer(rows).float()
        found = product(rows).float()
    return bool(torch.allclose(found, expected, rtol=0.02, atol=0.02 * float(expected.abs().max())))
