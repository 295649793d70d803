"""Normalization by the values of one image or one position: layer, group, RMS and local response normalization."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.init import DType, parameter
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops.group_norm import normalize_groups, normalize_groups_grad, standardize, standardize_grad
from mytorch.ops.reduce import column_sums
from mytorch.ops.response_norm import (
    local_response_norm,
    local_response_norm_grad,
    rms_normalize,
    rms_normalize_grad,
)


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
        *,
        device: str | None = None,
        dtype: DType = None,
    ):
        self.normalized_shape = _shape_of(normalized_shape)
        self.eps = float(eps)
        self.weight = parameter(np.ones(self.normalized_shape), device, dtype) if elementwise_affine else None
        self.bias = parameter(np.zeros(self.normalized_shape), device, dtype) if elementwise_affine and bias else None

    def forward(self, input: Array) -> Array:
        """(*, *normalized_shape), to the same."""
        _check_last_axes(self, input, self.normalized_shape)
        y, _ = standardize(input, _last_axes(input, self.normalized_shape), self.eps)
        if self.weight is not None:
            y *= self.weight.data
        if self.bias is not None:
            y += self.bias.data
        y = y.astype(input.dtype, copy=False)
        self.save_for_backward(input, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        (x,) = self.saved(grad)
        axes = _last_axes(x, self.normalized_shape)
        normalized, deviation = standardize(x, axes, self.eps)
        if self.bias is not None:
            self.bias.accumulate(_sum_leading_axes(grad, self.normalized_shape))
        if self.weight is not None:
            self.weight.accumulate(_sum_leading_axes(grad * normalized, self.normalized_shape))
            grad = grad * self.weight.data
        return standardize_grad(grad, normalized, deviation, axes).astype(x.dtype, copy=False)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class GroupNorm(Module):
    """Normalize each group of channels of each image (Wu and He, arXiv 1803.08494). As torch.nn.GroupNorm.

    weight, bias: (C,); both None with affine=False, the bias alone with bias=False.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        device: str | None = None,
        dtype: DType = None,
    ):
        to_tuple((num_groups, num_channels), 2, "num_groups and num_channels", minimum=1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups={num_groups} does not divide num_channels={num_channels}: choose a divisor")
        self.num_groups, self.num_channels, self.eps = int(num_groups), int(num_channels), float(eps)
        self.weight = parameter(np.ones(num_channels), device, dtype) if affine else None
        self.bias = parameter(np.zeros(num_channels), device, dtype) if affine and bias else None

    def forward(self, input: Array) -> Array:
        """(N, C, *), to the same."""
        check_input(self, input, "(*)", dtype=None if self.weight is None else self.weight.dtype)
        if input.ndim < 2 or input.shape[1] != self.num_channels:
            raise ValueError(
                f"GroupNorm got an input of shape {input.shape}: expected (N, {self.num_channels}, *); "
                f"give it {self.num_channels} channels or features, or build the layer for what you have"
            )
        weight, bias = (None if value is None else value.data for value in (self.weight, self.bias))
        y, saved = normalize_groups(input, self.num_groups, weight, bias, self.eps)
        self.save_for_backward(input, *saved, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        x, *saved = self.saved(grad)
        weight = None if self.weight is None else self.weight.data
        grad_x, *grads = normalize_groups_grad(grad, x, saved, self.num_groups, weight, self.eps)
        for value, gradient in zip((self.weight, self.bias), grads, strict=True):
            if value is not None:
                value.accumulate(gradient)
        return grad_x

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.weight is not None}"


class RMSNorm(Module):
    """Divide by the root mean square over the last axes (Zhang and Sennrich, arXiv 1910.07467). As torch.nn.RMSNorm.

    weight: of the shape `normalized_shape`, None with elementwise_affine=False. eps: added to the mean square; None
    means the smallest difference from 1 in the input's dtype.
    """

    def __init__(
        self,
        normalized_shape: int | Size,
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        device: str | None = None,
        dtype: DType = None,
    ):
        self.normalized_shape = _shape_of(normalized_shape)
        self.eps = None if eps is None else float(eps)
        self.weight = parameter(np.ones(self.normalized_shape), device, dtype) if elementwise_affine else None

    def forward(self, x: Array) -> Array:
        """(*, *normalized_shape), to the same."""
        _check_last_axes(self, x, self.normalized_shape)
        y, _ = rms_normalize(x, _last_axes(x, self.normalized_shape), self._eps(x))
        if self.weight is not None:
            y *= self.weight.data
        y = y.astype(x.dtype, copy=False)
        self.save_for_backward(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad."""
        (x,) = self.saved(grad)
        axes = _last_axes(x, self.normalized_shape)
        normalized, scale = rms_normalize(x, axes, self._eps(x))
        if self.weight is not None:
            self.weight.accumulate(_sum_leading_axes(grad * normalized, self.normalized_shape))
            grad = grad * self.weight.data
        return rms_normalize_grad(grad, normalized, scale, axes).astype(x.dtype, copy=False)

    def _eps(self, x: Array) -> float:
        return float(np.finfo(x.dtype).eps) if self.eps is None else self.eps

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class LocalResponseNorm(Module):
    """x / (k + alpha * mean of x^2 over `size` neighboring channels)^beta, as in AlexNet (Krizhevsky et al. 2012).

    As torch.nn.LocalResponseNorm: the mean divides by `size` at the first and last channels too.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        (self.size,) = to_tuple(size, 1, "size", minimum=1)
        self.alpha, self.beta, self.k = float(alpha), float(beta), float(k)

    def forward(self, input: Array) -> Array:
        """(N, C, *), to the same."""
        check_input(self, input, "(*)")
        if input.ndim < 3:
            raise ValueError(
                f"LocalResponseNorm got an input of shape {input.shape}: expected (N, C, *), of 3 axes or more; "
                "insert axes of length 1 with numpy.expand_dims"
            )
        y, base = local_response_norm(input, self.size, self.alpha, self.beta, self.k)
        self.save_for_backward(input, base, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape."""
        x, base = self.saved(grad)
        return local_response_norm_grad(grad, x, base, self.size, self.alpha, self.beta)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _shape_of(normalized_shape: int | Sequence[int]) -> Size:
    """Return the argument `normalized_shape` as a tuple of at least one length."""
    count = 1 if isinstance(normalized_shape, int | np.integer) else len(normalized_shape)
    return to_tuple(normalized_shape, max(1, count), "normalized_shape", minimum=1)


def _check_last_axes(layer: Any, x: Array, shape: Size) -> None:
    """Raise an error if the last axes of `x` are not `shape`, or its dtype is not that of the weight."""
    check_input(layer, x, "(*)", dtype=None if layer.weight is None else layer.weight.dtype)
    if x.shape[-len(shape) :] != shape:
        raise ValueError(
            f"{type(layer).__name__} got an input of shape {x.shape}: expected (*, {', '.join(map(str, shape))}); "
            "give it that many features, or build the layer for what you have"
        )


def _last_axes(x: Array, shape: Size) -> Size:
    return tuple(range(x.ndim - len(shape), x.ndim))


def _sum_leading_axes(terms: Array, shape: Size) -> Array:
    return column_sums(terms.reshape(-1, prod(shape))).reshape(shape)
