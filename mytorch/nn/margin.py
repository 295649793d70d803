"""Heads for faces: logits from the angle between an embedding and its class, with a margin for the true class.

`head(embedding, label)` gives logits for CrossEntropyLoss; `head.backward(grad)` the gradient at the embedding. At
prediction time no margin is due, and the embedding itself is compared.
"""

from math import sqrt
from typing import ClassVar

import numpy as np

from mytorch.device import Array, namespace
from mytorch.nn import init
from mytorch.nn.checks import expect, numbers
from mytorch.nn.module import Module, Parameter
from mytorch.nn.targets import expect_classes
from mytorch.ops import linear
from mytorch.ops import margin as ops


class _Margin(Module):
    """s times the cosines of the angles to all classes, the label's own made smaller by a margin m.

    weight: (classes, in_features), a direction for each class.
    """

    highest: ClassVar[float]

    def __init__(self, in_features: int, classes: int, s: float, m: float, dtype: type | np.dtype | str = np.float32):
        numbers((in_features, classes), 2, "in_features and classes", least=1)
        if not s > 0 or not 0 <= m <= self.highest:
            raise ValueError(
                f"s={s}, m={m}: {type(self).__name__} needs a scale above 0 and a margin from 0 to {self.highest:.4g}"
            )
        self.in_features, self.classes, self.s, self.m = in_features, classes, float(s), float(m)
        bound = sqrt(6 / (in_features + classes))  # Glorot and Bengio 2010; only the direction matters
        self.weight = Parameter(init.uniform((classes, in_features), bound, dtype))

    def __call__(self, x: Array, label: Array) -> Array:  # type: ignore[override]
        """Logits (N, classes) for embeddings (N, in_features) and class indices (N,)."""
        return self.forward(x, label)

    def forward(self, x: Array, label: Array) -> Array:  # type: ignore[override]
        """Logits (N, classes) for embeddings (N, in_features) and class indices (N,)."""
        expect(self, x, "(N, F)")
        expect(self, x, "(*, F)", self.in_features, self.weight.dtype)
        rows, row_lengths = ops.unit_rows(x)
        directions, lengths = ops.unit_rows(self.weight.data)
        cosine = linear.linear(rows, directions, None)
        own = namespace(x).arange(len(x)), expect_classes(self, label, cosine)
        shifted, slope = self.shifted(cosine[own].clip(-1, 1))
        cosine[own] = shifted
        logits = cosine * cosine.dtype.type(self.s)
        self.keep(rows, row_lengths, directions, lengths, own, slope, output=logits)
        return logits

    def backward(self, grad: Array) -> Array:
        """Gradient at the embeddings, (N, in_features); accumulates weight.grad."""
        rows, row_lengths, directions, lengths, own, slope = self.kept(grad)
        grad = grad * grad.dtype.type(self.s)
        grad[own] *= slope
        back = linear.linear_weight_grad(grad, rows)
        self.weight.accumulate(ops.unit_rows_grad(back, directions, lengths))
        return ops.unit_rows_grad(linear.linear_input_grad(grad, directions), rows, row_lengths)

    def shifted(self, cosine: Array) -> tuple[Array, Array]:
        """The label's cosines with the margin, and their derivatives by those without."""
        raise TypeError(f"{type(self).__name__} has no shifted: define shifted(self, cosine) in your subclass")

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.in_features}, {self.classes}, s={self.s:g}, m={self.m:g}"


class ArcFace(_Margin):
    """The margin is added to the angle: s cos(theta + m), m in radians (Deng et al., arXiv 1801.07698).

    Where theta + m would exceed pi, the label's logit is s (cos(theta) - m sin(m)), as in the authors' code.
    """

    highest = np.pi / 2

    def __init__(
        self,
        in_features: int,
        classes: int,
        s: float = 64.0,
        m: float = 0.5,
        dtype: type | np.dtype | str = np.float32,
    ):
        super().__init__(in_features, classes, s, m, dtype)

    def shifted(self, cosine: Array) -> tuple[Array, Array]:
        """cos(theta + m)."""
        return ops.angular(cosine, self.m)


class CosFace(_Margin):
    """The margin is taken off the cosine: s (cos(theta) - m) (Wang et al., arXiv 1801.09414)."""

    highest = 1.0

    def __init__(
        self,
        in_features: int,
        classes: int,
        s: float = 64.0,
        m: float = 0.35,
        dtype: type | np.dtype | str = np.float32,
    ):
        super().__init__(in_features, classes, s, m, dtype)

    def shifted(self, cosine: Array) -> tuple[Array, Array]:
        """cos(theta) - m."""
        return ops.additive(cosine, self.m)
