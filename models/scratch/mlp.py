"""The small MLPs of a course's first assignment: Linear and ReLU, alternating."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from mytorch.course import Layer, Linear, ReLU

Array = npt.NDArray[Any]


class MLP:
    """Linear and ReLU, alternating, for the neuron counts in `widths`.

    debug: keep `A`, the input and the output of every layer, and `dLdA`, the gradients at the same places.
    """

    widths: ClassVar[tuple[int, ...]]

    def __init__(self, debug: bool = False) -> None:
        self.debug = debug
        self.layers: list[Layer] = []
        for before, after in zip(self.widths[:-1], self.widths[1:], strict=True):
            self.layers += [Linear(before, after, debug=debug), ReLU()]
        self.A: list[Array] = []
        self.dLdA: list[Array] = []

    def forward(self, A0: Array) -> Array:
        """A (N, widths[0]) -> (N, widths[-1])."""
        A = [np.asarray(A0)]
        for layer in self.layers:
            A.append(layer.forward(A[-1]))
        if self.debug:
            self.A = A
        return A[-1]

    def __call__(self, A0: Array) -> Array:
        """The same as forward."""
        return self.forward(A0)

    def backward(self, dLdA: Array) -> Array:
        """dLdA at the output -> dLdA at the input; sets every Linear's dLdW and dLdb."""
        gradients = [dLdA]
        for layer in reversed(self.layers):
            gradients.append(layer.backward(gradients[-1]))
        if self.debug:
            self.dLdA = gradients[::-1]
        return gradients[-1]


class MLP0(MLP):
    """No hidden layer: (N, 2) -> (N, 3)."""

    widths = (2, 3)


class MLP1(MLP):
    """One hidden layer of 3 neurons: (N, 2) -> (N, 2)."""

    widths = (2, 3, 2)


class MLP4(MLP):
    """Four hidden layers of 4, 8, 8 and 4 neurons: (N, 2) -> (N, 2)."""

    widths = (2, 4, 8, 8, 4, 2)
