"""Activation layers: the same function at every element."""

from mytorch.device import Array
from mytorch.nn.checks import expect
from mytorch.nn.module import Module
from mytorch.ops import activation as ops


class ReLU(Module):
    """max(x, 0). As torch.nn.ReLU."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = ops.relu(expect(self, x, "(*)"))
        self.keep(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.kept(grad)
        return ops.relu_grad(grad, y)


class LeakyReLU(Module):
    """x where it is positive, negative_slope * x elsewhere. As torch.nn.LeakyReLU."""

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = ops.leaky_relu(expect(self, x, "(*)"), self.negative_slope)
        self.keep(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.kept(grad)
        return ops.leaky_relu_grad(grad, x, self.negative_slope)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"negative_slope={self.negative_slope}"
