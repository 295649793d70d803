"""What training changes in a picture: torchvision's transforms, each picture's drawn from its own seed."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torchvision.transforms import v2

from experiments.config.recipe import Augment

GREY = 128
"""What fills the places that a picture was moved away from."""


class Augmentation:
    """Random changes of uint8 pictures, decided by (seed, epoch, the picture's number) and nothing else.

    So an interrupted run that goes on sees what an unbroken one would have seen, whoever else draws random numbers.
    """

    def __init__(self, settings: Augment, seed: int):
        self.seed, self.settings = seed, settings

    @cached_property
    def transforms(self) -> list[torch.nn.Module]:
        """Those whose result has the size of what they are given."""
        return _transforms(self.settings)

    def __call__(self, images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        """(n, H, W, 3) uint8 to the same; `indices` (n,) are the pictures' numbers in their data set."""
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
    """One picture is too little work to share: on a busy machine two threads took ten times as long as one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _crop(settings: Augment, size: tuple[int, ...]) -> torch.nn.Module:
    """Faces are upright: a crop's sides differ by a fifth at most, not by a third as for ImageNet's pictures."""
    return v2.RandomResizedCrop(list(size), scale=(settings.crop, 1.0), ratio=(5 / 6, 6 / 5), antialias=True)


def _transforms(settings: Augment) -> list[torch.nn.Module]:
    transforms: list[torch.nn.Module] = []
    bilinear = v2.InterpolationMode.BILINEAR
    if settings.flip:
        transforms.append(v2.RandomHorizontalFlip(settings.flip))
    if settings.shift or settings.zoom or settings.rotate:
        zoom = (1 - settings.zoom, 1 + settings.zoom)
        shift = (settings.shift, settings.shift)
        transforms.append(v2.RandomAffine(settings.rotate, shift, zoom, interpolation=bilinear, fill=GREY))
    if settings.perspective:
        transforms.append(v2.RandomPerspective(settings.perspective, interpolation=bilinear, fill=GREY))
    if settings.policy == "randaugment":
        transforms.append(v2.RandAugment(settings.operations, settings.magnitude, interpolation=bilinear, fill=GREY))
    elif settings.policy == "trivial":
        transforms.append(v2.TrivialAugmentWide(interpolation=bilinear, fill=GREY))
    if settings.brightness or settings.contrast or settings.saturation or settings.hue:
        transforms.append(v2.ColorJitter(settings.brightness, settings.contrast, settings.saturation, settings.hue))
    if settings.grey:
        transforms.append(v2.RandomGrayscale(settings.grey))
    if settings.blur:
        transforms.append(v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], settings.blur))
    if settings.erase:
        transforms.append(v2.RandomErasing(settings.erase, value=GREY))
    return transforms


def _mixed(*numbers: int) -> int:
    """One 63-bit seed of several numbers, far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
