"""Losses of each element: `loss(input, target)` is a number, `loss.backward()` the gradient at the input.

reduction: "mean" or "sum" of the terms, a Python float; or "none", an array of the terms, and `backward` then takes the
gradient at each. PyTorch's deprecated arguments size_average and reduce do not exist, so that those behind them are
keywords. `mytorch.nn.class_loss` has the losses on classes, `mytorch.nn.pair_loss` those on several inputs.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import numpy as np

from mytorch.device import Array, get_array_module, is_cuda
from mytorch.nn.module import Module, as_array
from mytorch.nn.validate import check_input, check_reduction, check_target
from mytorch.ops import loss as ops
from mytorch.ops.blockwise import blockwise_sum

Reduction = Literal["none", "mean", "sum"]


class Loss(Module):
    """Base of the losses: their reduction, and what they have in common."""

    reductions: ClassVar[tuple[str, ...]] = ("none", "mean", "sum")
    weight: Array | None = None

    def __init__(self, *, reduction: Reduction = "mean"):
        self.reduction = check_reduction(reduction, self.reductions)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"reduction={self.reduction!r}"

    def _set_weight(self, name: str, weight: Array | None) -> None:
        """Store an argument with weights as a buffer, which moves with the loss; PyTorch has it in the state, too."""
        if weight is None:
            setattr(self, name, None)
            return
        weight = weight if is_cuda(weight) else np.asarray(weight)
        if weight.dtype.kind not in "fiu":
            raise TypeError(f"{type(self).__name__} got {name} of {weight.dtype}: expected an array of numbers")
        self.register_buffer(name, weight if weight.dtype.kind == "f" else weight.astype("f"))

    def _broadcast(self, name: str, weight: Array, x: Array) -> Array:
        """Return a weight in the shape and the dtype of `x`. Raises ValueError if it does not broadcast to it."""
        xp = get_array_module(x)
        try:
            return xp.ascontiguousarray(xp.broadcast_to(weight.astype(x.dtype, copy=False), x.shape)).reshape(x.shape)
        except ValueError as error:
            raise ValueError(
                f"{type(self).__name__} got an input of shape {x.shape} and has {name} of shape {weight.shape}: "
                "build it with weights that broadcast to the input's shape"
            ) from error

    def _reduce(self, terms: Array, count: float) -> Any:
        """Return the terms, their sum, or their sum divided by `count`."""
        if self.reduction == "none":
            return as_array(terms)
        total = float(terms.sum(dtype="d"))
        if self.reduction == "sum":
            return total
        return total / count if count else float("nan")

    def _scale(self, grad: Any, count: float) -> Any:
        """Return the gradient at every term: an array with "none", otherwise a number."""
        if self.reduction == "none":
            return grad
        return float(grad) / (count or 1) if self.reduction != "sum" else float(grad)


class _ElementLoss(Loss):
    """Base of the losses with one term per element, summed block by block. A subclass sets `terms` and `terms_grad`.

    Both get input, target and the arguments named in `settings`; `terms_grad` also gets a factor, called scale.
    """

    terms: ClassVar[Callable[..., Array]]
    terms_grad: ClassVar[Callable[..., Array]]
    settings: ClassVar[tuple[str, ...]] = ()
    refuses_nan: ClassVar[bool] = True

    def forward(self, input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch."""
        target = check_target(self, target, check_input(self, input, "(*)"), self.refuses_nan)
        weight, terms = self._weight(input), type(self).terms
        settings = self._settings(input)
        if self.reduction == "none":
            y = self._terms(input, target, settings)
            y = as_array(y if weight is None else y * weight)
            self.save_for_backward(input, target, output=y)
            return y
        self.save_for_backward(input, target)
        if weight is not None:
            return self._reduce(self._terms(input, target, settings) * weight, self._count(input))
        if any(getattr(setting, "shape", ()) for setting in settings):
            total = float(self._terms(input, target, settings).sum(dtype="d"))
        else:
            total = blockwise_sum(lambda x, t: terms(x, t, *settings), input, target)
        return total if self.reduction == "sum" else total / self._count(input)

    def backward(self, grad: Any = 1.0) -> Array:
        """Return the gradient at the input. grad: that at the loss, an array with reduction="none"."""
        x, target = self.saved(grad if self.reduction == "none" else None)
        scale, weight = self._scale(grad, self._count(x)), self._weight(x)
        if weight is not None:
            scale = (weight * scale).astype(x.dtype, copy=False)
        return type(self).terms_grad(x, target, *self._settings(x), scale)

    def _terms(self, x: Array, target: Array, settings: tuple[Any, ...]) -> Array:
        """Return the terms of all elements at once, also where there are no axes, and NumPy would give numbers."""
        if x.ndim:
            return type(self).terms(x, target, *settings)
        arrays = (a.reshape(1) if getattr(a, "shape", None) == () else a for a in (x, target, *settings))
        return type(self).terms(*arrays).reshape(())

    def _settings(self, x: Array) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.settings)

    def _count(self, x: Array) -> int:
        """Return the number that "mean" divides by."""
        return x.size

    def _weight(self, x: Array) -> Array | None:
        """Return the weight of every element, or None."""
        return None if self.weight is None else self._broadcast("weight", self.weight, x)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return ", ".join(
            [f"reduction={self.reduction!r}", *(f"{name}={getattr(self, name)}" for name in self.settings)]
        )


class MSELoss(_ElementLoss):
    """Squared difference. As torch.nn.MSELoss."""

    terms, terms_grad = ops.squared_error, ops.squared_error_grad


class L1Loss(_ElementLoss):
    """Absolute difference. As torch.nn.L1Loss."""

    terms, terms_grad = ops.absolute_error, ops.absolute_error_grad


class SmoothL1Loss(_ElementLoss):
    """difference^2 / (2 beta) where |difference| is below beta, otherwise |difference| - beta / 2.

    As torch.nn.SmoothL1Loss (Girshick, arXiv 1504.08083).
    """

    terms, terms_grad = ops.smooth_l1, ops.smooth_l1_grad
    settings = ("beta",)

    def __init__(self, *, reduction: Reduction = "mean", beta: float = 1.0):
        if beta < 0:
            raise ValueError(f"beta={beta}: expected a number of at least 0")
        super().__init__(reduction=reduction)
        self.beta = float(beta)


class HuberLoss(_ElementLoss):
    """difference^2 / 2 where |difference| is below delta, otherwise delta * (|difference| - delta / 2).

    As torch.nn.HuberLoss (Huber 1964).
    """

    terms, terms_grad = ops.huber, ops.huber_grad
    settings = ("delta",)

    def __init__(self, reduction: Reduction = "mean", delta: float = 1.0):
        if not delta > 0:
            raise ValueError(f"delta={delta}: expected a number above 0")
        super().__init__(reduction=reduction)
        self.delta = float(delta)


class BCELoss(_ElementLoss):
    """Binary cross entropy between probabilities and targets from 0 to 1. As torch.nn.BCELoss.

    weight: of each element, in a shape that broadcasts. Logarithms are at least -100, as in PyTorch.
    BCEWithLogitsLoss is more precise.
    """

    terms, terms_grad = ops.binary_cross_entropy, ops.binary_cross_entropy_grad

    def __init__(self, weight: Array | None = None, *, reduction: Reduction = "mean"):
        super().__init__(reduction=reduction)
        self._set_weight("weight", weight)

    def forward(self, input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch."""
        check_input(self, input, "(*)")
        if input.size and not (input.min() >= 0 and input.max() <= 1):
            raise ValueError(
                f"BCELoss got an input from {float(input.min()):.4g} to {float(input.max()):.4g}: "
                "expected probabilities from 0 to 1; use nn.BCEWithLogitsLoss for logits"
            )
        return super().forward(input, target)


class BCEWithLogitsLoss(_ElementLoss):
    """Binary cross entropy between sigmoid(logits) and targets from 0 to 1. As torch.nn.BCEWithLogitsLoss.

    weight: of each element; pos_weight: a factor of the positive part of each. Both in shapes that broadcast.
    """

    def __init__(self, weight: Array | None = None, *, reduction: Reduction = "mean", pos_weight: Array | None = None):
        super().__init__(reduction=reduction)
        self.pos_weight: Array | None
        self._set_weight("weight", weight)
        self._set_weight("pos_weight", pos_weight)

    terms, terms_grad = ops.binary_cross_entropy_with_logits, ops.binary_cross_entropy_with_logits_grad

    def _settings(self, x: Array) -> tuple[Any, ...]:
        return (None if self.pos_weight is None else self._broadcast("pos_weight", self.pos_weight, x),)


class KLDivLoss(_ElementLoss):
    """target * (log(target) - input), where the input holds log-probabilities. As torch.nn.KLDivLoss.

    log_target: the target holds log-probabilities too. reduction="batchmean" divides the sum by the number of rows,
    which is the divergence; "mean" divides by the number of elements.
    """

    reductions = ("none", "mean", "sum", "batchmean")
    terms, terms_grad = ops.kl_divergence, ops.kl_divergence_grad
    settings = ("log_target",)
    refuses_nan = False  # PyTorch's own samples have targets whose logarithm is NaN

    def __init__(self, *, reduction: Literal["none", "mean", "sum", "batchmean"] = "mean", log_target: bool = False):
        super().__init__(reduction=reduction)  # type: ignore[arg-type]
        self.log_target = bool(log_target)

    def _count(self, x: Array) -> int:
        rows = len(x) if x.ndim else 1
        return rows if str(self.reduction) == "batchmean" else x.size


class PoissonNLLLoss(_ElementLoss):
    """exp(input) - target * input, or input - target * log(input + eps) with log_input=False.

    As torch.nn.PoissonNLLLoss. full: add Stirling's approximation of log(target!) where the target exceeds 1.
    """

    terms, terms_grad = ops.poisson_nll, ops.poisson_nll_grad
    settings = ("log_input", "full", "eps")

    def __init__(self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: Reduction = "mean"):
        super().__init__(reduction=reduction)
        self.log_input, self.full, self.eps = bool(log_input), bool(full), float(eps)

    def forward(self, log_input: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of a batch."""
        return super().forward(log_input, target)


class HingeEmbeddingLoss(_ElementLoss):
    """input where the target is 1, max(0, margin - input) where it is -1. As torch.nn.HingeEmbeddingLoss."""

    terms, terms_grad = ops.hinge_embedding, ops.hinge_embedding_grad
    settings = ("margin",)

    def __init__(self, margin: float = 1.0, *, reduction: Reduction = "mean"):
        super().__init__(reduction=reduction)
        self.margin = float(margin)


class SoftMarginLoss(_ElementLoss):
    """log(1 + exp(-target * input)), where targets are 1 or -1. As torch.nn.SoftMarginLoss."""

    terms, terms_grad = ops.soft_margin, ops.soft_margin_grad
