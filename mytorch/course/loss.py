"""Losses, and the gradients that backpropagation starts from."""

from typing import Any

import numpy as np

from mytorch.course.layer import Array, Layer


class MSELoss(Layer):
    """Mean squared error, over all N C entries.

    forward:  A, Y (N, C) -> L = 1 / (N C) Σ_n Σ_c (A[n, c] - Y[n, c])²
    backward: dLdA (N, C) = 2 (A - Y) / (N C)
    """

    def forward(self, A: Array, Y: Array) -> np.floating[Any]:
        """Outputs A and targets Y, both (N, C) -> the loss, one number."""
        A = self.check(A)
        self.difference = A - _labels_like(self, Y, A)
        return np.mean(self.difference**2)

    def backward(self) -> Array:
        """dLdA (N, C)."""
        difference: Array = self.saved("difference")
        return 2 * difference / difference.size


class CrossEntropyLoss(Layer):
    """Cross entropy between one-hot labels and the softmax of the logits, the mean over the batch.

    forward:  A (N, C) logits, Y (N, C) one-hot labels -> L
        P = softmax(A), row by row
        L = -1 / N Σ_n Σ_c Y[n, c] log P[n, c]
    backward: dLdA (N, C) = (P - Y) / N

    log P is computed as A - log Σ exp A, with each row's largest logit subtracted first: the logarithm of a softmax
    that has underflowed to zero would be minus infinity.
    """

    def forward(self, A: Array, Y: Array) -> np.floating[Any]:
        """Logits A and labels Y, both (N, C) -> the loss, one number."""
        A = self.check(A, "N C")
        self.Y = _labels_like(self, Y, A)
        shifted = A - A.max(axis=1, keepdims=True)
        log_P = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        self.P = np.exp(log_P)
        return -np.mean(np.sum(self.Y * log_P, axis=1))

    def backward(self) -> Array:
        """dLdA (N, C)."""
        P: Array = self.saved("P")
        return (P - self.Y) / len(P)


def _labels_like(loss: Layer, Y: Array, A: Array) -> Array:
    """Return Y in A's dtype. Raises ValueError if it has another shape, as class indices would."""
    Y = loss.check(Y)
    if Y.shape != A.shape:
        raise ValueError(
            f"{type(loss).__name__} expected labels in the shape of the outputs, {A.shape}, got {Y.shape}: "
            "convert class indices to one-hot rows with np.eye(C)[indices]"
        )
    return Y.astype(A.dtype, copy=False)
