"""Layers for feature vectors: linear and bilinear maps, and changes of shape."""

from collections.abc import Sequence
from math import prod, sqrt

from mytorch.device import Array
from mytorch.nn import init
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import linear as ops


class Linear(Module):
    """y = x weight^T + bias: (*, in) -> (*, out). As torch.nn.Linear. weight: (out, in); bias: (out,)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        to_tuple((in_features, out_features), 2, "in_features and out_features")
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        self.weight = init.parameter(init.default_weight(shape, dtype), device, dtype)
        self.bias = init.parameter(init.default_bias(shape, dtype), device, dtype) if bias else None

    def forward(self, input: Array) -> Array:
        """(*, in) -> (*, out)."""
        check_input(self, input, "(*, F)", self.in_features, self.weight.dtype)
        y = ops.linear(input, self.weight.data, None if self.bias is None else self.bias.data)
        self.save_for_backward(input, output=y)
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


class Bilinear(Module):
    """y_k = sum_ij input1_i weight_kij input2_j + bias_k: (*, in1) and (*, in2) -> (*, out). As torch.nn.Bilinear.

    weight: (out, in1, in2); bias: (out,). `backward` returns the gradients at both inputs.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        to_tuple((in1_features, in2_features, out_features), 3, "in1_features, in2_features and out_features", 1)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        shape, bound = (out_features, in1_features, in2_features), 1 / sqrt(in1_features)
        self.weight = init.parameter(init.uniform(shape, bound, dtype), device, dtype)
        self.bias = init.parameter(init.uniform((out_features,), bound, dtype), device, dtype) if bias else None

    def forward(self, input1: Array, input2: Array) -> Array:  # type: ignore[override]
        """(*, in1) and (*, in2) -> (*, out)."""
        check_input(self, input1, "(*, F)", self.in1_features, self.weight.dtype)
        check_input(self, input2, "(*, F)", self.in2_features, self.weight.dtype)
        if input1.shape[:-1] != input2.shape[:-1]:
            raise ValueError(
                f"Bilinear got inputs of shapes {input1.shape} and {input2.shape}: expected the same leading axes"
            )
        y = ops.bilinear(input1, input2, self.weight.data, None if self.bias is None else self.bias.data)
        self.save_for_backward(input1, input2, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """(*, out) -> (*, in1) and (*, in2); accumulates weight.grad and bias.grad."""
        x1, x2 = self.saved(grad)
        self.weight.accumulate(ops.bilinear_weight_grad(grad, x1, x2))
        if self.bias is not None:
            self.bias.accumulate(ops.linear_bias_grad(grad))
        return ops.bilinear_input_grads(grad, x1, x2, self.weight.data)

    def extra_repr(self) -> str:
        """Return the arguments."""
        sizes = f"{self.in1_features}, {self.in2_features}, {self.out_features}"
        return sizes + (", bias=False" if self.bias is None else "")


class Flatten(Module):
    """Merge the axes from start_dim to end_dim, both included, in C order. As torch.nn.Flatten."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1):
        self.start_dim, self.end_dim = int(start_dim), int(end_dim)

    def forward(self, input: Array) -> Array:
        """(N, ...) -> (N, F), or as start_dim and end_dim say. An input without axes becomes (1,)."""
        check_input(self, input, "(*)")
        axes = max(1, input.ndim)
        first, last = (dim + axes if dim < 0 else dim for dim in (self.start_dim, self.end_dim))
        if not 0 <= first <= last < axes:
            raise ValueError(
                f"Flatten got an input of shape {input.shape}: it has no axes from {self.start_dim} to {self.end_dim}; "
                f"build it with start_dim and end_dim from {-axes} to {axes - 1}, the first one first"
            )
        shape = (*input.shape[:first], prod(input.shape[first : last + 1]), *input.shape[last + 1 :])
        y = input.reshape(shape)
        self.save_for_backward(input.shape, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient in the input's shape."""
        (shape,) = self.saved(grad)
        return grad.reshape(shape)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split the axis `dim` into axes of the lengths `unflattened_size`. As torch.nn.Unflatten.

    One of the lengths may be -1; it is computed from the others.
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]):
        self.dim, self.unflattened_size = int(dim), tuple(int(n) for n in unflattened_size)
        if self.unflattened_size.count(-1) > 1 or any(n < -1 for n in self.unflattened_size):
            raise ValueError(
                f"unflattened_size={unflattened_size}: expected lengths of at least 0, one of which may be -1"
            )

    def forward(self, input: Array) -> Array:
        """(..., product of the lengths, ...) -> (..., *lengths, ...)."""
        check_input(self, input, "(*)")
        dim, known = self.dim + input.ndim if self.dim < 0 else self.dim, prod(abs(n) for n in self.unflattened_size)
        length = input.shape[dim] if 0 <= dim < input.ndim else -1
        open_ended = -1 in self.unflattened_size
        if length < 0 or (length % known if open_ended and known else length != known):
            raise ValueError(
                f"Unflatten got an input of shape {input.shape}: its axis {self.dim} cannot be split into "
                f"{self.unflattened_size}; build it with lengths whose product is that of the axis"
            )
        y = input.reshape(*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])
        self.save_for_backward(input.shape, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient in the input's shape."""
        (shape,) = self.saved(grad)
        return grad.reshape(shape)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
