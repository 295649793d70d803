"""Softmax layers, along any axis."""

import numpy as np

from mytorch.device import Array
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops import softmax as ops


class _AlongAxis(Module):
    """Base of the softmax layers: they work along the axis `dim`, which is moved to the end and back."""

    def __init__(self, dim: int = -1):
        self.dim = int(dim)

    def _move_axis_last(self, x: Array) -> Array:
        """Check `x`, and return it with the axis `dim` last."""
        check_input(self, x, "(*)")
        if not -x.ndim <= self.dim < x.ndim:
            raise ValueError(
                f"{type(self).__name__} got an input of shape {x.shape}, which has no axis {self.dim}: "
                f"build it with dim from {-x.ndim} to {x.ndim - 1}"
            )
        if not x.shape[self.dim]:
            raise ValueError(f"{type(self).__name__} got an input of shape {x.shape}: axis {self.dim} has no elements")
        return np.moveaxis(x, self.dim, -1)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along `dim`. As torch.nn.Softmax."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = np.moveaxis(ops.softmax(self._move_axis_last(x)), -1, self.dim)
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        grad_x = ops.softmax_grad(np.moveaxis(grad, self.dim, -1), np.moveaxis(y, self.dim, -1))
        return np.moveaxis(grad_x, -1, self.dim)


class LogSoftmax(_AlongAxis):
    """The logarithm of the softmax along `dim`. As torch.nn.LogSoftmax."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        moved = self._move_axis_last(x)
        result, saved = ops.log_softmax_with_saved(moved) if is_grad_enabled() else (ops.log_softmax(moved), moved)
        y = np.moveaxis(result, -1, self.dim)
        self.save_for_backward(saved, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (saved,) = self.saved(grad)
        return np.moveaxis(ops.log_softmax_grad(np.moveaxis(grad, self.dim, -1), saved), -1, self.dim)
