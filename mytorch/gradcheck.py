"""A numerical check that a backward is the derivative of its forward. It needs no other library.

For a layer y = f(x), a random direction v of the input and a random weighting w of the output, calculus says

    <w, f(x + h v) - f(x - h v)> / 2h  =  <backward(w), v>,      up to h^2.

One direction tests all elements at once: a wrong element shows in the sum unless the direction happens to hide it, so
several directions are drawn (as in HIPS autograd's checker). The same holds for every parameter.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, isnan
from typing import Any

import numpy as np

from mytorch.device import Array, device_of, get_array_module, is_cuda, to_device
from mytorch.modes import no_grad
from mytorch.nn.module import Module
from mytorch.random import seeded


class GradientError(AssertionError):
    """A gradient that differs from the numerical one by more than the tolerance."""


def gradcheck(
    layer: Any, *inputs: Array, step: float = 1e-6, tolerance: float = 1e-6, directions: int = 3, seed: int = 0
) -> dict[str, float]:
    """Check `layer.backward` at `inputs` (float64), and return the relative error of each gradient by its name.

    layer: any object with `forward(*inputs)` and `backward(grad)`, where backward returns the gradient at the first
    input: a layer, a network, a loss. Its parameters are found if it is a Module, or by the handout's names: an
    attribute `W` with its gradient in `dLdW`. Random layers such as dropout get the same random numbers in every
    forward, from the library's generator and from NumPy's, and both generators are restored afterwards. Gradients are
    cleared and buffers restored. Avoid points without a derivative (ReLU at zero, ties in max pooling).

    step: h. tolerance: the largest relative error allowed. directions: how many are drawn, from `seed`.

    Raises GradientError, naming the worst gradient, if an error exceeds `tolerance`; TypeError for inputs that are not
    float64.
    """
    came = getattr(inputs[0], "dtype", type(inputs[0]).__name__) if inputs else "no input"
    if came != np.float64:
        raise TypeError(f"gradcheck got {came}: differences need the precision of float64; use x.astype(float)")
    rng = np.random.default_rng(seed)
    errors: dict[str, float] = {}
    for _ in range(directions):
        with _restored(layer):
            for name, error in _errors(layer, inputs, step, rng).items():
                errors[name] = max(error, errors.get(name, 0.0))
    worst = max(errors, key=errors.__getitem__)
    if errors[worst] > tolerance:
        table = "\n".join(f"  {name}: {error:.2e}" for name, error in errors.items())
        raise GradientError(
            f"{type(layer).__name__}: the gradient of {worst} is off by {errors[worst]:.2e}, "
            f"relative to the numerical one (tolerance {tolerance:.0e}):\n{table}"
        )
    return errors


def _errors(layer: Any, inputs: tuple[Array, ...], step: float, rng: np.random.Generator) -> dict[str, float]:
    """Return the relative error of every gradient, in one random direction each."""
    seed = int(rng.integers(2**31))
    x, others = inputs[0].copy(), inputs[1:]

    def forward() -> Any:
        with seeded(seed):
            return layer.forward(x, *others)

    attributes_before = dict(vars(layer))
    y = forward()
    shape = getattr(y, "shape", ())
    weighting = _random(rng, shape, x)
    grad = layer.backward(weighting) if shape else layer.backward()
    weighting = weighting if shape else np.ones(())
    gradients = {"input": (x, grad), **_parameter_gradients(layer, attributes_before)}
    gradients = {
        name: (value, gradient.copy() if is_cuda(gradient) else np.array(gradient))
        for name, (value, gradient) in gradients.items()
    }
    with no_grad():
        return {
            name: _error(lambda: float((weighting * forward()).sum()), value, gradient, step, rng)
            for name, (value, gradient) in gradients.items()
        }


def _error(objective: Callable[[], float], value: Array, grad: Array, step: float, rng: np.random.Generator) -> float:
    """Return the relative error of `grad` at `value` along a random direction. `value` is moved and restored."""
    if grad.shape != value.shape:
        return inf
    direction = _random(rng, value.shape, value)
    if value.dtype != np.float64:
        raise TypeError(f"gradcheck got a parameter of {value.dtype}: differences need the precision of float64")
    original = value.copy()
    value[...] = original + step * direction
    above = objective()
    value[...] = original - step * direction
    below = objective()
    value[...] = original
    numerical, analytical = (above - below) / (2 * step), float((grad * direction).sum())
    error = abs(numerical - analytical) / max(abs(numerical), abs(analytical), 1e-3)
    return inf if isnan(error) else error


def _random(rng: np.random.Generator, shape: tuple[int, ...], like: Array) -> Array:
    """Return standard normal numbers on the device of `like`; they are the same on either device."""
    return to_device(np.asarray(rng.standard_normal(shape)), device_of(like))


def _parameter_gradients(layer: Any, attributes_before: dict[str, Any]) -> dict[str, tuple[Array, Any]]:
    """Return every parameter of `layer` with its gradient.

    attributes_before: those before forward. An array that forward has replaced is something it saves, such as its
    input, and not a parameter, whatever its name.
    """
    if isinstance(layer, Module):
        return {
            name: (parameter.data, _zeros_like(parameter.data) if parameter.grad is None else parameter.grad)
            for name, parameter in layer.named_parameters()
        }
    arrays = {name: value for name, value in vars(layer).items() if isinstance(value, np.ndarray)}
    unchanged = {name: value for name, value in arrays.items() if value is attributes_before.get(name)}
    gradients = {name: getattr(layer, f"dLd{name}", None) for name in unchanged}
    return {name: (arrays[name], gradient) for name, gradient in gradients.items() if gradient is not None}


def _zeros_like(array: Array) -> Array:
    return get_array_module(array).zeros_like(array)


@contextmanager
def _restored(layer: Any) -> Iterator[None]:
    """Clear the gradients before and after the `with` block, and restore buffers such as running statistics."""
    if not isinstance(layer, Module):
        yield
        return
    before = [(buffer, buffer.copy()) for buffer in layer.buffers()]
    layer.zero_grad()
    try:
        yield
    finally:
        layer.zero_grad()
        for buffer, value in before:
            buffer[...] = value
