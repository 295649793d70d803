"""Activation layers: one function applied to every element."""

from typing import Literal

import numpy as np

from mytorch.device import Array
from mytorch.modes import is_grad_enabled
from mytorch.nn.module import Module, Parameter
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import activation as ops


class ReLU(Module):
    """max(x, 0). As torch.nn.ReLU."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = ops.relu(check_input(self, x, "(*)"))
        self.save_for_backward(ops.relu_mask(y) if is_grad_enabled() else None, output=y)
        return y

    def forward_internal(self, x: Array) -> Array:
        """As `forward`, for an output that only other layers see: it is saved itself, which takes no extra pass."""
        y = ops.relu(check_input(self, x, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return ops.relu_grad(grad, y)


class LeakyReLU(Module):
    """x if it is positive, otherwise negative_slope * x. As torch.nn.LeakyReLU."""

    def __init__(self, negative_slope: float = 0.01):
        self.negative_slope = negative_slope

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = ops.leaky_relu(check_input(self, x, "(*)"), self.negative_slope)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        return ops.leaky_relu_grad(grad, x, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"negative_slope={self.negative_slope}"


class PReLU(Module):
    """x if it is positive, otherwise a learned slope times x (He et al., arXiv 1502.01852). As torch.nn.PReLU.

    weight: (num_parameters,), either 1 for inputs of any shape, or one slope per channel of (N, C, *).
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: type | np.dtype | str = np.float32):
        (self.num_parameters,) = to_tuple(num_parameters, 1, "num_parameters", minimum=1)
        self.weight = Parameter(np.full(self.num_parameters, init, dtype))

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, x, "(*)", dtype=self.weight.dtype)
        if self.num_parameters > 1 and (x.ndim < 2 or x.shape[1] != self.num_parameters):
            raise ValueError(
                f"PReLU got an input of shape {x.shape}: expected (N, {self.num_parameters}, *), for its "
                f"{self.num_parameters} slopes; give it that many channels, or build it with num_parameters=1"
            )
        y = ops.prelu(x, self.weight.data)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same; accumulates weight.grad."""
        (x,) = self.saved(grad)
        self.weight.accumulate(ops.prelu_slope_grad(grad, x, self.num_parameters))
        return ops.prelu_grad(grad, x, self.weight.data)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"num_parameters={self.num_parameters}"


class Sigmoid(Module):
    """1 / (1 + exp(-x)). As torch.nn.Sigmoid."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = ops.sigmoid(check_input(self, x, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return ops.sigmoid_grad(grad, y)


class Tanh(Module):
    """Hyperbolic tangent. As torch.nn.Tanh."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        y = ops.tanh(check_input(self, x, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return ops.tanh_grad(grad, y)


class SiLU(Module):
    """x * sigmoid(x). As torch.nn.SiLU."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, x, "(*)")
        y, saved = ops.silu_with_saved(x) if is_grad_enabled() else (ops.silu(x), x)
        self.save_for_backward(saved, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (saved,) = self.saved(grad)
        return ops.silu_grad(grad, saved)


class GELU(Module):
    """x times the standard normal distribution function, or its approximation by tanh. As torch.nn.GELU."""

    def __init__(self, approximate: Literal["none", "tanh"] = "none"):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate={approximate!r}: expected 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, x, "(*)")
        if self.approximate == "tanh":
            y, saved = ops.gelu_tanh(x), x
        else:
            y, saved = ops.gelu_with_saved(x) if is_grad_enabled() else (ops.gelu(x), x)
        self.save_for_backward(saved, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (saved,) = self.saved(grad)
        return ops.gelu_grad(grad, saved) if self.approximate == "none" else ops.gelu_tanh_grad(grad, saved)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"approximate={self.approximate!r}"


class Identity(Module):
    """x itself, as a placeholder for an optional layer. As torch.nn.Identity."""

    def forward(self, x: Array) -> Array:
        """Any shape, to the same."""
        self.save_for_backward(output=check_input(self, x, "(*)"))
        return x

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        self.saved(grad)
        return grad
