"""Winograd convolution F(4x4, 3x3) at stride 1 on the GPU (Lavin and Gray, arXiv 1509.09308).

winograd.cu explains the algorithm and has the transforms. The 36 matrix products between them are one batched call of
cuBLAS. Compared with im2col that is a quarter of the multiplications, and a quarter of the memory traffic: 36 numbers
for 16 pixels, where im2col has 9 for each.

x (N, C, H, W), weight (F, C, 3, 3), y and grad (N, F, OH, OW); padding: one number per axis.
"""

from collections.abc import Iterator
from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, split_by_budget, to_channels_last
from mytorch.ops.cuda.layout import contiguous
from mytorch.ops.cuda.loader import axes, launch

KERNEL = (3, 3)
TILE_OUTPUTS = 4
"""Outputs of a tile along an axis."""

TILE_ELEMENTS = 36
"""Elements of a transformed tile."""

MAX_TRANSFORMED_ELEMENTS = 1 << 27
"""Elements of transformed tiles that are computed at a time: 512 MiB in float32."""


def winograd_conv(x: Array, weight: Array, bias: Array | None, padding: Size) -> Array:
    """Return the correlation of `x` with `weight`, plus `bias` (F,) unless it is None."""
    x, weight, xp = to_channels_last(x), contiguous(weight), get_array_module(x)
    filters, channels = weight.shape[:2]
    size = tuple(n + 2 * p - 2 for n, p in zip(x.shape[2:], padding, strict=True))
    tiles, y = _tile_counts(size), empty_channels_last((len(x), filters, *size), x)
    kernels = xp.empty((TILE_ELEMENTS, channels, filters), x.dtype)
    launch("winograd", "kernel_transform", x, weight, kernels, filters, channels, count=channels * filters)
    added = weight if bias is None else contiguous(bias)  # the kernel reads it only if there is a bias
    for images in _split_images(x, tiles, max(channels, filters)):
        products = xp.matmul(_transform_inputs(x[images], tiles, padding), kernels)
        n = len(x[images])
        arguments = (products, y[images], added, int(bias is not None), axes(size), axes(tiles), n, filters)
        launch("winograd", "output_transform", x, *arguments, count=products[0].size)
    return y


def winograd_conv_input_grad(grad: Array, weight: Array, padding: Size) -> Array:
    """Return the gradient at the input: the convolution of `grad` with flipped kernels, filters and channels exchanged.

    padding: that of the convolution, at most 2.
    """
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return winograd_conv(grad, flipped, None, tuple(2 - p for p in padding))


def winograd_conv_weight_grad(grad: Array, x: Array, padding: Size) -> Array:
    """Return the gradient at the weight, (F, C, 3, 3): transposed transforms around products summed over tiles."""
    x, grad, xp = to_channels_last(x), to_channels_last(grad), get_array_module(x)
    filters, size, channels = grad.shape[1], grad.shape[2:], x.shape[1]
    tiles, sums = _tile_counts(size), xp.zeros((TILE_ELEMENTS, channels, filters), x.dtype)
    for images in _split_images(x, tiles, max(channels, filters)):
        n = len(x[images])
        gradients = xp.empty((TILE_ELEMENTS, n * prod(tiles), filters), x.dtype)
        arguments = (grad[images], gradients, axes(size), axes(tiles), n, filters)
        launch("winograd", "gradient_transform", x, *arguments, count=gradients[0].size)
        sums += xp.matmul(_transform_inputs(x[images], tiles, padding, transposed=True), gradients)
    weight_grad = xp.empty((filters, channels, *KERNEL), x.dtype)
    kernel = "kernel_gradient_transform"
    launch("winograd", kernel, x, sums, weight_grad, filters, channels, count=channels * filters)
    return weight_grad


def _transform_inputs(x: Array, tiles: Size, padding: Size, transposed: bool = False) -> Array:
    """Return the transformed tiles of `x`, (36, tiles, C), or (36, C, tiles) if `transposed`."""
    n, channels = x.shape[:2]
    count = n * prod(tiles)
    shape = (channels, count) if transposed else (count, channels)
    result = get_array_module(x).empty((TILE_ELEMENTS, *shape), x.dtype)
    kernel = "input_transform_transposed" if transposed else "input_transform"
    arguments = (x, result, axes(x.shape[2:]), axes(tiles), axes(padding), n, channels)
    launch("winograd", kernel, x, *arguments, count=count * channels)
    return result


def _tile_counts(size: Size) -> Size:
    """Return how many tiles cover outputs of this size, along each axis."""
    return tuple(-(-n // TILE_OUTPUTS) for n in size)


def _split_images(x: Array, tiles: Size, width: int) -> Iterator[slice]:
    """Yield slices of a few images."""
    return split_by_budget(len(x), TILE_ELEMENTS * prod(tiles) * width, MAX_TRANSFORMED_ELEMENTS)
