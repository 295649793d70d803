"""Winograd's convolution: 3x3 kernels at stride 1 with a quarter of the multiplications, 5x5 with a sixth.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (arXiv 1509.09308): F(4x4, 3x3), where a tile of 6x6
inputs gives 4x4 outputs, and F(4x4, 5x5), where it has 8x8. With the matrices below, along one axis,

    y = A^T [(G w) * (B^T x)]        four outputs by six products, where the definition takes twelve.

The idea: correlation is the transpose of multiplying polynomials, and a polynomial is known by its values at enough
points, where products are taken number by number. `mytorch.ops.bilinear` makes the matrices, of a stride of 2 as well;
`mytorch.ops.tiled` applies them.

y is linear in x and in w, so both gradients are the same matrices turned: that of the input is the convolution of the
gradient with the turned kernel; that of the weight is G^T [(B^T x) * (A grad)], summed over tiles.

The price is rounding: the transforms add and subtract numbers of like size, which costs float32 about one digit.
`mytorch.ops.conv` chooses, and never chooses this for float64. Arrays and names are as there.
"""

from mytorch.device import Array
from mytorch.geometry import Size, channels_last, output_size
from mytorch.ops import bilinear, tiled

TILES: int | None = None
"""Tiles worked on at a time; None: as many as suit the channels."""


def winograd(x: Array, weight: Array, bias: Array | None, padding: Size, stride: Size = (1, 1)) -> Array:
    """Correlation of x (N, C, H, W) with weight (F, C, *kernel), plus `bias`; of sequences, too: images of one row."""
    if x.ndim == 3:
        return winograd(x[:, :, None], weight[:, :, None], bias, (0, *padding), (1, *stride[-1:]))[:, :, 0]
    kernel = weight.shape[2:]
    rows, columns = map(bilinear.forward, kernel, stride, padding)
    out = tuple(map(output_size, x.shape[2:], kernel, stride, padding))
    kernels = tiled.transformed(weight, (rows, columns))
    return tiled.correlation(x, kernels, bias, out, (rows, columns), TILES)


def winograd_input_grad(
    grad: Array, weight: Array, around: Size, stride: Size = (1, 1), size: Size | None = None
) -> Array:
    """Gradient at x, (N, C, *size): at stride 1 the correlation of grad (N, F, OH, OW), so padded, with turned kernels.

    size: of x; the smallest that has these outputs unless given.
    """
    if grad.ndim == 3:
        long = None if size is None else (1, *size)
        whole = winograd_input_grad(grad[:, :, None], weight[:, :, None], (0, *around), (1, *stride[-1:]), long)
        return whole[:, :, 0]
    kernel, out = weight.shape[2:], grad.shape[2:]
    padding = tuple(k - 1 - a for k, a in zip(kernel, around, strict=True))
    least = tuple((n - 1) * s + k - 2 * p for n, s, k, p in zip(out, stride, kernel, padding, strict=True))
    rows, columns = map(bilinear.input_grad, kernel, stride, padding)
    kernels = tiled.transformed(weight, (rows, columns), turned=True)
    return tiled.correlation(channels_last(grad), kernels, None, size or least, (rows, columns), TILES)


def winograd_weight_grad(grad: Array, x: Array, kernel: Size, padding: Size, stride: Size = (1, 1)) -> Array:
    """Gradient at the weight, (F, C, *kernel)."""
    if x.ndim == 3:
        along = (1, *kernel), (0, *padding), (1, *stride[-1:])
        return winograd_weight_grad(grad[:, :, None], x[:, :, None], *along)[:, :, 0]
    rows, columns = map(bilinear.forward, kernel, stride, padding)
    return tiled.weight_grad(grad, x, kernel, (rows, columns), TILES)
