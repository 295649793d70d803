"""Is a backward the derivative of its forward? A numerical check that needs no other library.

For a layer y = f(x), a random direction v of the input and a random weighting w of the output, calculus says

    <w, f(x + h v) - f(x - h v)> / 2h  =  <backward(w), v>,      up to h^2.

One direction tests all elements at once: a wrong element shows in the sum unless the direction is unlucky, which a
second draw cures (the way of HIPS autograd's checker). The same holds for every parameter.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf, isnan
from typing import Any

import numpy as np

from mytorch.device import Array, namespace, on_cuda, side, to_device
from mytorch.modes import no_grad
from mytorch.nn.module import Module
from mytorch.random import seeded


class GradientError(AssertionError):
    """A gradient that differs from the numerical one by more than the tolerance."""


def gradcheck(
    layer: Any, *inputs: Array, step: float = 1e-6, tolerance: float = 1e-6, directions: int = 3, seed: int = 0
) -> dict[str, float]:
    """Check `layer.backward` at `inputs` (float64): the relative error of each gradient, by name.

    layer: anything with `forward(*inputs)` and `backward(grad)`, the latter returning the gradient at the first input:
    a layer, a network, a loss. Its parameters are found if it is a Module, or if they keep the handout's names: an
    attribute `W` with its gradient in `dLdW`. Randomness such as dropout's is started anew before every forward, both
    the library's and NumPy's own, and afterwards goes on where it was; gradients are forgotten, buffers put back. Keep
    away from kinks (a ReLU at zero, ties in max pooling): there is no derivative.

    Raises GradientError, naming the worst, where an error exceeds `tolerance`; TypeError for inputs not in float64.
    """
    came = getattr(inputs[0], "dtype", type(inputs[0]).__name__) if inputs else "no input"
    if came != np.float64:
        raise TypeError(f"gradcheck got {came}: differences need the digits of float64; use x.astype(float)")
    rng = np.random.default_rng(seed)
    errors: dict[str, float] = {}
    for _ in range(directions):
        with _unchanged(layer):
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
    """Relative error of every gradient in one random direction each."""
    seed = int(rng.integers(2**31))
    x, others = inputs[0].copy(), inputs[1:]

    def forward() -> Any:
        with seeded(seed):
            return layer.forward(x, *others)

    attributes = dict(vars(layer))
    y = forward()
    shape = getattr(y, "shape", ())
    weighting = _random(rng, shape, x)
    grad = layer.backward(weighting) if shape else layer.backward()
    weighting = weighting if shape else np.ones(())
    subjects = {"input": (x, grad), **_parameters(layer, attributes)}
    subjects = {
        name: (value, gradient.copy() if on_cuda(gradient) else np.array(gradient))
        for name, (value, gradient) in subjects.items()
    }
    with no_grad():
        return {
            name: _error(lambda: float((weighting * forward()).sum()), value, gradient, step, rng)
            for name, (value, gradient) in subjects.items()
        }


def _error(objective: Callable[[], float], value: Array, grad: Array, step: float, rng: np.random.Generator) -> float:
    """Relative error of `grad`, at `value`, along a random direction; `value` is moved to and fro and put back."""
    if grad.shape != value.shape:
        return inf
    direction = _random(rng, value.shape, value)
    if value.dtype != np.float64:
        raise TypeError(f"gradcheck got a parameter of {value.dtype}: differences need the digits of float64")
    original = value.copy()
    value[...] = original + step * direction
    above = objective()
    value[...] = original - step * direction
    below = objective()
    value[...] = original
    numerical, claimed = (above - below) / (2 * step), float((grad * direction).sum())
    error = abs(numerical - claimed) / max(abs(numerical), abs(claimed), 1e-3)
    return inf if isnan(error) else error


def _random(rng: np.random.Generator, shape: tuple[int, ...], like: Array) -> Array:
    """Normal numbers on the side of `like`: the same ones on either."""
    return to_device(np.asarray(rng.standard_normal(shape)), side(like))


def _parameters(layer: Any, attributes: dict[str, Any]) -> dict[str, tuple[Array, Any]]:
    """Every parameter of `layer` with its gradient.

    attributes: those before forward. An array that forward has replaced since is what it remembers, such as its input,
    and no parameter, whatever its name.
    """
    if isinstance(layer, Module):
        return {
            name: (
                parameter.data,
                namespace(parameter.data).zeros_like(parameter.data) if parameter.grad is None else parameter.grad,
            )
            for name, parameter in layer.named_parameters()
        }
    arrays = {name: value for name, value in vars(layer).items() if isinstance(value, np.ndarray)}
    gradients = {name: getattr(layer, f"dLd{name}", None) for name in arrays if arrays[name] is attributes.get(name)}
    return {name: (arrays[name], gradient) for name, gradient in gradients.items() if gradient is not None}


@contextmanager
def _unchanged(layer: Any) -> Iterator[None]:
    """Gradients are forgotten before and after; buffers, such as running statistics, are put back."""
    if not isinstance(layer, Module):
        yield
        return
    buffers = [getattr(module, name) for _, module in layer.named_modules() for name in module.buffers]
    before = [(buffer, buffer.copy()) for buffer in buffers if buffer is not None]
    layer.zero_grad()
    try:
        yield
    finally:
        layer.zero_grad()
        for buffer, value in before:
            buffer[...] = value
