"""Between PyTorch's tensors and mytorch's arrays: the same numbers in both, and a backward through either."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from tests.conformance.equal import difference

PRECISIONS = {"float64": torch.float64, "float32": torch.float32}


def exact(tensor: torch.Tensor, precision: str) -> torch.Tensor:
    """Return a leaf in float64 with the values that `precision` can hold; other types unchanged."""
    if not tensor.is_floating_point():
        return tensor
    return tensor.detach().to(PRECISIONS[precision]).double().clone().requires_grad_()


def lowered(array: np.ndarray, precision: str) -> np.ndarray:
    """Return a floating array in `precision`, others unchanged."""
    return array.astype(precision) if array.dtype.kind == "f" else array


def short(value: Any) -> str:
    """Return a value in words: a tensor by its dtype and shape."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, list | tuple) and any(isinstance(item, torch.Tensor) for item in value):
        return f"[{', '.join(map(short, value))}]"
    return repr(tuple(value)) if isinstance(value, torch.Size) else repr(value)


def as_tuple(value: Any) -> tuple:
    """Return a tuple of one or several values."""
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def random_gradients(outputs: Sequence[torch.Tensor], seed: int, precision: str) -> list[torch.Tensor]:
    """Go backward from PyTorch's outputs, and return the random gradient at each floating one.

    The list is empty if nothing depends on a tensor that needs a gradient.
    """
    floating = [y for y in outputs if y.is_floating_point()]
    if not any(y.requires_grad for y in floating):
        return []
    draw = np.random.default_rng(seed)
    gradients = [
        torch.tensor(np.asarray(draw.standard_normal(tuple(y.shape)), precision)).to(y.dtype) for y in floating
    ]
    torch.autograd.backward(floating, gradients)
    return gradients


def back_through(layer: Any, outputs: Sequence[Any], gradients: Sequence[torch.Tensor], precision: str) -> tuple:
    """Return what the layer's backward returns for these gradients at its floating outputs, as a tuple."""
    floating = [y for y in outputs if np.asarray(y).dtype.kind == "f"]
    given = []
    for y, gradient in zip(floating, gradients, strict=True):
        array = gradient.numpy().astype(precision)
        given.append(array if hasattr(y, "shape") else float(array))
    return as_tuple(layer.backward(*given))


def gradients_differ(
    layer: Any, gradients: Mapping[str, torch.Tensor | None], back: tuple, wanted: Sequence[Any], precision: str
) -> list[str]:
    """Return how the gradients of a layer differ from PyTorch's.

    gradients: PyTorch's at the parameters, by the layer's names. back: what the layer's backward returned. wanted:
    PyTorch's gradients at the inputs, None for one that has none.
    """
    if len(back) < len(wanted):
        return [f"backward returns {len(back)} gradients, expected {len(wanted)}"]
    problems = []
    for index, (mine, right) in enumerate(zip(back, wanted, strict=False)):
        what = "gradient of input" + (f" {index}" if index else "")
        if right is not None:
            problems.append(_gradient_differs(what, mine, right, precision))
    own = {name: parameter.grad for name, parameter in layer.named_parameters()}
    for name, right in gradients.items():
        if right is not None:
            problems.append(_gradient_differs(f"gradient of {name}", own.get(name), right, precision))
    return [problem for problem in problems if problem]


def named(what: str, problem: str | None) -> str | None:
    """Return a problem with the name of what has it."""
    return f"{what}: {problem}" if problem else None


def _gradient_differs(what: str, mine: Any, right: torch.Tensor, precision: str) -> str | None:
    return f"{what} is missing" if mine is None else named(what, difference(mine, right.numpy(), precision))
