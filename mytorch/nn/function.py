"""Functions of arrays as layers, for `Graph`: powers, bounds, sums, matrix products, and changes of axes."""

from collections.abc import Sequence
from math import pi, sqrt
from typing import Any

import numpy as np

from mytorch.device import Array, device_of, get_array_module, to_device
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.shape import _axes
from mytorch.nn.validate import check_input, check_inputs
from mytorch.ops.broadcast import unbroadcast
from mytorch.ops.special import erf


class Power(Module):
    """x to the power of a number that is not learned. As torch.pow; Power(0.5) is torch.sqrt."""

    def __init__(self, exponent: float):
        self.exponent = float(exponent)

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, x, "(*)")
        y = x * x if self.exponent == 2 else get_array_module(x).power(x, self.exponent).astype(x.dtype, copy=False)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        if self.exponent in (1, 2):
            return grad * (self.exponent * x ** (self.exponent - 1))
        slope = self.exponent * get_array_module(x).power(x, self.exponent - 1)
        return (grad * slope).astype(x.dtype, copy=False)

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"{self.exponent}"


class Exp(Module):
    """The exponential function. As torch.exp."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = get_array_module(x).exp(check_input(self, x, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return grad * y


class Log(Module):
    """The natural logarithm. As torch.log."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = get_array_module(x).log(check_input(self, x, "(*)"))
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        return grad / x


class Abs(Module):
    """The absolute value. As torch.abs: its gradient at 0 is 0."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = get_array_module(x).abs(check_input(self, x, "(*)"))
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        return grad * get_array_module(x).sign(x)


class Erf(Module):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x. As torch.erf."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = erf(check_input(self, x, "(*)"))
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        return grad * get_array_module(x).exp(-x * x) * float(2 / sqrt(pi))


class Clamp(Module):
    """x, but at least `min` and at most `max`; None sets no bound. As torch.clamp: if min > max, it is max."""

    def __init__(self, min: float | None = None, max: float | None = None):
        if min is None and max is None:
            raise ValueError("min=None, max=None: give at least one bound")
        self.min, self.max = (None if bound is None else float(bound) for bound in (min, max))

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y, xp = check_input(self, x, "(*)"), get_array_module(x)
        y = y if self.min is None else xp.maximum(y, x.dtype.type(self.min))
        y = y if self.max is None else xp.minimum(y, x.dtype.type(self.max))
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same: zero where a bound applies."""
        (x,) = self.saved(grad)
        inside = x >= (-np.inf if self.min is None else self.min)
        inside &= x <= (np.inf if self.max is None else self.max)
        return grad * inside

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"min={self.min}, max={self.max}"


class Matmul(Module):
    """The matrix product of two inputs, whose axes before the last two broadcast. As torch.matmul."""

    def forward(self, x: Array, other: Array) -> Array:  # type: ignore[override]
        """(*, M, K) and (*, K, N) -> (*, M, N). A vector (K,) counts as a row on the left, as a column on the right."""
        check_inputs(self, (x, other), minimum=2)
        if not x.ndim or not other.ndim or x.shape[-1] != other.shape[-2 if other.ndim > 1 else 0]:
            raise ValueError(
                f"Matmul got inputs of shapes {x.shape} and {other.shape}: expected (*, M, K) and (*, K, N)"
            )
        y = get_array_module(x).asarray(x @ other)
        self.save_for_backward(x, other, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """Return the gradients at x and other."""
        x, other = self.saved(grad)
        left = x[None] if x.ndim == 1 else x
        right = other[:, None] if other.ndim == 1 else other
        shape = list(grad.shape)
        if other.ndim == 1:
            shape.append(1)
        if x.ndim == 1:
            shape.insert(len(shape) - 1, 1)
        grad = grad.reshape(shape)
        grad_x = unbroadcast(grad @ right.swapaxes(-1, -2), left.shape)
        grad_other = unbroadcast(left.swapaxes(-1, -2) @ grad, right.shape)
        return grad_x.reshape(x.shape), grad_other.reshape(other.shape)


class Flip(Module):
    """The elements along the axes `dims` in reverse order. As torch.flip."""

    def __init__(self, dims: int | Sequence[int]):
        self.dims = (dims,) if isinstance(dims, int) else tuple(dims)

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        axes = _axes(self, self.dims, check_input(self, x, "(*)"), scalar=True)
        y = get_array_module(x).flip(x, axes)
        self.save_for_backward(axes, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (axes,) = self.saved(grad)
        return get_array_module(grad).flip(grad, axes)

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"{self.dims}"


class _OtherShape(Module):
    """Base of the layers that return the same elements in another shape. A subclass defines `_shape`."""

    dim: Any

    def forward(self, x: Array) -> Array:
        """Return an array of another shape, a view if that is possible."""
        y = x.reshape(self._shape(check_input(self, x, "(*)")))
        self.save_for_backward(x.shape, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient in the input's shape."""
        (shape,) = self.saved(grad)
        return grad.reshape(shape)

    def _shape(self, x: Array) -> Size:
        """Return the shape of the output for `x`."""
        raise TypeError(f"{type(self).__name__} has no _shape")

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"dim={self.dim}"


class Squeeze(_OtherShape):
    """Remove the axes `dim` that have the length 1; by default all such axes. As torch.squeeze."""

    def __init__(self, dim: int | Sequence[int] | None = None):
        self.dim = dim if dim is None or isinstance(dim, int) else tuple(dim)

    def _shape(self, x: Array) -> Size:
        axes = range(x.ndim) if self.dim is None else _axes(self, self.dim, x, scalar=True)
        return tuple(length for axis, length in enumerate(x.shape) if axis not in axes or length != 1)


class Unsqueeze(_OtherShape):
    """Insert axes of length 1, which have the numbers `dim` in the output. As torch.unsqueeze, for one or several."""

    def __init__(self, dim: int | Sequence[int]):
        self.dim = dim if isinstance(dim, int) else tuple(dim)

    def _shape(self, x: Array) -> Size:
        given = (self.dim,) if isinstance(self.dim, int) else self.dim
        rank = x.ndim + len(given)
        axes = {axis + rank if axis < 0 else axis for axis in given}
        if len(axes) < len(given) or not all(0 <= axis < rank for axis in axes):
            raise ValueError(
                f"Unsqueeze(dim={self.dim}) got an input of shape {x.shape}: expected axes from {-rank} to {rank - 1}, "
                "each once"
            )
        lengths = iter(x.shape)
        return tuple(1 if axis in axes else next(lengths) for axis in range(rank))


class Expand(Module):
    """Repeat axes of length 1, so that the output has `shape`, where -1 keeps a length. As torch.Tensor.expand."""

    def __init__(self, shape: Sequence[int]):
        self.shape = tuple(shape)

    def forward(self, x: Array) -> Array:
        """Shapes that broadcast against `shape`, to the result of broadcasting both."""
        check_input(self, x, "(*)")
        given = tuple(1 if length == -1 else length for length in self.shape)
        try:
            shape = np.broadcast_shapes(x.shape, given)
        except ValueError as error:
            raise ValueError(
                f"Expand({self.shape}) got an input of shape {x.shape}, which cannot be repeated"
            ) from error
        y = get_array_module(x).broadcast_to(x, shape).copy()
        self.save_for_backward(x.shape, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at x: the sum over what was repeated."""
        (shape,) = self.saved(grad)
        return unbroadcast(grad, shape)

    def extra_repr(self) -> str:
        """Return the argument."""
        return f"{self.shape}"


class IndexSelect(Module):
    """The elements `index`, a list of numbers, along the axis `dim`. As torch.index_select."""

    def __init__(self, dim: int, index: Sequence[int]):
        self.dim, self.index = int(dim), tuple(int(one) for one in index)

    def forward(self, x: Array) -> Array:
        """The axis `dim` gets the length of `index`."""
        (axis,) = _axes(self, self.dim, check_input(self, x, "(*)"))
        length = x.shape[axis]
        if not all(-length <= one < length for one in self.index):
            raise ValueError(f"{self!r} got an input of shape {x.shape}: expected indices below {length}")
        index = [one % length for one in self.index]
        y = x.take(to_device(np.array(index, np.int64), device_of(x)), axis)
        self.save_for_backward(x.shape, axis, index, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at x, zero for elements that were not selected."""
        shape, axis, index = self.saved(grad)
        grad_x = get_array_module(grad).zeros(shape, grad.dtype)
        before = (slice(None),) * axis
        for place, one in enumerate(index):
            grad_x[(*before, one)] += grad[(*before, place)]
        return grad_x

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}, index={list(self.index)}"
