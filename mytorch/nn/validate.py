"""What layers ask of their arguments, said in words."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mytorch.device import Array, side
from mytorch.geometry import Size

KINDS = {"cpu": "a NumPy array (cpu)", "cuda": "a CuPy array (cuda)"}


def numbers(value: int | Sequence[int], count: int, name: str, least: int = 0) -> Size:
    """`value` for each of `count` axes: one number stands for all of them, as in PyTorch."""
    values: tuple[Any, ...] = tuple(value) if isinstance(value, Sequence) else (value,) * count
    whole = all(isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= least for v in values)
    if len(values) != count or not whole:
        raise ValueError(f"{name}={value!r}: give whole numbers of at least {least}, {count} of them or one for all")
    return tuple(int(v) for v in values)


def expect(layer: Any, x: Array, shape: str, channels: int | None = None, dtype: Any = None) -> Array:
    """Return `x`, or raise an error that says what came, what `layer` expects, and what to do.

    shape: such as "(N, C, H, W)": as many axes as letters; "(*, F)": any number, the last meant. The axis called C or
    F must be `channels` long where that is given. dtype: that of the layer's parameters; else any floating type.
    """
    axes = shape.strip("()").split(", ")
    name = type(layer).__name__
    what = getattr(x, "shape", type(x).__name__)
    if not hasattr(x, "ndim"):
        raise TypeError(f"{name} got a {what}: expected an array {shape}; convert it with numpy.asarray")
    if axes[0] != "*" and x.ndim != len(axes):
        raise ValueError(f"{name} got an input of shape {what}: expected {len(axes)} axes, {shape}")
    _expect_side(layer, x)
    if axes[0] != "*" and 0 in x.shape[2:]:
        raise ValueError(f"{name} got an input of shape {what}, an image without pixels: look where it was cut")
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


def expect_same_side(layer: Any, **arrays: Any) -> None:
    """Raise TypeError where some of the named arrays are NumPy's and some CuPy's, saying which is where."""
    sides = {name: side(array) for name, array in arrays.items()}
    if len(set(sides.values())) > 1:
        listed = " and ".join(f"{KINDS[place]} as its {name}" for name, place in sides.items())
        raise TypeError(
            f"{type(layer).__name__} got {listed}: expected all on one side; "
            "move an array with mytorch.to_device(x, 'cuda' or 'cpu'), a network with .to('cuda' or 'cpu')"
        )


def _expect_side(layer: Any, x: Array) -> None:
    """Raise TypeError where `x` is on another side than the layer's parameters or buffers."""
    own = getattr(layer, "weight", None)
    own = getattr(layer, "running_mean", None) if own is None else own.data
    if own is not None:
        expect_same_side(layer, input=x, parameters=own)


def expect_gradient(layer: Any, grad: Array, shape: Size, dtype: np.dtype, place: str) -> None:
    """Raise an error where `grad` is not of the output's shape, dtype and side: broadcasting would hide the mistake."""
    name = type(layer).__name__
    if side(grad) != place:
        raise TypeError(
            f"{name}.backward got {KINDS[side(grad)]} as the gradient and gave {KINDS[place]} as its output: "
            f"expected both on one side; move the gradient with mytorch.to_device(grad, {place!r})"
        )
    if getattr(grad, "shape", None) != shape:
        what = getattr(grad, "shape", type(grad).__name__)
        raise ValueError(f"{name}.backward got a gradient of shape {what}: expected {shape}, that of its output")
    if grad.dtype != dtype:
        raise TypeError(
            f"{name}.backward got a gradient of {grad.dtype}: expected {dtype}, as its output; "
            f"convert it with grad.astype({str(dtype)!r})"
        )
