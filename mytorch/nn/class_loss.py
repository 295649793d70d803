"""Losses on classes, whose inputs are logits or log-probabilities: (N, C, *), or (C,) for one example."""

from typing import Any, ClassVar

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.nn.loss import Loss, Reduction
from mytorch.nn.validate import check_class_target, check_input, check_labels, check_target
from mytorch.ops import class_margin
from mytorch.ops import loss as ops


class _ClassLoss(Loss):
    """Base of the losses on class indices: weights of classes, and an index that is left out.

    weight: (C,), a factor for the examples of each class; the mean divides by the sum of the examples' weights.
    ignore_index: examples with this target count nothing.
    """

    def __init__(self, weight: Array | None, ignore_index: int, reduction: Reduction):
        super().__init__(reduction=reduction)
        self.ignore_index = int(ignore_index)
        self._set_weight("weight", weight)

    def _class_weight(self, x: Array) -> Array | None:
        """Return the classes' weights in the dtype of `x`. Raises ValueError if there are not as many as classes."""
        if self.weight is None:
            return None
        classes = x.shape[min(1, x.ndim - 1)]
        if self.weight.shape != (classes,):
            raise ValueError(
                f"{type(self).__name__} got an input of {classes} classes and has weight of shape {self.weight.shape}: "
                f"build it with a weight of shape {(classes,)}"
            )
        return self.weight.astype(x.dtype, copy=False)

    def _split_ignored(self, labels: Array, weight: Array | None, dtype: np.dtype) -> tuple[Array, Array | None]:
        """Return labels (R,) that are all classes, and the factor of each row, (R,), or None if all are 1."""
        ignored = labels == self.ignore_index
        if weight is None and not bool(ignored.any()):
            return labels, None
        xp = get_array_module(labels)
        labels = xp.where(ignored, 0, labels)
        factor = xp.ones(labels.shape, dtype) if weight is None else weight[labels]
        return labels, xp.where(ignored, dtype.type(0), factor)


def _to_rows(x: Array) -> Array:
    """Return (N, C, *) or (C,) as a matrix (R, C), one row for each target."""
    if x.ndim == 2:
        return x
    return get_array_module(x).moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if x.ndim > 1 else x[None]


def _from_rows(rows: Array, shape: Size) -> Array:
    """Undo `_to_rows`, for an input of this shape."""
    if len(shape) < 3:
        return rows.reshape(shape)
    return get_array_module(rows).moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1)


def _check_classes(loss: Loss, x: Array) -> Array:
    """Return `x`, or raise an error if it is not (N, C, *) or (C,)."""
    check_input(loss, x, "(*)")
    if not x.ndim or not x.shape[min(1, x.ndim - 1)]:
        raise ValueError(
            f"{type(loss).__name__} got an input of shape {x.shape}: expected (N, C, *), or (C,) for one example"
        )
    return x


class CrossEntropyLoss(_ClassLoss):
    """Cross entropy between softmax(logits) and a target. As torch.nn.CrossEntropyLoss.

    The logits are (N, C), (N, C, *), or (C,) for one example. target: class indices of the same shape without the axis
    of classes, or soft targets in the shape of the logits, such as MixUp's. weight: (C,), a factor for each class; the
    mean over class indices divides by the sum of their weights. ignore_index: such class indices count nothing.
    label_smoothing: this fraction of the target is distributed evenly over all classes. reduction: the mean or the sum
    over the targets, or "none".
    """

    def __init__(
        self,
        weight: Array | None = None,
        *,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
    ):
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing}: expected a number from 0 to 1")
        super().__init__(weight, ignore_index, reduction)
        self.label_smoothing = float(label_smoothing)

    def forward(self, input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch."""
        target = check_class_target(self, target, _check_classes(self, input), True, self.ignore_index)
        weight, rows = self._class_weight(input), _to_rows(input)
        smoothing, factor, count = self.label_smoothing, None, float(len(rows))
        if target.dtype.kind == "f":
            if self.ignore_index >= 0:
                raise ValueError(
                    f"CrossEntropyLoss got soft targets and has ignore_index={self.ignore_index}: it is for class "
                    "indices; leave it out, or give class indices"
                )
            goal, shape = _to_rows(target), input.shape[:1] * (input.ndim > 1) + input.shape[2:]
            if weight is not None:
                goal, smoothing = self._smooth(goal) * weight, 0.0
        else:
            goal, factor = self._split_ignored(target.reshape(-1), weight, input.dtype)
            shape = target.shape
            if factor is not None:
                count = float(factor.sum(dtype="d"))
            if weight is not None and smoothing:
                one_hot = get_array_module(input).eye(rows.shape[1], dtype=input.dtype)[goal]
                goal, smoothing = self._smooth(one_hot) * weight * (target.reshape(-1, 1) != self.ignore_index), 0.0
                factor = None
        losses, saved = ops.cross_entropy_with_saved(rows, goal, smoothing)
        if factor is not None:
            losses = get_array_module(losses).where(factor == 0, losses.dtype.type(0), losses * factor)
        y = self._reduce(losses.reshape(shape), count)
        self.save_for_backward(
            saved, goal, smoothing, factor, count, input.shape, output=y if self.reduction == "none" else None
        )
        return y

    def backward(self, grad: Any = 1.0) -> Array:
        """Return the gradient at the logits. grad: that at the loss, an array with reduction="none"."""
        saved, goal, smoothing, factor, count, shape = self.saved(grad if self.reduction == "none" else None)
        scale = self._scale(grad, count)
        if factor is None and self.reduction != "none":
            rows = ops.cross_entropy_grad(saved, goal, smoothing, scale)
        else:
            each = scale.reshape(-1, 1) if self.reduction == "none" else scale
            each = each if factor is None else each * factor.reshape(-1, 1)
            rows = ops.cross_entropy_grad(saved, goal, smoothing)
            rows *= each.astype(rows.dtype, copy=False)
        return _from_rows(rows, shape)

    def _smooth(self, target: Array) -> Array:
        return (1 - self.label_smoothing) * target + self.label_smoothing / target.shape[-1]

    def extra_repr(self) -> str:
        """Return the arguments."""
        shown = f"label_smoothing={self.label_smoothing}, reduction={self.reduction!r}"
        return shown if self.ignore_index == -100 else f"{shown}, ignore_index={self.ignore_index}"


class NLLLoss(_ClassLoss):
    """Minus the log-probability of the target's class. As torch.nn.NLLLoss, for use after LogSoftmax.

    The log-probabilities are (N, C), (N, C, *), or (C,) for one example; target: class indices without the axis of
    classes. weight, ignore_index and reduction as in CrossEntropyLoss.
    """

    def __init__(self, weight: Array | None = None, *, ignore_index: int = -100, reduction: Reduction = "mean"):
        super().__init__(weight, ignore_index, reduction)

    def forward(self, input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch."""
        target = check_class_target(self, target, _check_classes(self, input), ignore_index=self.ignore_index)
        labels, factor = self._split_ignored(target.reshape(-1), self._class_weight(input), input.dtype)
        rows = _to_rows(input)
        losses, count = ops.nll_loss(rows, labels), float(len(labels))
        if factor is not None:
            losses = get_array_module(losses).where(factor == 0, losses.dtype.type(0), losses * factor)
            count = float(factor.sum(dtype="d"))
        y = self._reduce(losses.reshape(target.shape), count)
        self.save_for_backward(rows, labels, factor, count, input.shape, output=y if self.reduction == "none" else None)
        return y

    def backward(self, grad: Any = 1.0) -> Array:
        """Return the gradient at the log-probabilities. grad: that at the loss, an array with reduction="none"."""
        rows, labels, factor, count, shape = self.saved(grad if self.reduction == "none" else None)
        scale = self._scale(grad, count)
        scale = scale.reshape(-1) if self.reduction == "none" else scale
        scale = scale if factor is None else (scale * factor).astype(rows.dtype, copy=False)
        return _from_rows(ops.nll_loss_grad(rows, labels, scale), shape)


class _RowLoss(Loss):
    """Base of the losses with one term per row of (N, C), or of one row (C,), from a short formula over the row.

    A subclass defines `check`, which returns the target of the rows, `compute`, and the number of the target's axes.
    """

    target_axes: ClassVar[int]

    def check(self, input: Array, target: Array) -> Array:
        """Return the target of the rows, or raise an error if it does not fit."""
        raise TypeError(f"{type(self).__name__} has no check: define check(self, input, target) in your subclass")

    def compute(self, rows: Array, target: Array) -> tuple[Array, Array]:
        """Return each row's term, (N,), and its gradient at the row, (N, C)."""
        raise TypeError(f"{type(self).__name__} has no compute: define compute(self, rows, target) in your subclass")

    def forward(self, input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch (N, C), or of one example (C,)."""
        check_input(self, input, "(*)")
        if input.ndim > 2 or not input.size:
            raise ValueError(
                f"{type(self).__name__} got an input of shape {input.shape}: expected (N, C), or (C,) for one example"
            )
        rows = input.reshape(-1, input.shape[-1] if input.ndim else 1)
        if input.ndim < 2 and hasattr(target, "reshape"):
            target = target.reshape((1, -1)[-self.target_axes :])
        terms, slopes = self.compute(rows, self.check(rows, target))
        y = self._reduce(terms.reshape(input.shape[:-1]), len(terms))
        self.save_for_backward(slopes, input.shape, output=y if self.reduction == "none" else None)
        return y

    def backward(self, grad: Any = 1.0) -> Array:
        """Return the gradient at the input. grad: that at the loss, an array with reduction="none"."""
        slopes, shape = self.saved(grad if self.reduction == "none" else None)
        scale = self._scale(grad, len(slopes))
        scale = scale.reshape(-1, 1) if self.reduction == "none" else scale
        return (slopes * scale).reshape(shape)


class MultiMarginLoss(_RowLoss, _ClassLoss):
    """Mean over classes of max(0, margin - input[target] + input[class])^p, without the target's. p: 1 or 2.

    weight: (C,), a factor for the examples of each class. As torch.nn.MultiMarginLoss (Crammer and Singer 2001).
    """

    target_axes = 1

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Array | None = None, *, reduction: Reduction = "mean"):
        if p not in (1, 2):
            raise ValueError(f"p={p}: expected 1 or 2")
        super().__init__(weight, -100, reduction)
        self.p, self.margin = int(p), float(margin)

    def check(self, input: Array, target: Array) -> Array:
        """Return class indices, (N,)."""
        return check_class_target(self, target, input)

    def compute(self, rows: Array, target: Array) -> tuple[Array, Array]:
        """Return each row's term, and its gradient."""
        return class_margin.multi_margin(rows, target, self.p, self.margin, self._class_weight(rows))

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"p={self.p}, margin={self.margin}, reduction={self.reduction!r}"


class MultiLabelMarginLoss(_RowLoss):
    """Mean over classes of max(0, 1 - (input[label] - input[other])), summed over an example's labels and its others.

    target: integers in the shape of the input, the labels of each example, then -1; what follows -1 counts nothing. As
    torch.nn.MultiLabelMarginLoss.
    """

    target_axes = 2

    def check(self, input: Array, target: Array) -> Array:
        """Return how often each class is a label, (N, C)."""
        check_labels(self, target, input, input.shape)
        if target.dtype.kind not in "iu" or (target.size and (target.min() < -1 or target.max() >= input.shape[-1])):
            raise ValueError(
                f"MultiLabelMarginLoss got a target of {target.dtype}, expected class indices from 0 to "
                f"{input.shape[-1] - 1}, the labels of each example, filled up with -1"
            )
        return class_margin.count_labels(_to_rows(target))

    def compute(self, rows: Array, target: Array) -> tuple[Array, Array]:
        """Return each row's term, and its gradient."""
        return class_margin.multi_label_margin(rows, target)


class MultiLabelSoftMarginLoss(Loss):
    """Binary cross entropy between sigmoid(input) and targets of 0 and 1, mean over classes, the last axis.

    weight: a factor for each class, (C,). As torch.nn.MultiLabelSoftMarginLoss.
    """

    def __init__(self, weight: Array | None = None, *, reduction: Reduction = "mean"):
        super().__init__(reduction=reduction)
        self._set_weight("weight", weight)

    def forward(self, input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch (N, C), or of one example (C,)."""
        target = check_target(self, target, check_input(self, input, "(*)"))
        if not input.ndim:
            raise ValueError(
                "MultiLabelSoftMarginLoss got an input of shape (): expected (N, C), or (C,) for one example"
            )
        terms = ops.binary_cross_entropy_with_logits(input, target)
        terms = terms if self.weight is None else terms * self._broadcast("weight", self.weight, input)
        y = self._reduce(terms.mean(-1), terms.size // terms.shape[-1])
        self.save_for_backward(input, target, output=y if self.reduction == "none" else None)
        return y

    def backward(self, grad: Any = 1.0) -> Array:
        """Return the gradient at the input. grad: that at the loss, an array with reduction="none"."""
        x, target = self.saved(grad if self.reduction == "none" else None)
        scale = self._scale(grad, x.size // x.shape[-1]) / x.shape[-1]
        scale = scale[..., None] if self.reduction == "none" else scale
        grad_x = ops.binary_cross_entropy_with_logits_grad(x, target) * scale
        return grad_x if self.weight is None else grad_x * self._broadcast("weight", self.weight, x)
