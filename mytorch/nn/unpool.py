"""Max unpooling layers, for one to three spatial axes: maxima back to where max pooling found them."""

from collections.abc import Sequence
from math import prod

from mytorch.device import Array
from mytorch.geometry import Size
from mytorch.nn.spatial import SpatialLayer, unbatched_backward, unbatched_forward
from mytorch.nn.validate import check_same_device, to_tuple
from mytorch.ops import unpool as ops


class _MaxUnpool(SpatialLayer):
    """Zeros but for the values of the input, each at its index.

    The arguments are those of the max pooling whose indices are used, with return_indices=True. If an index occurs
    several times, one of its values is kept.
    """

    def __init__(self, kernel_size: int | Size, stride: int | Size | None = None, padding: int | Size = 0):
        self.kernel_size = to_tuple(kernel_size, self.axes, "kernel_size", minimum=1)
        self.stride = self.kernel_size if stride is None else to_tuple(stride, self.axes, "stride", minimum=1)
        self.padding = to_tuple(padding, self.axes, "padding")

    @unbatched_forward
    def forward(self, input: Array, indices: Array, output_size: Sequence[int] | None = None) -> Array:
        """(N, C, *size) and the indices of max pooling, of the same shape -> (N, C, *output size).

        output_size: that of the image that was pooled, as several have maxima of the same size. By default
        (size - 1) stride - 2 padding + kernel_size.
        """
        x = self.check_input(input)
        out = self._out(x.shape[2:], output_size)
        self._check_indices(x, indices, out)
        y = ops.max_unpool(x, indices, out)
        self.save_for_backward(indices, output=y)
        return y

    @unbatched_backward
    def backward(self, grad: Array) -> Array:
        """(N, C, *output size) -> (N, C, *size): the gradient at each index."""
        (indices,) = self.saved(grad)
        return ops.max_unpool_grad(grad, indices)

    def _out(self, size: Size, output_size: Sequence[int] | None) -> Size:
        geometry = zip(size, self.kernel_size, self.stride, self.padding, strict=True)
        default = tuple((n - 1) * s - 2 * p + k for n, k, s, p in geometry)
        if output_size is None:
            return default
        wanted = tuple(output_size)[-self.axes :]
        if len(wanted) != self.axes or any(
            abs(a - b) >= s for a, b, s in zip(wanted, default, self.stride, strict=True)
        ):
            raise ValueError(
                f"output_size={tuple(output_size)}: expected {default}, or a size less than a stride away from it, "
                f"as the stride is {self.stride}"
            )
        return wanted

    def _check_indices(self, x: Array, indices: Array, out: Size) -> None:
        name = type(self).__name__
        if getattr(indices, "shape", None) != x.shape or indices.dtype.kind not in "iu":
            what = getattr(indices, "shape", type(indices).__name__)
            raise ValueError(
                f"{name} got an input of shape {x.shape} and indices {what}: expected whole numbers of the same shape, "
                "as max pooling with return_indices=True returns them"
            )
        check_same_device(self, input=x, indices=indices)
        positions = prod(out)
        if indices.size and not 0 <= int(indices.min()) <= int(indices.max()) < positions:
            raise ValueError(
                f"{name} got indices from {indices.min()} to {indices.max()}: expected 0 to {positions - 1}, for an "
                f"output of {out}; give the size of the image that was pooled as output_size"
            )

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Maxima back to their places: (N, C, L) or (C, L) -> (N, C, OL). As torch.nn.MaxUnpool1d."""

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """Maxima back to their places: (N, C, H, W) or (C, H, W) -> (N, C, OH, OW). As torch.nn.MaxUnpool2d."""

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """Maxima back to their places: (N, C, D, H, W) or (C, D, H, W) -> (N, C, OD, OH, OW).

    As torch.nn.MaxUnpool3d.
    """

    axes = 3
