"""The mask of DropBlock (Ghiasi, Lin and Le, arXiv 1810.12890)."""

from math import prod

from mytorch.device import Array, get_array_module
from mytorch.geometry import Size, empty_channels_last, tap_slices


def block_start_probability(p: float, size: Size, block_size: int) -> float:
    """Return the probability that a block starts at an element, so that a fraction `p` is dropped.

    Equation 1 of the paper, which ignores overlaps.
    """
    return min(1.0, p * prod(size) / (block_size ** len(size) * prod(n - block_size + 1 for n in size)))


def block_mask(starts: Array, size: Size) -> Array:
    """Return the mask (N, C, *size), False inside a block. starts (N, C, *positions) is True where a block starts.

    The size of a block follows from the number of positions, so that it always fits inside.
    """
    mask = empty_channels_last((*starts.shape[:2], *size), starts)
    mask[...] = True
    block = tuple(n - positions + 1 for n, positions in zip(size, starts.shape[2:], strict=True))
    ones, no_start = (1,) * len(size), get_array_module(starts).logical_not(starts)
    for tap in tap_slices(block, ones, ones, starts.shape[2:]):
        mask[tap] &= no_start
    return mask
