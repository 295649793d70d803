"""Convolution over any number of spatial axes: a forward and its three gradients, each in the way that suits its shape.

- One kernel a channel: `depthwise`, tap by tap.
- In float32, over enough channels: `winograd`, with a quarter of the multiplications or a little more. On images it is
  for kernels of 3 and 5, at stride 2 of 3 and 4; along sequences for kernels of 5.
- All else: `im2col`, one matrix product; a 1x1 kernel needs no windows made, and multiplies the pixels themselves.

At stride 1 the gradient at the input is a convolution as well, of the gradient with the turned kernel, and is computed
as one: gathering is quicker than adding back.

Everywhere: x (N, C, *size), weight (F, C / groups, *kernel), grad and y (N, F, *out); stride, padding and dilation hold
one number a spatial axis. K is the number of elements of the kernel, G the number of groups.
"""

from math import prod

import numpy as np

from mytorch.device import Array, on_gpu
from mytorch.geometry import Size, channels_last, flat, output_size
from mytorch.modes import winograd_allowed
from mytorch.ops import depthwise, im2col, winograd
from mytorch.ops.bilinear import share
from mytorch.ops.cuda import conv as cuda
from mytorch.ops.sums import column_sums

CHANNELS, WIDE, PIXELS = 24, 64, 1024
"""With fewer channels, coming or going, Winograd's transforms cost more than its products save; with fewer pixels in
the whole batch, the transforms of the kernels do. Sequences must be WIDE, and images of which MOST products are left.
"""

MOST, TOO_MANY = 0.45, 0.75
"""Shares of the definition's products that Winograd's way leaves: nothing is saved with more than MOST of a sequence,
and with TOO_MANY of an image.
"""


@on_gpu(cuda.conv)
def conv(
    x: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Correlation of `x` with `weight`, plus `bias` (F,) where there is one. Returns y."""
    if _suits_winograd(weight.shape, x, stride, padding, dilation, groups):
        return winograd.winograd(x, weight, bias, padding, stride)
    if _depthwise(weight.shape, groups):
        return depthwise.depthwise(x, weight, bias, stride, padding, dilation)
    return im2col.im2col(x, weight, bias, stride, padding, dilation, groups)


@on_gpu(cuda.conv_input_grad)
def conv_input_grad(
    grad: Array, weight: Array, size: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Gradient at the input, (N, C, *size)."""
    reach = tuple(d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True))
    around = tuple(r - p for r, p in zip(reach, padding, strict=True))
    found = tuple(n + 2 * a - r for n, a, r in zip(grad.shape[2:], around, reach, strict=True))
    if _suits_winograd(weight.shape, grad, stride, padding, dilation, groups, grad.shape[2:]):
        return winograd.winograd_input_grad(grad, weight, around, stride, size)
    if max(stride) == 1 and min(around) >= 0 and found == tuple(size):
        return conv(channels_last(grad), _turned(weight, groups), None, stride, around, dilation, groups)
    if _depthwise(weight.shape, groups):
        return depthwise.depthwise_input_grad(grad, weight, size, stride, padding, dilation)
    return im2col.im2col_input_grad(grad, weight, size, stride, padding, dilation, groups)


@on_gpu(cuda.conv_weight_grad)
def conv_weight_grad(
    grad: Array, x: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int = 1
) -> Array:
    """Gradient at the weight, (F, C / groups, *kernel)."""
    shape = (grad.shape[1], x.shape[1] // groups, *kernel)
    if _suits_winograd(shape, x, stride, padding, dilation, groups, grad.shape[2:]):
        return winograd.winograd_weight_grad(grad, x, kernel, padding, stride)
    if _depthwise(shape, groups):
        return depthwise.depthwise_weight_grad(grad, x, kernel, stride, padding, dilation)
    return im2col.im2col_weight_grad(grad, x, kernel, stride, padding, dilation, groups)


def conv_bias_grad(grad: Array) -> Array:
    """Gradient at the bias, (F,): the sum over images and positions."""
    return column_sums(flat(grad))


def _depthwise(shape: Size, groups: int) -> bool:
    """True where a weight of this shape is one kernel a channel."""
    return 1 < groups == shape[0] and shape[1] == 1


def _suits_winograd(
    shape: Size, x: Array, stride: Size, padding: Size, dilation: Size, groups: int, out: Size | None = None
) -> bool:
    """True where Winograd's way is open, for a weight of this shape, and quicker; out: the size of y, if known."""
    filters, channels, *kernel = shape
    if len(kernel) > 2 or max(*dilation, groups) > 1 or x.dtype != np.float32 or not winograd_allowed():
        return False
    out = out or tuple(map(output_size, x.shape[2:], kernel, stride, padding))
    left = share(kernel, stride, out)
    images = len(kernel) == 2
    enough = CHANNELS if images and left <= MOST else WIDE
    pays = min(filters, channels) >= enough and left <= (TOO_MANY if images else MOST)
    return pays and len(x) * prod(x.shape[2:]) >= PIXELS


def _turned(weight: Array, groups: int) -> Array:
    """Each kernel turned about its centre, channels and filters exchanged: (C, F / groups, *kernel)."""
    filters, channels, *kernel = weight.shape
    split = weight.reshape(groups, filters // groups, channels, *kernel).swapaxes(1, 2)
    return np.flip(split, tuple(range(3, split.ndim))).reshape(groups * channels, filters // groups, *kernel)
