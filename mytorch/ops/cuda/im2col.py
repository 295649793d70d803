"""Windows as the rows of a matrix, and such rows added back where they stood: columns.cu has the kernels."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size
from mytorch.ops.cuda.layout import is_aligned
from mytorch.ops.cuda.loader import launch, window


def im2col(x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, out: Size, groups: int = 1) -> Array:
    """The windows of `x` as rows, (G, n * positions, K C / G)."""
    n, channels = x.shape[:2]
    columns = get_array_module(x).empty((groups, n * prod(out), prod(kernel) * channels // groups), x.dtype)
    geometry = window(x.shape[2:], out, tuple(kernel), stride, padding, dilation)
    together, kernel_name = _together("im2col", x, channels // groups)
    launch("im2col", kernel_name, x, x, columns, geometry, n, channels, groups, count=columns.size // together)
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
    """Fill `x` (n, C, *size), memory channels last, with the sum of all rows where their windows stand."""
    n, channels = x.shape[:2]
    columns = get_array_module(x).ascontiguousarray(columns)
    geometry = window(x.shape[2:], out, tuple(kernel), stride, padding, dilation)
    together, kernel_name = _together("col2im", x, channels // groups)
    launch("im2col", kernel_name, x, columns, x, geometry, n, channels, groups, count=x.size // together)


def _together(kernel: str, x: Array, width: int) -> tuple[int, str]:
    """How many channels a thread takes, and the name of the kernel that does: groups are of `width` channels each."""
    return (4, f"{kernel}_by_fours") if width % 4 == 0 and is_aligned(x) else (1, kernel)
