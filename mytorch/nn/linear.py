"""Layers for feature vectors: Linear and Flatten."""

from math import prod

import numpy as np

from mytorch.device import Array
from mytorch.nn import init
from mytorch.nn.module import Module, Parameter
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import linear as ops


class Linear(Module):
    """y = x weight^T + bias: (*, in) -> (*, out). As torch.nn.Linear. weight: (out, in); bias: (out,)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, dtype: type | np.dtype | str = np.float32
    ):
        to_tuple((in_features, out_features), 2, "in_features and out_features", minimum=1)
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        self.weight = Parameter(init.default_weight(shape, dtype))
        self.bias = Parameter(init.default_bias(shape, dtype)) if bias else None

    def forward(self, x: Array) -> Array:
        """(*, in) -> (*, out)."""
        check_input(self, x, "(*, F)", self.in_features, self.weight.dtype)
        y = ops.linear(x, self.weight.data, None if self.bias is None else self.bias.data)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(*, out) -> (*, in); accumulates weight.grad and bias.grad. Returns None if `needs_input_grad` is False."""
        (x,) = self.saved(grad)
        self.weight.accumulate(ops.linear_weight_grad(grad, x))
        if self.bias is not None:
            self.bias.accumulate(ops.linear_bias_grad(grad))
        if not self.needs_input_grad:
            return None  # type: ignore[return-value]
        return ops.linear_input_grad(grad, self.weight.data)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.in_features}, {self.out_features}" + (", bias=False" if self.bias is None else "")


class Flatten(Module):
    """(N, ...) -> (N, product of the rest), in C order. As torch.nn.Flatten."""

    def forward(self, x: Array) -> Array:
        """(N, ...) -> (N, F)."""
        y = check_input(self, x, "(*)").reshape(len(x), prod(x.shape[1:]))
        self.save_for_backward(x.shape, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, F) -> (N, ...)."""
        (shape,) = self.saved(grad)
        return grad.reshape(shape)
