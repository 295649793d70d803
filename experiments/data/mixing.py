"""MixUp and CutMix: a batch mixed with itself turned round, as (seed, epoch, batch) decide."""

import numpy as np
import torch
from torch import Tensor

from experiments.config.recipe import Mixing


def mix(pixels: Tensor, settings: Mixing, seed: int, epoch: int, step: int) -> tuple[Tensor, float]:
    """Mix each picture of (n, 3, H, W) with the one at its mirror place; returns the mixture and its own share in it.

    The loss is then share x (own label's) + (1 - share) x (partner's), the partner being at `flip(0)`. Label smoothing
    belongs in each of the two, and so counts once. CutMix pastes one rectangle, the same for the whole batch, and its
    share is counted in the pixels that are left. MixUp: Zhang et al., arXiv 1710.09412; CutMix: Yun et al., arXiv
    1905.04899.
    """
    rng = np.random.default_rng((seed, epoch, step, 1))
    kinds = [(name, beta) for name, beta in (("mixup", settings.mixup), ("cutmix", settings.cutmix)) if beta]
    if not kinds or rng.random() >= settings.share:
        return pixels, 1.0
    name, beta = kinds[rng.integers(len(kinds))]
    share = float(rng.beta(beta, beta))
    partner = pixels.flip(0)
    if name == "mixup":
        return torch.lerp(partner, pixels, share), share
    height, width = pixels.shape[2:]
    rows, columns = rectangle(rng, (height, width), 1 - share)
    mixed = pixels.clone()
    mixed[:, :, rows, columns] = partner[:, :, rows, columns]
    return mixed, 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)


def rectangle(rng: np.random.Generator, size: tuple[int, ...], share: float) -> tuple[slice, ...]:
    """Rows and columns of a rectangle of that share of an area, about a centre drawn evenly, cut off at the borders."""
    return tuple(slice(*_span(rng, length, share**0.5)) for length in size)


def _span(rng: np.random.Generator, size: int, share: float) -> tuple[int, int]:
    centre, half = rng.integers(size), round(size * share) / 2
    return max(0, int(centre - half)), min(size, int(centre + half))
