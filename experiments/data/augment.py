"""What training changes in a picture: torchvision's transforms, each picture's drawn from its own seed."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torchvision.transforms import v2

from experiments.recipe import Augment


class Augmentation:
    """Random changes of uint8 pictures, decided by (seed, epoch, the picture's number) and nothing else.

    So an interrupted run that goes on sees what an unbroken one would have seen, whoever else draws random numbers.
    """

    def __init__(self, settings: Augment, seed: int):
        self.seed = seed
        transforms = _transforms(settings)
        self.transform = v2.Compose(transforms) if transforms else None

    def __call__(self, images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        """(n, H, W, 3) uint8 to the same; `indices` (n,) are the pictures' numbers in their data set."""
        if self.transform is None:
            return images
        changed = np.empty_like(images)
        with torch.random.fork_rng(devices=[]), _one_thread():
            for image, index, out in zip(images, indices, changed, strict=True):
                torch.default_generator.manual_seed(_mixed(self.seed, epoch, int(index)))  # a GPU's are left alone
                out[...] = self.transform(torch.from_numpy(image).permute(2, 0, 1)).permute(1, 2, 0).numpy()
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


def _transforms(settings: Augment) -> list[torch.nn.Module]:
    transforms: list[torch.nn.Module] = []
    if settings.flip:
        transforms.append(v2.RandomHorizontalFlip(settings.flip))
    if settings.shift or settings.zoom or settings.rotate:
        zoom = (1 - settings.zoom, 1 + settings.zoom)
        shift = (settings.shift, settings.shift)
        transforms.append(
            v2.RandomAffine(settings.rotate, shift, zoom, interpolation=v2.InterpolationMode.BILINEAR, fill=128)
        )
    if settings.brightness or settings.contrast or settings.saturation:
        transforms.append(v2.ColorJitter(settings.brightness, settings.contrast, settings.saturation))
    if settings.erase:
        transforms.append(v2.RandomErasing(settings.erase, value=128))
    return transforms


def _mixed(*numbers: int) -> int:
    """One 63-bit seed of several numbers, far apart for neighbours."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
