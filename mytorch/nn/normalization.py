"""Normalization layers: batch, layer and group normalization."""

from math import prod

import numpy as np

from mytorch.device import Array, is_cuda
from mytorch.geometry import Size
from mytorch.nn.module import Module, Parameter
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import batch_norm as ops
from mytorch.ops.group_norm import MIN_FLOAT32_VALUES, group_norm, group_norm_grad, standardize, standardize_grad
from mytorch.ops.reduce import column_sums


class _BatchNorm(Module):
    """Batch normalization: training uses the batch's statistics, evaluation the running ones.

    weight, bias: (C,), None with affine=False. running_mean, running_var: (C,), exponential averages in which a new
    batch has the weight `momentum`; with momentum=None, plain averages over all batches. running_var is unbiased.
    """

    shape = ""
    running_mean: Array
    running_var: Array
    num_batches_tracked: Array

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        dtype: type | np.dtype | str = np.float32,
    ):
        self.num_features, self.momentum = num_features, momentum
        self.eps = float(eps)  # NumPy's own float64 would turn float32 arrays into float64
        self.weight = Parameter(np.ones(num_features, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_features, dtype)) if affine else None
        self.register_buffer("running_mean", np.zeros(num_features, dtype))
        self.register_buffer("running_var", np.ones(num_features, dtype))
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64))

    def forward(self, x: Array) -> Array:
        """Normalize each channel; the shape stays."""
        return self._forward(x, relu=False)

    def forward_relu(self, x: Array) -> Array:
        """Normalize each channel and apply ReLU in one pass; `backward` then differentiates both."""
        return self._forward(x, relu=True)

    def _forward(self, x: Array, relu: bool) -> Array:
        check_input(self, x, self._shape(x), self.num_features, self.running_mean.dtype)
        if self.training:
            count = x.size // self.num_features
            if count < 2:
                raise ValueError(
                    f"{type(self).__name__} in training got an input of shape {x.shape}, one value per channel: "
                    "its variance is zero; give a larger batch, or call eval() first"
                )
            mean, var = ops.moments(x)
            self._update_running_statistics(mean, var * (count / (count - 1)))
        else:
            mean, var = self.running_mean.copy(), self.running_var.copy()
        weight, bias = (None if parameter is None else parameter.data for parameter in (self.weight, self.bias))
        y = ops.batch_norm(x, mean, var, weight, bias, self.eps, relu)
        self.save_for_backward(x, mean, var, y if relu else None, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        x, mean, var, y = self.saved(grad)
        weight = None if self.weight is None else self.weight.data
        grad_x, grad_weight, grad_bias = ops.batch_norm_grad(grad, x, mean, var, weight, self.eps, self.training, y)
        if self.weight is not None and self.bias is not None:
            self.weight.accumulate(grad_weight)
            self.bias.accumulate(grad_bias)
        return grad_x

    def _update_running_statistics(self, mean: Array, unbiased_var: Array) -> None:
        self.num_batches_tracked += 1
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean += momentum * (mean - self.running_mean)
        self.running_var += momentum * (unbiased_var - self.running_var)

    def _shape(self, x: Array) -> str:
        return self.shape

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L) (Ioffe and Szegedy, arXiv 1502.03167). As torch.nn.BatchNorm1d."""

    def _shape(self, x: Array) -> str:
        return "(N, C, L)" if getattr(x, "ndim", 2) == 3 else "(N, C)"


class BatchNorm2d(_BatchNorm):
    """Batch normalization of (N, C, H, W) (Ioffe and Szegedy, arXiv 1502.03167). As torch.nn.BatchNorm2d."""

    shape = "(N, C, H, W)"


class LayerNorm(Module):
    """Normalize over the last axes, those of `normalized_shape` (Ba et al., arXiv 1607.06450). As torch.nn.LayerNorm.

    weight, bias: of that shape; both None with elementwise_affine=False, the bias alone with bias=False.
    """

    def __init__(
        self,
        normalized_shape: int | Size,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: type | np.dtype | str = np.float32,
    ):
        count = 1 if isinstance(normalized_shape, int | np.integer) else len(normalized_shape)
        self.normalized_shape = to_tuple(normalized_shape, max(1, count), "normalized_shape", minimum=1)
        self.eps = float(eps)
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x: Array) -> Array:
        """(*, *normalized_shape), to the same."""
        check_input(self, x, "(*)", dtype=None if self.weight is None else self.weight.dtype)
        if x.shape[-len(self.normalized_shape) :] != self.normalized_shape:
            wanted = ", ".join(map(str, self.normalized_shape))
            raise ValueError(
                f"LayerNorm got an input of shape {x.shape}: expected (*, {wanted}); "
                "give it that many features, or build the layer for what you have"
            )
        y, _ = standardize(x, self._axes(x), self.eps)
        if self.weight is not None:
            y *= self.weight.data
        if self.bias is not None:
            y += self.bias.data
        y = y.astype(x.dtype, copy=False)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        (x,) = self.saved(grad)
        normalized, deviation = standardize(x, self._axes(x), self.eps)
        if self.bias is not None:
            self.bias.accumulate(self._sum_leading_axes(grad))
        if self.weight is not None:
            self.weight.accumulate(self._sum_leading_axes(grad * normalized))
            grad = grad * self.weight.data
        return standardize_grad(grad, normalized, deviation, self._axes(normalized)).astype(x.dtype, copy=False)

    def _axes(self, x: Array) -> Size:
        return tuple(range(x.ndim - len(self.normalized_shape), x.ndim))

    def _sum_leading_axes(self, terms: Array) -> Array:
        return column_sums(terms.reshape(-1, prod(self.normalized_shape))).reshape(self.normalized_shape)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class GroupNorm(Module):
    """Normalize each group of channels of each image (Wu and He, arXiv 1803.08494). As torch.nn.GroupNorm.

    weight, bias: (C,), None with affine=False.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: type | np.dtype | str = np.float32,
    ):
        to_tuple((num_groups, num_channels), 2, "num_groups and num_channels", minimum=1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups={num_groups} does not divide num_channels={num_channels}: choose a divisor")
        self.num_groups, self.num_channels, self.eps = int(num_groups), int(num_channels), float(eps)
        self.weight = Parameter(np.ones(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype)) if affine else None

    def forward(self, x: Array) -> Array:
        """(N, C, *), to the same."""
        check_input(self, x, "(*)", dtype=None if self.weight is None else self.weight.dtype)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(
                f"GroupNorm got an input of shape {x.shape}: expected (N, {self.num_channels}, *); "
                f"give it {self.num_channels} channels or features, or build the layer for what you have"
            )
        if self._has_large_groups(x):
            weight, bias = (None if parameter is None else parameter.data for parameter in (self.weight, self.bias))
            y, *moments = group_norm(x, self.num_groups, weight, bias, self.eps)
            self.save_for_backward(x, *moments, output=y)
            return y
        normalized, _ = standardize(self._split_groups(x), self._axes(x), self.eps)
        y = normalized.reshape(x.shape)
        if self.weight is not None and self.bias is not None:
            y *= self._broadcast(self.weight.data, x)
            y += self._broadcast(self.bias.data, x)
        y = y.astype(x.dtype, copy=False)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        x, *moments = self.saved(grad)
        if moments:
            mean, deviation = moments
            weight = None if self.weight is None else self.weight.data
            grad_x, grad_weight, grad_bias = group_norm_grad(grad, x, mean, deviation, weight)
            if self.weight is not None and self.bias is not None:
                self.weight.accumulate(grad_weight)
                self.bias.accumulate(grad_bias)
            return grad_x
        normalized, deviation = standardize(self._split_groups(x), self._axes(x), self.eps)
        if self.weight is not None and self.bias is not None:
            self.weight.accumulate(self._sum_per_channel(grad * normalized.reshape(x.shape)))
            self.bias.accumulate(self._sum_per_channel(grad))
            grad = grad * self._broadcast(self.weight.data, grad)
        grad = standardize_grad(self._split_groups(grad), normalized, deviation, self._axes(x))
        return grad.reshape(x.shape).astype(x.dtype, copy=False)

    def _has_large_groups(self, x: Array) -> bool:
        """Return True for NumPy images with enough values per group for the fast method to be as precise."""
        large = x.ndim > 2 and x[:1].size // self.num_groups >= MIN_FLOAT32_VALUES
        return large and x.size > 0 and not is_cuda(x)

    def _split_groups(self, x: Array) -> Array:
        """Return (N, C, *) as (N, G, C / G, *): a view."""
        return x.reshape(len(x), self.num_groups, x.shape[1] // self.num_groups, *x.shape[2:])

    def _axes(self, x: Array) -> Size:
        return tuple(range(2, x.ndim + 1))

    def _broadcast(self, vector: Array, x: Array) -> Array:
        """Return a vector of channels in a shape that broadcasts against `x`."""
        return vector.reshape(-1, *(1,) * (x.ndim - 2))

    def _sum_per_channel(self, terms: Array) -> Array:
        return column_sums(np.moveaxis(terms, 1, -1).reshape(-1, self.num_channels))

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.weight is not None}"
