"""Which elements DropBlock keeps (Ghiasi, Lin and Le, arXiv 1810.12890)."""

from math import prod

from mytorch.device import Array, namespace
from mytorch.geometry import Size, empty, taps


def anchor_probability(p: float, size: Size, block: int) -> float:
    """How often an element starts a dropped block, that a share p is dropped in all (equation 1, overlaps ignored)."""
    return min(1.0, p * prod(size) / (block ** len(size) * prod(n - block + 1 for n in size)))


def kept_elements(anchors: Array, size: Size) -> Array:
    """False where a block covers, over (N, C, *size); anchors (N, C, *starts) is True where a block starts.

    A block is as long as the starts leave room for, so that it always lies inside.
    """
    kept = empty((*anchors.shape[:2], *size), anchors)
    kept[...] = True
    block = tuple(n - starts + 1 for n, starts in zip(size, anchors.shape[2:], strict=True))
    ones, free = (1,) * len(size), namespace(anchors).logical_not(anchors)
    for seen in taps(block, ones, ones, anchors.shape[2:]):
        kept[seen] &= free
    return kept
