"""Pooling over K by K windows: stride 1 first, then any stride based on it."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from mytorch.course.layer import Array, Layer, as_int
from mytorch.course.resampling import Downsample2d


class MaxPool2d_stride1(Layer):
    """The maximum of each K by K window; no padding.

    forward:  A (N, C, H_in, W_in) -> Z (N, C, H_out, W_out), H_out = H_in - K + 1, W_out = W_in - K + 1
        Z[n, c, h, w] = max over i, j of A[n, c, h + i, w + j]
    backward: dLdZ, as Z -> dLdA, as A
        dLdA[n, c, u, v] = Σ dLdZ[n, c, h, w] over the windows (h, w) whose maximum is at (u, v)

    If several values are equal, the first one (row by row) wins and gets the whole gradient.
    """

    def __init__(self, kernel: int) -> None:
        self.kernel = as_int("kernel", kernel)

    def forward(self, A: Array) -> Array:
        """A (N, C, H_in, W_in) -> Z (N, C, H_in - K + 1, W_in - K + 1)."""
        K = self.kernel
        A = self.check(A, "N C H W", fits=K)
        windows = sliding_window_view(A, (K, K), axis=(2, 3))
        windows = windows.reshape(*windows.shape[:4], K * K)
        self.A_shape = A.shape
        self.winner = windows.argmax(axis=-1)  # (N, C, H_out, W_out), counting the window's elements row by row
        return np.take_along_axis(windows, self.winner[..., None], axis=-1)[..., 0]

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, H_out, W_out) -> dLdA (N, C, H_in, W_in)."""
        winner, K = self.saved("winner"), self.kernel
        dLdZ = self.gradient(dLdZ, winner.shape)
        H, W = dLdZ.shape[2:]
        dLdA = np.zeros(self.A_shape, dLdZ.dtype)
        for i in range(K):
            for j in range(K):
                dLdA[:, :, i : i + H, j : j + W] += np.where(winner == i * K + j, dLdZ, 0)
        return dLdA


class MeanPool2d_stride1(Layer):
    """The mean of each K by K window; no padding.

    forward:  A (N, C, H_in, W_in) -> Z (N, C, H_out, W_out), H_out = H_in - K + 1, W_out = W_in - K + 1
        Z[n, c, h, w] = 1 / K² Σ_i Σ_j A[n, c, h + i, w + j]
    backward: dLdZ, as Z -> dLdA, as A
        dLdA[n, c, u, v] = 1 / K² Σ_i Σ_j dLdZ[n, c, u - i, v - j]        dLdZ is zero outside its borders
    """

    def __init__(self, kernel: int) -> None:
        self.kernel = as_int("kernel", kernel)

    def forward(self, A: Array) -> Array:
        """A (N, C, H_in, W_in) -> Z (N, C, H_in - K + 1, W_in - K + 1)."""
        K = self.kernel
        A = self.check(A, "N C H W", fits=K)
        self.A_shape = A.shape
        return sliding_window_view(A, (K, K), axis=(2, 3)).mean(axis=(-2, -1))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, H_out, W_out) -> dLdA (N, C, H_in, W_in)."""
        (N, C, H_in, W_in), K = self.saved("A_shape"), self.kernel
        H, W = H_in - K + 1, W_in - K + 1
        share = self.gradient(dLdZ, (N, C, H, W)) / K**2
        dLdA = np.zeros((N, C, H_in, W_in), share.dtype)
        for i in range(K):
            for j in range(K):
                dLdA[:, :, i : i + H, j : j + W] += share
        return dLdA


class MaxPool2d(Layer):
    """Max pooling with any stride: pool with stride 1, keep every stride-th output.

    forward:  A (N, C, H_in, W_in) -> Z (N, C, H_out, W_out), H_out = (H_in - K) // stride + 1
        Z = downsample(maxpool_stride1(A))
    backward: dLdA = maxpool_stride1.backward(downsample.backward(dLdZ))
    """

    def __init__(self, kernel: int, stride: int) -> None:
        self.kernel, self.stride = kernel, stride
        self.maxpool2d_stride1 = MaxPool2d_stride1(kernel)
        self.downsample2d = Downsample2d(stride)

    def forward(self, A: Array) -> Array:
        """A (N, C, H_in, W_in) -> Z (N, C, H_out, W_out)."""
        return self.downsample2d.forward(self.maxpool2d_stride1.forward(A))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, H_out, W_out) -> dLdA (N, C, H_in, W_in)."""
        return self.maxpool2d_stride1.backward(self.downsample2d.backward(dLdZ))


class MeanPool2d(Layer):
    """Mean pooling with any stride: pool with stride 1, keep every stride-th output.

    forward:  A (N, C, H_in, W_in) -> Z (N, C, H_out, W_out), H_out = (H_in - K) // stride + 1
        Z = downsample(meanpool_stride1(A))
    backward: dLdA = meanpool_stride1.backward(downsample.backward(dLdZ))
    """

    def __init__(self, kernel: int, stride: int) -> None:
        self.kernel, self.stride = kernel, stride
        self.meanpool2d_stride1 = MeanPool2d_stride1(kernel)
        self.downsample2d = Downsample2d(stride)

    def forward(self, A: Array) -> Array:
        """A (N, C, H_in, W_in) -> Z (N, C, H_out, W_out)."""
        return self.downsample2d.forward(self.meanpool2d_stride1.forward(A))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, H_out, W_out) -> dLdA (N, C, H_in, W_in)."""
        return self.meanpool2d_stride1.backward(self.downsample2d.backward(dLdZ))
