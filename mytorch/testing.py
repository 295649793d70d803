"""Comparing a layer with PyTorch's: the first element that differs, and what the pattern of differences looks like."""

import sys
from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np

from mytorch.device import to_device
from mytorch.nn.module import Module
from mytorch.random import seeded

HANDOUT_NAMES = {"weight": "W", "bias": "b"}
"""PyTorch's names of parameters, and those that a plain class in the handout's style has."""


class DifferenceError(AssertionError):
    """An output or a gradient that differs from PyTorch's."""


def compare(
    layer: Any, torch_layer: Any, *inputs: Any, rtol: float | None = None, seed: int = 0, copy_weights: bool = True
) -> dict[str, float]:
    """Compare a layer's output and gradients with those of a PyTorch module, and return the relative errors by name.

    layer: a Module of mytorch, or any object with `forward(*inputs)` and `backward(grad)`. Its parameters have
    PyTorch's names, or the handout's: `W` and `b`, with gradients in `dLdW` and `dLdb`. inputs: NumPy arrays; the input
    gradient is that of the first. rtol: the largest difference allowed, relative to the largest value of PyTorch's
    array (default: 1e-9 for float64 and 1e-4 for float32). seed: draws the gradient at the output. copy_weights: first
    copy PyTorch's parameters and buffers into the layer.

    Raises DifferenceError that lists every array that differs: its first wrong element, both values, and what the
    pattern of differences looks like. Raises ValueError if the weights cannot be copied.
    """
    if not inputs:
        raise ValueError("compare got no inputs: give it the arrays that forward takes")
    x = np.asarray(inputs[0])
    rtol = (1e-9 if x.dtype == np.float64 else 1e-4) if rtol is None else rtol
    if copy_weights:
        _copy_weights(layer, torch_layer)
    expected, output = _run_torch(torch_layer, inputs, seed)
    found = _run_layer(layer, inputs, output, seed, expected)
    errors, problems = {}, []
    for name, right in expected.items():
        got = found.get(name)
        if got is None:
            problems.append(f"{name}: missing; expected an array of shape {right.shape}")
            continue
        errors[name] = relative_error(got, right)
        if not errors[name] <= rtol:
            problems.append(f"{name}: {describe(got, right, len(x), _biases(torch_layer))}")
    if problems:
        raise DifferenceError(
            f"{type(layer).__name__} differs from {type(torch_layer).__name__}:\n  " + "\n  ".join(problems)
        )
    return errors


def relative_error(got: np.ndarray, right: np.ndarray) -> float:
    """Return the largest difference over the largest value of `right`; infinity for other shapes or other NaNs."""
    if got.shape != right.shape:
        return float("inf")
    if not right.size:
        return 0.0
    difference = np.where(np.isnan(got) & np.isnan(right), 0, np.abs(got - right))
    largest = float(np.nanmax(np.abs(right), initial=0)) or 1.0
    worst = float(difference.max())
    return float("inf") if np.isnan(worst) else worst / largest


def describe(got: np.ndarray, right: np.ndarray, batch: int = 1, biases: Mapping[str, np.ndarray] | None = None) -> str:
    """Return the first element of `got` that differs from `right`, both values, and what the pattern looks like.

    batch: the number of samples, by which a mean is divided. biases: vectors that may be missing in an output.
    """
    patterns = list(_patterns(got, right, batch, biases or {}))
    if got.shape != right.shape:
        first = f"shape {got.shape}, expected {right.shape}"
    else:
        wrong = ~np.isclose(
            got, right, rtol=1e-5, atol=1e-7 * float(np.nanmax(np.abs(right), initial=0)), equal_nan=True
        )
        if not wrong.any():
            wrong = got != right
        index = tuple(map(int, np.argwhere(wrong)[0]))
        first = (
            f"first difference at {list(index)}: {got[index]:.8g}, expected {right[index]:.8g} "
            f"({int(wrong.sum()):,} of {wrong.size:,} elements differ)"
        )
    return first + (f"; it looks like {patterns[0]}" if patterns else "")


def _patterns(got: np.ndarray, right: np.ndarray, batch: int, biases: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Yield what the difference looks like, most specific first."""
    if got.shape != right.shape:
        yield from _shape_patterns(got, right, batch)
        return
    if np.isnan(got).any() and not np.isnan(right).any():
        yield f"NaN in {int(np.isnan(got).sum()):,} elements: a division by zero, or a logarithm of zero"
        return
    if not got.any():
        yield "zeros: it is never computed, or reset afterwards"
        return
    yield from _scale_patterns(got, right, batch)
    yield from _moved_patterns(got, right)
    for name, bias in biases.items():
        if right.ndim > 1 and right.shape[1] == len(bias):
            shaped = bias.reshape(-1, *(1,) * (right.ndim - 2))
            if _alike(got + shaped, right):
                yield f"a missing {name}"
            elif _alike(got - shaped, right):
                yield f"a {name} that is added twice"
    offset = got - right
    if np.ptp(offset) <= 1e-6 * np.abs(offset).max() and np.abs(offset).max() > 0:
        yield f"the right values plus {offset.flat[0]:.6g} everywhere"
    yield from _region_patterns(got, right)


def _shape_patterns(got: np.ndarray, right: np.ndarray, batch: int) -> Iterator[str]:
    if got.size == right.size and _alike(got.reshape(right.shape), right):
        yield "the right values in another shape: reshape them"
    elif sorted(got.shape) == sorted(right.shape):
        order = next((axes for axes in permutations(range(got.ndim)) if _alike(got.transpose(axes), right)), None)
        yield f"the right values transposed: use .transpose{order}" if order else "a transposed shape"
    elif got.shape == (batch, *right.shape) and _alike(got.sum(0), right):
        yield "a missing sum over the batch"
    elif got.ndim == right.ndim and all(abs(a - b) <= 2 for a, b in zip(got.shape, right.shape, strict=True)):
        yield "an output size that is off by one or two: check padding, stride and the last window"


def _scale_patterns(got: np.ndarray, right: np.ndarray, batch: int) -> Iterator[str]:
    factor = float((got * right).sum() / max(float((right * right).sum()), 1e-300))
    if factor == 0 or abs(factor - 1) < 1e-7 or not _alike(got, factor * right):
        return
    names = {-1.0: "the wrong sign", 2.0: "twice the right values: added twice, or accumulated without a reset"}
    if batch > 1:
        names |= {
            float(batch): f"a missing division by the batch size {batch}",
            1 / batch: f"a division by the batch size {batch} too many",
        }
    known = next((text for value, text in names.items() if abs(factor / value - 1) < 1e-5), None)
    positions = int(np.prod(right.shape[2:])) if right.ndim > 2 else 1
    if known is None and positions > 1 and abs(factor / positions - 1) < 1e-5:
        known = f"a missing division by the {positions} positions"
    yield known or f"the right values times {factor:.6g}"


def _moved_patterns(got: np.ndarray, right: np.ndarray) -> Iterator[str]:
    axes = [axis for axis in range(right.ndim) if right.shape[axis] > 1]
    for axis in axes:
        if _alike(np.flip(got, axis), right):
            yield f"the right values flipped along axis {axis}"
    if len(axes) > 1 and _alike(np.flip(got, tuple(axes[-2:])), right):
        yield f"the right values flipped along axes {axes[-2]} and {axes[-1]}: the kernel is turned, or not turned"
    for one, other in ((a, b) for a in axes for b in axes if a < b and right.shape[a] == right.shape[b]):
        if _alike(np.swapaxes(got, one, other), right):
            yield f"the right values with axes {one} and {other} exchanged"
    for axis in axes:
        head = tuple(slice(None) if a != axis else slice(0, -1) for a in range(right.ndim))
        tail = tuple(slice(None) if a != axis else slice(1, None) for a in range(right.ndim))
        for mine, theirs in ((head, tail), (tail, head)):
            if right.shape[axis] > 2 and _alike(got[mine], right[theirs]):
                yield f"the right values shifted by one along axis {axis}"


def _region_patterns(got: np.ndarray, right: np.ndarray) -> Iterator[str]:
    wrong = ~np.isclose(got, right, rtol=1e-5, atol=1e-7 * float(np.abs(right).max()))
    if right.ndim > 2:
        inner = (slice(None), slice(None), *(slice(1, -1) for _ in right.shape[2:]))
        if wrong.any() and wrong[inner].size and not wrong[inner].any():
            yield "a wrong border: check the padding"
            return
    for axis, what in ((0, "samples"), (1, "channels")):
        if axis < right.ndim and right.shape[axis] > 1:
            bad = np.flatnonzero(wrong.any(axis=tuple(a for a in range(right.ndim) if a != axis)))
            if 0 < len(bad) < right.shape[axis]:
                yield f"a mistake in {what} {bad.tolist()[:8]} only"
                return
    if not np.allclose(got, right, rtol=1e-2) or not wrong.any():
        return
    yield "a loss of precision: check for float32 in the middle of float64"


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(
        np.allclose(a, b, rtol=1e-5, atol=1e-7 * max(float(np.abs(b).max(initial=0)), 1e-300))
    )


def _run_torch(torch_layer: Any, inputs: tuple[Any, ...], seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return PyTorch's output and gradients by name, and the gradient at the output that they belong to."""
    torch = sys.modules["torch"]  # loaded by the caller, who has one of its modules: mytorch itself does not need it
    tensors = [torch.tensor(np.ascontiguousarray(value)) for value in inputs]
    tensors[0].requires_grad_(tensors[0].is_floating_point())
    torch_layer.zero_grad()
    with seeded(seed):
        y = torch_layer(*tensors)
    grad = np.random.default_rng(seed).standard_normal(tuple(y.shape)).astype(np.asarray(inputs[0]).dtype)
    y.backward(torch.tensor(grad) if y.ndim else None)
    found = {"output": y.detach().numpy()}
    if tensors[0].grad is not None:
        found["gradient of input"] = tensors[0].grad.numpy()
    for name, parameter in torch_layer.named_parameters():
        if parameter.grad is not None:
            found[f"gradient of {name}"] = parameter.grad.numpy()
    return found, grad


def _run_layer(
    layer: Any, inputs: tuple[Any, ...], grad: np.ndarray, seed: int, expected: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return the layer's output and gradients by the names in `expected`."""
    if isinstance(layer, Module):
        layer.zero_grad()
    with seeded(seed):
        y = layer.forward(*(np.array(value) for value in inputs))
    found = {"output": np.asarray(to_device(y, "cpu"))}
    if found["output"].shape != expected["output"].shape:
        return found  # backward would only fail in another way
    back = layer.backward(grad) if grad.ndim else layer.backward()
    if back is not None:
        found["gradient of input"] = np.asarray(to_device(back, "cpu"))
    if isinstance(layer, Module):
        gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    else:
        gradients = {name: getattr(layer, f"dLd{ours}", None) for name, ours in HANDOUT_NAMES.items()}
    for name, gradient in gradients.items():
        if gradient is not None:
            value = np.asarray(to_device(gradient, "cpu"))
            right = expected.get(f"gradient of {name}")
            is_handout_bias = right is not None and right.ndim == 1 and value.shape == (len(right), 1)
            found[f"gradient of {name}"] = value[:, 0] if is_handout_bias else value
    return found


def _copy_weights(layer: Any, torch_layer: Any) -> None:
    state = {name: value.detach().numpy() for name, value in torch_layer.state_dict().items()}
    if isinstance(layer, Module):
        own = layer.state_dict()
        layer.load_state_dict({name: value for name, value in state.items() if name in own or not _is_counter(name)})
        return
    for name, value in state.items():
        ours = HANDOUT_NAMES.get(name)
        mine = getattr(layer, ours, None) if ours else None
        if mine is None or getattr(mine, "size", -1) != value.size:
            raise ValueError(
                f"{type(layer).__name__} has no parameter for PyTorch's {name} of shape {value.shape}: give it "
                "PyTorch's names, or W and b as in the handout, or set the weights yourself and pass copy_weights=False"
            )
        setattr(layer, str(ours), value.reshape(mine.shape).astype(mine.dtype))


def _is_counter(name: str) -> bool:
    """Return True for a buffer that only counts batches, which a layer may leave out."""
    return name.rpartition(".")[2] == "num_batches_tracked"


def _biases(torch_layer: Any) -> dict[str, np.ndarray]:
    return {
        name: value.detach().numpy()
        for name, value in torch_layer.named_parameters()
        if name.rpartition(".")[2] == "bias" and value.ndim == 1
    }
