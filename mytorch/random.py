"""The library's source of randomness: initial weights and dropout draw from it, and `manual_seed` sets it."""

import numpy as np

_generator = np.random.default_rng()


def manual_seed(seed: int | tuple[int, ...]) -> None:
    """Start the stream anew: the same seed, the same weights and the same dropped units from here on.

    A tuple such as (seed, epoch) gives streams that have nothing to do with one another.
    """
    global _generator
    _generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """The generator in use."""
    return _generator
