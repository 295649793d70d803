"""The library's source of randomness: initial weights and dropout draw from it, and `manual_seed` sets it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_generator = np.random.default_rng()


def manual_seed(seed: int | tuple[int, ...]) -> None:
    """Start the stream anew: the same seed, the same weights and the same dropped units from here on.

    A tuple such as (seed, epoch) gives streams that have nothing to do with one another.
    """
    global _generator
    _generator = np.random.default_rng(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Inside, the library's stream and NumPy's own start at `seed`; afterwards both go on where they were."""
    global _generator
    before, numpys = _generator, np.random.get_state()
    _generator = np.random.default_rng(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        _generator = before
        np.random.set_state(numpys)


def generator() -> np.random.Generator:
    """The generator in use."""
    return _generator
