"""Batches for PyTorch: read and augmented by worker processes, one share of each for every training process.

Batches: images as the network wants them, in an order that seed and epoch decide.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from experiments.config.recipe import DataSettings, Recipe
from experiments.data.augment import Augmentation, SamePerson
from experiments.data.dataset import Faces
from experiments.errors import FacesError

Step = tuple[int, int]
"""(epoch, batch): all that decides what a batch holds, beside the seed."""

AHEAD = 2
"""Batches that a worker prepares beforehand."""


@dataclass
class BatchShard:
    """What one process computes of a batch.

    images: (n, 3, H, W) uint8, channels last in memory; labels, indices: (n,) int64, indices being the images'
    numbers; weights: (n,) float32, 0 for a image that only fills a place, else 1; total: images of the whole
    batch; bad: what is wrong with those that could not be read.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    weights: Tensor
    total: int
    bad: list[str] = field(default_factory=list)

    def pin_memory(self) -> "BatchShard":
        """The same in memory that a GPU reads from directly."""
        images, labels, indices = self.images.pin_memory(), self.labels.pin_memory(), self.indices.pin_memory()
        return BatchShard(images, labels, indices, self.weights.pin_memory(), self.total, self.bad)


class ShardedBatches(Dataset):
    """A process's shares of batches by (epoch, batch): shuffled and augmented as seed and epoch decide, or neither.

    A last batch of a single image joins the one before, as batch norm needs two. Of several processes each takes a
    image and its mirror place counted from the batch's end, so that pairs mixed by turning a batch round meet.
    """

    def __init__(self, faces: Faces, recipe: Recipe, training: bool, rank: int = 0, processes: int = 1):
        self.faces, self.seed, self.training = faces, recipe.seed, training
        self.rank, self.processes, self.skip = rank, processes, recipe.data.on_bad_image == "skip"
        self.size = recipe.data.size
        self.augment = Augmentation(recipe.augment, recipe.seed)
        self.same_person = SamePerson(faces, recipe.mixing.same, recipe.seed)
        self.each = getattr(getattr(recipe.model, "head", None), "each", 1)
        starts = list(range(0, len(faces), recipe.batch_size))
        if training and len(starts) > 1 and len(faces) - starts[-1] == 1:
            starts.pop()
        self.bounds = [(a, b) for a, b in zip(starts, [*starts[1:], len(faces)], strict=False)]
        self._order: tuple[int, np.ndarray] = (-1, np.arange(len(faces)))

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.bounds)

    def __getitem__(self, step: Step) -> BatchShard:
        epoch, number = step
        chosen = self.order(epoch)[slice(*self.bounds[number])]
        places = np.arange(len(chosen))
        mine = chosen[np.minimum(places, len(chosen) - 1 - places) % self.processes == self.rank]
        weights = np.ones(len(mine), np.float32)
        if self.processes > 1 and len(mine) < 2:  # every process takes every step, and batch norm needs two
            fill = np.resize(mine if len(mine) else chosen, 2 - len(mine))
            mine, weights = np.concatenate([mine, fill]), np.append(weights, np.zeros(len(fill), np.float32))
        images, bad = self._read(mine, weights)
        if self.training:
            images = self.augment(self.same_person(images, mine, epoch), mine, epoch)
        pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        labels = torch.from_numpy(self.faces.labels[mine])
        return BatchShard(pixels, labels, torch.from_numpy(mine), torch.from_numpy(weights), len(chosen), bad)

    def order(self, epoch: int) -> np.ndarray:
        """The images' numbers as an epoch shows them."""
        if self.training and self._order[0] != epoch:
            rng = np.random.default_rng((self.seed, epoch))
            self._order = (epoch, in_groups(rng.permutation(len(self.faces)), self.faces.labels, self.each, rng))
        return self._order[1]

    def _read(self, chosen: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Images (n, H, W, 3) uint8. In a bad one's place stands a good one, of weight 0."""
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
        """A image, or what is wrong with it."""
        try:
            return np.asarray(self.faces.images[index])
        except FacesError as error:
            return str(error)


def in_groups(order: np.ndarray, labels: np.ndarray, each: int, rng: np.random.Generator) -> np.ndarray:
    """An order (N,) of images, labels (N,), in which `each` of a person follow one another; groups in chance's order.

    What is left of a person after groups of `each` is a smaller one. `each` of 1 leaves the order as it is.
    """
    if each == 1:
        return order
    by_person = order[np.argsort(labels[order], kind="stable")]
    owners = labels[by_person]
    within = np.arange(len(order)) - np.searchsorted(owners, owners)
    starts = np.flatnonzero(within % each == 0)
    groups = np.split(by_person, starts[1:])
    return np.concatenate([groups[place] for place in rng.permutation(len(groups))])


class _Steps(Sampler[Step]):
    """The (epoch, batch) pairs of an epoch, from any batch on."""

    def __init__(self, count: int):
        self.count, self.epoch, self.start = count, 0, 0

    def __len__(self) -> int:
        return self.count - self.start

    def __iter__(self) -> Iterator[Step]:
        return ((self.epoch, number) for number in range(self.start, self.count))


class EpochLoader:
    """Epochs of shares, made by `workers` processes ahead of the training, or by none when they are asked for.

    Threads will not do: torchvision draws from the one generator of the process, in which dropout draws, too. Workers
    are started as PyTorch does on the system: on Linux forked, so that images in memory are shared and not sent.
    """

    def __init__(self, shares: ShardedBatches, workers: int, pin: bool = False):
        self.shares, self.steps = shares, _Steps(len(shares))
        options: dict[str, Any] = {"persistent_workers": True, "prefetch_factor": AHEAD} if workers else {}
        self.loader = DataLoader(
            shares, batch_size=None, sampler=self.steps, num_workers=workers, pin_memory=pin, collate_fn=_as_it_is,
            **options,
        )  # fmt: skip

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self.shares)

    def epoch(self, number: int, start: int = 0) -> Iterator[BatchShard]:
        """An epoch's shares from batch `start` on. Raises FacesError at a bad image, unless such are skipped."""
        self.steps.epoch, self.steps.start = number, start
        for share in self.loader:
            if share.bad and not self.shares.skip:
                raise FacesError(f"{share.bad[0]}; or leave such images out, by --set data.on_bad_image=skip")
            yield share


def _as_it_is(share: Any) -> Any:
    return share


def normalize_tensor(images: Tensor, data: DataSettings, device: torch.device, channels_last: bool = False) -> Tensor:
    """(n, 3, H, W) uint8 to float32 on `device`: pixels from 0 to 1, less the recipe's mean, over its deviation."""
    mean = torch.as_tensor(data.mean, device=device).expand(3).reshape(3, 1, 1) * 255
    std = torch.as_tensor(data.std, device=device).expand(3).reshape(3, 1, 1) * 255
    pixels = (images.to(device, non_blocking=True).float() - mean) / std
    return pixels.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


@dataclass(frozen=True)
class Batch:
    """pixels: (n, 3, H, W) floating, normalized; labels: (n,) int64."""

    pixels: np.ndarray
    labels: np.ndarray


class Batches:
    """Training's batches, shuffled and augmented anew each epoch, the same for the same seed and epoch.

    A last batch of a single image joins the one before: batch norm needs two.
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
        """Batches an epoch."""
        return len(self.bounds)

    def epoch(self, number: int) -> Iterator[Batch]:
        """One epoch's batches."""
        order = np.random.default_rng((self.seed, number)).permutation(len(self.faces))
        for start, end in self.bounds:
            chosen = order[start:end]
            images = self.augment(self.faces.images[chosen], chosen, number)
            yield Batch(normalize_images(images, self.data, self.dtype), self.faces.labels[chosen])


def normalize_images(images: np.ndarray, data: DataSettings, dtype: type = np.float32) -> np.ndarray:
    """(n, H, W, 3) uint8 to (n, 3, H, W): pixels from 0 to 1, less the recipe's mean, over its deviation,
    of all channels or each.

    The memory stays channels last, as mytorch's convolutions like it.
    """
    pixels: np.ndarray = images.astype(dtype)
    pixels -= (255 * np.asarray(data.mean)).astype(dtype)
    pixels /= (255 * np.asarray(data.std)).astype(dtype)
    return np.moveaxis(pixels, -1, 1)
