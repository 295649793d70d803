"""Losses and their gradients at the predictions.

Cross entropy gives the loss of each row, the other losses that of each element. The layers in `mytorch.nn.loss` take
the mean or the sum. A `scale` is a number, or an array with one for each element. The gradient of cross entropy uses
what its forward saved: on the CPU the softmax, whose exponentials are computed anyway; on the GPU, where arithmetic
costs little compared with memory traffic, the logits.
"""

from math import pi
from typing import Any

import numpy as np

from mytorch.device import Array, cuda_implementation, get_array_module
from mytorch.geometry import empty
from mytorch.ops.activation import sigmoid
from mytorch.ops.blockwise import elementwise
from mytorch.ops.cuda import loss as cuda
from mytorch.ops.softmax import parallel_over_rows


@cuda_implementation(cuda.cross_entropy)
def cross_entropy(logits: Array, target: Array, label_smoothing: float = 0.0) -> Array:
    """Return the cross entropy of each row, see `cross_entropy_with_saved`."""
    return cross_entropy_with_saved(logits, target, label_smoothing)[0]


@cuda_implementation(cuda.cross_entropy_with_saved)
def cross_entropy_with_saved(logits: Array, target: Array, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    """Return -sum(target * log softmax(logits)) of each row of logits (N, C), (N,), and the softmax, (N, C).

    target: class indices (N,), equivalent to one-hot rows, or soft targets (N, C). Label smoothing distributes that
    fraction of each row's mass evenly over all classes (Szegedy et al., arXiv 1512.00567). A class with no mass adds
    nothing, even if its logit is minus infinity.
    """
    losses, softmax = np.empty(len(logits), logits.dtype), empty(logits.shape, logits)
    per_class = label_smoothing / max(1, logits.shape[1])

    def work(chunk: slice) -> None:
        exponentials, wanted = softmax[chunk], target[chunk]
        np.subtract(logits[chunk], logits[chunk].max(-1, keepdims=True), out=exponentials)
        if wanted.ndim == 1:
            mass, dot = 1.0, exponentials[np.arange(len(exponentials)), wanted]
        else:
            mass, dot = wanted.sum(-1), (wanted * np.where(wanted == 0, 0, exponentials)).sum(-1)
        if label_smoothing:
            mass = _smoothed_mass(mass, label_smoothing)
            dot = (1 - label_smoothing) * dot + per_class * exponentials.sum(-1)
        np.exp(exponentials, out=exponentials)
        total = exponentials.sum(-1)
        losses[chunk] = mass * np.log(total) - dot
        exponentials *= (1 / total)[:, None]

    parallel_over_rows(work, logits)
    return losses, softmax


@cuda_implementation(cuda.cross_entropy_grad)
def cross_entropy_grad(saved: Array, target: Array, label_smoothing: float = 0.0, scale: float = 1.0) -> Array:
    """Return the gradient of each row's cross entropy at its logits, (N, C), times `scale`: softmax - target.

    saved: what cross_entropy_with_saved returned.
    """
    grad = empty(saved.shape, saved)
    per_class = label_smoothing / max(1, saved.shape[1])

    def work(chunk: slice) -> None:
        part, wanted = grad[chunk], target[chunk]
        if wanted.ndim == 1:
            np.multiply(saved[chunk], scale, out=part)
            part[np.arange(len(part)), wanted] -= scale * (1 - label_smoothing)
        else:
            mass = _smoothed_mass(wanted.sum(-1, keepdims=True), label_smoothing)
            np.multiply(saved[chunk], scale * mass, out=part)
            part -= scale * (1 - label_smoothing) * wanted
        if label_smoothing:
            part -= scale * per_class

    parallel_over_rows(work, saved)
    return grad


def _smoothed_mass(mass: Any, label_smoothing: float) -> Any:
    """Return the sum of a row's target after label smoothing."""
    return (1 - label_smoothing) * mass + label_smoothing


def nll_loss(log_probabilities: Array, target: Array) -> Array:
    """Return minus the log-probability of the target's class: (N, C) and class indices (N,) give (N,)."""
    return -log_probabilities[get_array_module(target).arange(len(target)), target]


def nll_loss_grad(log_probabilities: Array, target: Array, scale: Any = 1.0) -> Array:
    """Return the gradient of nll_loss at the log-probabilities, (N, C), times `scale`: -scale at the target's class.

    scale: a number, or one for each row.
    """
    grad = empty(log_probabilities.shape, log_probabilities)
    grad[...] = 0
    grad[get_array_module(target).arange(len(target)), target] = -scale
    return grad


def squared_error(x: Array, target: Array) -> Array:
    """Return (x - target)^2 of each element."""
    difference = x - target
    difference *= difference
    return difference


@elementwise
def squared_error_grad(out: Array, x: Array, target: Array, scale: Any = 1.0) -> None:
    """Gradient of squared_error at x, times `scale`."""
    np.subtract(x, target, out=out)
    out *= 2 * scale


def absolute_error(x: Array, target: Array) -> Array:
    """Return |x - target| of each element."""
    difference = x - target
    return np.abs(difference, out=difference)


@elementwise
def absolute_error_grad(out: Array, x: Array, target: Array, scale: Any = 1.0) -> None:
    """Gradient of absolute_error at x, times `scale`; zero where both are equal, as in PyTorch."""
    np.sign(x - target, out=out)  # NumPy's sign is ten times slower in place
    out *= scale


def smooth_l1(x: Array, target: Array, beta: float) -> Array:
    """Return (x - target)^2 / (2 beta) below beta, |x - target| - beta / 2 above (arXiv 1504.08083, equation 3).

    With clipped = x - target, limited to -beta ... beta, both are clipped / beta * (x - target - clipped / 2).
    """
    if not beta:
        return absolute_error(x, target)
    terms = x - target
    clipped = np.clip(terms, -beta, beta)
    terms -= clipped * 0.5
    terms *= clipped
    if beta != 1:
        terms *= 1 / beta
    return terms


@elementwise
def smooth_l1_grad(out: Array, x: Array, target: Array, beta: float, scale: Any = 1.0) -> None:
    """Gradient of smooth_l1 at x, times `scale`."""
    difference = x - target
    if beta:
        np.clip(difference, -beta, beta, out=out)
        out *= scale / beta
    else:
        np.sign(difference, out=out)
        out *= scale


def huber(x: Array, target: Array, delta: float) -> Array:
    """Return (x - target)^2 / 2 below delta, delta * (|x - target| - delta / 2) above (Huber 1964).

    With clipped = x - target, limited to -delta ... delta, both are clipped * (x - target - clipped / 2).
    """
    terms = x - target
    clipped = np.clip(terms, -delta, delta)
    return clipped * (terms - clipped * 0.5)


@elementwise
def huber_grad(out: Array, x: Array, target: Array, delta: float, scale: Any = 1.0) -> None:
    """Gradient of huber at x, times `scale`."""
    np.subtract(x, target, out=out)
    np.clip(out, -delta, delta, out=out)
    out *= scale


def binary_cross_entropy(x: Array, target: Array) -> Array:
    """Return -target log(x) - (1 - target) log(1 - x) of each element; logarithms are at least -100, as in PyTorch."""
    with np.errstate(divide="ignore"):
        positive, negative = np.log(x), np.log1p(-x)
    return (target - 1) * np.maximum(negative, -100) - target * np.maximum(positive, -100)


@elementwise
def binary_cross_entropy_grad(out: Array, x: Array, target: Array, scale: Any = 1.0) -> None:
    """Gradient of binary_cross_entropy at x, times `scale`; the divisor is at least 1e-12, as in PyTorch."""
    np.subtract(x, target, out=out)
    out /= np.maximum(x * (1 - x), 1e-12)
    out *= scale


def binary_cross_entropy_with_logits(logits: Array, target: Array, pos_weight: Array | None = None) -> Array:
    """Return -pos_weight target log(p) - (1 - target) log(1 - p) of each element, where p = sigmoid(logits).

    It is computed as max(x, 0) - x target + log(1 + exp(-|x|)): nothing overflows, and no logarithm is of zero.
    """
    terms = np.abs(logits)
    np.negative(terms, out=terms)
    np.exp(terms, out=terms)
    np.log1p(terms, out=terms)
    if pos_weight is not None:
        terms += np.maximum(-logits, 0)
        return (1 - target) * logits + (1 + (pos_weight - 1) * target) * terms
    terms += np.clip(logits, 0, np.inf)
    terms -= logits * target
    return terms


@elementwise
def binary_cross_entropy_with_logits_grad(
    out: Array, logits: Array, target: Array, pos_weight: Array | None = None, scale: Any = 1.0
) -> None:
    """Gradient of binary_cross_entropy_with_logits at the logits, times `scale`: without weights, p - target."""
    if pos_weight is None:
        np.subtract(sigmoid(logits), target, out=out)
    else:
        np.multiply(1 + (pos_weight - 1) * target, sigmoid(-logits), out=out)
        np.subtract(1 - target, out, out=out)
    out *= scale


def kl_divergence(x: Array, target: Array, log_target: bool = False) -> Array:
    """Return target * (log(target) - x) of each element, where x is a log-probability; 0 where the target is 0.

    log_target: the target is a log-probability too.
    """
    if log_target:
        return np.exp(target) * (target - x)
    with np.errstate(invalid="ignore"):  # NaN for a negative target, as in PyTorch
        return target * (np.log(np.where(target == 0, target.dtype.type(1), target)) - x)


@elementwise
def kl_divergence_grad(out: Array, x: Array, target: Array, log_target: bool = False, scale: Any = 1.0) -> None:
    """Gradient of kl_divergence at x, times `scale`: minus the target."""
    np.negative(np.exp(target) if log_target else target, out=out)
    out *= scale


def poisson_nll(x: Array, target: Array, log_input: bool = True, full: bool = False, eps: float = 1e-8) -> Array:
    """Return the negative log-likelihood of a Poisson distribution with the mean exp(x), or x, up to a constant.

    full: include Stirling's approximation of log(target!) where the target exceeds 1.
    """
    terms = np.exp(x) - target * x if log_input else x - target * np.log(x + eps)
    if full:
        safe = np.where(target > 1, target, target.dtype.type(1))
        stirling = safe * np.log(safe) - safe + 0.5 * np.log(2 * pi * safe)
        terms = terms + np.where(target > 1, stirling, target.dtype.type(0))
    return terms


@elementwise
def poisson_nll_grad(
    out: Array,
    x: Array,
    target: Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    scale: Any = 1.0,
) -> None:
    """Gradient of poisson_nll at x, times `scale`; it does not depend on `full`."""
    np.subtract(np.exp(x), target, out=out) if log_input else np.subtract(1, target / (x + eps), out=out)
    out *= scale


def hinge_embedding(x: Array, target: Array, margin: float) -> Array:
    """Return x where the target is 1, max(0, margin - x) where it is -1; their sum elsewhere, as PyTorch does."""
    zero = x.dtype.type(0)
    return np.where(target != -1, x, zero) + np.where(target != 1, np.maximum(margin - x, 0), zero)


@elementwise
def hinge_embedding_grad(out: Array, x: Array, target: Array, margin: float, scale: Any = 1.0) -> None:
    """Gradient of hinge_embedding at x, times `scale`."""
    np.subtract(target != -1, (target != 1) & (x <= margin), out=out, dtype=out.dtype)
    out *= scale


def soft_margin(x: Array, target: Array) -> Array:
    """Return log(1 + exp(-target * x)) of each element."""
    return np.logaddexp(0, -target * x)


@elementwise
def soft_margin_grad(out: Array, x: Array, target: Array, scale: Any = 1.0) -> None:
    """Gradient of soft_margin at x, times `scale`."""
    np.multiply(-target, sigmoid(-target * x), out=out)
    out *= scale
