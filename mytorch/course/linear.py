"""From the feature maps of a convolution to logits: flattening, and a fully connected layer."""

import numpy as np

from mytorch.course.layer import Array, InitFn, Layer, as_int, initial_bias, initial_weight


class Flatten(Layer):
    """Put each sample's values into one row, in C order: channel by channel.

    forward:  A (N, C, W) -> Z (N, C W), or A (N, C, H, W) -> Z (N, C H W), or any trailing axes
    backward: dLdZ, as Z -> dLdA, as A: the same values in A's shape
    """

    def forward(self, A: Array) -> Array:
        """A (N, ...) -> Z (N, product of the rest)."""
        A = self.check(A)
        if A.ndim == 0:
            raise ValueError("Flatten expected an array with a batch axis, (N, ...), got one number")
        self.A_shape = A.shape
        return A.reshape(len(A), int(np.prod(A.shape[1:])))

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, product of the rest) -> dLdA (N, ...)."""
        shape = self.saved("A_shape")
        return self.gradient(dLdZ, (shape[0], int(np.prod(shape[1:])))).reshape(shape)


class Linear(Layer):
    """A fully connected layer; W (C_out, C_in), b (C_out, 1).

    forward:  A (N, C_in) -> Z (N, C_out)
        Z    = A Wᵀ + bᵀ
    backward: dLdZ, as Z -> dLdA, as A
        dLdA = dLdZ W
        dLdW = dLdZᵀ A
        dLdb = dLdZᵀ 1            summed over the batch, not divided by it

    The initializers are optional, `weight_init_fn(out, in)` and `bias_init_fn(out)`; without them W and b are zeros.

    debug: keep the gradient at the input as `dLdA`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        weight_init_fn: InitFn | None = None,
        bias_init_fn: InitFn | None = None,
        debug: bool = False,
    ) -> None:
        self.debug = debug
        self.in_features = as_int("in_features", in_features)
        self.out_features = as_int("out_features", out_features)
        zeros = np.zeros((self.out_features, self.in_features))
        self.W = initial_weight(weight_init_fn, *zeros.shape) if weight_init_fn else zeros
        self.b = initial_bias(bias_init_fn, self.out_features)[:, None]
        self.dLdW = np.zeros_like(self.W)
        self.dLdb = np.zeros_like(self.b)

    def forward(self, A: Array) -> Array:
        """A (N, C_in) -> Z (N, C_out)."""
        A = self.A = self.check(A, "N C", C=self.in_features)
        W, b = self.W.astype(A.dtype, copy=False), self.b.astype(A.dtype, copy=False)
        return A @ W.T + b.T

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out) -> dLdA (N, C_in); sets dLdW and dLdb."""
        A = self.saved("A")
        dLdZ = self.gradient(dLdZ, (len(A), self.out_features))
        self.dLdW = dLdZ.T @ A
        self.dLdb = dLdZ.sum(axis=0)[:, None]
        if self.debug:
            self.dLdA = dLdZ @ self.W.astype(A.dtype, copy=False)
        return dLdZ @ self.W.astype(A.dtype, copy=False)
