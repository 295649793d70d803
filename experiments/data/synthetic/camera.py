"""Light on the head, and the camera: exposure, tint, noise and blur."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from experiments.data.synthetic.canvas import HeadView
from experiments.data.synthetic.scene import Light, Scene

MIN_SIZE, MAX_SIZE = 16, 512
"""Smallest and largest image, in pixels a side."""

NOISE_SIDE = 768
"""Pixels a side of the noise that every image gets a window of."""


def light_map(light: Light, view: HeadView, size: int) -> np.ndarray:
    """Return the brightness (size, size) of an ellipsoid under `light`: ambient plus Lambertian."""
    at = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = (at - view.center[0])[None] / view.scale, (at - view.center[1])[:, None] / view.scale
    c, s = np.float32(np.cos(view.roll)), np.float32(np.sin(view.roll))
    across, down = (c * x + s * y) / (1.3 * view.width), (c * y - s * x) / 1.35
    square = across * across + down * down
    toward = np.sqrt(np.maximum(1 - square, 0.02))
    norm = 1 / np.sqrt(np.maximum(square + toward * toward, 1))
    lx, ly, lz = np.array(light.direction, np.float32)
    cosine = (across * (c * lx + s * ly) + down * (c * ly - s * lx) + toward * lz) * norm
    return (light.ambience + light.strength * np.maximum(cosine, 0)).astype(np.float32)


def compose_photo(
    person: Image.Image, shading: Image.Image, backdrop: Image.Image, scene: Scene, rng: np.random.Generator
) -> np.ndarray:
    """Composite the lit person and the background, then apply exposure, tint, noise and blur: (size, size, 3) uint8.

    person: RGBX, the last channel its alpha, with which the colors are multiplied already.
    shading: RGB, the light on the person, 128 for a factor of one. backdrop: RGB.
    """
    light, camera, size = scene.light, scene.camera, person.width
    # Rows of 3 * size values: NumPy is several times slower on a last axis of three.
    rows = (size, 3 * size)
    gain = np.tile(np.array(light.tint, np.float32) * np.float32(light.exposure * camera.contrast), size)
    image = np.asarray(person.convert("RGB")).reshape(rows) * (gain / 128)
    image *= np.asarray(shading).reshape(rows)
    behind = np.asarray(backdrop).reshape(rows) * (gain * np.float32((0.66 + 0.5 * light.ambience) / 255))
    behind *= np.repeat(255 - np.asarray(person.getchannel(3)), 3, axis=1)
    image += behind
    image += np.float32(105 * (1 - camera.contrast))
    if camera.noise:
        top, left = rng.integers(NOISE_SIDE - MAX_SIZE, size=2)
        image += _noise()[top : top + size, 3 * left : 3 * (left + size)] * np.float32(camera.noise)
    pixels = np.clip(image, 0, 255, out=image).astype(np.uint8).reshape(size, size, 3)
    if not camera.blur:
        return pixels
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(camera.blur * size)))


@lru_cache(maxsize=1)
def _noise() -> np.ndarray:
    """Noise (NOISE_SIDE, 3 * NOISE_SIDE), standard normal, equal in all three colors. An image uses a random window."""
    grain = np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE), np.float32)
    return np.repeat(grain, 3, axis=1)
