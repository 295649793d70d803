"""Pictures a second: of the loader on its own, of training on tensors that are there already, and of both together."""

import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.bench.bench import describe
from experiments.bench.timing import Plan
from experiments.config.recipe import Recipe
from experiments.data.augment import mix_batch
from experiments.data.dataset import read_split
from experiments.data.loader import BatchShard, EpochLoader, ShardedBatches, normalize_tensor
from experiments.errors import FacesError
from experiments.files import write_json
from experiments.progress import say, track
from experiments.training.build_model import build_face_net
from experiments.training.torch_learner import TorchLearner, make_accelerator

NAMES = {"loader": "the loader alone", "tensors": "training on ready tensors", "together": "training from the loader"}


class Race:
    """A recipe's loader and its learner, ready to be timed. Weights are drawn: they change no time."""

    def __init__(self, recipe: Recipe, data: Path, workers: int):
        faces, _ = read_split(data, recipe)
        torch.manual_seed(recipe.seed)
        network = build_face_net(recipe.torch_model, len(faces.names), pretrained=False)
        self.recipe, self.learner = recipe, TorchLearner(recipe, network, make_accelerator(recipe))
        self.device = self.learner.accelerator.device
        self.learner.begin_stage(0)
        self.loader = EpochLoader(ShardedBatches(faces, recipe, training=True), workers, pin=self.device.type == "cuda")
        self.ready = next(self.shares())
        for name in ("images", "labels", "weights"):
            setattr(self.ready, name, getattr(self.ready, name).to(self.device))
        self.sides: dict[str, Callable[[int], float]] = {
            "loader": self.load, "tensors": self.train_on_tensors, "together": self.train,
        }  # fmt: skip

    def shares(self) -> Iterator[BatchShard]:
        """Batches without end, epoch after epoch."""
        return (share for epoch in count() for share in self.loader.epoch(epoch))

    def load(self, batches: int) -> float:
        """Pictures a second, augmented, normalised and mixed, on the device; nobody learns from them."""

        def take(share: BatchShard) -> None:
            pixels = normalize_tensor(share.images, self.recipe.data, self.device, self.recipe.training.channels_last)
            mix_batch(pixels, self.recipe.mixing, self.recipe.seed, 0, 0)

        return self._rate(self.shares(), take, batches)

    def train_on_tensors(self, batches: int) -> float:
        """Pictures a second that are learned from, when the same batch is on the device all the time."""
        return self._rate((self.ready for _ in count()), self._learn, batches)

    def train(self, batches: int) -> float:
        """Pictures a second that are learned from as they are loaded."""
        return self._rate(self.shares(), self._learn, batches)

    def _learn(self, share: BatchShard) -> None:
        self.learner.step(share, 0, 0, 0.01)

    def _rate(self, shares: Iterator[BatchShard], use: Callable[[BatchShard], None], batches: int) -> float:
        """The clock starts after the first batch, when all that is ahead of it is under way."""
        use(next(shares))
        self._wait()
        started, seen = time.perf_counter(), 0
        for share in islice(shares, batches):
            use(share)
            seen += len(share.labels)
        self._wait()
        return seen / (time.perf_counter() - started)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def run_throughput(
    recipe: Recipe, data: Path, workers: int = 1, rounds: int = 5, batches: int = 8, json_file: Path | None = None
) -> dict[str, Any]:
    """Measure the three sides in turn, `rounds` times `batches` batches each, and say the medians and their ratios.

    Raises FacesError for a recipe of mytorch's, and whatever reading the pictures raises.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise FacesError(f"{json_file}: {json_file.absolute().parent} is no folder: make it first")
    if not recipe.epochs:
        raise FacesError(
            f"{recipe.torch_model.name} with class means learns in no epochs: expected a recipe that trains"
        )
    race = Race(recipe, data, workers)
    seen: dict[str, list[float]] = {side: [] for side in race.sides}
    order = list(race.sides)
    with track("measuring", rounds, "rounds") as advance:
        for done in range(rounds):
            for side in order:
                seen[side].append(race.sides[side](batches))
            order.append(order.pop(0))
            advance(done + 1, rounds)
    rates = {
        side: dict(zip(("low", "median", "high"), np.percentile(values, [25, 50, 75]).tolist(), strict=True))
        for side, values in seen.items()
    }
    medians = {side: rate["median"] for side, rate in rates.items()}
    result = {
        "images_per_second": rates,
        "loader_over_training": medians["loader"] / medians["tensors"],
        "together_over_tensors": medians["together"] / medians["tensors"],
        "network": recipe.torch_model.name, "size": list(recipe.data.size), "batch_size": recipe.batch_size,
        "workers": workers, "threads": torch.get_num_threads(), "rounds": rounds, "batches": batches,
        "device": str(race.device), "machine": describe(Plan(race.device.type)),
    }  # fmt: skip
    for side, name in NAMES.items():
        say(f"{name:<26} {medians[side]:>9,.0f} images/s  ({rates[side]['low']:,.0f} to {rates[side]['high']:,.0f})")
    name = recipe.torch_model.name
    say(f"the loader alone delivers {result['loader_over_training']:.1f} times what {name} learns from")
    say(f"training from the loader runs at {result['together_over_tensors']:.0%} of the rate on ready tensors")
    if json_file is not None:
        write_json(json_file, result)
        say(f"written to {json_file}")
    return result
