"""im2col and col2im on the GPU: windows as the rows of a matrix, and such rows added at their places. See im2col.cu."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.ops.cuda.layout import is_aligned
from mytorch.ops.cuda.loader import launch, window


def im2col(x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, out: Size, groups: int = 1) -> Array:
    """Return the windows of `x` as rows, (G, n * positions, K C / G)."""
    n, channels = x.shape[:2]
    columns = get_array_module(x).empty((groups, n * prod(out), prod(kernel) * channels // groups), x.dtype)
    geometry = window(x.shape[2:], out, tuple(kernel), stride, padding, dilation)
    per_thread, kernel_name = _channels_per_thread("im2col", x, channels // groups)
    launch("im2col", kernel_name, x, x, columns, geometry, n, channels, groups, count=columns.size // per_thread)
    return columns


def col2im(
    columns: Array,
    x: Array,
    kernel: Size,
    stride: Size,
    padding: Size,
    dilation: Size,
    out: Size,
    groups: int = 1,
) -> None:
    """Fill `x` (n, C, *size), which is channels last, with the sum of all rows at the places of their windows."""
    n, channels = x.shape[:2]
    columns = get_array_module(x).ascontiguousarray(columns)
    geometry = window(x.shape[2:], out, tuple(kernel), stride, padding, dilation)
    per_thread, kernel_name = _channels_per_thread("col2im", x, channels // groups)
    launch("im2col", kernel_name, x, columns, x, geometry, n, channels, groups, count=x.size // per_thread)


def _channels_per_thread(kernel: str, x: Array, width: int) -> tuple[int, str]:
    """Return how many channels a thread processes, and the kernel that does so, for groups of `width` channels."""
    return (4, f"{kernel}_by_fours") if width % 4 == 0 and is_aligned(x) else (1, kernel)
