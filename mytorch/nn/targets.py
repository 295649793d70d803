"""What losses ask of their targets, said in words.

A target is data: whatever its precision, a loss computes in that of its predictions.
"""

from typing import Any

from mytorch.device import Array
from mytorch.nn.checks import expect_same_side


def expect_reduction(reduction: str) -> str:
    """Return `reduction`, or raise ValueError where it is neither "mean" nor "sum"."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction={reduction!r}: expected 'mean' or 'sum'")
    return reduction


def expect_values(loss: Any, target: Array, x: Array) -> Array:
    """Return `target` in the dtype of the predictions `x`, or raise an error: one value for each of them, none NaN."""
    name = type(loss).__name__
    _expect_array(loss, target, f"as many values as predictions, {x.shape}")
    expect_same_side(loss, predictions=x, target=target)
    if not x.size:
        raise ValueError(f"{name} got predictions of shape {x.shape}, an empty batch: it has no mean")
    if target.shape != x.shape:
        raise ValueError(
            f"{name} got predictions {x.shape} and a target of shape {target.shape}: expected the same shape; "
            "reshape one of them, as broadcasting would compare each with many"
        )
    if target.dtype.kind not in "fiub":
        raise TypeError(f"{name} got a target of {target.dtype}: expected real numbers; convert it with target.astype")
    _refuse_nan(loss, target, "target", "look where it is read or computed")
    return target.astype(x.dtype, copy=False)


def expect_classes(loss: Any, target: Array, logits: Array, soft: bool = False) -> Array:
    """Return class indices (N,) for `logits` (N, C), or raise an error.

    soft: soft targets (N, C) do too, and are returned in the logits' dtype.
    """
    name, (n, classes) = type(loss).__name__, logits.shape
    if not n:
        raise ValueError(f"{name} got logits of shape {logits.shape}, an empty batch: it has no mean")
    _expect_array(loss, target, f"{n} class indices" + (", or soft targets" if soft else ""))
    expect_same_side(loss, logits=logits, target=target)
    if soft and target.shape == (n, classes) and target.dtype.kind == "f":
        _refuse_nan(loss, target, "soft targets", "look where they are mixed")
        return target.astype(logits.dtype, copy=False)
    if target.shape != (n,) or target.dtype.kind not in "iu":
        raise ValueError(
            f"{name} got logits {logits.shape} and a target of shape {target.shape}, {target.dtype}: "
            f"expected {n} class indices (whole numbers)" + (f", or soft targets {logits.shape} (floating)" * soft)
        )
    if target.min() < 0 or target.max() >= classes:
        raise ValueError(
            f"{name} got class indices from {target.min()} to {target.max()}: "
            f"expected 0 to {classes - 1}, for the {classes} classes; number the classes from 0, or build for more"
        )
    return target


def _expect_array(loss: Any, target: Array, wanted: str) -> None:
    if not hasattr(target, "dtype"):
        raise TypeError(
            f"{type(loss).__name__} got a target that is a {type(target).__name__}: expected an array of {wanted}; "
            "convert it with numpy.asarray"
        )


def _refuse_nan(loss: Any, target: Array, what: str, remedy: str) -> None:
    least = target.min() if target.dtype.kind == "f" else 0  # NaN where there is one
    if least != least:
        raise ValueError(f"{type(loss).__name__} got NaN in its {what}: {remedy}")
