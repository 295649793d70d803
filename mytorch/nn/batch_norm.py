"""Batch and instance normalization, which may keep running statistics of each channel."""

from collections.abc import Iterator
from math import prod
from typing import ClassVar

import numpy as np

from mytorch.device import Array, get_array_module, to_device
from mytorch.nn.init import DType, on_device, parameter
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import batch_norm as ops
from mytorch.ops.group_norm import normalize_groups, normalize_groups_grad


class _WithRunningStatistics(Module):
    """Base of batch and instance norm: weight, bias and the running statistics of `num_features` channels."""

    shapes: ClassVar[dict[int, str]]
    """The shapes of inputs that a subclass takes, by their number of axes."""

    running_mean: Array | None
    running_var: Array | None
    num_batches_tracked: Array | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        bias: bool,
        device: str | None,
        dtype: DType,
    ):
        (self.num_features,) = to_tuple(num_features, 1, "num_features", minimum=1)
        if not eps > 0:
            raise ValueError(f"eps={eps}: expected a number above 0, such as 1e-5; a channel's variance may be zero")
        self.eps = float(eps)  # NumPy's own float64 would turn float32 arrays into float64
        self.momentum = None if momentum is None else float(momentum)
        self.track_running_stats = bool(track_running_stats)
        self.weight = parameter(np.ones(self.num_features), device, dtype) if affine else None
        self.bias = parameter(np.zeros(self.num_features), device, dtype) if affine and bias else None
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if track_running_stats:
            self.register_buffer("running_mean", on_device(np.zeros(self.num_features), device, dtype))
            self.register_buffer("running_var", on_device(np.ones(self.num_features), device, dtype))
            self.register_buffer("num_batches_tracked", to_device(np.zeros((), np.int64), device or "cpu"))

    def _check(self, x: Array) -> None:
        """Raise an error if `x` is not of the subclass's shapes, or has other channels."""
        first = next(iter(self.shapes.values()))
        shape = self.shapes.get(getattr(x, "ndim", 0), first)
        own = self.running_mean if self.weight is None else self.weight
        check_input(self, x, shape, self.num_features, None if own is None else own.dtype)

    def _affine(self) -> Iterator[Array | None]:
        """Yield the arrays of weight and bias, or None."""
        return (None if value is None else value.data for value in (self.weight, self.bias))

    def _accumulate(self, grad_weight: Array, grad_bias: Array) -> None:
        for value, grad in ((self.weight, grad_weight), (self.bias, grad_bias)):
            if value is not None:
                value.accumulate(grad)

    def _move_averages(self, mean: Array, unbiased_var: Array, momentum: float) -> None:
        """Move the running statistics towards those of a batch."""
        for average, new in ((self.running_mean, mean), (self.running_var, unbiased_var)):
            if average is not None:
                average += (momentum * (new - average)).astype(average.dtype, copy=False)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        shown = f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"
        return f"{shown}, track_running_stats={self.track_running_stats}"


class _BatchNorm(_WithRunningStatistics):
    """Batch normalization: training uses the batch's statistics, evaluation the running ones.

    weight, bias: (C,), both None with affine=False, the bias alone with bias=False. running_mean, running_var: (C,),
    exponential averages in which a new batch has the weight `momentum`; with momentum=None, plain averages over all
    batches. running_var is unbiased. With track_running_stats=False there are none, and evaluation too uses the batch's
    statistics.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        device: str | None = None,
        dtype: DType = None,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, device, dtype)

    def forward(self, input: Array) -> Array:
        """Normalize each channel; the shape stays."""
        return self._forward(input, relu=False)

    def forward_relu(self, input: Array) -> Array:
        """Normalize each channel and apply ReLU in one pass; `backward` then differentiates both."""
        return self._forward(input, relu=True)

    def _forward(self, x: Array, relu: bool) -> Array:
        self._check(x)
        mean, var = self._statistics(x)
        weight, bias = self._affine()
        y = ops.batch_norm(x, mean, var, weight, bias, self.eps, relu)
        self.save_for_backward(x, mean, var, y if relu else None, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        x, mean, var, y = self.saved(grad)
        weight, _ = self._affine()
        batch_statistics = self.training or self.running_mean is None
        grad_x, *grads = ops.batch_norm_grad(grad, x, mean, var, weight, self.eps, batch_statistics, y)
        self._accumulate(*grads)
        return grad_x

    def _statistics(self, x: Array) -> tuple[Array, Array]:
        """Return the mean and the variance to normalize with, and update the running ones in training."""
        if not self.training and self.running_mean is not None and self.running_var is not None:
            return self.running_mean.copy(), self.running_var.copy()
        count = x.size // self.num_features
        if count == 1:
            raise ValueError(
                f"{type(self).__name__} in training got an input of shape {x.shape}, one value per channel: "
                "its variance is zero; give a larger batch, or call eval() first"
            )
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        if not count:
            xp = get_array_module(x)
            return xp.zeros(self.num_features, x.dtype), xp.ones(self.num_features, x.dtype)
        mean, var = ops.moments(x)
        if self.num_batches_tracked is not None:
            momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            self._move_averages(mean, var * (count / (count - 1)), momentum)
        return mean, var


class BatchNorm1d(_BatchNorm):
    """Batch normalization of (N, C) or (N, C, L) (Ioffe and Szegedy, arXiv 1502.03167). As torch.nn.BatchNorm1d."""

    shapes: ClassVar = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm):
    """Batch normalization of (N, C, H, W) (Ioffe and Szegedy, arXiv 1502.03167). As torch.nn.BatchNorm2d."""

    shapes: ClassVar = {4: "(N, C, H, W)"}


class BatchNorm3d(_BatchNorm):
    """Batch normalization of (N, C, D, H, W) (Ioffe and Szegedy, arXiv 1502.03167). As torch.nn.BatchNorm3d."""

    shapes: ClassVar = {5: "(N, C, D, H, W)"}


class _InstanceNorm(_WithRunningStatistics):
    """Instance normalization: each channel of each image is normalized by itself (Ulyanov et al., arXiv 1607.08022).

    weight, bias: (C,) with affine=True, else None. With track_running_stats=True, running_mean and running_var, (C,),
    average the images' statistics in training, and evaluation normalizes with them.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        device: str | None = None,
        dtype: DType = None,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias, device, dtype)

    def forward(self, input: Array) -> Array:
        """Normalize each channel of each image; the shape stays. An input without the batch axis is one image."""
        self._check(input)
        single = input.ndim == min(self.shapes)
        x = input[None] if single else input
        weight, bias = self._affine()
        if self.training or self.running_mean is None or self.running_var is None:
            self._track(x)
            y, saved = normalize_groups(x, self.num_features, weight, bias, self.eps)
        else:
            mean, var = self.running_mean.copy(), self.running_var.copy()
            y, saved = ops.batch_norm(x, mean, var, weight, bias, self.eps), (mean, var)
        y = y[0] if single else y
        self.save_for_backward(x, single, *saved, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        x, single, *saved = self.saved(grad)
        grad = grad[None] if single else grad
        weight, _ = self._affine()
        if self.training or self.running_mean is None:
            grad_x, *grads = normalize_groups_grad(grad, x, saved, self.num_features, weight, self.eps)
        else:
            mean, var = saved
            grad_x, *grads = ops.batch_norm_grad(grad, x, mean, var, weight, self.eps, batch_statistics=False)
        self._accumulate(*grads)
        return grad_x[0] if single else grad_x

    def _track(self, x: Array) -> None:
        """Raise ValueError for images of one position, and update the running statistics in training."""
        axes = tuple(range(2, x.ndim))
        count = prod(x.shape[2:])
        if count < 2:
            raise ValueError(
                f"{type(self).__name__} got an input of shape {x.shape}, one value per channel of an image: "
                "its variance is zero; give larger images, or normalize over channels with nn.LayerNorm"
            )
        if self.training and self.running_mean is not None and len(x):
            mean, var = x.mean(axes, dtype="d"), x.var(axes, dtype="d", ddof=1)
            self._move_averages(mean.mean(0), var.mean(0), self.momentum or 0.0)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of (N, C, L) or (C, L) (Ulyanov et al., arXiv 1607.08022). As torch.nn.InstanceNorm1d."""

    shapes: ClassVar = {3: "(N, C, L)", 2: "(C, L)"}


class InstanceNorm2d(_InstanceNorm):
    """Instance normalization of (N, C, H, W) or (C, H, W) (arXiv 1607.08022). As torch.nn.InstanceNorm2d."""

    shapes: ClassVar = {4: "(N, C, H, W)", 3: "(C, H, W)"}


class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of (N, C, D, H, W) or (C, D, H, W) (arXiv 1607.08022). As torch.nn.InstanceNorm3d."""

    shapes: ClassVar = {5: "(N, C, D, H, W)", 4: "(C, D, H, W)"}
