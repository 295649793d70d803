"""Padding layers, for one to three spatial axes."""

from typing import ClassVar

import numpy as np

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.ops import padding as ops


class _Pad(SpatialLayer):
    """Base of the padding layers. padding: one number, or two per axis, before and after, the last axis first.

    A negative number removes pixels. A subclass sets `mode`.
    """

    mode: ClassVar[ops.Mode]
    value: float = 0.0

    def __init__(self, padding: int | Size):
        count = 2 * self.axes
        ends = tuple(padding) if isinstance(padding, tuple | list) else (padding,) * count
        if len(ends) != count or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in ends):
            raise ValueError(
                f"padding={padding!r}: give a whole number, or {count} of them, "
                "before and after each axis, the last axis first"
            )
        self.padding = tuple(map(int, ends))
        self._ends = [(self.padding[i], self.padding[i + 1]) for i in range(count - 2, -1, -2)]

    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, C, *size) -> (N, C, *padded size)."""
        x = self.check_input(input)
        y = ops.pad(x, self._ends, self.mode, self.value)
        self.save_for_backward(x.shape[2:], output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *padded size) -> (N, C, *size)."""
        (size,) = self.saved(grad)
        return ops.pad_grad(grad, size, self._ends, self.mode)

    def extra_repr(self) -> str:
        """Return the padding as PyTorch prints it."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode: ClassVar[ops.Mode] = "constant"

    def __init__(self, padding: int | Size, value: float):
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    mode: ClassVar[ops.Mode] = "constant"


class _ReflectionPad(_Pad):
    mode: ClassVar[ops.Mode] = "reflect"


class _ReplicationPad(_Pad):
    mode: ClassVar[ops.Mode] = "replicate"


class _CircularPad(_Pad):
    mode: ClassVar[ops.Mode] = "circular"


class ConstantPad1d(_ConstantPad):
    """Pad with one value: (N, C, L) or (C, L). As torch.nn.ConstantPad1d."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Pad with one value: (N, C, H, W) or (C, H, W). As torch.nn.ConstantPad2d."""

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Pad with one value: (N, C, D, H, W) or (C, D, H, W). As torch.nn.ConstantPad3d."""

    axes = 3


class ZeroPad1d(_ZeroPad):
    """Pad with zeros: (N, C, L) or (C, L). As torch.nn.ZeroPad1d."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Pad with zeros: (N, C, H, W) or (C, H, W). As torch.nn.ZeroPad2d."""

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Pad with zeros: (N, C, D, H, W) or (C, D, H, W). As torch.nn.ZeroPad3d."""

    axes = 3


class ReflectionPad1d(_ReflectionPad):
    """Pad with the mirrored image, without its edge: (N, C, L) or (C, L). As torch.nn.ReflectionPad1d."""

    axes = 1


class ReflectionPad2d(_ReflectionPad):
    """Pad with the mirrored image, without its edge: (N, C, H, W) or (C, H, W). As torch.nn.ReflectionPad2d."""

    axes = 2


class ReflectionPad3d(_ReflectionPad):
    """Pad with the mirrored image, without its edge: (N, C, D, H, W) or (C, D, H, W). As torch.nn.ReflectionPad3d."""

    axes = 3


class ReplicationPad1d(_ReplicationPad):
    """Pad with the pixels of the edge: (N, C, L) or (C, L). As torch.nn.ReplicationPad1d."""

    axes = 1


class ReplicationPad2d(_ReplicationPad):
    """Pad with the pixels of the edge: (N, C, H, W) or (C, H, W). As torch.nn.ReplicationPad2d."""

    axes = 2


class ReplicationPad3d(_ReplicationPad):
    """Pad with the pixels of the edge: (N, C, D, H, W) or (C, D, H, W). As torch.nn.ReplicationPad3d."""

    axes = 3


class CircularPad1d(_CircularPad):
    """Pad with the pixels of the other end: (N, C, L) or (C, L). As torch.nn.CircularPad1d."""

    axes = 1


class CircularPad2d(_CircularPad):
    """Pad with the pixels of the other end: (N, C, H, W) or (C, H, W). As torch.nn.CircularPad2d."""

    axes = 2


class CircularPad3d(_CircularPad):
    """Pad with the pixels of the other end: (N, C, D, H, W) or (C, D, H, W). As torch.nn.CircularPad3d."""

    axes = 3
