"""Padding and cropping of images, and their gradients: zeros or another constant, mirrored, repeated, or circular.

x: (N, C, *size). padding: for each spatial axis, how many pixels to add before and after; a negative number removes
pixels. The images are cropped first. One axis is padded after another, so a corner is padded twice. The functions use
nothing but what NumPy and CuPy have in common.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from mytorch.device import Array, is_cuda
from mytorch.geometry import Size, empty_channels_last, inside_padding, padded_size
from mytorch.threads import parallel_for

Mode = Literal["constant", "reflect", "replicate", "circular"]
MODES = ("constant", "reflect", "replicate", "circular")

Ends = Sequence[tuple[int, int]]
"""For each spatial axis, the pixels before and after."""


def pad(x: Array, padding: Ends, mode: Mode = "constant", value: float = 0) -> Array:
    """Return `x` with `padding`. reflect: mirrored without the edge; replicate: the edge; circular: the other end.

    Raises ValueError if nothing is left, or if an axis is too short to be mirrored or repeated that far.
    """
    out = check_padding(x.shape[2:], padding, mode)
    padding = _leaving_a_pixel(padding, x.shape[2:]) if mode == "replicate" else padding
    y, added = empty_channels_last((*x.shape[:2], *out), x), _added(padding)
    cropped, inside = x[_cropped(padding, x.shape[2:])], inside_padding(added)

    def work(images: slice) -> None:
        target = y[images]
        if mode == "constant":
            target[...] = value
        target[inside] = cropped[images]
        for border, source in _borders(added, out, mode):
            target[border] = target[source]

    _parallel_over_images(work, y)
    return y


def pad_grad(grad: Array, size: Size, padding: Ends, mode: Mode = "constant") -> Array:
    """Return the gradient of pad at its input, (N, C, *size): that of a border is added to the pixels it came from."""
    padding = _leaving_a_pixel(padding, size) if mode == "replicate" else padding
    grad_x, added = empty_channels_last((*grad.shape[:2], *size), grad), _added(padding)
    where, inside = _cropped(padding, size), inside_padding(added)
    borders = list(_borders(added, grad.shape[2:], mode))

    def work(images: slice) -> None:
        target, gradients = grad_x[images], grad[images]
        if borders:
            gradients = gradients.copy(order="K")
        for border, source in reversed(borders):
            pixels = gradients[source]
            axes = tuple(axis for axis, n in enumerate(pixels.shape) if n != gradients[border].shape[axis])
            pixels += gradients[border].sum(axes, keepdims=True)
        if min(map(min, padding)) < 0:
            target[...] = 0  # pixels that were cropped
        target[where] = gradients[inside]

    _parallel_over_images(work, grad_x)
    return grad_x


def check_padding(size: Size, padding: Ends, mode: Mode) -> Size:
    """Return the size after padding, or raise ValueError if `padding` does not fit `size`."""
    out = padded_size(size, padding)
    if min(out) < 1:
        raise ValueError(f"padding {tuple(padding)} leaves nothing of {size}: remove less, or use a larger input")
    for n, (before, after) in zip(size, padding, strict=True):
        left = n + min(before, 0) + min(after, 0)
        if mode in ("reflect", "circular") and max(before, after) > left - (mode == "reflect"):
            raise ValueError(
                f"{mode} padding of {max(before, after)} is too much for an axis of {left}: expected at most "
                f"{left - (mode == 'reflect')}; use less padding, replicate or zeros, or a larger input"
            )
    return out


def _added(padding: Ends) -> list[tuple[int, int]]:
    return [(max(before, 0), max(after, 0)) for before, after in padding]


def _leaving_a_pixel(padding: Ends, size: Size) -> Ends:
    """Return padding to the same size that leaves one pixel of each axis to replicate: the last one cropped."""
    ends = []
    for (before, after), n in zip(padding, size, strict=True):
        missing = max(1 - n - min(before, 0) - min(after, 0), 0)
        ends.append((before + missing, after - missing) if before < 0 else (before - missing, after + missing))
    return ends


def _cropped(padding: Ends, size: Size) -> tuple:
    """Return the index of the pixels that negative padding leaves."""
    return (..., *(slice(max(-b, 0), n + min(a, 0)) for (b, a), n in zip(padding, size, strict=True)))


def _borders(added: Ends, out: Size, mode: Mode) -> Iterator[tuple[tuple, tuple]]:
    """Yield the index of each border in the padded images, and that of the pixels that it is filled with.

    Later axes are not padded yet when a border is filled, so its index leaves their borders out.
    """
    if mode == "constant":
        return
    inside = [slice(before, n - after) for (before, after), n in zip(added, out, strict=True)]
    for axis, ((before, after), length) in enumerate(zip(added, out, strict=True)):
        end = length - after
        edges = {
            "reflect": (
                slice(2 * before, before, -1),
                slice(end - 2, end - 2 - after if end - 2 >= after else None, -1),
            ),
            "replicate": (slice(before, before + 1), slice(end - 1, end)),
            "circular": (slice(end - before, end), slice(before, before + after)),
        }[mode]
        for border, source in zip((slice(0, before), slice(end, length)), edges, strict=True):
            if border.stop > border.start:
                around = [slice(None)] * axis, inside[axis + 1 :]
                yield (..., *around[0], border, *around[1]), (..., *around[0], source, *around[1])


def _parallel_over_images(work: Callable[[slice], None], x: Array) -> None:
    if is_cuda(x):
        work(slice(None))
    else:
        parallel_for(len(x), 2 * x[:1].nbytes, work)
