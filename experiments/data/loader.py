"""Batches of images, in an order that seed and epoch decide.

For PyTorch: `EpochLoader` reads and augments `ShardedBatches` in worker processes; every training process gets its
shard of each batch. For mytorch: `Batches`, of images in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from experiments.config.recipe import Recipe
from experiments.config.schema import DataSettings
from experiments.data.augment import Augmentation, SamePersonMix
from experiments.data.dataset import Faces
from experiments.data.imbalance import balanced_order, compute_class_weights
from experiments.errors import FacesError

BatchKey = tuple[int, int]
"""(epoch, batch number): together with the seed it decides what a batch holds."""

PREFETCHED_BATCHES = 2
"""Batches that each worker prepares in advance."""


@dataclass
class BatchShard:
    """The part of a batch that one process computes.

    images: (n, 3, H, W) uint8, channels last in memory. labels, indices: (n,) int64; indices are the images' numbers in
    the data set. weights: (n,) float32, 0 for an image that only fills a place, else 1. total: images in the whole
    batch. bad: an error message for each image that could not be read. loss_weights: (n,) float32, how much each
    image's loss counts; None where all count the same.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    weights: Tensor
    total: int
    bad: list[str] = field(default_factory=list)
    loss_weights: Tensor | None = None

    def pin_memory(self) -> "BatchShard":
        """Return a copy in pinned memory, from which a GPU copies faster."""
        images, labels, indices = self.images.pin_memory(), self.labels.pin_memory(), self.indices.pin_memory()
        loss_weights = None if self.loss_weights is None else self.loss_weights.pin_memory()
        return BatchShard(images, labels, indices, self.weights.pin_memory(), self.total, self.bad, loss_weights)


class ShardedBatches(Dataset):
    """One process's shards, indexed by (epoch, batch). Training shards are shuffled and augmented, others are not.

    A last batch of one image is merged into the one before: batch norm needs two. With several processes, each takes
    images together with those at the same distance from the batch's end, because `mix_batch` mixes these pairs.
    """

    def __init__(self, faces: Faces, recipe: Recipe, training: bool, rank: int = 0, processes: int = 1):
        self.faces, self.seed, self.training = faces, recipe.seed, training
        self.rank, self.processes, self.skip = rank, processes, recipe.data.on_bad_image == "skip"
        self.size = recipe.data.size
        self.augment = Augmentation(recipe.augment, recipe.seed)
        self.same_person = SamePersonMix(faces, recipe.mixing.same_person, recipe.seed)
        self.images_per_person = getattr(getattr(recipe.model, "head", None), "images_per_person", 1)
        starts = list(range(0, len(faces), recipe.batch_size))
        if training and len(starts) > 1 and len(faces) - starts[-1] == 1:
            starts.pop()
        self.bounds = [(a, b) for a, b in zip(starts, [*starts[1:], len(faces)], strict=False)]
        counts = np.bincount(faces.labels, minlength=len(faces.names))
        self.class_weights = compute_class_weights(counts, recipe.loss) if training else None
        self.balanced = training and recipe.sampling == "balanced"
        self._epoch = -1
        self._order, self._repeats = np.arange(len(faces)), np.zeros(len(faces), np.int64)

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.bounds)

    def __getitem__(self, step: BatchKey) -> BatchShard:
        epoch, number = step
        order = self.order(epoch)
        chosen = np.arange(*self.bounds[number])  # places in the epoch
        places = np.arange(len(chosen))
        mine = chosen[np.minimum(places, len(chosen) - 1 - places) % self.processes == self.rank]
        weights = np.ones(len(mine), np.float32)
        if self.processes > 1 and len(mine) < 2:  # every process takes every step, and batch norm needs two
            fill = np.resize(mine if len(mine) else chosen, 2 - len(mine))
            mine, weights = np.concatenate([mine, fill]), np.append(weights, np.zeros(len(fill), np.float32))
        repeats, mine = self._repeats[mine], order[mine]
        images, bad = self._read(mine, weights)
        if self.training:
            draws = mine + repeats * len(self.faces)  # an image drawn twice in an epoch is changed in two ways
            images = self.augment(self.same_person(images, mine, epoch, draws), draws, epoch)
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        labels = torch.from_numpy(self.faces.labels[mine])
        shard = BatchShard(pixels, labels, torch.from_numpy(mine), torch.from_numpy(weights), len(chosen), bad)
        if self.class_weights is not None:
            shard.loss_weights = torch.from_numpy(self.class_weights[self.faces.labels[mine]].astype(np.float32))
        return shard

    def order(self, epoch: int) -> np.ndarray:
        """Return the images' numbers in the order of an epoch, (N,)."""
        if self.training and self._epoch != epoch:
            rng, labels = np.random.default_rng((self.seed, epoch)), self.faces.labels
            if self.balanced:
                self._order, self._repeats = balanced_order(labels, rng)
            else:
                self._order = group_by_person(rng.permutation(len(labels)), labels, self.images_per_person, rng)
            self._epoch = epoch
        return self._order

    def _read(self, chosen: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Read images, (n, H, W, 3) uint8. A bad one is replaced by a good one of weight 0."""
        try:
            return np.asarray(self.faces.images[chosen]), []
        except FacesError:
            images, bad = [self._image(int(index)) for index in chosen], []
        good = [image for image in images if isinstance(image, np.ndarray)]
        for place, image in enumerate(images):
            if isinstance(image, str):
                bad.append(image)
                weights[place] = 0
                images[place] = good[0] if good else np.full((*self.size, 3), 128, np.uint8)
        return np.stack([image for image in images if isinstance(image, np.ndarray)]), bad

    def _image(self, index: int) -> np.ndarray | str:
        """Read one image, or return its error message."""
        try:
            return np.asarray(self.faces.images[index])
        except FacesError as error:
            return str(error)


def group_by_person(order: np.ndarray, labels: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """Reorder images so that `each` of one person follow one another, the groups in random order.

    order: (N,) numbers of images; labels: (N,). A person's last group may be smaller. each = 1 changes nothing.
    """
    if each == 1:
        return order
    by_person = order[np.argsort(labels[order], kind="stable")]
    owners = labels[by_person]
    within = np.arange(len(order)) - np.searchsorted(owners, owners)
    starts = np.flatnonzero(within % each == 0)
    groups = np.split(by_person, starts[1:])
    return np.concatenate([groups[place] for place in rng.permutation(len(groups))])


class _EpochKeys(Sampler[BatchKey]):
    """The keys of one epoch's batches, from batch `start` on."""

    def __init__(self, count: int):
        self.count, self.epoch, self.start = count, 0, 0

    def __len__(self) -> int:
        return self.count - self.start

    def __iter__(self) -> Iterator[BatchKey]:
        return ((self.epoch, number) for number in range(self.start, self.count))


class EpochLoader:
    """Iterates over epochs of shards, prepared by `workers` processes; with 0 workers each is made when needed.

    Processes, not threads: torchvision's transforms draw from the process-wide generator, and so does dropout.
    PyTorch's default start method is used; on Linux it forks, so that images in memory are shared and not copied.
    """

    def __init__(self, batches: ShardedBatches, workers: int, pin: bool = False):
        self.batches, self.keys = batches, _EpochKeys(len(batches))
        options: dict[str, Any] = {"persistent_workers": True, "prefetch_factor": PREFETCHED_BATCHES} if workers else {}
        self.loader = DataLoader(
            batches, batch_size=None, sampler=self.keys, num_workers=workers, pin_memory=pin, collate_fn=_identity,
            **options,
        )  # fmt: skip

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.batches)

    def epoch(self, number: int, start: int = 0) -> Iterator[BatchShard]:
        """Yield an epoch's shards from batch `start` on. Raises FacesError for a bad image unless these are skipped."""
        self.keys.epoch, self.keys.start = number, start
        for shard in self.loader:
            if shard.bad and not self.batches.skip:
                raise FacesError(f"{shard.bad[0]}; or skip such images with --set data.on_bad_image=skip")
            yield shard


def _identity(shard: Any) -> Any:
    return shard


def normalize_tensor(
    images: Tensor,
    data: DataSettings,
    device: torch.device,
    channels_last: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Normalize (n, 3, H, W) uint8 to `dtype` on `device`: scale to 0..1, subtract the recipe's mean, divide by std."""
    mean = torch.as_tensor(data.mean, device=device, dtype=dtype).expand(3).reshape(3, 1, 1) * 255
    std = torch.as_tensor(data.std, device=device, dtype=dtype).expand(3).reshape(3, 1, 1) * 255
    pixels = (images.to(device, non_blocking=True).to(dtype) - mean) / std
    return pixels.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@dataclass(frozen=True)
class Batch:
    """pixels: (n, 3, H, W) floating point, normalized; labels: (n,) int64."""

    pixels: np.ndarray
    labels: np.ndarray


class Batches:
    """Training batches for mytorch: shuffled and augmented as (seed, epoch) decide.

    A last batch of one image is merged into the one before: batch norm needs two.
    """

    def __init__(self, faces: Faces, recipe: Recipe, dtype: type = np.float32):
        self.faces, self.data, self.dtype, self.seed = faces, recipe.data, dtype, recipe.seed
        self.augment = Augmentation(recipe.augment, recipe.seed)
        count, size = len(faces), recipe.batch_size
        starts = list(range(0, count, size))
        if len(starts) > 1 and count - starts[-1] == 1:
            starts.pop()
        self.bounds = list(zip(starts, [*starts[1:], count], strict=True))

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.bounds)

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield one epoch's batches."""
        order = np.random.default_rng((self.seed, number)).permutation(len(self.faces))
        for start, end in self.bounds:
            chosen = order[start:end]
            images = self.augment(self.faces.images[chosen], chosen, number)
            yield Batch(normalize_images(images, self.data, self.dtype), self.faces.labels[chosen])


def normalize_images(images: np.ndarray, data: DataSettings, dtype: type = np.float32) -> np.ndarray:
    """Normalize (n, H, W, 3) uint8 to (n, 3, H, W): scale to 0..1, subtract the recipe's mean, divide by std.

    The memory stays channels last, which mytorch's convolutions prefer.
    """
    pixels: np.ndarray = images.astype(dtype)
    pixels -= (255 * np.asarray(data.mean)).astype(dtype)
    pixels /= (255 * np.asarray(data.std)).astype(dtype)
    return np.moveaxis(pixels, -1, 1)
