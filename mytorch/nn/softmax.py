"""Softmax layers, along any axis."""

import numpy as np

from mytorch.device import Array
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops import softmax as ops


class _AlongAxis(Module):
    """What they share: the axis `dim`, which is turned to the end and back."""

    def __init__(self, dim: int = -1):
        self.dim = int(dim)

    def turned(self, x: Array) -> Array:
        """`x` with the axis `dim` last, looked over."""
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
        """As PyTorch prints it."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x), divided by its sum along `dim`. As torch.nn.Softmax."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = np.moveaxis(ops.softmax(self.turned(x)), -1, self.dim)
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        back = ops.softmax_grad(np.moveaxis(grad, self.dim, -1), np.moveaxis(y, self.dim, -1))
        return np.moveaxis(back, -1, self.dim)


class LogSoftmax(_AlongAxis):
    """Logarithm of the softmax along `dim`. As torch.nn.LogSoftmax."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        turned = self.turned(x)
        result, kept = ops.log_softmax_with_saved(turned) if is_grad_enabled() else (ops.log_softmax(turned), turned)
        y = np.moveaxis(result, -1, self.dim)
        self.save_for_backward(kept, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (kept,) = self.saved(grad)
        return np.moveaxis(ops.log_softmax_grad(np.moveaxis(grad, self.dim, -1), kept), -1, self.dim)
