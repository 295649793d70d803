"""Augmentation of training images, decided by seeds.

`Augmentation`: torchvision's transforms, seeded per image. `mix_batch`, `mix_arrays`: MixUp and CutMix with the batch
in reverse order.
`SamePersonMix`: an image combined with another one of the same person, for aligned images. Sources of the last: Zhang
et al., WACV 2021, "Intra-class Part Swapping"; averages within a person, Burton et al. 2005, Cognitive Psychology 51,
pp. 256-284.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from experiments.config.schema import AugmentSettings, MixingSettings
from experiments.data.dataset import Faces
from experiments.errors import FacesError

FILL_GRAY = 128
"""Gray level that fills the area an image was moved away from."""


class Augmentation:
    """Random transforms of uint8 images that depend on (seed, epoch, number of the image) alone.

    So a resumed run sees the same images as an uninterrupted one.
    """

    def __init__(self, settings: AugmentSettings, seed: int):
        self.seed, self.settings = seed, settings

    @cached_property
    def transforms(self) -> list[torch.nn.Module]:
        """The transforms that keep the image size."""
        return _transforms(self.settings)

    def __call__(self, images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        """Transform (n, H, W, 3) uint8. indices: (n,) the images' numbers, different where an image is there twice."""
        crops = [_crop(self.settings, images.shape[1:3])] if self.settings.crop < 1 else []
        if not crops and not self.transforms:
            return images
        transform = v2.Compose([*crops, *self.transforms])
        changed = np.empty_like(images)
        with torch.random.fork_rng(devices=[]), _single_thread():
            for image, index, out in zip(images, indices, changed, strict=True):
                torch.default_generator.manual_seed(
                    _combined_seed(self.seed, epoch, int(index))
                )  # not the GPUs' generators
                out[...] = transform(torch.from_numpy(image).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        return changed


@contextmanager
def _single_thread() -> Iterator[None]:
    """Use one thread inside the block: on a busy machine, two threads took ten times as long for one image."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _crop(settings: AugmentSettings, size: tuple[int, ...]) -> torch.nn.Module:
    """Random crops for upright faces: aspect ratios between 5/6 and 6/5, not between 3/4 and 4/3 as for ImageNet."""
    return v2.RandomResizedCrop(list(size), scale=(settings.crop, 1.0), ratio=(5 / 6, 6 / 5), antialias=True)


def _transforms(settings: AugmentSettings) -> list[torch.nn.Module]:
    transforms: list[torch.nn.Module] = []
    bilinear = v2.InterpolationMode.BILINEAR
    if settings.flip:
        transforms.append(v2.RandomHorizontalFlip(settings.flip))
    if settings.shift or settings.zoom or settings.rotate:
        zoom = (1 - settings.zoom, 1 + settings.zoom)
        shift = (settings.shift, settings.shift)
        transforms.append(v2.RandomAffine(settings.rotate, shift, zoom, interpolation=bilinear, fill=FILL_GRAY))
    if settings.perspective:
        transforms.append(v2.RandomPerspective(settings.perspective, interpolation=bilinear, fill=FILL_GRAY))
    if settings.policy == "randaugment":
        transforms.append(
            v2.RandAugment(settings.operations, settings.magnitude, interpolation=bilinear, fill=FILL_GRAY)
        )
    elif settings.policy == "trivial":
        transforms.append(v2.TrivialAugmentWide(interpolation=bilinear, fill=FILL_GRAY))
    if settings.brightness or settings.contrast or settings.saturation or settings.hue:
        transforms.append(v2.ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue))
    if settings.gray:
        transforms.append(v2.RandomGrayscale(settings.gray))
    if settings.blur:
        transforms.append(v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], settings.blur))
    if settings.erase:
        transforms.append(v2.RandomErasing(settings.erase, value=FILL_GRAY))
    return transforms


def _combined_seed(*numbers: int) -> int:
    """Combine several numbers into one 63-bit seed."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(frozen=True)
class Mixture:
    """How a batch is mixed with itself in reverse order.

    kept: the weight of an image's own label, 1 without mixing. rows, columns: of the rectangle that CutMix pastes, None
    where MixUp averages.
    """

    kept: float = 1.0
    rows: slice | None = None
    columns: slice | None = None


def draw_mixture(settings: MixingSettings, seed: int, epoch: int, step: int, size: tuple[int, ...]) -> Mixture | None:
    """Return how a step's batch of images (height, width) is mixed, as the numbers decide; None for not at all.

    The loss is kept * loss(own labels) + (1 - kept) * loss(partner's labels), each with its label smoothing. CutMix
    pastes the same rectangle in the whole batch; `kept` is the fraction of pixels that remain. Sources: MixUp, Zhang et
    al., arXiv 1710.09412; CutMix, Yun et al., arXiv 1905.04899.
    """
    rng = np.random.default_rng((seed, epoch, step, 1))
    kinds = [(name, beta) for name, beta in (("mixup", settings.mixup), ("cutmix", settings.cutmix)) if beta]
    if not kinds or rng.random() >= settings.prob:
        return None
    name, beta = kinds[rng.integers(len(kinds))]
    weight = float(rng.beta(beta, beta))
    if name == "mixup":
        return Mixture(weight)
    height, width = size
    rows, columns = random_rectangle(rng, (height, width), 1 - weight)
    kept = 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return Mixture(kept, rows, columns)


def mix_batch(pixels: Tensor, settings: MixingSettings, seed: int, epoch: int, step: int) -> tuple[Tensor, float]:
    """Mix each image of (n, 3, H, W) with its partner in `pixels.flip(0)`; return the mixture and `Mixture.kept`."""
    mixture = draw_mixture(settings, seed, epoch, step, tuple(pixels.shape[2:]))
    if mixture is None:
        return pixels, 1.0
    partner = pixels.flip(0)
    if mixture.rows is None:
        return torch.lerp(partner, pixels, mixture.kept), mixture.kept
    mixed = pixels.clone()
    mixed[:, :, mixture.rows, mixture.columns] = partner[:, :, mixture.rows, mixture.columns]
    return mixed, mixture.kept


def mix_arrays(
    pixels: np.ndarray, settings: MixingSettings, seed: int, epoch: int, step: int
) -> tuple[np.ndarray, float]:
    """Mix an array (n, 3, H, W) of pixels as `mix_batch` mixes a tensor."""
    mixture = draw_mixture(settings, seed, epoch, step, pixels.shape[2:])
    if mixture is None:
        return pixels, 1.0
    partner, kept = pixels[::-1], mixture.kept
    if mixture.rows is None:
        kind = pixels.dtype.type
        if kept < 0.5:  # as torch.lerp, which is exact at both ends
            return partner + kind(kept) * (pixels - partner), kept
        return pixels - (pixels - partner) * kind(1 - kept), kept
    mixed = pixels.copy()
    mixed[:, :, mixture.rows, mixture.columns] = partner[:, :, mixture.rows, mixture.columns]
    return mixed, kept


def random_rectangle(rng: np.random.Generator, size: tuple[int, ...], area: float) -> tuple[slice, ...]:
    """Return rows and columns of a random rectangle with a fraction `area` of `size`, cut at the borders."""
    return tuple(slice(*_random_span(rng, length, area**0.5)) for length in size)


def _random_span(rng: np.random.Generator, size: int, fraction: float) -> tuple[int, int]:
    center, half = rng.integers(size), round(size * fraction) / 2
    return max(0, int(center - half)), min(size, int(center + half))


class SamePersonMix:
    """Combines a fraction of the images with another image of the same person, as (seed, epoch, image) decide.

    Half of them are averaged with the other image, the weights uniform in 0..1. The other half get a rectangle of it,
    its area uniform in 0..1. A person's only image, and one whose partner cannot be read, stay unchanged.
    """

    def __init__(self, faces: Faces, fraction: float, seed: int):
        self.faces, self.fraction, self.seed = faces, fraction, seed
        self.by_person = np.argsort(faces.labels, kind="stable")
        self.counts = np.bincount(faces.labels, minlength=len(faces.names))
        self.firsts = np.cumsum(self.counts) - self.counts

    def __call__(
        self, images: np.ndarray, indices: np.ndarray, epoch: int, draws: np.ndarray | None = None
    ) -> np.ndarray:
        """Combine some of the images (n, H, W, 3) uint8.

        indices: (n,) their numbers in the data set. draws: (n,) numbers that differ where an image is there twice; by
        default the indices.
        """
        if not self.fraction:
            return images
        combined = np.array(images)
        for place, (index, draw) in enumerate(zip(indices, indices if draws is None else draws, strict=True)):
            rng = np.random.default_rng((self.seed, epoch, int(draw), 2))
            if rng.random() < self.fraction:
                partner = self._partner(int(index), rng)
                if partner is not None:
                    combined[place] = _combine(combined[place], partner, rng)
        return combined

    def _partner(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        """Return another image of the same person, or None where none can be read."""
        label = self.faces.labels[index]
        own = self.by_person[self.firsts[label] :][: self.counts[label]]
        others = own[own != index]
        if not len(others):
            return None
        try:
            return np.asarray(self.faces.images[int(rng.choice(others))])
        except FacesError:
            return None  # reported when it is read as an image of its own


def _combine(image: np.ndarray, partner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    weight = rng.random()
    if rng.random() < 0.5:
        return np.asarray((image * weight + partner * (1 - weight)).round(), np.uint8)
    rows, columns = random_rectangle(rng, image.shape[:2], 1 - weight)
    image = image.copy()
    image[rows, columns] = partner[rows, columns]
    return image
