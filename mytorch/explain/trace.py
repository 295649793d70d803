"""Where one element of a convolution or a pooling comes from, or one of its gradients: the products that add up to it.

Names are the handout's: Z = layer(A) with weights W and b, and gradients dLdZ, dLdA, dLdW, dLdb.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from mytorch.explain.case import Window

Index = tuple[int, ...]
Cell = tuple[str, Index]
"""An element of a named array."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Trace:
    """The cells that make one element.

    terms: each is the product of its cells and of `factor`; with `largest`, the element is the largest of the terms,
    else their sum. total: the result.
    """

    terms: list[tuple[Cell, ...]]
    total: float
    factor: float = 1.0
    largest: bool = False

    @property
    def cells(self) -> dict[str, set[Index]]:
        """The cells of all terms, by array."""
        found: dict[str, set[Index]] = {}
        for term in self.terms:
            for name, index in term:
                found.setdefault(name, set()).add(index)
        return found


def trace(window: Window, what: str, place: Index, arrays: Arrays) -> Trace | None:
    """Return where element `place` of `what` (Z, dLdA, dLdW or dLdb) comes from.

    arrays: A, for gradients dLdZ, and of a convolution W and b. Returns None where one of them is missing, or has
    another shape than such a layer's.
    """
    try:
        terms = list((_conv if window.kind == "conv" else _pool)(window, what, place, arrays))
    except (KeyError, IndexError, ValueError):
        return None
    factor = 1 / prod(window.kernel) if window.kind == "mean" else 1.0
    values = [factor * float(np.prod([arrays[name][index] for name, index in term])) for term in terms]
    largest = window.kind == "max" and what == "Z"
    return Trace(terms, (max(values, default=0.0) if largest else sum(values)), factor, largest)


def _pairs(window: Window, axis: int, size: int) -> list[tuple[int, int, int]]:
    """Along one axis: which output o reads which input a through which place i of the window, as (o, i, a)."""
    kernel, stride, padding, up = window.kernel[axis], window.stride, window.padding, window.upsampling
    outputs = (up * (size - 1) + 1 + 2 * padding - kernel) // stride + 1
    found = []
    for o, i in product(range(outputs), range(kernel)):
        a, between = divmod(o * stride + i - padding, up)
        if not between and 0 <= a < size:
            found.append((o, i, a))
    return found


def _places(window: Window, shape: Index, given: Mapping[int, Index]) -> Iterator[tuple[Index, Index, Index]]:
    """Over all axes: the (o, i, a) whose o (0), i (1) or a (2) is given."""
    axes = [
        [pair for pair in _pairs(window, axis, size) if all(pair[which] == at[axis] for which, at in given.items())]
        for axis, size in enumerate(shape)
    ]
    for pairs in product(*axes):
        yield tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), tuple(p[2] for p in pairs)


def _conv(window: Window, what: str, place: Index, arrays: Arrays) -> Iterator[tuple[Cell, ...]]:
    A, W = arrays["A"], arrays["W"]
    shape = A.shape[2:]
    if len(shape) != len(window.kernel) or W.shape[1:] != (A.shape[1], *window.kernel):
        raise ValueError("not the arrays of a convolution")
    match what:
        case "Z":
            n, f, at = place[0], place[1], place[2:]
            for c in range(A.shape[1]):
                for _, i, a in _places(window, shape, {0: at}):
                    yield ("A", (n, c, *a)), ("W", (f, c, *i))
            if "b" in arrays:
                yield (("b", (f, *(0,) * (arrays["b"].ndim - 1))),)
        case "dLdA":
            n, c, at = place[0], place[1], place[2:]
            for f in range(W.shape[0]):
                for o, i, _ in _places(window, shape, {2: at}):
                    yield ("dLdZ", (n, f, *o)), ("W", (f, c, *i))
        case "dLdW":
            f, c, at = place[0], place[1], place[2:]
            for n in range(A.shape[0]):
                for o, _, a in _places(window, shape, {1: at}):
                    yield ("A", (n, c, *a)), ("dLdZ", (n, f, *o))
        case "dLdb":
            grad = arrays["dLdZ"]
            for n in range(grad.shape[0]):
                for o in np.ndindex(grad.shape[2:]):
                    yield (("dLdZ", (n, place[0], *o)),)
        case _:
            raise ValueError(what)


def _pool(window: Window, what: str, place: Index, arrays: Arrays) -> Iterator[tuple[Cell, ...]]:
    A = arrays["A"]
    shape = A.shape[2:]
    if len(shape) != len(window.kernel) or len(place) != A.ndim:
        raise ValueError("not the arrays of a pooling")
    head, at = place[:2], place[2:]
    match what:
        case "Z":
            for _, _, a in _places(window, shape, {0: at}):
                yield (("A", (*head, *a)),)
        case "dLdA":
            for o, _, _ in _places(window, shape, {2: at}):
                if window.kind == "mean" or _winner(window, A[head], o) == at:
                    yield (("dLdZ", (*head, *o)),)
        case _:
            raise ValueError(what)


def _winner(window: Window, image: np.ndarray, o: Index) -> Index:
    """The first place of the largest value in an output's window."""
    seen = [a for _, _, a in _places(window, image.shape, {0: o})]
    return max(seen, key=lambda a: image[a])
