"""Convolution over two axes: stride 1 first, then any stride and padding based on it."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mytorch.course.layer import Array, InitFn, Layer, as_int, initial_bias, initial_weight
from mytorch.course.resampling import Downsample2d


class Conv2d_stride1(Layer):
    """Correlation with stride 1 and no padding; W (C_out, C_in, K, K), b (C_out,).

    forward:  A (N, C_in, H_in, W_in) -> Z (N, C_out, H_out, W_out), H_out = H_in - K + 1, W_out = W_in - K + 1
        Z[n, o, h, w]    = b[o] + Σ_c Σ_i Σ_j A[n, c, h + i, w + j] W[o, c, i, j]
    backward: dLdZ, as Z -> dLdA, as A
        dLdA[n, c, u, v] = Σ_o Σ_i Σ_j dLdZ[n, o, u - i, v - j] W[o, c, i, j]     dLdZ is zero outside its borders
        dLdW[o, c, i, j] = Σ_n Σ_h Σ_w dLdZ[n, o, h, w] A[n, c, h + i, w + j]
        dLdb[o]          = Σ_n Σ_h Σ_w dLdZ[n, o, h, w]

    dLdA is a convolution too: dLdZ padded with K - 1 zeros on all sides, correlated with W rotated by 180 degrees.
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
        K = self.kernel_size = as_int("kernel_size", kernel_size)
        self.W = initial_weight(weight_init_fn, self.out_channels, self.in_channels, K, K)
        self.b = initial_bias(bias_init_fn, self.out_channels)
        self.dLdW = np.zeros_like(self.W)
        self.dLdb = np.zeros_like(self.b)

    def forward(self, A: Array) -> Array:
        """A (N, C_in, H_in, W_in) -> Z (N, C_out, H_in - K + 1, W_in - K + 1)."""
        K = self.kernel_size
        A = self.A = self.check(A, "N C H W", C=self.in_channels, fits=K)
        W, b = self.W.astype(A.dtype, copy=False), self.b.astype(A.dtype, copy=False)
        windows = sliding_window_view(A, (K, K), axis=(2, 3))  # (N, C_in, H_out, W_out, K, K)
        return np.einsum("nchwij,ocij->nohw", windows, W, optimize=True) + b[:, None, None]

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, H_out, W_out) -> dLdA (N, C_in, H_in, W_in); sets dLdW and dLdb."""
        A, K = self.saved("A"), self.kernel_size
        dLdZ = self.gradient(dLdZ, (len(A), self.out_channels, A.shape[2] - K + 1, A.shape[3] - K + 1))
        W = self.W.astype(A.dtype, copy=False)

        self.dLdb = dLdZ.sum(axis=(0, 2, 3))
        windows = sliding_window_view(A, (K, K), axis=(2, 3))
        self.dLdW = np.einsum("nohw,nchwij->ocij", dLdZ, windows, optimize=True)

        padded = np.pad(dLdZ, [(0, 0), (0, 0), (K - 1, K - 1), (K - 1, K - 1)])
        windows = sliding_window_view(padded, (K, K), axis=(2, 3))  # (N, C_out, H_in, W_in, K, K)
        return np.einsum("nohwij,ocij->nchw", windows, W[:, :, ::-1, ::-1], optimize=True)


class Conv2d(Layer):
    """Convolution with any stride and padding: pad with zeros, convolve with stride 1, keep every stride-th output.

    forward:  A (N, C_in, H_in, W_in) -> Z (N, C_out, H_out, W_out), H_out = (H_in + 2 padding - K) // stride + 1
        Z = downsample(conv_stride1(pad(A)))
    backward: dLdZ, as Z -> dLdA, as A
        the same three steps' gradients in reverse; the gradient of padding removes what was added

    The parameters and their gradients are those of `conv2d_stride1`.
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
        self.conv2d_stride1 = Conv2d_stride1(in_channels, out_channels, kernel_size, weight_init_fn, bias_init_fn)
        self.downsample2d = Downsample2d(self.stride)

    def forward(self, A: Array) -> Array:
        """A (N, C_in, H_in, W_in) -> Z (N, C_out, H_out, W_out)."""
        A = self.check(A, "N C H W", C=self.conv2d_stride1.in_channels)
        p = self.padding
        padded = np.pad(A, [(0, 0), (0, 0), (p, p), (p, p)])
        return self.downsample2d.forward(self.conv2d_stride1.forward(padded))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out, H_out, W_out) -> dLdA (N, C_in, H_in, W_in); sets the inner layer's dLdW and dLdb."""
        padded = self.conv2d_stride1.backward(self.downsample2d.backward(dLdZ))
        p = self.padding
        return padded[:, :, p : padded.shape[2] - p, p : padded.shape[3] - p]
