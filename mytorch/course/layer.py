"""The base of all layers of the course: how a layer is called, how arrays are checked, how parameters are initialized.

The checks are here so that the other files contain little but mathematics.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
InitFn = Callable[..., Array]


class Layer:
    """A function with a gradient: `layer(A)` is `layer.forward(A)`, and `layer.backward(dLdZ)` returns dLdA.

    forward saves what backward needs in attributes. backward sets the gradients of the parameters; it does not add to
    them.
    """

    forward: Callable[..., Any]
    backward: Callable[..., Array]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return `forward(...)`."""
        return self.forward(*args, **kwargs)

    def check(self, X: Any, axes: str = "", fits: int = 1, **sizes: int) -> Array:
        """Return X as an array of floats with these axes: `check(A, "N C W", C=3)` returns an (N, 3, W) array.

        Each axis after the second must be at least as long as a window of `fits`. Without `axes`, any shape is valid.
        Raises TypeError if X does not contain real numbers, ValueError if its shape is not the expected one.
        """
        name = type(self).__name__
        array = np.asarray(X)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"{name} works on an array of real numbers, got {type(X).__name__} of {array.dtype}")
        if array.dtype.kind != "f":
            array = array.astype(np.float64)
        if not axes:
            return array
        wanted = [sizes.get(axis, axis) for axis in axes.split()]
        layout = f"({', '.join(map(str, wanted))})"
        if array.ndim != len(wanted):
            raise ValueError(
                f"{name} expected {len(wanted)} axes, {layout}, got {array.ndim}, {array.shape}: "
                "reshape the input; a single sample is a batch of one, A[None]"
            )
        if any(isinstance(want, int) and want != size for want, size in zip(wanted, array.shape, strict=True)):
            raise ValueError(
                f"{name} expected {layout}, got {array.shape}: "
                "give it an array of that shape, or build the layer for the sizes you have"
            )
        if any(size < fits for size in array.shape[2:]):
            raise ValueError(
                f"{name}: a window of {fits} does not fit an input of {array.shape}, {layout}: "
                "use a smaller kernel, or a larger input, for example padded with zeros"
            )
        return array

    def gradient(self, dLdZ: Any, shape: tuple[int, ...]) -> Array:
        """Return the gradient given to backward as an array of floats. Raises ValueError if its shape is not forward's.

        None means ones: backward then returns the derivative itself.
        """
        array = np.ones(shape) if dLdZ is None else self.check(dLdZ)
        if array.shape != shape:
            raise ValueError(
                f"{type(self).__name__}.backward expected a gradient of {shape}, the shape that forward returned, "
                f"got {array.shape}: hand it dL/dZ of the latest forward"
            )
        return array

    def saved(self, name: str) -> Any:
        """Return what forward saved in the attribute `name`. Raises RuntimeError if there was no forward yet."""
        if not hasattr(self, name):
            raise RuntimeError(
                f"{type(self).__name__}.backward was called before a training forward: "
                "call forward first, so that there is something to differentiate"
            )
        return getattr(self, name)


def as_int(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int. Raises TypeError if it is not a whole number, ValueError if it is below `minimum`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is one whole number for all axes, got {value!r}: write it as an int") from None
    if number < minimum:
        raise ValueError(f"{name} should be {minimum} or more, got {number}")
    return number


def initial_weight(init_fn: InitFn | None, *sizes: int) -> Array:
    """Return `init_fn(*sizes)`, or standard normal numbers from NumPy's global generator if `init_fn` is None."""
    if init_fn is None:
        return np.random.normal(size=sizes)
    return _of_shape(init_fn(*sizes), sizes)


def initial_bias(init_fn: InitFn | None, size: int) -> Array:
    """Return `init_fn(size)`, or zeros if `init_fn` is None."""
    if init_fn is None:
        return np.zeros(size)
    return _of_shape(init_fn(size), (size,))


def _of_shape(values: Any, shape: tuple[int, ...]) -> Array:
    """Return what an initializer returned, as floats of `shape`. Only axes of length one may be added or missing."""
    array = np.asarray(values)
    if [n for n in array.shape if n != 1] != [n for n in shape if n != 1]:
        raise ValueError(f"the initializer was called with {shape} and returned {array.shape}: return that shape")
    return array.reshape(shape) if array.dtype.kind == "f" else array.reshape(shape).astype(np.float64)
