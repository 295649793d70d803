"""Checks of the arguments of layers and losses. An error names what came, what was expected, and the remedy.

A target is data: whatever its precision, a loss computes in the dtype of its predictions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.device import Array, device_of
from mytorch.geometry import Size

ARRAY_KINDS = {"cpu": "a NumPy array (cpu)", "cuda": "a CuPy array (cuda)"}


def to_tuple(value: int | Sequence[int], count: int, name: str, minimum: int = 0) -> Size:
    """Return `value` for each of `count` axes. A single number counts for all axes, as in PyTorch."""
    values: tuple[Any, ...] = tuple(value) if isinstance(value, Sequence) else (value,)
    values = values * count if len(values) == 1 else values
    valid = all(isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= minimum for v in values)
    if len(values) != count or not valid:
        raise ValueError(f"{name}={value!r}: give whole numbers of at least {minimum}, {count} of them or one for all")
    return tuple(int(v) for v in values)


def check_input(layer: Any, x: Array, shape: str, channels: int | None = None, dtype: Any = None) -> Array:
    """Return `x`, or raise ValueError or TypeError if `layer` cannot use it.

    shape: such as "(N, C, H, W)", one axis per letter; "(*, F)" means any number of axes before the last. The axis
    called C or F must have the length `channels`, if given. dtype: that of the layer's parameters; otherwise float32 or
    float64.
    """
    axes = shape.strip("()").split(", ")
    name = type(layer).__name__
    if not hasattr(x, "astype"):  # a list, or a tensor of PyTorch
        raise TypeError(f"{name} got a {type(x).__name__}: expected an array {shape}; convert it with numpy.asarray")
    what = x.shape
    if axes[0] != "*" and x.ndim != len(axes):
        raise ValueError(f"{name} got an input of shape {what}: expected {len(axes)} axes, {shape}")
    _check_device(layer, x)
    if axes[0] != "*" and 0 in x.shape[axes.index("C") + 1 if "C" in axes else 2 :]:
        raise ValueError(f"{name} got an input of shape {what}, an image without pixels: check where it was cropped")
    if channels is not None:
        axis = -1 if axes[0] == "*" else axes.index("C")
        if x.ndim == 0 or x.shape[axis] != channels:
            wanted = shape.replace("C", str(channels)).replace("F", str(channels))
            raise ValueError(
                f"{name} got an input of shape {what}: expected {wanted}; "
                f"give it {channels} channels or features, or build the layer for what you have"
            )
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} got an input of {x.dtype}: expected float32 or float64; convert it with x.astype")
    if dtype is not None and x.dtype != dtype:
        raise TypeError(
            f"{name} got an input of {x.dtype} and has parameters of {dtype}: "
            f"convert the input with x.astype({str(dtype)!r}), or the network with .to({str(x.dtype)!r})"
        )
    return x


def check_inputs(layer: Any, inputs: Sequence[Array], minimum: int) -> None:
    """Raise an error unless `inputs` are at least `minimum` arrays of one dtype, float32 or float64, on one device."""
    name = type(layer).__name__
    if len(inputs) < minimum:
        raise TypeError(f"{name} got {len(inputs)} inputs: expected at least {minimum}")
    for x in inputs:
        check_input(layer, x, "(*)")
        check_same_device(layer, **{"first input": inputs[0], "input": x})
        if x.dtype != inputs[0].dtype:
            raise TypeError(
                f"{name} got inputs of {inputs[0].dtype} and {x.dtype}: expected one dtype; convert one with x.astype"
            )


def check_same_device(layer: Any, **arrays: Any) -> None:
    """Raise TypeError if the named arrays are on different devices. The message says which is where."""
    devices = {name: device_of(array) for name, array in arrays.items()}
    if len(set(devices.values())) > 1:
        listed = " and ".join(f"{ARRAY_KINDS[device]} as its {name}" for name, device in devices.items())
        raise TypeError(
            f"{type(layer).__name__} got {listed}: expected all on one device; "
            "move an array with mytorch.to_device(x, 'cuda' or 'cpu'), a network with .to('cuda' or 'cpu')"
        )


def _check_device(layer: Any, x: Array) -> None:
    """Raise TypeError if `x` is on another device than the layer's parameters or buffers."""
    weight = getattr(layer, "weight", None)
    own = weight if hasattr(weight, "flags") else getattr(weight, "data", None)  # of losses, it is an array
    own = getattr(layer, "running_mean", None) if own is None else own
    if own is not None:
        check_same_device(layer, input=x, parameters=own)


def check_gradient(layer: Any, grad: Array, shape: Size, dtype: np.dtype, device: str) -> None:
    """Raise an error if `grad` does not match the output's shape, dtype and device. Broadcasting would hide it."""
    name = type(layer).__name__
    if not hasattr(grad, "astype"):
        raise TypeError(
            f"{name}.backward got a {type(grad).__name__} as the gradient: expected an array of shape {shape}; "
            "convert it with numpy.asarray"
        )
    if device_of(grad) != device:
        raise TypeError(
            f"{name}.backward got {ARRAY_KINDS[device_of(grad)]} as the gradient, but its output was "
            f"{ARRAY_KINDS[device]}: move the gradient with mytorch.to_device(grad, {device!r})"
        )
    if grad.shape != shape:
        raise ValueError(f"{name}.backward got a gradient of shape {grad.shape}: expected {shape}, that of its output")
    if grad.dtype != dtype:
        raise TypeError(
            f"{name}.backward got a gradient of {grad.dtype}: expected {dtype}, as its output; "
            f"convert it with grad.astype({str(dtype)!r})"
        )


def check_reduction(reduction: str, known: Sequence[str] = ("none", "mean", "sum")) -> Any:
    """Return `reduction`, or raise ValueError if it is not among those known."""
    if reduction not in known:
        raise ValueError(f"reduction={reduction!r}: expected {', '.join(map(repr, known[:-1]))} or {known[-1]!r}")
    return reduction


def check_target(loss: Any, target: Array, x: Array, refuse_nan: bool = True) -> Array:
    """Return `target` in the dtype of the predictions `x`. It must have their shape and, by default, contain no NaN."""
    name = type(loss).__name__
    _check_array(loss, target, f"as many values as predictions, {x.shape}")
    check_same_device(loss, predictions=x, target=target)
    _refuse_empty_mean(loss, x, "predictions")
    if target.shape != x.shape:
        raise ValueError(
            f"{name} got predictions {x.shape} and a target of shape {target.shape}: expected the same shape; "
            "reshape one of them, as broadcasting would compare each with many"
        )
    return _real(loss, target, x, refuse_nan)


def check_labels(loss: Any, target: Array, x: Array, shape: Size) -> Array:
    """Return `target`, one number for each example, in the dtype of the inputs `x`. It must have this shape."""
    _check_array(loss, target, f"numbers of shape {shape}")
    check_same_device(loss, input=x, target=target)
    _refuse_empty_mean(loss, x, "inputs")
    if target.shape != shape:
        raise ValueError(f"{type(loss).__name__} got a target of shape {target.shape}: expected {shape}; reshape it")
    return _real(loss, target, x)


def check_class_target(
    loss: Any, target: Array, logits: Array, soft: bool = False, ignore_index: int | None = None
) -> Array:
    """Return class indices (N, *) for `logits` (N, C, *), or () for (C,), or raise an error.

    soft: also accept soft targets in the shape of the logits, which are returned in their dtype. ignore_index: this
    index is allowed too.
    """
    name, axis = type(loss).__name__, min(1, logits.ndim - 1)
    classes, shape = logits.shape[axis], logits.shape[:axis] + logits.shape[axis + 1 :]
    count = f"{shape[0]} class indices" if len(shape) == 1 else f"class indices of shape {shape}"
    _refuse_empty_mean(loss, logits, "logits")
    _check_array(loss, target, count + (", or soft targets" if soft else ""))
    check_same_device(loss, logits=logits, target=target)
    if soft and target.shape == logits.shape and target.dtype.kind == "f":
        _refuse_nan(loss, target, "soft targets", "check where they are mixed")
        return target.astype(logits.dtype, copy=False)
    if target.shape != shape or target.dtype.kind not in "iu":
        raise ValueError(
            f"{name} got logits {logits.shape} and a target of shape {target.shape}, {target.dtype}: "
            f"expected {count} (whole numbers)" + (f", or soft targets {logits.shape} (floating)" * soft)
        )
    used = target if ignore_index is None else target[target != ignore_index]
    if used.size and (used.min() < 0 or used.max() >= classes):
        raise ValueError(
            f"{name} got class indices from {used.min()} to {used.max()}: "
            f"expected 0 to {classes - 1}, for the {classes} classes; number the classes from 0, or build for more"
        )
    return target


def _real(loss: Any, target: Array, x: Array, refuse_nan: bool = True) -> Array:
    """Return a target of real numbers in the dtype of `x`."""
    if target.dtype.kind not in "fiub":
        raise TypeError(
            f"{type(loss).__name__} got a target of {target.dtype}: expected real numbers; "
            "convert it with target.astype"
        )
    if refuse_nan:
        _refuse_nan(loss, target, "target", "check where it is read or computed")
    return target.astype(x.dtype, copy=False)


def _refuse_empty_mean(loss: Any, x: Array, what: str) -> None:
    if not x.size and getattr(loss, "reduction", "mean") == "mean":
        raise ValueError(f"{type(loss).__name__} got {what} of shape {x.shape}, an empty batch: it has no mean")


def _check_array(loss: Any, target: Array, wanted: str) -> None:
    if not hasattr(target, "astype"):  # a list, or a tensor of PyTorch
        raise TypeError(
            f"{type(loss).__name__} got a target that is a {type(target).__name__}: expected an array of {wanted}; "
            "convert it with numpy.asarray"
        )


def _refuse_nan(loss: Any, target: Array, what: str, remedy: str) -> None:
    smallest = target.min() if target.dtype.kind == "f" and target.size else 0  # NaN if the target contains one
    if smallest != smallest:
        raise ValueError(f"{type(loss).__name__} got NaN in its {what}: {remedy}")
