"""Unfold and Fold: the windows of images as columns, and columns added to images."""

from math import prod

from mytorch.device import Array
from mytorch.geometry import Size, output_size
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import fold as ops


class _Windows(SpatialLayer):
    """Base of Unfold and Fold: the geometry of the windows."""

    def __init__(self, kernel_size: int | Size, dilation: int | Size, padding: int | Size, stride: int | Size):
        self.kernel_size = to_tuple(kernel_size, 2, "kernel_size", minimum=1)
        self.dilation = to_tuple(dilation, 2, "dilation", minimum=1)
        self.padding = to_tuple(padding, 2, "padding")
        self.stride = to_tuple(stride, 2, "stride", minimum=1)
        self._geometry = self.kernel_size, self.stride, self.padding, self.dilation

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Unfold(_Windows):
    """The windows of an image as columns: (N, C, H, W) or (C, H, W) -> (N, C KH KW, L), for L windows.

    As torch.nn.Unfold. A convolution is a product of the kernels, as a matrix, with these columns.
    """

    axes = 2

    def __init__(
        self, kernel_size: int | Size, dilation: int | Size = 1, padding: int | Size = 0, stride: int | Size = 1
    ):
        super().__init__(kernel_size, dilation, padding, stride)

    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, C, H, W) -> (N, C KH KW, L)."""
        x = self.check_input(input)
        y = ops.unfold(x, *self._geometry)
        self.save_for_backward(x.shape[2:], output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C KH KW, L) -> (N, C, H, W): every column added at the place of its window."""
        (size,) = self.saved(grad)
        return ops.fold(grad, size, *self._geometry)


class Fold(_Windows):
    """Columns added at the places of their windows: (N, C KH KW, L) or (C KH KW, L) -> (N, C, *output_size).

    As torch.nn.Fold. Where windows overlap, their values are summed, so it is the inverse of Unfold without overlaps
    only.
    """

    axes = 1

    def __init__(
        self,
        output_size: int | Size,
        kernel_size: int | Size,
        dilation: int | Size = 1,
        padding: int | Size = 0,
        stride: int | Size = 1,
    ):
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = to_tuple(output_size, 2, "output_size", minimum=1)

    @unbatched_forward
    def forward(self, input: Array) -> Array:
        """(N, C KH KW, L) -> (N, C, *output_size)."""
        x = check_input(self, input, "(N, C, L)")
        windows = prod(map(output_size, self.output_size, *self._geometry))
        if x.shape[1] % prod(self.kernel_size) or x.shape[2] != windows:
            raise ValueError(
                f"Fold got an input of shape {x.shape}: expected (N, C x {prod(self.kernel_size)}, {windows}), "
                f"a column for each window of {self.kernel_size} in an image of {self.output_size}"
            )
        y = ops.fold(x, self.output_size, *self._geometry)
        self.save_for_backward(output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output_size) -> (N, C KH KW, L): the windows of the gradient."""
        self.saved(grad)
        return ops.unfold(grad, *self._geometry)

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"output_size={self.output_size}, {super().extra_repr()}"
