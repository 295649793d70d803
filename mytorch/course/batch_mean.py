"""The older form of a course's first assignment, in which Linear divides by the batch size and losses do not.

The gradients of the parameters are the same in the end: here the losses return the gradient of a sum, and Linear turns
it into a mean. MSELoss also halves the squared error. The activations are those of `activation`: their backward returns
the derivative if it is called without argument.
"""

from typing import Any

import numpy as np

from mytorch.course.activation import ReLU
from mytorch.course.layer import Array, Layer
from mytorch.course.linear import Linear as SumLinear
from mytorch.course.loss import CrossEntropyLoss as MeanCrossEntropyLoss


class Linear(SumLinear):
    """Z = A Wᵀ + bᵀ, with gradients averaged over the batch: dLdW = dLdZᵀ A / N, dLdb = dLdZᵀ 1 / N."""

    def backward(self, dLdZ: Array) -> Array:
        """dLdZ (N, C_out) -> dLdA (N, C_in); sets dLdW and dLdb."""
        dLdA = super().backward(dLdZ)
        self.dLdW, self.dLdb = self.dLdW / len(dLdA), self.dLdb / len(dLdA)
        return dLdA


class MSELoss(Layer):
    """Half the mean squared error.

    forward:  A, Y (N, C) -> L = 1 / (2 N C) Σ_n Σ_c (A[n, c] - Y[n, c])²
    backward: dLdA (N, C) = A - Y
    """

    def forward(self, A: Array, Y: Array) -> np.floating[Any]:
        """Outputs A and targets Y, both (N, C) -> the loss, one number."""
        self.difference = self.check(A) - self.check(Y)
        return np.mean(self.difference**2) / 2

    def backward(self) -> Array:
        """dLdA (N, C)."""
        difference: Array = self.saved("difference")
        return difference


class CrossEntropyLoss(MeanCrossEntropyLoss):
    """The mean cross entropy; its gradient is softmax(A) - Y, not divided by N."""

    def backward(self) -> Array:
        """dLdA (N, C)."""
        gradient = super().backward()
        return gradient * len(gradient)


class MLP:
    """Linear layers in `layers`, the ReLU after each in `f`; (N, widths[0]) -> (N, widths[-1])."""

    widths: tuple[int, ...]

    def __init__(self, debug: bool = False) -> None:
        pairs = list(zip(self.widths[:-1], self.widths[1:], strict=True))
        self.layers = [Linear(before, after, debug=debug) for before, after in pairs]
        self.f = [ReLU() for _ in pairs]

    def forward(self, A0: Array) -> Array:
        """A0 (N, widths[0]) -> (N, widths[-1])."""
        A = A0
        for layer, activation in zip(self.layers, self.f, strict=True):
            A = activation.forward(layer.forward(A))
        return A

    def backward(self, dLdA: Array) -> Array:
        """dLdA at the output -> dLdA at the input; sets every Linear's dLdW and dLdb."""
        for layer, activation in zip(reversed(self.layers), reversed(self.f), strict=True):
            dLdA = layer.backward(dLdA * activation.backward())
        return dLdA


class MLP0(MLP):
    """No hidden layer."""

    widths = (2, 3)


class MLP1(MLP):
    """One hidden layer of 3 neurons."""

    widths = (2, 3, 2)


class MLP4(MLP):
    """Four hidden layers of 4, 8, 8 and 4 neurons."""

    widths = (2, 4, 8, 8, 4, 2)
