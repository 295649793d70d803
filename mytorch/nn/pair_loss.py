"""Losses and similarities of several inputs. `backward` returns a tuple: the gradient at each of them."""

from math import inf, log, pi
from typing import Any

import numpy as np

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.nn.loss import Loss, Reduction
from mytorch.nn.module import Module, as_array
from mytorch.nn.validate import check_input, check_labels, check_same_device, check_target
from mytorch.ops import pair_loss as ops
from mytorch.ops.broadcast import unbroadcast


class _PairLoss(Loss):
    """Base of the losses on several inputs: a subclass's forward calls `_finish`, and backward `_gradients`."""

    def _finish(self, terms: Array, *slopes: tuple[Array, Size], last: Size | None = None) -> Any:
        """Reduce the terms. slopes: for each input, what a term's gradient is multiplied by, and the input's shape.

        last: the shape of the last input, if an axis was inserted.
        """
        y = self._reduce(terms, terms.size)
        self.save_for_backward(
            *(slope for slope, _ in slopes),
            terms.size,
            [shape for _, shape in slopes],
            last,
            output=y if self.reduction == "none" else None,
        )
        return y

    def backward(self, grad: Any = 1.0) -> Any:
        """Return the gradient at each input. grad: that at the loss, an array with reduction="none"."""
        *slopes, count, shapes, last = self.saved(grad if self.reduction == "none" else None)
        scale = self._scale(grad, count)
        *grads, at_last = (self._at_input(slope, scale, shape) for slope, shape in zip(slopes, shapes, strict=True))
        return *grads, at_last if last is None else at_last.reshape(last)

    def _at_input(self, slope: Array, scale: Any, shape: Size) -> Array:
        """Return slope * scale, summed over the axes along which an input of this shape was broadcast."""
        if getattr(scale, "ndim", slope.ndim) < slope.ndim:
            scale = scale[..., None]
        return unbroadcast(as_array((slope * scale).astype(slope.dtype, copy=False)), shape)


def _check_same(layer: Module, arrays: dict[str, Array], same_shape: bool = True) -> None:
    """Raise an error if the inputs are not floating arrays of one dtype on one device, whose shapes broadcast."""
    first = next(iter(arrays.values()))
    for x in arrays.values():
        check_input(layer, x, "(*)", dtype=getattr(first, "dtype", None))
    check_same_device(layer, **arrays)
    shapes = [x.shape for x in arrays.values()]
    try:
        np.broadcast_shapes(*shapes)
        fits = not same_shape or len({x.ndim for x in arrays.values()}) == 1
    except ValueError:
        fits = False
    if not fits:
        listed = ", ".join(f"{name} {shape}" for name, shape in zip(arrays, shapes, strict=True))
        raise ValueError(
            f"{type(layer).__name__} got inputs of shapes {listed}: expected equal shapes, or axes of length 1"
        )


def _broadcasts_to(shape: Size, full: Size) -> bool:
    """Return True if an array of `shape` broadcasts to the shape `full`."""
    axes = zip(reversed(shape), reversed(full), strict=False)
    return len(shape) <= len(full) and all(length in (1, n) for length, n in axes)


class MarginRankingLoss(_PairLoss):
    """max(0, margin - target * (input1 - input2)): input1 should be larger where the target is 1, smaller where -1.

    As torch.nn.MarginRankingLoss.
    """

    def __init__(self, margin: float = 0.0, *, reduction: Reduction = "mean"):
        super().__init__(reduction=reduction)
        self.margin = float(margin)

    def forward(self, input1: Array, input2: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of pairs. The shapes broadcast."""
        _check_same(self, {"input1": input1, "input2": input2})
        shape = np.broadcast_shapes(input1.shape, input2.shape)
        if getattr(target, "ndim", len(shape)) != len(shape):
            raise ValueError(f"MarginRankingLoss got a target of shape {target.shape}: expected {len(shape)} axes")
        target = check_labels(self, target, input1, getattr(target, "shape", shape))
        excess = self.margin - target * (input1 - input2)
        slope = -target * (excess >= 0)
        return self._finish(np.maximum(excess, 0), (slope, input1.shape), (-slope, input2.shape))

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"margin={self.margin}, reduction={self.reduction!r}"


class CosineEmbeddingLoss(_PairLoss):
    """1 - cosine where the target is 1, max(0, cosine - margin) where it is -1. As torch.nn.CosineEmbeddingLoss.

    For pairs of vectors (N, D) with targets (N,), or one pair (D,) with a target (). margin: a cosine, from -1 to 1.
    """

    def __init__(self, margin: float = 0.0, *, reduction: Reduction = "mean"):
        super().__init__(reduction=reduction)
        self.margin = float(margin)

    def forward(self, input1: Array, input2: Array, target: Array) -> Any:  # type: ignore[override]
        """Return the loss of pairs."""
        _check_same(self, {"input1": input1, "input2": input2})
        if input1.ndim not in (1, 2):
            raise ValueError(f"CosineEmbeddingLoss got an input of shape {input1.shape}: expected (N, D), or (D,)")
        shape = np.broadcast_shapes(input1.shape, input2.shape)[:-1]
        target = check_labels(self, target, input1, shape)
        cosines, grad1, grad2 = ops.cosine(input1, input2)
        same, other = target == 1, target == -1
        excess = cosines - self.margin
        terms = same * (1 - cosines) + other * np.maximum(excess, 0)
        slope = ((other & (excess >= 0)).astype(input1.dtype) - same)[..., None]
        return self._finish(
            terms.astype(input1.dtype, copy=False), (slope * grad1, input1.shape), (slope * grad2, input2.shape)
        )

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"margin={self.margin}, reduction={self.reduction!r}"


class TripletMarginLoss(_PairLoss):
    """max(0, margin + distance(anchor, positive) - distance(anchor, negative)), with p-norms along the last axis.

    swap: take the distance of positive and negative if it is smaller (Balntas et al. 2016). eps: added to each
    difference, as PyTorch does. As torch.nn.TripletMarginLoss.
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        *,
        reduction: Reduction = "mean",
    ):
        if not margin > 0 or not p > 0:
            raise ValueError(f"margin={margin}, p={p}: expected numbers above 0")
        super().__init__(reduction=reduction)
        self.margin, self.p, self.eps, self.swap = float(margin), float(p), float(eps), bool(swap)

    def forward(self, anchor: Array, positive: Array, negative: Array) -> Any:  # type: ignore[override]
        """Return the loss of triplets (N, D), or of one (D,)."""
        _check_same(self, {"anchor": anchor, "positive": positive, "negative": negative})
        if not anchor.ndim:
            raise ValueError("TripletMarginLoss got an input of shape (): expected (N, D), or (D,)")

        def distance(x: Array, other: Array) -> Array:
            return ops.distance(x, other, self.p, self.eps, keepdims=True)

        def gradient(weight: Array, x: Array, other: Array) -> Array:
            return ops.distance_grad(weight, x, other, self.p, self.eps)

        near, far = distance(anchor, positive), distance(anchor, negative)
        own = np.ones_like(far)  # the fraction of the farther distance that is the anchor's, not the swapped one
        if self.swap:
            swapped = distance(positive, negative)
            own = ((far < swapped) + 0.5 * (far == swapped)).astype(far.dtype)
            far = np.minimum(far, swapped)
        excess = self.margin + near - far
        active = (excess >= 0).astype(near.dtype)
        at_near, at_far = gradient(active, anchor, positive), gradient(-active * own, anchor, negative)
        slopes = [at_near + at_far, -at_near, -at_far]
        if self.swap:
            at_swapped = gradient(-active * (1 - own), positive, negative)
            slopes = [slopes[0], slopes[1] + at_swapped, slopes[2] - at_swapped]
        shapes = (anchor.shape, positive.shape, negative.shape)
        return self._finish(np.maximum(excess, 0)[..., 0], *zip(slopes, shapes, strict=True))

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"margin={self.margin}, p={self.p}, eps={self.eps}, swap={self.swap}, reduction={self.reduction!r}"


class GaussianNLLLoss(_PairLoss):
    """(log(var) + (input - target)^2 / var) / 2: the target is normal, with a mean and a variance that are predicted.

    var: in the shape of the input, the same with a last axis of length 1 or without the last axis, or one number. It is
    at least eps. full: add log(2 pi) / 2. `backward` returns the gradients at the input, the target and, if it is an
    array, the variance. As torch.nn.GaussianNLLLoss (Nix and Weigend 1994).
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean"):
        if not eps > 0:
            raise ValueError(f"eps={eps}: expected a number above 0")
        super().__init__(reduction=reduction)
        self.full, self.eps = bool(full), float(eps)

    def forward(self, input: Array, target: Array, var: Array | float) -> Any:  # type: ignore[override]
        """Return the loss of a batch."""
        check_input(self, input, "(*)")
        target = self._checked_target(target, input)
        xp, given = get_array_module(input), getattr(var, "shape", ())
        spread: Any = xp.full((), var, input.dtype) if isinstance(var, int | float) else var
        check_input(self, spread, "(*)", dtype=input.dtype)
        check_same_device(self, input=input, var=spread)
        if given == input.shape[:-1] and given != input.shape and input.ndim:
            spread = spread[..., None]
        elif not _broadcasts_to(given, input.shape):
            raise ValueError(
                f"GaussianNLLLoss got an input of shape {input.shape} and var of shape {given}: expected the same "
                "shape, axes of length 1, no last axis, or a number"
            )
        if spread.size and spread.min() < 0:
            raise ValueError("GaussianNLLLoss got a negative variance: expected at least 0, such as exp of an output")
        spread = xp.maximum(spread, self.eps)
        difference = input - target
        precision = 1 / spread
        terms = 0.5 * (xp.log(spread) + difference * difference * precision) + (0.5 * log(2 * pi) if self.full else 0)
        terms = as_array(terms.astype(input.dtype, copy=False))
        at_input = xp.broadcast_to(difference * precision, terms.shape)
        slopes = [(at_input, input.shape), (-at_input, target.shape)]
        if hasattr(var, "shape"):
            at_var = 0.5 * precision * (1 - difference * difference * precision)
            slopes.append((xp.broadcast_to(at_var, terms.shape), spread.shape))
        return self._finish(terms, *slopes, last=given if hasattr(var, "shape") else None)

    def _checked_target(self, target: Array, x: Array) -> Array:
        """Return a target that broadcasts to the input's shape."""
        shape = getattr(target, "shape", ())
        fits = _broadcasts_to(shape, x.shape)
        return check_labels(self, target, x, shape) if fits else check_target(self, target, x)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"full={self.full}, eps={self.eps}, reduction={self.reduction!r}"


class CosineSimilarity(Module):
    """The cosine of the angle between x1 and x2 along `dim`; lengths below eps count as eps.

    As torch.nn.CosineSimilarity. `backward` returns the gradients at both inputs.
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        self.dim, self.eps = int(dim), float(eps)

    def forward(self, x1: Array, x2: Array) -> Array:  # type: ignore[override]
        """Shapes that broadcast, without the axis `dim`."""
        _check_same(self, {"x1": x1, "x2": x2}, same_shape=False)
        axes = max(x1.ndim, x2.ndim, 1)
        if not -axes <= self.dim < axes:
            raise ValueError(
                f"CosineSimilarity got inputs of {axes} axes, which have no axis {self.dim}: build it with another dim"
            )
        xp = get_array_module(x1)
        first, second = xp.broadcast_arrays(xp.atleast_1d(x1), xp.atleast_1d(x2))
        y, grad1, grad2 = ops.cosine_similarity(first, second, self.dim, self.eps)
        y = as_array(y)
        self.save_for_backward(grad1, grad2, x1.shape, x2.shape, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """Return the gradients at x1 and x2."""
        grad1, grad2, shape1, shape2 = self.saved(grad)
        grad = get_array_module(grad).expand_dims(grad, self.dim)
        return unbroadcast(grad * grad1, shape1), unbroadcast(grad * grad2, shape2)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"dim={self.dim}, eps={self.eps}"


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last axis. As torch.nn.PairwiseDistance.

    `backward` returns the gradients at both inputs.
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        if not p or p != p:
            raise ValueError(f"p={p}: expected a number other than 0, {inf} for the largest difference")
        self.p, self.norm, self.eps, self.keepdim = float(p), float(p), float(eps), bool(keepdim)

    def forward(self, x1: Array, x2: Array) -> Array:  # type: ignore[override]
        """(*, D) and (*, D), which broadcast, to (*), or (*, 1) with keepdim."""
        _check_same(self, {"x1": x1, "x2": x2}, same_shape=False)
        if not max(x1.ndim, x2.ndim):
            raise ValueError("PairwiseDistance got inputs of shape (): expected (*, D)")
        y = as_array(ops.distance(x1, x2, self.p, self.eps, keepdims=self.keepdim))
        self.save_for_backward(x1, x2, output=y)
        return y

    def backward(self, grad: Array) -> tuple[Array, Array]:  # type: ignore[override]
        """Return the gradients at x1 and x2."""
        x1, x2 = self.saved(grad)
        grad = grad if self.keepdim else grad[..., None]
        at_x1 = ops.distance_grad(grad, x1, x2, self.p, self.eps)
        return unbroadcast(at_x1, x1.shape), unbroadcast(-at_x1, x2.shape)

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f"p={self.p}, eps={self.eps}, keepdim={self.keepdim}"
