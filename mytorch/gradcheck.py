"""A numerical check that a backward is the derivative of its forward. It needs no other library.

For a layer y = f(x), a random direction v of the input and a random weighting w of the output, calculus says

    <w, f(x + h v) - f(x - h v)> / 2h  =  <backward(w), v>,      up to h^2.

One direction tests all elements at once: a wrong element shows in the sum unless the direction happens to hide it, so
several directions are drawn (as in HIPS autograd's checker). The same holds for every parameter. The elements of a
wrong gradient are compared one by one to show the worst.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from math import inf, isnan
from typing import Any

import numpy as np

from mytorch.device import Array, device_of, get_array_module, to_device
from mytorch.modes import no_grad
from mytorch.nn.module import Module
from mytorch.random import seeded

MAX_COMPARED_ELEMENTS = 300
"""How many elements of a wrong gradient are compared one by one. Each takes two forwards."""


class GradientError(AssertionError):
    """A gradient that is missing, has a wrong shape, or differs from the numerical one by more than the tolerance."""


def gradcheck(
    layer: Any, *inputs: Array, step: float = 1e-6, tolerance: float = 1e-6, directions: int = 3, seed: int = 0
) -> dict[str, float]:
    """Check `layer.backward` at `inputs` (float64), and return the relative error of each gradient by its name.

    layer: any object with `forward(*inputs)` and `backward(grad)`, where backward returns the gradient at the first
    input, or a tuple of those at the first inputs: a layer, a network, a loss. Its parameters are found if it is a
    Module, or by the handout's names: an attribute `W` with its gradient in `dLdW`. Random layers such as dropout get
    the same random numbers in every forward, from the library's generator and from NumPy's, and both generators are
    restored afterwards. Gradients are reset before each backward, so they may accumulate; buffers are restored. Avoid
    points without a derivative (ReLU at zero, ties in max pooling).

    step: h. tolerance: the largest relative error allowed. directions: how many are drawn, from `seed`.

    Raises GradientError, naming the gradient and its worst element, if an error exceeds `tolerance`, if a gradient has
    another shape than its array, or if an array that the output depends on has no gradient; TypeError for inputs that
    are not float64.
    """
    came = getattr(inputs[0], "dtype", type(inputs[0]).__name__) if inputs else "no input"
    if came != np.float64:
        raise TypeError(
            f"gradcheck got {came}: differences need the precision of float64; "
            "convert the input with x.astype(float), and the layer with layer.to('float64')"
        )
    if directions < 1:
        raise ValueError(f"directions={directions}: expected at least 1")
    rng = np.random.default_rng(seed)
    errors: dict[str, float] = {}
    worst_element: dict[str, str] = {}
    for _ in range(directions):
        with _restored(layer):
            check = _Check(layer, inputs, step, rng)
            for name, error in check.errors().items():
                if error > errors.get(name, -1.0):
                    errors[name] = error
                    if error > tolerance:
                        worst_element[name] = check.worst_element(name)
    worst = max(errors, key=errors.__getitem__)
    if errors[worst] > tolerance:
        table = "\n".join(f"  {name}: {error:.2e}" for name, error in errors.items())
        raise GradientError(
            f"{type(layer).__name__}: the gradient of {worst} is off by {errors[worst]:.2e}, "
            f"relative to the numerical one (tolerance {tolerance:.0e})\n{worst_element[worst]}\n{table}"
        )
    return errors


class _Check:
    """One forward and backward with a random weighting of the output, and the numerical gradients at the same point."""

    def __init__(self, layer: Any, inputs: tuple[Array, ...], step: float, rng: np.random.Generator):
        self.layer, self.step, self.rng = layer, step, rng
        self.seed = int(rng.integers(2**31))
        self.x, self.others = inputs[0].copy(), tuple(map(_copied, inputs[1:]))
        attributes_before = dict(vars(layer))
        y = self._forward()
        shape = getattr(y, "shape", ())
        self.weighting = _random(rng, shape, self.x) if shape else np.ones(())
        grad = layer.backward(self.weighting) if shape else layer.backward()
        if grad is None:
            raise GradientError(f"{type(layer).__name__}.backward returned None: return the gradient at the input")
        at_inputs = grad if isinstance(grad, tuple) else (grad,)
        gradients = {"input": (self.x, at_inputs[0]), **self._parameter_gradients(attributes_before)}
        for number, pair in enumerate(zip(self.others, at_inputs[1:], strict=False), start=2):
            gradients[f"input {number}"] = pair
        self.gradients = {name: (value, self._checked(name, value, grad)) for name, (value, grad) in gradients.items()}

    def errors(self) -> dict[str, float]:
        """Return the relative error of every gradient, in one random direction each."""
        with no_grad():
            return {name: self._error(*gradient) for name, gradient in self.gradients.items()}

    def worst_element(self, name: str) -> str:
        """Describe the element that differs most from the numerical gradient, of a sample if there are many."""
        value, grad = self.gradients[name]
        count = min(value.size, MAX_COMPARED_ELEMENTS)
        chosen = np.sort(np.random.default_rng(0).choice(value.size, count, replace=False))
        found: tuple[float, tuple[int, ...], float, float] = (-1.0, (), 0.0, 0.0)
        with no_grad():
            for index in (tuple(map(int, np.unravel_index(flat, value.shape))) for flat in chosen):
                numerical, analytical = self._central_difference(value, index), float(grad[index])
                difference = abs(numerical - analytical)
                found = max(found, (inf if isnan(difference) else difference, index, analytical, numerical))
        _, index, analytical, numerical = found
        which = "worst element" if count == value.size else f"worst of {count} elements compared"
        return f"  {which} {list(index)}: backward gives {analytical:.6g}, the numerical gradient is {numerical:.6g}"

    def _forward(self) -> Any:
        with seeded(self.seed):
            return self.layer.forward(self.x, *self.others)

    def _objective(self) -> float:
        return float((self.weighting * self._forward()).sum())

    def _central_difference(self, value: Array, index: tuple[int, ...]) -> float:
        original = value[index].copy()
        value[index] = original + self.step
        above = self._objective()
        value[index] = original - self.step
        below = self._objective()
        value[index] = original
        return (above - below) / (2 * self.step)

    def _error(self, value: Array, grad: Array) -> float:
        """Return the relative error of `grad` at `value` along a random direction. `value` is moved and restored."""
        direction = _random(self.rng, value.shape, value)
        original = value.copy()
        value[...] = original + self.step * direction
        above = self._objective()
        value[...] = original - self.step * direction
        below = self._objective()
        value[...] = original
        numerical, analytical = (above - below) / (2 * self.step), float((grad * direction).sum())
        error = abs(numerical - analytical) / max(abs(numerical), abs(analytical), 1e-3)
        return inf if isnan(error) else error

    def _checked(self, name: str, value: Array, grad: Any) -> Array:
        """Return a copy of a gradient. Raises GradientError for another shape than the array's."""
        kind = type(self.layer).__name__
        if value.dtype != np.float64:
            raise TypeError(f"gradcheck got a parameter of {value.dtype}: differences need the precision of float64")
        if getattr(grad, "dtype", None) is None or grad.dtype.kind != "f":
            raise GradientError(f"{kind}: the gradient of {name} is {grad!r}: expected an array of shape {value.shape}")
        if grad.shape != value.shape:
            raise GradientError(f"{kind}: the gradient of {name} has the shape {grad.shape}: expected {value.shape}")
        return get_array_module(value).array(grad)

    def _parameter_gradients(self, attributes_before: dict[str, Any]) -> dict[str, tuple[Array, Any]]:
        """Return every parameter of the layer with its gradient.

        attributes_before: those before forward. An array that forward has replaced is something it saves, such as its
        input, and not a parameter, whatever its name.

        Raises GradientError if an array that the output depends on has no gradient.
        """
        layer = self.layer
        if isinstance(layer, Module):
            parameters = dict(layer.named_parameters())
            for name, parameter in parameters.items():
                if parameter.grad is None and self._depends_on(parameter.data):
                    raise GradientError(
                        f"{type(layer).__name__}: backward gave {name} no gradient, but the output depends on it: "
                        f"call self.{name.rpartition('.')[2]}.accumulate(...) in backward"
                    )
            return {name: (p.data, p.grad) for name, p in parameters.items() if p.grad is not None}
        after = vars(layer)
        found = {}
        for name, value in after.items():
            is_saved = value is not attributes_before.get(name)
            if is_saved or not isinstance(value, np.ndarray) or name.startswith(("dLd", "running_")):
                continue
            if (gradient := after.get(f"dLd{name}")) is not None:
                found[name] = (value, gradient)
            elif value.dtype.kind == "f" and self._depends_on(value):
                raise GradientError(
                    f"{type(layer).__name__}: backward gave {name} no gradient, but the output depends on it: "
                    f"set self.dLd{name}{_similar(f'dLd{name}', after)}"
                )
        return found

    def _depends_on(self, value: Array) -> bool:
        """Return True if another value of this array changes the output."""
        original = value.copy()
        with no_grad():
            before = self._objective()
            value[...] = original + (1e-3 * _random(self.rng, value.shape, value)).astype(value.dtype)
            after = self._objective()
            value[...] = original
        return abs(before - after) > 1e-9 * (abs(before) + 1)


def _similar(name: str, attributes: dict[str, Any]) -> str:
    """Return a remark on attributes that may be meant as `name`, or nothing."""
    others = [other for other in attributes if other != name and other.lower().startswith(("dl", "d", "grad"))]
    close = get_close_matches(name, others, n=1, cutoff=0.5)
    return f"; there is self.{close[0]}: is it meant?" if close else ""


def _copied(value: Any) -> Any:
    """Return a copy of an array, which may be moved, and anything else as it is."""
    return value.copy() if hasattr(value, "dtype") else value


def _random(rng: np.random.Generator, shape: tuple[int, ...], like: Array) -> Array:
    """Return standard normal numbers on the device of `like`; they are the same on either device."""
    return to_device(np.asarray(rng.standard_normal(shape)), device_of(like))


@contextmanager
def _restored(layer: Any) -> Iterator[None]:
    """Reset the gradients before and after the `with` block, and restore buffers such as running statistics."""
    if not isinstance(layer, Module):
        for name, value in vars(layer).items():
            if name.startswith("dLd") and isinstance(value, np.ndarray) and value.dtype.kind == "f":
                value[...] = 0  # a backward may accumulate
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
