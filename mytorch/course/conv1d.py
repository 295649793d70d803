"""Convolution over one axis: stride 1 first, then any stride and padding based on it."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mytorch.course.layer import Array, InitFn, Layer, as_int, initial_bias, initial_weight
from mytorch.course.resampling import Downsample1d


class Conv1d_stride1(Layer):
    """Correlation with stride 1 and no padding; W (C_out, C_in, K), b (C_out,).

    forward:  A (N, C_in, W_in) -> Z (N, C_out, W_out), W_out = W_in - K + 1
        Z[n, o, w]    = b[o] + Σ_c Σ_k A[n, c, w + k] W[o, c, k]
    backward: dLdZ, as Z -> dLdA, as A
        dLdA[n, c, v] = Σ_o Σ_k dLdZ[n, o, v - k] W[o, c, k]       dLdZ is zero outside its ends
        dLdW[o, c, k] = Σ_n Σ_w dLdZ[n, o, w] A[n, c, w + k]
        dLdb[o]       = Σ_n Σ_w dLdZ[n, o, w]

    dLdA is a convolution too: dLdZ padded with K - 1 zeros on both sides, correlated with the flipped W.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        weight_init_fn: InitFn | None = None,
        bias_init_fn: InitFn | None = None,
    ) -> None:
        self.in_channels = as_int("in_channels", in_channels)
        self.out_channels = as_int("out_channels", out_channels)
        self.kernel_size = as_int("kernel_size", kernel_size)
        self.W = initial_weight(weight_init_fn, self.out_channels, self.in_channels, self.kernel_size)
        self.b = initial_bias(bias_init_fn, self.out_channels)
        self.dLdW = np.zeros_like(self.W)
        self.dLdb = np.zeros_like(self.b)

    def forward(self, A: Array) -> Array:
        """A (N, C_in, W_in) -> Z (N, C_out, W_in - K + 1)."""
        A = self.A = self.check(A, "N C W", C=self.in_channels, fits=self.kernel_size)
        W, b = self.W.astype(A.dtype, copy=False), self.b.astype(A.dtype, copy=False)
        windows = sliding_window_view(A, self.kernel_size, axis=2)  # (N, C_in, W_out, K)
        return np.einsum("ncwk,ock->now", windows, W, optimize=True) + b[:, None]

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, W_out) -> dLdA (N, C_in, W_in); sets dLdW and dLdb."""
        A, K = self.saved("A"), self.kernel_size
        dLdZ = self.gradient(dLdZ, (len(A), self.out_channels, A.shape[2] - K + 1))
        W = self.W.astype(A.dtype, copy=False)

        self.dLdb = dLdZ.sum(axis=(0, 2))
        self.dLdW = np.einsum("now,ncwk->ock", dLdZ, sliding_window_view(A, K, axis=2), optimize=True)

        padded = np.pad(dLdZ, [(0, 0), (0, 0), (K - 1, K - 1)])
        windows = sliding_window_view(padded, K, axis=2)  # (N, C_out, W_in, K)
        return np.einsum("nowk,ock->ncw", windows, W[:, :, ::-1], optimize=True)


class Conv1d(Layer):
    """Convolution with any stride and padding: pad with zeros, convolve with stride 1, keep every stride-th output.

    forward:  A (N, C_in, W_in) -> Z (N, C_out, W_out), W_out = (W_in + 2 padding - K) // stride + 1
        Z = downsample(conv_stride1(pad(A)))
    backward: dLdZ, as Z -> dLdA, as A
        the same three steps' gradients in reverse; the gradient of padding removes what was added

    The parameters and their gradients are those of `conv1d_stride1`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        padding: int | InitFn = 0,
        weight_init_fn: InitFn | None = None,
        bias_init_fn: InitFn | None = None,
    ) -> None:
        if callable(padding):  # without padding, the initializers come fifth and sixth
            weight_init_fn, bias_init_fn, padding = padding, weight_init_fn, 0
        self.stride = as_int("stride", stride)
        self.padding = as_int("padding", padding, minimum=0)
        self.conv1d_stride1 = Conv1d_stride1(in_channels, out_channels, kernel_size, weight_init_fn, bias_init_fn)
        self.downsample1d = Downsample1d(self.stride)

    def forward(self, A: Array) -> Array:
        """A (N, C_in, W_in) -> Z (N, C_out, W_out)."""
        A = self.check(A, "N C W", C=self.conv1d_stride1.in_channels)
        p = self.padding
        padded = np.pad(A, [(0, 0), (0, 0), (p, p)])
        return self.downsample1d.forward(self.conv1d_stride1.forward(padded))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, W_out) -> dLdA (N, C_in, W_in); sets the inner layer's dLdW and dLdb."""
        padded = self.conv1d_stride1.backward(self.downsample1d.backward(dLdZ))
        p = self.padding
        return padded[:, :, p : padded.shape[2] - p]
