"""Interpolation as ONNX defines it: any axes, any of its coordinates and filters. See `Upsample` for PyTorch's."""

from collections.abc import Callable, Sequence
from math import ceil, floor
from typing import Literal, NamedTuple

import numpy as np

from mytorch.device import Array, device_of, get_array_module, to_device
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input

Coordinates = Literal[
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"
]
COORDINATES = (
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
)  # fmt: skip
ROUNDING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


class _Axis(NamedTuple):
    """How one axis is resized: outputs = matrix @ inputs. outside: outputs that are beyond the image."""

    matrix: np.ndarray
    outside: np.ndarray


class Resize(Module):
    """Interpolation along any axes with a choice of coordinates and filters. As ONNX's operator Resize.

    scales: outputs per input, or sizes: of the output; one for each of `axes`. mode: "nearest", "linear" or "cubic".
    coordinates: where an output is in the input. rounding: which neighbor "nearest" takes. cubic_coeff_a: of the cubic
    filter. exclude_outside: the filter's part beyond the edge is left out, instead of repeating the edge. antialias:
    the filter is stretched where the image shrinks. roi: start and end of each axis, as parts of its length, for
    "tf_crop_and_resize", which gives outputs beyond the image the extrapolation_value.
    """

    def __init__(
        self,
        axes: Sequence[int],
        scales: Sequence[float] | None = None,
        sizes: Sequence[int] | None = None,
        mode: Literal["nearest", "linear", "cubic"] = "nearest",
        coordinates: Coordinates = "half_pixel",
        rounding: str = "round_prefer_floor",
        cubic_coeff_a: float = -0.75,
        exclude_outside: bool = False,
        antialias: bool = False,
        roi: Sequence[float] | None = None,
        extrapolation_value: float = 0.0,
    ):
        self.axes = tuple(int(axis) for axis in axes)
        if scales is None and sizes is None:
            raise ValueError("scales=None, sizes=None: give one of them")
        self.scales = None if scales is None else tuple(float(one) for one in scales)
        self.sizes = None if sizes is None else tuple(int(one) for one in sizes)
        for name, given in (("scales", self.scales), ("sizes", self.sizes)):
            if given is not None and (len(given) != len(self.axes) or min(given, default=1) <= 0):
                raise ValueError(f"{name}={given}: expected a number above 0 for each of the axes {self.axes}")
        if mode not in ("nearest", "linear", "cubic") or coordinates not in COORDINATES or rounding not in ROUNDING:
            raise ValueError(
                f"mode={mode!r}, coordinates={coordinates!r}, rounding={rounding!r}: expected 'nearest', 'linear' or "
                f"'cubic', one of {', '.join(COORDINATES)}, and one of {', '.join(ROUNDING)}"
            )
        if (coordinates == "tf_crop_and_resize") != (roi is not None) or (roi and len(roi) != 2 * len(self.axes)):
            raise ValueError(f"roi={roi}: expected a start and an end of each axis, for 'tf_crop_and_resize' alone")
        self.mode, self.coordinates, self.rounding = mode, coordinates, rounding
        self.cubic_coeff_a, self.exclude_outside = float(cubic_coeff_a), bool(exclude_outside)
        self.antialias, self.extrapolation_value = bool(antialias), float(extrapolation_value)
        self.roi = None if roi is None else tuple(float(one) for one in roi)

    def forward(self, x: Array) -> Array:
        """Any shape, to one whose `axes` have other lengths."""
        check_input(self, x, "(*)")
        if any(not -x.ndim <= axis < x.ndim or not x.shape[axis] for axis in self.axes):
            raise ValueError(f"{self!r} got an input of shape {x.shape}: expected pixels and the axes {self.axes}")
        resized = self.matrices(x.shape)
        y = x
        for axis, (matrix, _) in zip(self.axes, resized, strict=True):
            y = _apply(matrix, y, axis)
        outside = self._outside(y, resized)
        if outside is not None:
            y = get_array_module(y).where(outside, y.dtype.type(self.extrapolation_value), y)
        self.save_for_backward([one.matrix for one in resized], outside, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """Return the gradient at x: that of each output, distributed over the pixels that it was computed from."""
        matrices, outside = self.saved(grad)
        if outside is not None:
            grad = grad * ~outside
        for axis, matrix in zip(self.axes, matrices, strict=True):
            grad = _apply(matrix.T, grad, axis)
        return grad

    def matrices(self, shape: Size) -> list[_Axis]:
        """Return how each of the axes of an input of this shape is resized."""
        found = []
        for index, axis in enumerate(self.axes):
            n = shape[axis]
            scale = self.sizes[index] / n if self.scales is None and self.sizes else (self.scales or ())[index]
            out = floor(n * scale + 1e-9) if self.sizes is None else self.sizes[index]
            if out < 1:
                raise ValueError(f"Resize of an axis of {n} by {scale} leaves nothing: give a larger input or scale")
            roi = (0.0, 1.0) if self.roi is None else (self.roi[index], self.roi[index + len(self.axes)])
            x = self._positions(n, out, scale, roi)
            outside = ((x < 0) | (x > n - 1)) & (self.roi is not None)
            found.append(_Axis(self._matrix(x, n, scale), outside))
        return found

    def _positions(self, n: int, out: int, scale: float, roi: tuple[float, float]) -> np.ndarray:
        """Return where each output is in an axis of n pixels."""
        y, length = np.arange(out, dtype=float), scale * n
        if self.coordinates == "asymmetric":
            return y / scale
        if self.coordinates == "align_corners":
            return y * ((n - 1) / (length - 1) if length != 1 else 0)
        if self.coordinates == "tf_crop_and_resize":
            start, end = roi
            step = (end - start) * (n - 1)
            return start * (n - 1) + (y * step / (length - 1) if length != 1 else step / 2 + 0 * y)
        if self.coordinates == "pytorch_half_pixel" and out == 1:
            return np.zeros(1)
        shift = n / 2 * (1 - out / length) if self.coordinates == "half_pixel_symmetric" else 0
        return shift + (y + 0.5) / scale - 0.5

    def _matrix(self, x: np.ndarray, n: int, scale: float) -> np.ndarray:
        """Return the weight of each of n pixels in the outputs at the positions x."""
        matrix = np.zeros((len(x), n))
        rows = np.arange(len(x))
        if self.mode == "nearest":
            matrix[rows, ROUNDING[self.rounding](x).clip(0, n - 1).astype(int)] = 1
            return matrix
        stretch = min(scale, 1.0) if self.antialias else 1.0
        reach = (1 if self.mode == "linear" else 2) / stretch
        pixels = np.floor(x - reach).astype(int)[:, None] + 1 + np.arange(ceil(2 * reach))
        weights = self._filter(np.abs(pixels - x[:, None]) * stretch)
        if self.exclude_outside:
            weights = weights * ((pixels >= 0) & (pixels < n))
        if self.exclude_outside or self.antialias:
            weights = weights / weights.sum(1, keepdims=True)
        np.add.at(matrix, (rows[:, None], pixels.clip(0, n - 1)), weights)
        return matrix

    def _filter(self, distance: np.ndarray) -> np.ndarray:
        """Return the weight of a pixel at this distance from an output."""
        d, a = distance, self.cubic_coeff_a
        if self.mode == "linear":
            return np.maximum(1 - d, 0)
        near, far = ((a + 2) * d - (a + 3)) * d * d + 1, (((d - 5) * d + 8) * d - 4) * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    def _outside(self, y: Array, resized: list[_Axis]) -> Array | None:
        """Return which outputs are beyond the image along any axis, None if there are none."""
        if not any(one.outside.any() for one in resized):
            return None
        mask = np.zeros((1,) * y.ndim, bool)
        for axis, one in zip(self.axes, resized, strict=True):
            shape = [1] * y.ndim
            shape[axis] = -1
            mask = mask | one.outside.reshape(shape)
        return to_device(mask, device_of(y))

    def extra_repr(self) -> str:
        """Return the arguments."""
        given = f"sizes={self.sizes}" if self.scales is None else f"scales={self.scales}"
        return f"{self.axes}, {given}, mode={self.mode!r}, coordinates={self.coordinates!r}"


def _apply(matrix: np.ndarray, x: Array, axis: int) -> Array:
    """Return matrix @ x along one axis."""
    weights = to_device(matrix.astype(x.dtype), device_of(x))
    xp = get_array_module(x)
    return xp.moveaxis(xp.moveaxis(x, axis, -1) @ weights.T, -1, axis)
