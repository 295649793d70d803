"""How a benchmark is run: on what, how often, how large."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

SIDES = ("mytorch", "torch", "torch_channels_last")
"""Who computes: ours, PyTorch in its default layout, and PyTorch with memory channels last, its best."""

FLOAT64_SHARE = 4
"""In float64 a convolution gets a batch so many times smaller."""


@dataclass(frozen=True)
class Plan:
    """What every part of the benchmark is told.

    threads: of each side. repeats: the fewest rounds, in each of which every side has its turn. seconds: the least time
    that each side computes. quick: batches of 2 and a few of each kind, to see that everything runs.
    memory_steps: over which memory is watched.
    """

    device: str = "cpu"
    threads: int = 1
    repeats: int = 4
    seconds: float = 0.1
    quick: bool = False
    seed: int = 0
    memory_steps: int = 1000

    def shorter(self) -> "Plan":
        """The same with half the rounds, for what no figure of the summary hangs on alone."""
        return replace(self, repeats=-(-self.repeats // 2))

    def batch(self, full: int) -> int:
        """The batch that stands for `full`."""
        return min(full, 2) if self.quick else full

    def some(self, items: Iterable[T]) -> list[T]:
        """All of them, or when it should be quick, every fifth."""
        return list(items)[:: 5 if self.quick else 1]
