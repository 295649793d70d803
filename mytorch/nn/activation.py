"""Activation layers: one function applied to every element."""

from typing import Any, Literal

import numpy as np

from mytorch.device import Array, device_of, get_array_module, to_device
from mytorch.modes import is_grad_enabled
from mytorch.nn.init import DType, parameter
from mytorch.nn.module import Module, as_array
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import activation as ops
from mytorch.random import default_generator


class ReLU(Module):
    """max(x, 0). As torch.nn.ReLU."""

    def __init__(self, inplace: bool = False):
        self.inplace = bool(inplace)

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        y = ops.relu(check_input(self, input, "(*)"))
        self.save_for_backward(ops.relu_mask(y) if is_grad_enabled() else None, output=y)
        return y

    def forward_internal(self, input: Array) -> Array:
        """As `forward`, for an output that only other layers see: it is saved itself, which takes no extra pass."""
        y = ops.relu(check_input(self, input, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return ops.relu_grad(grad, y)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return "inplace=True" if self.inplace else ""


class LeakyReLU(Module):
    """x if it is positive, otherwise negative_slope * x. As torch.nn.LeakyReLU."""

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False):
        self.negative_slope, self.inplace = float(negative_slope), bool(inplace)

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        y = ops.leaky_relu(check_input(self, input, "(*)"), self.negative_slope)
        self.save_for_backward(input, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (x,) = self.saved(grad)
        return ops.leaky_relu_grad(grad, x, self.negative_slope)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"negative_slope={self.negative_slope}" + (", inplace=True" if self.inplace else "")


class PReLU(Module):
    """x if it is positive, otherwise a learned slope times x (He et al., arXiv 1502.01852). As torch.nn.PReLU.

    weight: (num_parameters,), either 1 for inputs of any shape, or one slope per channel of (N, C, *).
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, device: str | None = None, dtype: DType = None):
        (self.num_parameters,) = to_tuple(num_parameters, 1, "num_parameters", minimum=1)
        self.init = float(init)
        self.weight = parameter(np.full(self.num_parameters, init), device, dtype)

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, input, "(*)", dtype=self.weight.dtype)
        if self.num_parameters > 1 and (input.ndim < 2 or input.shape[1] != self.num_parameters):
            raise ValueError(
                f"PReLU got an input of shape {input.shape}: expected (N, {self.num_parameters}, *), for its "
                f"{self.num_parameters} slopes; give it that many channels, or build it with num_parameters=1"
            )
        y = as_array(ops.prelu(input, self.weight.data))
        self.save_for_backward(input, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same; accumulates weight.grad."""
        (x,) = self.saved(grad)
        self.weight.accumulate(ops.prelu_slope_grad(grad, x, self.num_parameters))
        return as_array(ops.prelu_grad(grad, x, self.weight.data))

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"num_parameters={self.num_parameters}"


class Sigmoid(Module):
    """1 / (1 + exp(-x)). As torch.nn.Sigmoid."""

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        y = ops.sigmoid(check_input(self, input, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return ops.sigmoid_grad(grad, y)


class Tanh(Module):
    """Hyperbolic tangent. As torch.nn.Tanh."""

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        y = ops.tanh(check_input(self, input, "(*)"))
        self.save_for_backward(y, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (y,) = self.saved(grad)
        return ops.tanh_grad(grad, y)


class SiLU(Module):
    """x * sigmoid(x). As torch.nn.SiLU."""

    def __init__(self, inplace: bool = False):
        self.inplace = bool(inplace)

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, input, "(*)")
        y, saved = ops.silu_with_saved(input) if is_grad_enabled() else (ops.silu(input), input)
        self.save_for_backward(saved, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (saved,) = self.saved(grad)
        return ops.silu_grad(grad, saved)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return "inplace=True" if self.inplace else ""


class GELU(Module):
    """x times the standard normal distribution function, or its approximation by tanh. As torch.nn.GELU."""

    def __init__(self, approximate: Literal["none", "tanh"] = "none"):
        if approximate not in ("none", "tanh"):
            raise ValueError(f"approximate={approximate!r}: expected 'none' or 'tanh'")
        self.approximate = approximate

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, input, "(*)")
        if self.approximate == "tanh":
            y, saved = ops.gelu_tanh(input), input
        else:
            y, saved = ops.gelu_with_saved(input) if is_grad_enabled() else (ops.gelu(input), input)
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
    """x itself, as a placeholder for an optional layer. As torch.nn.Identity, which takes any arguments too."""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        self.save_for_backward(output=check_input(self, input, "(*)"))
        return input

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        self.saved(grad)
        return grad


class RReLU(Module):
    """x if it is positive, otherwise a random slope times x (Xu et al., arXiv 1505.00853). As torch.nn.RReLU.

    In training each element's slope is drawn uniformly from lower ... upper; in evaluation it is their mean.
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False):
        if not 0 <= lower <= upper <= 1:
            raise ValueError(f"lower={lower}, upper={upper}: expected 0 <= lower <= upper <= 1")
        self.lower, self.upper, self.inplace = float(lower), float(upper), bool(inplace)

    def forward(self, input: Array) -> Array:
        """Any shape, to the same."""
        check_input(self, input, "(*)")
        slope: Any = (self.lower + self.upper) / 2
        if self.training:
            slopes = default_generator().uniform(self.lower, self.upper, input.shape)
            slope = to_device(slopes.astype(input.dtype), device_of(input))
        factor = get_array_module(input).where(input > 0, input.dtype.type(1), slope).astype(input.dtype, copy=False)
        y = as_array(input * factor)
        self.save_for_backward(factor, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Any shape, to the same."""
        (factor,) = self.saved(grad)
        return as_array(grad * factor)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"lower={self.lower}, upper={self.upper}" + (", inplace=True" if self.inplace else "")


class GLU(Module):
    """The first half along `dim` times the sigmoid of the second half. As torch.nn.GLU.

    Dauphin et al., arXiv 1612.08083.
    """

    def __init__(self, dim: int = -1):
        self.dim = int(dim)

    def forward(self, input: Array) -> Array:
        """The axis `dim`, of even length, becomes half as long."""
        check_input(self, input, "(*)")
        if not -input.ndim <= self.dim < input.ndim or input.shape[self.dim] % 2:
            raise ValueError(
                f"GLU got an input of shape {input.shape}: expected an axis {self.dim} of even length, to halve it"
            )
        value, gate = get_array_module(input).split(input, 2, self.dim)
        gate = ops.sigmoid(gate)
        y = value * gate
        self.save_for_backward(y, gate, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, whose axis `dim` is twice as long."""
        y, gate = self.saved(grad)
        return get_array_module(grad).concatenate([grad * gate, grad * y * (1 - gate)], self.dim)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"dim={self.dim}"
