"""Normalisation layers."""

import numpy as np

from mytorch.device import Array
from mytorch.nn.checks import expect
from mytorch.nn.module import Module, Parameter
from mytorch.ops import norm as ops


class _BatchNorm(Module):
    """Batch normalisation, as torch.nn's: training uses the batch's statistics, evaluation the running ones.

    weight, bias: (C,), absent with affine=False. running_mean, running_var: (C,), exponential averages that give a new
    batch the share `momentum` (a plain average over all batches with momentum=None); the variance in them is unbiased.
    """

    buffers = ("running_mean", "running_var", "num_batches_tracked")
    shape = ""

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
        self.running_mean = np.zeros(num_features, dtype)
        self.running_var = np.ones(num_features, dtype)
        self.num_batches_tracked = np.zeros((), np.int64)

    def forward(self, x: Array) -> Array:
        """Normalise each channel; the shape stays."""
        return self._forward(x, relu=False)

    def forward_relu(self, x: Array) -> Array:
        """Normalise each channel, and ReLU, in one go; backward goes back through both."""
        return self._forward(x, relu=True)

    def _forward(self, x: Array, relu: bool) -> Array:
        expect(self, x, self._shape(x), self.num_features, self.running_mean.dtype)
        if self.training:
            count = x.size // self.num_features
            if count < 2:
                raise ValueError(
                    f"{type(self).__name__} in training got an input of shape {x.shape}, one value a channel: "
                    "its variance is zero; give a larger batch, or call eval() first"
                )
            mean, var = ops.moments(x)
            self._track(mean, var * (count / (count - 1)))
        else:
            mean, var = self.running_mean.copy(), self.running_var.copy()
        bias = None if self.bias is None else self.bias.data
        y = ops.batch_norm(x, mean, var, self._weight(), bias, self.eps, relu)
        self.keep(x, mean, var, y if relu else None, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Gradient at the input, of the same shape; accumulates weight.grad and bias.grad."""
        x, mean, var, y = self.kept(grad)
        grad_x, grad_weight, grad_bias = ops.batch_norm_grad(
            grad, x, mean, var, self._weight(), self.eps, self.training, y
        )
        if self.weight is not None and self.bias is not None:
            self.weight.accumulate(grad_weight)
            self.bias.accumulate(grad_bias)
        return grad_x

    def _track(self, mean: Array, unbiased_var: Array) -> None:
        """Move the running statistics towards this batch's."""
        self.num_batches_tracked += 1
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean += share * (mean - self.running_mean)
        self.running_var += share * (unbiased_var - self.running_var)

    def _weight(self) -> Array | None:
        return None if self.weight is None else self.weight.data

    def _shape(self, x: Array) -> str:
        return self.shape

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.weight is not None}"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L). As torch.nn.BatchNorm1d."""

    def _shape(self, x: Array) -> str:
        return "(N, C, L)" if getattr(x, "ndim", 2) == 3 else "(N, C)"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W). As torch.nn.BatchNorm2d."""

    shape = "(N, C, H, W)"
