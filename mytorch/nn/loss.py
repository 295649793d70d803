"""Loss layers: `loss(logits, target)` is a number, `loss.backward()` the gradient at the logits."""

from typing import Literal

from mytorch.device import Array
from mytorch.nn.checks import expect
from mytorch.nn.module import Module
from mytorch.ops import loss as ops


class CrossEntropyLoss(Module):
    """Cross entropy between softmax(logits) and a target. As torch.nn.CrossEntropyLoss on (N, C).

    target: class indices (N,), whole numbers below C, or soft targets (N, C), such as MixUp's. label_smoothing moves
    that share of the target evenly over all classes. reduction: the mean or the sum over the batch.
    """

    def __init__(self, label_smoothing: float = 0.0, reduction: Literal["mean", "sum"] = "mean"):
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing}: a share lies between 0 and 1")
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction={reduction!r}: expected 'mean' or 'sum'")
        self.label_smoothing, self.reduction = label_smoothing, reduction

    def __call__(self, logits: Array, target: Array) -> float:  # type: ignore[override]
        """The loss of a batch."""
        return self.forward(logits, target)

    def forward(self, logits: Array, target: Array) -> float:  # type: ignore[override]
        """The loss of a batch."""
        expect(self, logits, "(N, C)")
        probabilities = ops.class_probabilities(self._checked(target, logits), logits, self.label_smoothing)
        self.keep(logits, probabilities)
        losses = ops.cross_entropy(logits, probabilities)
        return float(losses.mean() if self.reduction == "mean" else losses.sum())

    def backward(self, grad: float = 1.0) -> Array:  # type: ignore[override]
        """Gradient at the logits, (N, C), times `grad`."""
        logits, probabilities = self.kept()
        scale = grad / len(logits) if self.reduction == "mean" else grad
        return ops.cross_entropy_grad(logits, probabilities) * logits.dtype.type(scale)

    def _checked(self, target: Array, logits: Array) -> Array:
        n, classes = logits.shape
        if not n:
            raise ValueError(f"CrossEntropyLoss got logits of shape {logits.shape}, an empty batch: it has no mean")
        if not hasattr(target, "dtype"):
            raise TypeError(
                f"CrossEntropyLoss got a target that is a {type(target).__name__}: expected an array of {n} class "
                "indices, or soft targets; convert it with numpy.asarray"
            )
        if target.shape == (n, classes) and target.dtype.kind == "f":
            if not bool((target == target).all()):
                raise ValueError("CrossEntropyLoss got NaN in its soft targets: look where they are mixed")
            return target
        if target.shape != (n,) or target.dtype.kind not in "iu":
            raise ValueError(
                f"CrossEntropyLoss got logits {logits.shape} and a target of shape {target.shape}, {target.dtype}: "
                f"expected {n} class indices (whole numbers), or soft targets {logits.shape} (floating)"
            )
        if n and (target.min() < 0 or target.max() >= classes):
            raise ValueError(
                f"CrossEntropyLoss got class indices from {target.min()} to {target.max()}: "
                f"expected 0 to {classes - 1}, for the {classes} columns of the logits"
            )
        return target
