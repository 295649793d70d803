"""Margin heads for face recognition: logits from the angle between an embedding and its class, with a margin.

`head(embedding, label)` returns logits for CrossEntropyLoss, `head.backward(grad)` the gradient at the embedding. For
prediction no margin is applied, and the embeddings themselves are compared.
"""

from math import sqrt
from typing import ClassVar

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.nn import init
from mytorch.nn.module import Module
from mytorch.nn.validate import check_class_target, check_input, to_tuple
from mytorch.ops import linear
from mytorch.ops import margin as ops


class _MarginHead(Module):
    """`scale` times the cosines of the angles to all classes, where that of the label is reduced by `margin`.

    weight: (num_classes, in_features), a direction for each class.
    """

    max_margin: ClassVar[float]

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        scale: float,
        margin: float,
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        to_tuple((in_features, num_classes), 2, "in_features and num_classes", minimum=1)
        if not scale > 0 or not 0 <= margin <= self.max_margin:
            raise ValueError(
                f"scale={scale}, margin={margin}: {type(self).__name__} needs a scale above 0 and a margin from 0 to "
                f"{self.max_margin:.4g}"
            )
        self.in_features, self.num_classes = in_features, num_classes
        self.scale, self.margin = float(scale), float(margin)
        bound = sqrt(6 / (in_features + num_classes))  # Glorot and Bengio 2010; only the direction matters
        self.weight = init.parameter(init.uniform((num_classes, in_features), bound, dtype), device, dtype)

    def __call__(self, x: Array, label: Array) -> Array:
        """Return logits (N, num_classes) for embeddings (N, in_features) and class indices (N,)."""
        return self.forward(x, label)

    def forward(self, x: Array, label: Array) -> Array:  # type: ignore[override]
        """Return logits (N, num_classes) for embeddings (N, in_features) and class indices (N,)."""
        check_input(self, x, "(N, F)")
        check_input(self, x, "(*, F)", self.in_features, self.weight.dtype)
        rows, row_norms = ops.normalize(x)
        directions, direction_norms = ops.normalize(self.weight.data)
        cosine = linear.linear(rows, directions, None)
        at_label = get_array_module(x).arange(len(x)), check_class_target(self, label, cosine)
        cosine[at_label], slope = self.apply_margin(cosine[at_label].clip(-1, 1))
        logits = cosine * cosine.dtype.type(self.scale)
        self.save_for_backward(rows, row_norms, directions, direction_norms, at_label, slope, output=logits)
        return logits

    def backward(self, grad: Array) -> Array:
        """Return the gradient at the embeddings, (N, in_features); accumulates weight.grad."""
        rows, row_norms, directions, direction_norms, at_label, slope = self.saved(grad)
        grad = grad * grad.dtype.type(self.scale)
        grad[at_label] *= slope
        grad_directions = linear.linear_weight_grad(grad, rows)
        self.weight.accumulate(ops.normalize_grad(grad_directions, directions, direction_norms))
        return ops.normalize_grad(linear.linear_input_grad(grad, directions), rows, row_norms)

    def apply_margin(self, cosine: Array) -> tuple[Array, Array]:
        """Return the label's cosines with the margin applied, and their derivatives by the cosines."""
        raise TypeError(f"{type(self).__name__} has no apply_margin: define it in your subclass")

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"{self.in_features}, {self.num_classes}, scale={self.scale:g}, margin={self.margin:g}"


class ArcFace(_MarginHead):
    """The margin is added to the angle: scale * cos(theta + margin), in radians (Deng et al., arXiv 1801.07698).

    Where theta + margin would exceed pi, the label's logit is scale * (cos(theta) - margin * sin(margin)), as in the
    authors' code.
    """

    max_margin = np.pi / 2

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        scale: float = 64.0,
        margin: float = 0.5,
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        super().__init__(in_features, num_classes, scale, margin, device=device, dtype=dtype)

    def apply_margin(self, cosine: Array) -> tuple[Array, Array]:
        """Return cos(theta + margin), and its derivative."""
        return ops.angular_margin(cosine, self.margin)


class CosFace(_MarginHead):
    """The margin is subtracted from the cosine: scale * (cos(theta) - margin) (Wang et al., arXiv 1801.09414)."""

    max_margin = 1.0

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        scale: float = 64.0,
        margin: float = 0.35,
        *,
        device: str | None = None,
        dtype: init.DType = None,
    ):
        super().__init__(in_features, num_classes, scale, margin, device=device, dtype=dtype)

    def apply_margin(self, cosine: Array) -> tuple[Array, Array]:
        """Return cos(theta) - margin, and its derivative."""
        return ops.cosine_margin(cosine, self.margin)
