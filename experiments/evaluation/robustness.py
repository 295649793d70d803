"""What a network bears: the EER where one picture of each pair is damaged, kind by kind, more and more."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

from experiments.errors import FacesError
from experiments.evaluation.scoring import Scored, View
from experiments.inference.embedder import Embedder
from experiments.metrics.roc import roc

Picture = np.ndarray
Damage = Callable[[Picture, float, np.random.Generator], Picture]


def blur(image: Picture, sigma: float, generator: np.random.Generator) -> Picture:
    """Gaussian blur; sigma in pixels."""
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(sigma)))


def noise(image: Picture, spread: float, generator: np.random.Generator) -> Picture:
    """Gaussian noise; its standard deviation in grey levels of 255."""
    return (image + spread * generator.standard_normal(image.shape)).clip(0, 255).astype(np.uint8)


def jpeg(image: Picture, quality: float, generator: np.random.Generator) -> Picture:
    """JPEG at a quality of 1 to 100."""
    stored = BytesIO()
    Image.fromarray(image).save(stored, "JPEG", quality=int(quality))
    return np.array(Image.open(stored).convert("RGB"))


def occlusion(image: Picture, share: float, generator: np.random.Generator) -> Picture:
    """A grey square on a place drawn by lot; its side as a share of the picture's."""
    side = round(share * min(image.shape[:2]))
    top, left = (int(generator.integers(0, length - side + 1)) for length in image.shape[:2])
    covered = image.copy()
    covered[top : top + side, left : left + side] = 128
    return covered


def darkness(image: Picture, factor: float, generator: np.random.Generator) -> Picture:
    """So much of the light, with the noise of a sensor that counts 1,000 photons at white in full light."""
    photons = generator.poisson(image / 255 * 1000 * factor)
    return (photons / 1000 * 255).clip(0, 255).astype(np.uint8)


def resolution(image: Picture, side: float, generator: np.random.Generator) -> Picture:
    """Shrunk to so many pixels a side, and enlarged again."""
    height, width = image.shape[:2]
    small = Image.fromarray(image).resize((int(side), int(side)), Image.Resampling.BOX)
    return np.array(small.resize((width, height), Image.Resampling.BICUBIC))


def rotation(image: Picture, degrees: float, generator: np.random.Generator) -> Picture:
    """Turned about its middle, to one side or the other by lot."""
    angle = degrees if generator.random() < 0.5 else -degrees
    return np.array(Image.fromarray(image).rotate(angle, Image.Resampling.BICUBIC, fillcolor=(0, 0, 0)))


@dataclass(frozen=True)
class Kind:
    """A kind of damage. steps: its severities, from none (None) to much; label: what they count."""

    damage: Damage
    steps: tuple[float | None, ...]
    label: str


KINDS = {
    "blur": Kind(blur, (None, 1, 2, 3, 4), "sigma, pixels"),
    "noise": Kind(noise, (None, 10, 25, 50, 80), "standard deviation, of 255"),
    "jpeg": Kind(jpeg, (None, 30, 15, 8, 4), "quality"),
    "occlusion": Kind(occlusion, (None, 0.2, 0.3, 0.4, 0.5), "share of the side covered"),
    "darkness": Kind(darkness, (None, 0.3, 0.1, 0.05, 0.02), "light left"),
    "resolution": Kind(resolution, (None, 48, 32, 24, 16), "pixels a side"),
    "rotation": Kind(rotation, (None, 10, 20, 30, 45), "degrees"),
}


def robustness(
    embedder: Embedder, scored: Scored, view: View, kinds: Sequence[str] = tuple(KINDS), seed: int = 0
) -> list[dict[str, object]]:
    """A row a kind and severity: the EER where every pair's second picture is damaged, and the first is whole.

    Raises FacesError for a kind that there is not, and for pairs without answers.
    """
    pairs = scored.pairs
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise FacesError(f"damage {unknown[0]!r}: expected one of {', '.join(KINDS)}")
    whole = embedder.embed(scored.images, view.flip, view.zooms).astype(np.float64)
    rows: list[dict[str, object]] = []
    for kind in kinds:
        for step in KINDS[kind].steps:
            second = whole
            if step is not None:
                generator = np.random.default_rng(seed)
                damaged = [KINDS[kind].damage(image, step, generator) for image in scored.images]
                second = embedder.embed(np.stack(damaged), view.flip, view.zooms).astype(np.float64)
            scores = np.einsum("nd,nd->n", whole[pairs.first], second[pairs.second])
            curve = roc(scores, pairs.answers)
            rows.append({"damage": kind, "severity": step, "eer": curve.eer(), "auc": curve.auc()})
    return rows
