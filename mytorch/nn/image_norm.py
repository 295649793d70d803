"""Normalisation within each image: no batch, so training and evaluation do the same."""

from math import prod

import numpy as np

from mytorch.device import Array, on_cuda
from mytorch.geometry import Size
from mytorch.nn.checks import expect, numbers
from mytorch.nn.module import Module, Parameter
from mytorch.ops import standardise as ops
from mytorch.ops.group_norm import group_norm, group_norm_grad
from mytorch.ops.sums import column_sums


class LayerNorm(Module):
    """Normalise over the last axes, those of `normalized_shape` (Ba et al., arXiv 1607.06450). As torch.nn.LayerNorm.

    weight, bias: of that shape; absent with elementwise_affine=False, bias alone with bias=False.
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
        self.normalized_shape = numbers(normalized_shape, max(1, count), "normalized_shape", least=1)
        self.eps = float(eps)
        self.weight = Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None
        self.bias = Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None

    def forward(self, x: Array) -> Array:
        """(*, *normalized_shape), to the same."""
        expect(self, x, "(*)", dtype=None if self.weight is None else self.weight.dtype)
        if x.shape[-len(self.normalized_shape) :] != self.normalized_shape:
            wanted = ", ".join(map(str, self.normalized_shape))
            raise ValueError(
                f"LayerNorm got an input of shape {x.shape}: expected (*, {wanted}); "
                "give it that many features, or build the layer for what you have"
            )
        y, _ = ops.standardise(x, self._axes(x), self.eps)
        if self.weight is not None:
            y *= self.weight.data
        if self.bias is not None:
            y += self.bias.data
        y = y.astype(x.dtype, copy=False)
        self.keep(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The shape stays; accumulates weight.grad and bias.grad."""
        (x,) = self.kept(grad)
        unit, deviation = ops.standardise(x, self._axes(x), self.eps)
        if self.bias is not None:
            self.bias.accumulate(self._summed(grad))
        if self.weight is not None:
            self.weight.accumulate(self._summed(grad * unit))
            grad = grad * self.weight.data
        return ops.standardise_grad(grad, unit, deviation, self._axes(unit)).astype(x.dtype, copy=False)

    def _axes(self, x: Array) -> Size:
        return tuple(range(x.ndim - len(self.normalized_shape), x.ndim))

    def _summed(self, terms: Array) -> Array:
        """Terms added up over all but the normalised axes."""
        return column_sums(terms.reshape(-1, prod(self.normalized_shape))).reshape(self.normalized_shape)

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.weight is not None}"


class GroupNorm(Module):
    """Normalise each group of channels of each image (Wu and He, arXiv 1803.08494). As torch.nn.GroupNorm.

    weight, bias: (C,), absent with affine=False.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        dtype: type | np.dtype | str = np.float32,
    ):
        numbers((num_groups, num_channels), 2, "num_groups and num_channels", least=1)
        if num_channels % num_groups:
            raise ValueError(f"num_groups={num_groups} does not divide num_channels={num_channels}: choose a divisor")
        self.num_groups, self.num_channels, self.eps = int(num_groups), int(num_channels), float(eps)
        self.weight = Parameter(np.ones(num_channels, dtype)) if affine else None
        self.bias = Parameter(np.zeros(num_channels, dtype)) if affine else None

    def forward(self, x: Array) -> Array:
        """(N, C, *), to the same."""
        expect(self, x, "(*)", dtype=None if self.weight is None else self.weight.dtype)
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            raise ValueError(
                f"GroupNorm got an input of shape {x.shape}: expected (N, {self.num_channels}, *); "
                f"give it {self.num_channels} channels or features, or build the layer for what you have"
            )
        if self._large(x):
            weight, bias = (None if p is None else p.data for p in (self.weight, self.bias))
            y, *moments = group_norm(x, self.num_groups, weight, bias, self.eps)
            self.keep(x, *moments, output=y)
            return y
        grouped, _ = ops.standardise(self._grouped(x), self._axes(x), self.eps)
        y = grouped.reshape(x.shape)
        if self.weight is not None and self.bias is not None:
            y *= self._channelwise(self.weight.data, x)
            y += self._channelwise(self.bias.data, x)
        y = y.astype(x.dtype, copy=False)
        self.keep(x, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The shape stays; accumulates weight.grad and bias.grad."""
        x, *moments = self.kept(grad)
        if moments:
            mean, deviation = moments
            weight = None if self.weight is None else self.weight.data
            grad_x, grad_weight, grad_bias = group_norm_grad(grad, x, mean, deviation, weight)
            if self.weight is not None and self.bias is not None:
                self.weight.accumulate(grad_weight)
                self.bias.accumulate(grad_bias)
            return grad_x
        grouped, deviation = ops.standardise(self._grouped(x), self._axes(x), self.eps)
        if self.weight is not None and self.bias is not None:
            self.weight.accumulate(self._summed(grad * grouped.reshape(x.shape)))
            self.bias.accumulate(self._summed(grad))
            grad = grad * self._channelwise(self.weight.data, grad)
        grad = ops.standardise_grad(self._grouped(grad), grouped, deviation, self._axes(x))
        return grad.reshape(x.shape).astype(x.dtype, copy=False)

    def _large(self, x: Array) -> bool:
        """Whether these are images of so many values a group that the quick way is as exact."""
        many = x.ndim > 2 and x[:1].size // self.num_groups >= ops.MANY
        return many and x.size > 0 and not on_cuda(x)

    def _grouped(self, x: Array) -> Array:
        """(N, C, *) as (N, G, C / G, *): a view."""
        return x.reshape(len(x), self.num_groups, -1, *x.shape[2:])

    def _axes(self, x: Array) -> Size:
        return tuple(range(2, x.ndim + 1))

    def _channelwise(self, vector: Array, x: Array) -> Array:
        return vector.reshape(-1, *(1,) * (x.ndim - 2))

    def _summed(self, terms: Array) -> Array:
        return column_sums(np.moveaxis(terms, 1, -1).reshape(-1, self.num_channels))

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.weight is not None}"
