"""Dropout: in training, set each unit or channel to zero with probability p.

Srivastava and others, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting", 2014; inverted: what
remains is scaled up by 1 / (1 - p) in training, so evaluation needs no scaling.
"""

import numpy as np

from mytorch.course.layer import Array, Layer


class Dropout(Layer):
    """Drop single units.

    forward, training:   A = Z · mask / (1 - p)      mask ~ Bernoulli(1 - p), of Z's shape
    forward, evaluating: A = Z
    backward:            dLdZ = dLdA · mask / (1 - p)

    A training forward calls once, with NumPy's global generator: `np.random.binomial(1, 1 - p, shape)`.
    """

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"p is the probability of being dropped, at least 0 and less than 1, got {p}")
        self.p = float(p)

    def mask_shape(self, Z: Array) -> tuple[int, ...]:
        """Return the shape of the mask: one number per unit."""
        return Z.shape

    def forward(self, Z: Array, eval: bool = False) -> Array:
        """Z -> A of the same shape; Z itself if `eval`."""
        Z = self.check(Z)
        if eval:  # saves nothing: a later backward belongs to the last training forward
            return Z
        self.Z_shape = Z.shape
        self.mask = np.random.binomial(1, 1 - self.p, self.mask_shape(Z)).astype(Z.dtype)
        return Z * self.mask / (1 - self.p)

    def backward(self, dLdA: Array) -> Array:
        """dLdA -> dLdZ, of the last training forward."""
        return self.gradient(dLdA, self.saved("Z_shape")) * self.mask / (1 - self.p)


class Dropout2d(Dropout):
    """Drop whole channels of Z (N, C, H, W): as Dropout, with a mask of shape (N, C, 1, 1).

    Neighboring pixels of a feature map are highly correlated, so dropping single pixels has little effect.
    """

    def mask_shape(self, Z: Array) -> tuple[int, ...]:
        """Return the shape of the mask: one number per channel of each sample."""
        self.check(Z, "N C H W")
        return (*Z.shape[:2], 1, 1)
