"""Seeds for what a step draws at random, so that a resumed run draws what an unbroken one would have drawn."""

import numpy as np


def step_seed(*numbers: int) -> int:
    """One 63-bit seed of several numbers (the run's seed, epoch, step, process), far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
