"""Cases, their registry, and what draws their shapes and values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mytorch import nn

Draw = np.random.Generator


@dataclass(frozen=True)
class Case:
    """A layer, its input in float64, and other arguments of its forward, such as a loss's target."""

    layer: Any
    x: np.ndarray
    others: tuple[np.ndarray, ...] = ()
    training: bool = True
    random: bool = field(default=False)
    """True if forward is random, so that PyTorch can only be compared for a fixed mask."""


CASES: dict[str, Callable[[Draw], Case]] = {}
"""For each name in mytorch.nn.__all__, a function that draws a case."""

NOT_A_LAYER = {"Module", "Parameter"}


def case(*names: str) -> Callable:
    """Decorate a function that draws the cases of the layers of these names. It gets the name."""

    def register(function: Callable[[Draw, str], Case]) -> Callable[[Draw, str], Case]:
        for name in names:
            CASES[name] = lambda draw, name=name: function(draw, name)
        return function

    return register


def forgotten() -> set[str]:
    """Return the layers of mytorch.nn without a case."""
    return set(nn.__all__) - NOT_A_LAYER - set(CASES)


def flip(draw: Draw, chance: float = 0.5) -> bool:
    """Return True with this probability."""
    return bool(draw.random() < chance)


def integers(draw: Draw, low: int, high: int, count: int) -> tuple[int, ...]:
    """Return integers from low to high, both included."""
    return tuple(int(n) for n in draw.integers(low, high + 1, count))


def values(draw: Draw, *shape: int) -> np.ndarray:
    """Return normal values, in one of several memory layouts."""
    x = draw.standard_normal(shape)
    layout = draw.integers(4)
    if layout == 1 and len(shape) > 1:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    if layout == 2:
        return np.ascontiguousarray(x.T).T
    if layout == 3:
        return np.repeat(x, 2, -1)[..., ::2]
    return x


def separated(x: np.ndarray) -> np.ndarray:
    """Return `x` with its values moved away from each other and from zero, in the same order.

    A difference across a kink, such as a tie in max pooling, is not a derivative; other tests cover ties.
    """
    ranks = x.ravel().argsort().argsort().reshape(x.shape)
    y = x.copy(order="K")
    y[...] = (ranks + 0.25 - x.size / 2) * (6 / x.size)
    return y


def perturbed(layer: Any, draw: Draw) -> Any:
    """Return `layer` in float64, with weights and statistics other than the initial ones, which would hide mistakes."""
    layer.to(float)
    for name, array in layer.state_dict().items():
        if array.dtype.kind == "f":
            array[...] = draw.uniform(0.5, 1.5, array.shape) * (
                1 if "var" in name else draw.choice([-1, 1], array.shape)
            )
    return layer


def spatial(draw: Draw, kernel: tuple, dilation: tuple, padding: tuple) -> tuple[int, ...]:
    """Return a size into which the window fits, plus a few positions."""
    reach = (d * (k - 1) + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True))
    return tuple(max(1, r) + int(draw.integers(6)) for r in reach)
