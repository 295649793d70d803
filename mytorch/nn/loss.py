"""Loss layers: `loss(predictions, target)` is a number, `loss.backward()` the gradient at the predictions."""

from typing import Literal

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.nn.validate import check_class_target, check_input, check_reduction, check_target
from mytorch.ops import loss as ops
from mytorch.ops.blockwise import blockwise_sum

Reduction = Literal["mean", "sum"]


class _Loss(Module):
    """What losses share: terms, of which the mean or the sum is the loss."""

    def __init__(self, reduction: Reduction = "mean"):
        self.reduction = check_reduction(reduction)

    def __call__(self, x: Array, target: Array) -> float:  # type: ignore[override]
        """The loss of a batch."""
        return self.forward(x, target)

    def forward(self, x: Array, target: Array) -> float:  # type: ignore[override]
        """The loss of a batch."""
        x, target = self.checked(x, target)
        total, kept = self.added(x, target)
        self.save_for_backward(kept, target)
        return total / self.count(x) if self.reduction == "mean" else total

    def backward(self, grad: float = 1.0) -> Array:  # type: ignore[override]
        """Gradient at the predictions, times `grad`."""
        kept, target = self.saved()
        return self.terms_grad(
            kept, target, float(grad) / self.count(kept) if self.reduction == "mean" else float(grad)
        )

    def checked(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Predictions and target, looked over."""
        return x, check_target(self, target, check_input(self, x, "(*)"))

    def count(self, x: Array) -> int:
        """How many terms there are."""
        return x.size

    def added(self, x: Array, target: Array) -> tuple[float, Array]:
        """The sum of the terms, and what terms_grad takes, of the shape of x."""
        return float(self.terms(x, target).sum(dtype="d")), x

    def terms(self, x: Array, target: Array) -> Array:
        """What is averaged or added up."""
        raise TypeError(f"{type(self).__name__} has no terms: define terms(self, x, target) in your subclass")

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """Gradient of the terms' sum at the predictions, times `scale`; kept: what `added` gave, the predictions."""
        raise TypeError(f"{type(self).__name__} has no terms_grad: define it in your subclass")

    def extra_repr(self) -> str:
        """The reduction."""
        return f"reduction={self.reduction!r}"


class _ElementLoss(_Loss):
    """A loss with a term for each element, and so for any part of the elements."""

    def added(self, x: Array, target: Array) -> tuple[float, Array]:
        """The sum of the terms, and x."""
        return blockwise_sum(self.terms, x, target), x


class CrossEntropyLoss(_Loss):
    """Cross entropy between softmax(logits) and a target. As torch.nn.CrossEntropyLoss on (N, C).

    target: class indices (N,), whole numbers below C, or soft targets (N, C), such as MixUp's. label_smoothing moves
    that share of the target evenly over all classes. reduction: the mean or the sum over the batch.
    """

    def __init__(self, label_smoothing: float = 0.0, reduction: Reduction = "mean"):
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing}: a share lies between 0 and 1")
        super().__init__(reduction)
        self.label_smoothing = float(label_smoothing)

    def checked(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Logits (N, C), and class indices or soft targets."""
        return x, check_class_target(self, target, check_input(self, x, "(N, C)"), soft=True)

    def count(self, x: Array) -> int:
        """One a row."""
        return len(x)

    def added(self, x: Array, target: Array) -> tuple[float, Array]:
        """The sum of the rows' cross entropies, and what their gradient takes."""
        losses, kept = ops.cross_entropy_with_saved(x, target, self.label_smoothing)
        return float(losses.sum(dtype="d")), kept

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """The gradient at the logits, (N, C)."""
        return ops.cross_entropy_grad(kept, target, self.label_smoothing, scale)

    def extra_repr(self) -> str:
        """As PyTorch would print it."""
        return f"label_smoothing={self.label_smoothing}, reduction={self.reduction!r}"


class NLLLoss(_Loss):
    """Minus the log-probability, (N, C), of the target's class, (N,). As torch.nn.NLLLoss, for use after LogSoftmax."""

    def checked(self, x: Array, target: Array) -> tuple[Array, Array]:
        """Log-probabilities (N, C) and class indices (N,)."""
        return x, check_class_target(self, target, check_input(self, x, "(N, C)"))

    def count(self, x: Array) -> int:
        """One a row."""
        return len(x)

    def terms(self, x: Array, target: Array) -> Array:
        """What the target's class has, with its sign turned."""
        return ops.nll_loss(x, target)

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """The gradient at the log-probabilities, (N, C)."""
        return ops.nll_loss_grad(kept, target, scale)


class MSELoss(_ElementLoss):
    """Squared difference, mean or sum over all elements. As torch.nn.MSELoss."""

    def terms(self, x: Array, target: Array) -> Array:
        """Of each element."""
        return ops.squared_error(x, target)

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """The gradient at the predictions."""
        return ops.squared_error_grad(kept, target, scale)


class L1Loss(_ElementLoss):
    """Absolute difference, mean or sum over all elements. As torch.nn.L1Loss."""

    def terms(self, x: Array, target: Array) -> Array:
        """Of each element."""
        return ops.absolute_error(x, target)

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """The gradient at the predictions."""
        return ops.absolute_error_grad(kept, target, scale)


class SmoothL1Loss(_ElementLoss):
    """Half the squared difference over beta, where it is below beta, else the absolute less beta / 2.

    Mean or sum over all elements. As torch.nn.SmoothL1Loss.
    """

    def __init__(self, reduction: Reduction = "mean", beta: float = 1.0):
        if beta < 0:
            raise ValueError(f"beta={beta}: a distance is at least 0")
        super().__init__(reduction)
        self.beta = float(beta)

    def terms(self, x: Array, target: Array) -> Array:
        """Of each element."""
        return ops.smooth_l1(x, target, self.beta)

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """The gradient at the predictions."""
        return ops.smooth_l1_grad(kept, target, self.beta, scale)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"reduction={self.reduction!r}, beta={self.beta}"


class BCEWithLogitsLoss(_ElementLoss):
    """Binary cross entropy between sigmoid(logits) and targets from 0 to 1, mean or sum over all elements.

    As torch.nn.BCEWithLogitsLoss.
    """

    def terms(self, x: Array, target: Array) -> Array:
        """Of each element."""
        return ops.binary_cross_entropy_with_logits(x, target)

    def terms_grad(self, kept: Array, target: Array, scale: float) -> Array:
        """The gradient at the logits."""
        return ops.binary_cross_entropy_with_logits_grad(kept, target, scale)
