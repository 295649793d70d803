"""Checks of upsampling and downsampling."""

from collections.abc import Mapping

import numpy as np

from autograder.checks import oracle
from autograder.checks.case import EDGES, FORWARD, INPUT, NON_SQUARE, SHAPE, Case, Dialect, Family, Guesses
from autograder.checks.layer import Layer, Values, edges, generator, plain

_SIZES: Mapping[int, list[tuple[int, tuple[int, ...]]]] = {
    1: [
        (2, (1, 1, 3)),
        (2, (1, 1, 4)),
        (3, (2, 3, 7)),
        (2, (3, 2, 6)),
        (1, (2, 2, 5)),
        (5, (2, 1, 13)),
        (4, (1, 2, 1)),
    ],
    2: [
        (2, (1, 1, 3, 3)),
        (2, (1, 1, 4, 4)),
        (3, (2, 3, 7, 7)),
        (2, (3, 2, 6, 6)),
        (1, (2, 2, 5, 5)),
        (4, (1, 2, 1, 1)),
        (2, (1, 1, 2, 3)),
        (3, (2, 3, 7, 5)),
        (5, (2, 1, 13, 6)),
    ],
}


def _parts(axes: int) -> tuple[str, ...]:
    return (SHAPE, FORWARD, INPUT, *([NON_SQUARE] if axes == 2 else []), EDGES)


def upsampling(axes: int) -> Family:
    """Upsample1d or Upsample2d."""
    name = f"Upsample{axes}d"

    def layer(factor: int, shape: tuple[int, ...]) -> Layer:
        def guesses(values: Values) -> Mapping[str, Guesses]:
            return _upsampling_guesses(values, factor)

        return Layer(name, (factor,), shape, lambda t: oracle.upsample(t["A"], factor), guesses=guesses, affine=True)

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        layers = [layer(*size) for size in _SIZES[axes]]
        return [*(plain(one, one.draw(g)) for one in layers), *edges(layers[2], g)]

    return Family(name, _parts(axes), build)


def downsampling(axes: int) -> Family:
    """Downsample1d or Downsample2d."""
    name = f"Downsample{axes}d"

    def layer(factor: int, shape: tuple[int, ...]) -> Layer:
        def guesses(values: Values) -> Mapping[str, Guesses]:
            return _downsampling_guesses(values, factor)

        return Layer(
            name, (factor,), shape, lambda t: t["A"][oracle.every(factor, axes + 2)], guesses=guesses, affine=True
        )

    def build(seed: int, dialect: Dialect = "contract") -> list[Case]:
        g = generator(seed, name)
        layers = [layer(*size) for size in _SIZES[axes]]
        return [*(plain(one, one.draw(g)) for one in layers), *edges(layers[2], g)]

    return Family(name, _parts(axes), build)


def _upsampling_guesses(values: Values, k: int) -> Mapping[str, Guesses]:
    A, dLdZ = values.A, values.dLdZ
    space = range(2, A.ndim)

    def spread(factor: int, after: int = 0, shift: int = 0) -> np.ndarray:
        """Values `factor` apart, with `after` extra zeros at the end, or shifted."""
        shape = (*A.shape[:2], *(factor * (size - 1) + 1 + after for size in A.shape[2:]))
        Z = np.zeros(shape)
        Z[oracle.every(factor, A.ndim, shift)] = A
        return Z

    def repeated(trimmed: bool) -> np.ndarray:
        Z = A
        for axis in space:
            Z = np.repeat(Z, k, axis)
        return Z[tuple(slice(size) for size in values.Z.shape)] if trimmed else Z

    def one_axis(axis: int) -> np.ndarray:
        shape = list(A.shape)
        shape[axis] = k * (shape[axis] - 1) + 1
        Z = np.zeros(shape)
        Z[(slice(None),) * axis + (slice(None, None, k),)] = A
        return Z

    forward = {
        "upsample_trailing": lambda: spread(k, after=k - 1),
        "upsample_zeros": lambda: spread(k + 1),
        "upsample_leading": lambda: spread(k, after=k - 1, shift=k - 1),
        "upsample_repeated": lambda: repeated(False),
        "upsample_repeated ": lambda: repeated(True),
        "not_resampled": lambda: A,
    }
    if A.ndim == 4:
        forward |= {"one_axis": lambda: one_axis(2), "one_axis ": lambda: one_axis(3)}
    backward = {
        "upsample_not_sliced": lambda: dLdZ,
        "resample_offset": lambda: dLdZ[oracle.every(k, A.ndim, k - 1)],
        "upsample_twice": lambda: oracle.upsample(dLdZ, k),
        "upsample_cut": lambda: dLdZ[tuple(slice(size) for size in A.shape)],
        "gradient_divided": lambda: dLdZ[oracle.every(k, A.ndim)] / k,
    }
    if A.ndim == 4:
        backward |= {"one_axis": lambda: dLdZ[:, :, ::k], "one_axis ": lambda: dLdZ[:, :, :, ::k]}
    return {"Z": forward, "dLdA": backward}


def _downsampling_guesses(values: Values, k: int) -> Mapping[str, Guesses]:
    A, dLdZ = values.A, values.dLdZ

    def restored(shape: tuple[int, ...], shift: int = 0) -> np.ndarray:
        """The gradient spread into `shape`, as far as it fits."""
        dLdA = np.zeros(shape)
        places = dLdA[oracle.every(k, A.ndim, shift)]
        fits = tuple(slice(min(sizes)) for sizes in zip(places.shape, dLdZ.shape, strict=True))
        places[fits] = dLdZ[fits]
        return dLdA

    def repeated() -> np.ndarray:
        dLdA = dLdZ
        for axis in range(2, A.ndim):
            dLdA = np.repeat(dLdA, k, axis)
        return dLdA[tuple(slice(size) for size in A.shape)]

    whole = tuple(slice(None) if axis < 2 else slice(size // k * k) for axis, size in enumerate(A.shape))
    small = tuple(size if axis < 2 else k * (size - 1) + 1 for axis, size in enumerate(dLdZ.shape))
    large = tuple(size if axis < 2 else k * size for axis, size in enumerate(dLdZ.shape))

    def averaged() -> np.ndarray:
        cut = A[whole]
        for axis in range(2, A.ndim) if cut.size else ():
            cut = cut.reshape(*cut.shape[:axis], -1, k, *cut.shape[axis + 1 :]).mean(axis + 1)
        return cut

    forward = {
        "resample_offset": lambda: A[oracle.every(k, A.ndim, k - 1)],
        "resample_offset ": lambda: A[oracle.every(k, A.ndim, 1)],
        "border_dropped": lambda: A[whole][oracle.every(k, A.ndim)],
        "downsample_averaged": averaged,
        "not_resampled": lambda: A,
        "factor_twice": lambda: A[oracle.every(k * k, A.ndim)],
    }
    backward = {
        "downsample_backward_size": lambda: restored(small),
        "downsample_backward_padded": lambda: restored(large),
        "resample_offset": lambda: restored(A.shape, k - 1),
        "resample_offset ": lambda: restored(A.shape, 1),
        "upsample_repeated": repeated,
        "not_resampled": lambda: dLdZ,
    }
    if A.ndim == 4:
        forward |= {"one_axis": lambda: A[:, :, ::k], "one_axis ": lambda: A[:, :, :, ::k]}
    return {"Z": forward, "dLdA": backward}
