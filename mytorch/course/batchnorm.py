"""Batch normalization: normalize each channel to mean 0 and variance 1 over the batch, then scale and shift it.

Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training", 2015. With m values of each channel in a
batch, M and V their mean and (biased) variance, and ε = 1e-8:

    forward, training:    NZ = (Z - M) / √(V + ε)        BZ = BW · NZ + Bb
                          M = 1/m Σ Z                     running_M = α running_M + (1 - α) M
                          V = 1/m Σ (Z - M)²              running_V = α running_V + (1 - α) V
    forward, evaluating:  the same with running_M and running_V instead of M and V; they do not change
    backward:             dLdBW = Σ dLdBZ · NZ
                          dLdBb = Σ dLdBZ
                          dLdNZ = dLdBZ · BW
                          dLdZ  = (dLdNZ - 1/m Σ dLdNZ - NZ · 1/m Σ dLdNZ · NZ) / √(V + ε)

The two means in dLdZ are the gradients through M and V. PyTorch differs in two ways: its ε is 1e-5, and its running
variance uses the unbiased estimate, V m / (m - 1), with `momentum` = 1 - α.
"""

import numpy as np

from mytorch.course.layer import Array, Layer, as_int


class _BatchNorm(Layer):
    """Base of both. `layout` names the input's axes; the statistics are over all axes except C."""

    layout: str

    def __init__(self, num_features: int, alpha: float = 0.9) -> None:
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha is the weight of the old running mean, from 0 to 1, got {alpha}")
        self.num_features = as_int("num_features", num_features)
        self.alpha = alpha
        self.eps = 1e-8
        axes = self.layout.split()
        self.axes = tuple(i for i, axis in enumerate(axes) if axis != "C")
        shape = tuple(self.num_features if axis == "C" else 1 for axis in axes)
        self.BW, self.Bb = np.ones(shape), np.zeros(shape)
        self.dLdBW, self.dLdBb = np.zeros(shape), np.zeros(shape)
        self.running_M, self.running_V = np.zeros(shape), np.ones(shape)

    def forward(self, Z: Array, eval: bool = False) -> Array:
        """Z -> BZ of the same shape, with the batch's statistics, or with the running ones if `eval`."""
        Z = self.check(Z, self.layout, C=self.num_features)
        BW, Bb = self.BW.astype(Z.dtype), self.Bb.astype(Z.dtype)
        if eval:  # saves nothing: a later backward belongs to the last training forward
            M, V = self.running_M.astype(Z.dtype), self.running_V.astype(Z.dtype)
            return BW * (Z - M) / np.sqrt(V + self.eps) + Bb

        M = Z.mean(axis=self.axes, keepdims=True)
        V = Z.var(axis=self.axes, keepdims=True)
        self.running_M = self.alpha * self.running_M + (1 - self.alpha) * M
        self.running_V = self.alpha * self.running_V + (1 - self.alpha) * V
        self.deviation = np.sqrt(V + self.eps)
        self.NZ = (Z - M) / self.deviation
        return BW * self.NZ + Bb

    def backward(self, dLdBZ: Array) -> Array:
        """dLdBZ, as BZ -> dLdZ, as Z, of the last training forward; sets dLdBW and dLdBb."""
        NZ = self.saved("NZ")
        dLdBZ = self.gradient(dLdBZ, NZ.shape)

        def mean(X: Array) -> Array:
            return X.mean(axis=self.axes, keepdims=True)

        self.dLdBW = np.sum(dLdBZ * NZ, axis=self.axes, keepdims=True)
        self.dLdBb = np.sum(dLdBZ, axis=self.axes, keepdims=True)
        dLdNZ = dLdBZ * self.BW.astype(NZ.dtype)
        return (dLdNZ - mean(dLdNZ) - NZ * mean(dLdNZ * NZ)) / self.deviation


class BatchNorm1d(_BatchNorm):
    """Batch normalization of Z (N, C); BW, Bb, running_M and running_V are (1, C), and m = N."""

    layout = "N C"


class BatchNorm2d(_BatchNorm):
    """Batch normalization of Z (N, C, H, W); BW, Bb, running_M and running_V are (1, C, 1, 1), and m = N H W."""

    layout = "N C H W"
