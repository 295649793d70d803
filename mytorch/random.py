"""The library's random number generator: initial weights and dropout use it, and `manual_seed` seeds it."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_generator = np.random.default_rng()


def manual_seed(seed: int | tuple[int, ...]) -> None:
    """Seed the generator: the same seed gives the same weights and the same dropped units from here on.

    Tuples such as (seed, epoch) give independent streams.
    """
    global _generator
    _generator = np.random.default_rng(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the library's generator and NumPy's global one inside the `with` block, and restore both afterwards."""
    global _generator
    generator_before, numpy_before = _generator, np.random.get_state()
    _generator = np.random.default_rng(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        _generator = generator_before
        np.random.set_state(numpy_before)


def default_generator() -> np.random.Generator:
    """Return the generator in use."""
    return _generator
