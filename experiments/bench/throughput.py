"""Images per second: of the loader alone, of training on tensors that are ready, and of both together."""

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
from experiments.training.torch_engine import TorchEngine

NAMES = {"loader": "the loader alone", "tensors": "training on ready tensors", "together": "training from the loader"}


class ThroughputBenchmark:
    """A recipe's loader and its engine, ready to be timed. Weights are random: they do not change the time."""

    def __init__(self, recipe: Recipe, data: Path, workers: int):
        faces, _ = read_split(data, recipe)
        self.recipe, self.engine = recipe, TorchEngine(recipe)
        self.device = self.engine.device
        self.engine.build(faces, workers, resume=True)
        self.engine.begin_stage(0)
        self.loader = EpochLoader(ShardedBatches(faces, recipe, training=True), workers, pin=self.device.type == "cuda")
        self.ready = next(self.batches())
        for name in ("images", "labels", "weights"):
            setattr(self.ready, name, getattr(self.ready, name).to(self.device))
        self.rates: dict[str, Callable[[int], float]] = {
            "loader": self.load, "tensors": self.train_on_tensors, "together": self.train,
        }  # fmt: skip

    def batches(self) -> Iterator[BatchShard]:
        """Yield batches without end, epoch after epoch."""
        return (batch for epoch in count() for batch in self.loader.epoch(epoch))

    def load(self, batches: int) -> float:
        """Return images per second, augmented, normalized and mixed on the device, without training."""

        def prepare(batch: BatchShard) -> None:
            pixels = normalize_tensor(batch.images, self.recipe.data, self.device, self.recipe.training.channels_last)
            mix_batch(pixels, self.recipe.mixing, self.recipe.seed, 0, 0)

        return self._rate(self.batches(), prepare, batches)

    def train_on_tensors(self, batches: int) -> float:
        """Return images per second of training on one batch that is always on the device."""
        return self._rate((self.ready for _ in count()), self._learn, batches)

    def train(self, batches: int) -> float:
        """Return images per second of training on batches as they are loaded."""
        return self._rate(self.batches(), self._learn, batches)

    def _learn(self, batch: BatchShard) -> None:
        self.engine.step(batch, 0, 0, 0.01)

    def _rate(self, source: Iterator[BatchShard], use: Callable[[BatchShard], None], batches: int) -> float:
        """Images per second. The clock starts after the first batch, when the loader is busy with the next ones."""
        use(next(source))
        self._wait()
        started, seen = time.perf_counter(), 0
        for batch in islice(source, batches):
            use(batch)
            seen += len(batch.labels)
        self._wait()
        return seen / (time.perf_counter() - started)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def run_throughput(
    recipe: Recipe, data: Path, workers: int = 1, rounds: int = 5, batches: int = 8, json_file: Path | None = None
) -> dict[str, Any]:
    """Measure the three rates alternately, `rounds` times `batches` batches each; print the medians and their ratios.

    Raises FacesError for a recipe of mytorch's, and what reading the images raises.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise FacesError(f"{json_file}: {json_file.absolute().parent} is not a folder: make it first")
    if not recipe.epochs:
        raise FacesError(
            f"{recipe.torch_model.name} with class means learns in no epochs: expected a recipe that trains"
        )
    benchmark = ThroughputBenchmark(recipe, data, workers)
    seen: dict[str, list[float]] = {name: [] for name in benchmark.rates}
    order = list(benchmark.rates)
    with track("measuring", rounds, "rounds") as advance:
        for done in range(rounds):
            for name in order:
                seen[name].append(benchmark.rates[name](batches))
            order.append(order.pop(0))
            advance(done + 1, rounds)
    rates = {
        name: dict(zip(("low", "median", "high"), np.percentile(values, [25, 50, 75]).tolist(), strict=True))
        for name, values in seen.items()
    }
    medians = {name: rate["median"] for name, rate in rates.items()}
    result = {
        "images_per_second": rates,
        "loader_over_training": medians["loader"] / medians["tensors"],
        "together_over_tensors": medians["together"] / medians["tensors"],
        "network": recipe.torch_model.name, "size": list(recipe.data.size), "batch_size": recipe.batch_size,
        "workers": workers, "threads": torch.get_num_threads(), "rounds": rounds, "batches": batches,
        "device": str(benchmark.device), "machine": describe(Plan(benchmark.device.type)),
    }  # fmt: skip
    for part, title in NAMES.items():
        spread = f"({rates[part]['low']:,.0f} to {rates[part]['high']:,.0f})"
        say(f"{title:<26} {medians[part]:>9,.0f} images/s  {spread}")
    name = recipe.torch_model.name
    say(f"the loader alone delivers {result['loader_over_training']:.1f} times what {name} learns from")
    say(f"training from the loader runs at {result['together_over_tensors']:.0%} of the rate on ready tensors")
    if json_file is not None:
        write_json(json_file, result)
        say(f"written to {json_file}")
    return result
