"""What training changes in a image: torchvision's transforms, each image's drawn from its own seed.

MixUp and CutMix: a batch mixed with itself turned round, as (seed, epoch, batch) decide.

A image combined with another of the same person: one more image of that person, that nobody took.

For aligned images, in which eyes lie upon eyes and a mouth upon a mouth. Sources: parts exchanged within a class,
Zhang et al., WACV 2021, Intra-class Part Swapping; images averaged within a person, Burton et al. 2005, Cognitive
Psychology 51, pp. 256-284.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from experiments.config.recipe import AugmentSettings, MixingSettings
from experiments.data.dataset import Faces
from experiments.errors import FacesError

FILL_GRAY = 128
"""What fills the places that a image was moved away from."""


class Augmentation:
    """Random changes of uint8 images, decided by (seed, epoch, the image's number) and nothing else.

    So an interrupted run that goes on sees what an unbroken one would have seen, whoever else draws random numbers.
    """

    def __init__(self, settings: AugmentSettings, seed: int):
        self.seed, self.settings = seed, settings

    @cached_property
    def transforms(self) -> list[torch.nn.Module]:
        """Those whose result has the size of what they are given."""
        return _transforms(self.settings)

    def __call__(self, images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        """(n, H, W, 3) uint8 to the same; `indices` (n,) are the images' numbers in their data set."""
        crops = [_crop(self.settings, images.shape[1:3])] if self.settings.crop < 1 else []
        if not crops and not self.transforms:
            return images
        transform = v2.Compose([*crops, *self.transforms])
        changed = np.empty_like(images)
        with torch.random.fork_rng(devices=[]), _one_thread():
            for image, index, out in zip(images, indices, changed, strict=True):
                torch.default_generator.manual_seed(_mixed(self.seed, epoch, int(index)))  # a GPU's are left alone
                out[...] = transform(torch.from_numpy(image).permute(2, 0, 1)).permute(1, 2, 0).numpy()
        return changed


@contextmanager
def _one_thread() -> Iterator[None]:
    """One image is too little work to share: on a busy machine two threads took ten times as long as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _crop(settings: AugmentSettings, size: tuple[int, ...]) -> torch.nn.Module:
    """Faces are upright: a crop's sides differ by a fifth at most, not by a third as for ImageNet's images."""
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
    if settings.grey:
        transforms.append(v2.RandomGrayscale(settings.grey))
    if settings.blur:
        transforms.append(v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], settings.blur))
    if settings.erase:
        transforms.append(v2.RandomErasing(settings.erase, value=FILL_GRAY))
    return transforms


def _mixed(*numbers: int) -> int:
    """One 63-bit seed of several numbers, far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def mix_batch(pixels: Tensor, settings: MixingSettings, seed: int, epoch: int, step: int) -> tuple[Tensor, float]:
    """Mix each image of (n, 3, H, W) with the one at its mirror place; returns the mixture and its own share in it.

    The loss is then share x (own label's) + (1 - share) x (partner's), the partner being at `flip(0)`. Label smoothing
    belongs in each of the two, and so counts once. CutMix pastes one rectangle, the same for the whole batch, and its
    share is counted in the pixels that are left. MixUp: Zhang et al., arXiv 1710.09412; CutMix: Yun et al., arXiv
    1905.04899.
    """
    rng = np.random.default_rng((seed, epoch, step, 1))
    kinds = [(name, beta) for name, beta in (("mixup", settings.mixup), ("cutmix", settings.cutmix)) if beta]
    if not kinds or rng.random() >= settings.share:
        return pixels, 1.0
    name, beta = kinds[rng.integers(len(kinds))]
    share = float(rng.beta(beta, beta))
    partner = pixels.flip(0)
    if name == "mixup":
        return torch.lerp(partner, pixels, share), share
    height, width = pixels.shape[2:]
    rows, columns = rectangle(rng, (height, width), 1 - share)
    mixed = pixels.clone()
    mixed[:, :, rows, columns] = partner[:, :, rows, columns]
    return mixed, 1 - (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)


def rectangle(rng: np.random.Generator, size: tuple[int, ...], share: float) -> tuple[slice, ...]:
    """Rows and columns of a rectangle of that share of an area, about a center drawn evenly, cut off at the borders."""
    return tuple(slice(*_span(rng, length, share**0.5)) for length in size)


def _span(rng: np.random.Generator, size: int, share: float) -> tuple[int, int]:
    center, half = rng.integers(size), round(size * share) / 2
    return max(0, int(center - half)), min(size, int(center + half))


class SamePerson:
    """Combines a share of the images, each as (seed, epoch, image) decide.

    Half of them are averaged with the other image, with weights drawn evenly; the other half get a rectangle of it,
    whose share of the area is drawn evenly. A person's only image stays as it is, as does one whose partner cannot
    be read.
    """

    def __init__(self, faces: Faces, share: float, seed: int):
        self.faces, self.share, self.seed = faces, share, seed
        self.by_person = np.argsort(faces.labels, kind="stable")
        self.counts = np.bincount(faces.labels, minlength=len(faces.names))
        self.firsts = np.cumsum(self.counts) - self.counts

    def __call__(self, images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        """Images (n, H, W, 3) uint8 of those numbers (n,), some of them combined."""
        if not self.share:
            return images
        combined = np.array(images)
        for place, index in enumerate(indices):
            rng = np.random.default_rng((self.seed, epoch, int(index), 2))
            if rng.random() < self.share:
                partner = self._partner(int(index), rng)
                if partner is not None:
                    combined[place] = _together(combined[place], partner, rng)
        return combined

    def _partner(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        """Another image of the same person, if there is one that can be read."""
        label = self.faces.labels[index]
        own = self.by_person[self.firsts[label] :][: self.counts[label]]
        others = own[own != index]
        if not len(others):
            return None
        try:
            return np.asarray(self.faces.images[int(rng.choice(others))])
        except FacesError:
            return None  # it is named and counted in its own turn


def _together(image: np.ndarray, partner: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.random()
    if rng.random() < 0.5:
        return np.asarray((image * share + partner * (1 - share)).round(), np.uint8)
    rows, columns = rectangle(rng, image.shape[:2], 1 - share)
    image = image.copy()
    image[rows, columns] = partner[rows, columns]
    return image
