"""Loss layers: `loss(predictions, target)` is a number, `loss.backward()` the gradient at the predictions."""

from typing import Literal

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.nn.validate import check_class_target, check_input, check_reduction, check_target
from mytorch.ops import loss as ops
from mytorch.ops.blockwise import blockwise_sum

Reduction = Literal["mean", "sum"]


class _Loss(Module):
    """Base of the losses: the mean or the sum of terms. A subclass defines `terms` and `terms_grad`."""

    def __init__(self, reduction: Reduction = "mean"):
        self.reduction = check_reduction(reduction)

    def __call__(self, x: Array, target: Array) -> float:
        """Return the loss of a batch."""
        return self.forward(x, target)

    def forward(self, x: Array, target: Array) -> float:  # type: ignore[override]
        """Return the loss of a batch."""
        x, target = self.check(x, target)
        total, saved = self.sum_terms(x, target)
        self.save_for_backward(saved, target)
        return total / self.count_terms(x) if self.reduction == "mean" else total

    def backward(self, grad: float = 1.0) -> Array:  # type: ignore[override]
        """Return the gradient at the predictions, times `grad`."""
        saved, target = self.saved()
        scale = float(grad) / self.count_terms(saved) if self.reduction == "mean" else float(grad)
        return self.terms_grad(saved, target, scale)

    def check(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Return predictions and target, or raise an error if they do not fit."""
        return x, check_target(self, target, check_input(self, x, "(*)"))

    def count_terms(self, x: Array) -> int:
        """Return the number of terms."""
        return x.size

    def sum_terms(self, x: Array, target: Array) -> tuple[float, Array]:
        """Return the sum of the terms, and what `terms_grad` needs, in the shape of x."""
        return float(self.terms(x, target).sum(dtype="d")), x

    def terms(self, x: Array, target: Array) -> Array:
        """Return the terms whose mean or sum is the loss."""
        raise TypeError(f"{type(self).__name__} has no terms: define terms(self, x, target) in your subclass")

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient of the terms' sum at the predictions, times `scale`.

        saved: what `sum_terms` returned for it, by default the predictions.
        """
        raise TypeError(f"{type(self).__name__} has no terms_grad: define it in your subclass")

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"reduction={self.reduction!r}"


class _ElementLoss(_Loss):
    """Base of the losses with one term per element. They are summed block by block."""

    def sum_terms(self, x: Array, target: Array) -> tuple[float, Array]:
        """Return the sum of the terms, and x."""
        return blockwise_sum(self.terms, x, target), x


class CrossEntropyLoss(_Loss):
    """Cross entropy between softmax(logits) and a target. As torch.nn.CrossEntropyLoss on (N, C).

    target: class indices (N,), integers below C, or soft targets (N, C), such as MixUp's. label_smoothing: this
    fraction of the target is distributed evenly over all classes. reduction: the mean or the sum over the batch.
    """

    def __init__(self, label_smoothing: float = 0.0, reduction: Reduction = "mean"):
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing}: expected a number from 0 to 1")
        super().__init__(reduction)
        self.label_smoothing = float(label_smoothing)

    def check(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Return logits (N, C), and class indices or soft targets."""
        return x, check_class_target(self, target, check_input(self, x, "(N, C)"), soft=True)

    def count_terms(self, x: Array) -> int:
        """One term per row."""
        return len(x)

    def sum_terms(self, x: Array, target: Array) -> tuple[float, Array]:
        """Return the sum of the rows' cross entropies, and what their gradient needs."""
        losses, saved = ops.cross_entropy_with_saved(x, target, self.label_smoothing)
        return float(losses.sum(dtype="d")), saved

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient at the logits, (N, C)."""
        return ops.cross_entropy_grad(saved, target, self.label_smoothing, scale)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"label_smoothing={self.label_smoothing}, reduction={self.reduction!r}"


class NLLLoss(_Loss):
    """Minus the log-probability, (N, C), of the target's class, (N,). As torch.nn.NLLLoss, for use after LogSoftmax."""

    def check(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Return log-probabilities (N, C) and class indices (N,)."""
        return x, check_class_target(self, target, check_input(self, x, "(N, C)"))

    def count_terms(self, x: Array) -> int:
        """One term per row."""
        return len(x)

    def terms(self, x: Array, target: Array) -> Array:
        """Return minus the log-probability of each row's class."""
        return ops.nll_loss(x, target)

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient at the log-probabilities, (N, C)."""
        return ops.nll_loss_grad(saved, target, scale)


class MSELoss(_ElementLoss):
    """Squared difference, mean or sum over all elements. As torch.nn.MSELoss."""

    def terms(self, x: Array, target: Array) -> Array:
        """Return the squared difference of each element."""
        return ops.squared_error(x, target)

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient at the predictions."""
        return ops.squared_error_grad(saved, target, scale)


class L1Loss(_ElementLoss):
    """Absolute difference, mean or sum over all elements. As torch.nn.L1Loss."""

    def terms(self, x: Array, target: Array) -> Array:
        """Return the absolute difference of each element."""
        return ops.absolute_error(x, target)

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient at the predictions."""
        return ops.absolute_error_grad(saved, target, scale)


class SmoothL1Loss(_ElementLoss):
    """difference^2 / (2 beta) where |difference| is below beta, otherwise |difference| - beta / 2.

    Mean or sum over all elements. As torch.nn.SmoothL1Loss.
    """

    def __init__(self, reduction: Reduction = "mean", beta: float = 1.0):
        if beta < 0:
            raise ValueError(f"beta={beta}: expected a number of at least 0")
        super().__init__(reduction)
        self.beta = float(beta)

    def terms(self, x: Array, target: Array) -> Array:
        """Return the term of each element."""
        return ops.smooth_l1(x, target, self.beta)

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient at the predictions."""
        return ops.smooth_l1_grad(saved, target, self.beta, scale)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"reduction={self.reduction!r}, beta={self.beta}"


class BCEWithLogitsLoss(_ElementLoss):
    """Binary cross entropy between sigmoid(logits) and targets from 0 to 1, mean or sum over all elements.

    As torch.nn.BCEWithLogitsLoss.
    """

    def terms(self, x: Array, target: Array) -> Array:
        """Return the binary cross entropy of each element."""
        return ops.binary_cross_entropy_with_logits(x, target)

    def terms_grad(self, saved: Array, target: Array, scale: float) -> Array:
        """Return the gradient at the logits."""
        return ops.binary_cross_entropy_with_logits_grad(saved, target, scale)
