"""3x3 convolution at stride 1 on the GPU by Winograd's F(4x4, 3x3) (Lavin and Gray, arXiv 1509.09308).

tiles.cu has the idea and the transforms; the 36 matrix products between them are one batched call of cuBLAS's. Against
im2col that is a quarter of the multiplications, and a quarter of the memory that goes to and fro: 36 numbers for 16
pixels where im2col has 9 for each.

x (N, C, H, W), weight (F, C, 3, 3), y and grad (N, F, OH, OW); padding: a number an axis.
"""

from collections.abc import Iterator
from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, split_by_budget, to_channels_last
from mytorch.ops.cuda.layout import contiguous
from mytorch.ops.cuda.loader import axes, launch

KERNEL = (3, 3)
OUT = 4
"""Outputs of a tile along an axis."""

ELEMENTS = 36
"""Of a transformed tile."""

BLOCK = 1 << 27
"""Elements of transformed tiles made at a time: 512 MiB in float32."""


def winograd_conv(x: Array, weight: Array, bias: Array | None, padding: Size) -> Array:
    """Correlation of `x` with `weight`, plus `bias` (F,) where there is one. Returns y."""
    x, weight, xp = to_channels_last(x), contiguous(weight), get_array_module(x)
    filters, channels = weight.shape[:2]
    size = tuple(n + 2 * p - 2 for n, p in zip(x.shape[2:], padding, strict=True))
    tiles, y = _tiles(size), empty_channels_last((len(x), filters, *size), x)
    kernels = xp.empty((ELEMENTS, channels, filters), x.dtype)
    launch("winograd", "kernel_transform", x, weight, kernels, filters, channels, count=channels * filters)
    added = weight if bias is None else contiguous(bias)  # read only where there is a bias
    for images in _blocks(x, tiles, max(channels, filters)):
        products = xp.matmul(_pixels(x[images], tiles, padding), kernels)
        some = len(x[images])
        arguments = (products, y[images], added, int(bias is not None), axes(size), axes(tiles), some, filters)
        launch("winograd", "output_transform", x, *arguments, count=products[0].size)
    return y


def winograd_conv_input_grad(grad: Array, weight: Array, padding: Size) -> Array:
    """Gradient at the input: the convolution of `grad` with every kernel turned about, filters and channels exchanged.

    padding: that of the convolution, at most 2.
    """
    turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return winograd_conv(grad, turned, None, tuple(2 - p for p in padding))


def winograd_conv_weight_grad(grad: Array, x: Array, padding: Size) -> Array:
    """Gradient at the weight, (F, C, 3, 3): the transposes of forward's transforms about products summed over tiles."""
    x, grad, xp = to_channels_last(x), to_channels_last(grad), get_array_module(x)
    filters, size, channels = grad.shape[1], grad.shape[2:], x.shape[1]
    tiles, sums = _tiles(size), xp.zeros((ELEMENTS, channels, filters), x.dtype)
    for images in _blocks(x, tiles, max(channels, filters)):
        some = len(x[images])
        gradients = xp.empty((ELEMENTS, some * prod(tiles), filters), x.dtype)
        arguments = (grad[images], gradients, axes(size), axes(tiles), some, filters)
        launch("winograd", "gradient_transform", x, *arguments, count=gradients[0].size)
        sums += xp.matmul(_pixels(x[images], tiles, padding, turned=True), gradients)
    weight_grad = xp.empty((filters, channels, *KERNEL), x.dtype)
    launch("winograd", "kernel_gradient_transform", x, sums, weight_grad, filters, channels, count=channels * filters)
    return weight_grad


def _pixels(x: Array, tiles: Size, padding: Size, turned: bool = False) -> Array:
    """The transformed tiles of `x`, (36, tiles, C), or (36, C, tiles)."""
    n, channels = x.shape[:2]
    count = n * prod(tiles)
    shape = (channels, count) if turned else (count, channels)
    found = get_array_module(x).empty((ELEMENTS, *shape), x.dtype)
    kernel = "input_transform_transposed" if turned else "input_transform"
    arguments = (x, found, axes(x.shape[2:]), axes(tiles), axes(padding), n, channels)
    launch("winograd", kernel, x, *arguments, count=count * channels)
    return found


def _tiles(size: Size) -> Size:
    """How many tiles cover outputs of this size."""
    return tuple(-(-n // OUT) for n in size)


def _blocks(x: Array, tiles: Size, width: int) -> Iterator[slice]:
    """A few images at a time."""
    return split_by_budget(len(x), ELEMENTS * prod(tiles) * width, BLOCK)
