"""What the trainer asks of a library. `torch_engine.py` and `mytorch_engine.py` answer."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from experiments.data.dataset import Faces
from experiments.data.loader import BatchShard
from experiments.training.schedule import EpochPosition

MIN_PART = 2
"""Images in each part of an accumulated batch: batch norm has no variance of one."""


class Engine(Protocol):
    """A network in training, in one library.

    device: where it is. rank, processes: which of how many processes this is. threaded: whether batches may be
    prepared in a thread. pinned: whether the device copies faster from pinned memory. steps_per_reading: steps between
    two readings of the totals.
    """

    device: Any
    rank: int
    processes: int
    threaded: bool
    pinned: bool
    steps_per_reading: int

    @property
    def lr(self) -> float:
        """The highest learning rate of any part in the last step."""

    def default_workers(self, processors: int) -> int:
        """Return how many processes should load images on a machine with so many processors."""

    def build(self, faces: Faces, workers: int, resume: bool) -> None:
        """Build the network for the people of `faces`; with `resume`, its weights will be replaced by `load`."""

    def count_parameters(self) -> tuple[int, int]:
        """Return how many parameters there are, and how many are trainable."""

    def begin_stage(self, stage: int) -> None:
        """Freeze and unfreeze the parts of this stage, with a new optimizer."""

    def step(self, shard: BatchShard, epoch: int, number: int, factor: float) -> bool:
        """Train on this process's shard of a batch, at `factor` times the highest learning rates.

        Mixing, accumulation and clipping are as in the recipe. Returns whether the weights changed.
        """

    def average(self, decay: float) -> None:
        """Add the weights to their moving average, which is then validated and saved in their place."""

    def totals(self) -> list[float]:
        """Return the epoch's sums so far over all processes, as `experiments.training.schedule.TOTALS` names them."""

    def set_totals(self, totals: Iterable[float]) -> None:
        """Continue from these sums."""

    def validate(self, shards: Iterable[BatchShard]) -> tuple[dict[str, float | None], list[str]]:
        """Return top1, top5 (fractions), loss (nats, no smoothing) and eer over all processes, and bad images' errors.

        None where there are no images; eer also where there are no embeddings.
        """

    def save_weights(self, path: Path) -> None:
        """Write the weights that are validated, whole or not at all. Raises OSError where there is no room."""

    def save(self, path: Path, notes: dict[str, Any]) -> None:
        """Write its state and `notes`, whole or not at all. notes["stage"] is None where a new optimizer follows."""

    def load(self, path: Path, notes: dict[str, Any], position: EpochPosition | None) -> None:
        """Continue from what `save` wrote, in the stage of `position`. notes: those of the file."""

    def gather(self, items: list[str]) -> list[str]:
        """Return the items of all processes."""

    def wait(self) -> None:
        """Wait until all processes are here."""


def under(prefix: str, tensors: dict[str, Any]) -> dict[str, Any]:
    """Return the tensors whose names start with a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
