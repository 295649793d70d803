"""Softmax layers, along any axis."""

import numpy as np

from mytorch.device import Array
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops import softmax as ops


class _AlongAxis(Module):
    """Base of the softmax layers: they work along the axis `dim`, which is moved to the end and back.

    dim=None means axis 0 of inputs with 0, 1 or 3 axes and axis 1 of others, as in PyTorch.
    """

    def __init__(self, dim: int | None = None):
        if isinstance(dim, bool | np.bool_) or not isinstance(dim, int | np.integer | None):
            raise TypeError(f"{type(self).__name__} got dim={dim!r}: expected a whole number, or None")
        self.dim = None if dim is None else int(dim)

    def _axis(self, x: Array) -> int:
        """Return the axis, or raise an error if `x` does not have it."""
        check_input(self, x, "(*)")
        dim = self.dim
        if dim is None:
            dim = 0 if x.ndim in (0, 1, 3) else 1
        axes = max(1, x.ndim)
        if not -axes <= dim < axes:
            raise ValueError(
                f"{type(self).__name__} got an input of shape {x.shape}, which has no axis {dim}: "
                f"build it with dim from {-axes} to {axes - 1}"
            )
        return dim

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"dim={self.dim}"


def _to_end(x: Array, axis: int) -> Array:
    """Return `x` with `axis` last, and at least one axis."""
    return x.reshape(1) if not x.ndim else np.moveaxis(x, axis, -1)


def _back(y: Array, axis: int, like: Array) -> Array:
    """Undo `_to_end`."""
    return y.reshape(()) if not like.ndim else np.moveaxis(y, -1, axis)


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along `dim`. As torch.nn.Softmax."""

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        axis = self._axis(input)
        y = _back(ops.softmax(_to_end(input, axis)), axis, input)
        self.save_for_backward(y, axis, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        y, axis = self.saved(grad)
        return _back(ops.softmax_grad(_to_end(grad, axis), _to_end(y, axis)), axis, grad)


class Softmin(Softmax):
    """exp(-x) / sum(exp(-x)) along `dim`. As torch.nn.Softmin."""

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        self._axis(input)
        return super().forward(-input)

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        return -super().backward(grad)


class Softmax2d(Softmax):
    """Softmax over the channels, at each position. As torch.nn.Softmax2d."""

    def __init__(self) -> None:
        super().__init__(-3)

    def forward(self, input: Array) -> Array:
        """(N, C, H, W) or (C, H, W), to the same."""
        check_input(self, input, "(C, H, W)" if getattr(input, "ndim", 4) == 3 else "(N, C, H, W)")
        return super().forward(input)

    def extra_repr(self) -> str:
        """It has no arguments."""
        return ""


class LogSoftmax(_AlongAxis):
    """The logarithm of the softmax along `dim`. As torch.nn.LogSoftmax."""

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        axis = self._axis(input)
        moved = _to_end(input, axis)
        result, saved = ops.log_softmax_with_saved(moved) if is_grad_enabled() else (ops.log_softmax(moved), moved)
        y = _back(result, axis, input)
        self.save_for_backward(saved, axis, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        saved, axis = self.saved(grad)
        return _back(ops.log_softmax_grad(_to_end(grad, axis), saved), axis, grad)
