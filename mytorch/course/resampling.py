"""Upsampling and downsampling: the two halves of a stride.

Each is the gradient of the other: one inserts zeros between samples, the other removes them.
"""

import numpy as np

from mytorch.course.layer import Array, Layer, as_int


class Upsample1d(Layer):
    """Put k - 1 zeros between neighbors, none after the last; k is the upsampling factor.

    forward:  A (N, C, W) -> Z (N, C, k (W - 1) + 1)
        Z[n, c, k w] = A[n, c, w], zero elsewhere
    backward: dLdZ, as Z -> dLdA (N, C, W)
        dLdA[n, c, w] = dLdZ[n, c, k w]
    """

    def __init__(self, upsampling_factor: int) -> None:
        self.upsampling_factor = as_int("upsampling_factor", upsampling_factor)

    def forward(self, A: Array) -> Array:
        """A (N, C, W) -> Z (N, C, k (W - 1) + 1)."""
        A = self.check(A, "N C W")
        N, C, W = A.shape
        k = self.upsampling_factor
        Z = np.zeros((N, C, k * (W - 1) + 1), A.dtype)
        Z[:, :, ::k] = A
        self.Z_shape = Z.shape
        return Z

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, k (W - 1) + 1) -> dLdA (N, C, W)."""
        dLdZ = self.gradient(dLdZ, self.saved("Z_shape"))
        return dLdZ[:, :, :: self.upsampling_factor]


class Downsample1d(Layer):
    """Keep every k-th sample, from the first; k is the downsampling factor.

    forward:  A (N, C, W) -> Z (N, C, ceil(W / k))
        Z[n, c, w] = A[n, c, k w]
    backward: dLdZ, as Z -> dLdA (N, C, W)
        dLdA[n, c, k w] = dLdZ[n, c, w], zero elsewhere

    Inputs of different widths can give the same output width, so backward needs the input shape of forward.
    """

    def __init__(self, downsampling_factor: int) -> None:
        self.downsampling_factor = as_int("downsampling_factor", downsampling_factor)

    def forward(self, A: Array) -> Array:
        """A (N, C, W) -> Z (N, C, ceil(W / k))."""
        A = self.check(A, "N C W")
        Z = A[:, :, :: self.downsampling_factor]
        self.A_shape, self.Z_shape = A.shape, Z.shape
        return Z

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, ceil(W / k)) -> dLdA (N, C, W)."""
        dLdZ = self.gradient(dLdZ, self.saved("Z_shape"))
        dLdA = np.zeros(self.A_shape, dLdZ.dtype)
        dLdA[:, :, :: self.downsampling_factor] = dLdZ
        return dLdA


class Upsample2d(Layer):
    """Put k - 1 rows and columns of zeros between neighbors, none after the last.

    forward:  A (N, C, H, W) -> Z (N, C, k (H - 1) + 1, k (W - 1) + 1)
        Z[n, c, k h, k w] = A[n, c, h, w], zero elsewhere
    backward: dLdZ, as Z -> dLdA (N, C, H, W)
        dLdA[n, c, h, w] = dLdZ[n, c, k h, k w]
    """

    def __init__(self, upsampling_factor: int) -> None:
        self.upsampling_factor = as_int("upsampling_factor", upsampling_factor)

    def forward(self, A: Array) -> Array:
        """A (N, C, H, W) -> Z (N, C, k (H - 1) + 1, k (W - 1) + 1)."""
        A = self.check(A, "N C H W")
        N, C, H, W = A.shape
        k = self.upsampling_factor
        Z = np.zeros((N, C, k * (H - 1) + 1, k * (W - 1) + 1), A.dtype)
        Z[:, :, ::k, ::k] = A
        self.Z_shape = Z.shape
        return Z

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, k (H - 1) + 1, k (W - 1) + 1) -> dLdA (N, C, H, W)."""
        dLdZ = self.gradient(dLdZ, self.saved("Z_shape"))
        k = self.upsampling_factor
        return dLdZ[:, :, ::k, ::k]


class Downsample2d(Layer):
    """Keep every k-th row and every k-th column, from the first.

    forward:  A (N, C, H, W) -> Z (N, C, ceil(H / k), ceil(W / k))
        Z[n, c, h, w] = A[n, c, k h, k w]
    backward: dLdZ, as Z -> dLdA (N, C, H, W)
        dLdA[n, c, k h, k w] = dLdZ[n, c, h, w], zero elsewhere
    """

    def __init__(self, downsampling_factor: int) -> None:
        self.downsampling_factor = as_int("downsampling_factor", downsampling_factor)

    def forward(self, A: Array) -> Array:
        """A (N, C, H, W) -> Z (N, C, ceil(H / k), ceil(W / k))."""
        A = self.check(A, "N C H W")
        k = self.downsampling_factor
        Z = A[:, :, ::k, ::k]
        self.A_shape, self.Z_shape = A.shape, Z.shape
        return Z

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C, ceil(H / k), ceil(W / k)) -> dLdA (N, C, H, W)."""
        dLdZ = self.gradient(dLdZ, self.saved("Z_shape"))
        k = self.downsampling_factor
        dLdA = np.zeros(self.A_shape, dLdZ.dtype)
        dLdA[:, :, ::k, ::k] = dLdZ
        return dLdA
