"""What is behind the head: a gradient, and shapes out of focus."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from experiments.data.synthetic.palettes import BACKGROUND, Colour, darker, lighter, mix

COARSE = 48
"""Pixels a side on which a background is drawn; it is out of focus, so that more would be wasted."""


def draw_background(rng: np.random.Generator, size: int) -> Image.Image:
    """A background `size` pixels wide, RGB."""
    first, second = (BACKGROUND[int(k)] for k in rng.integers(len(BACKGROUND), size=2))
    dim = rng.uniform(0, 0.35)
    image = _gradient(darker(first, dim), darker(mix(second, first, 0.3), dim), rng.uniform(0, 2 * np.pi))
    draw = ImageDraw.Draw(image)
    colours = [BACKGROUND[int(k)] for k in rng.integers(len(BACKGROUND), size=4)]
    SHAPES[int(rng.integers(len(SHAPES)))](draw, colours, rng)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.2)))
    return image.resize((size, size), Image.Resampling.BILINEAR)


def _gradient(first: Colour, second: Colour, angle: float) -> Image.Image:
    at = np.linspace(-0.5, 0.5, COARSE, dtype=np.float32)
    t = np.clip(0.5 + np.float32(np.cos(angle)) * at + np.float32(np.sin(angle)) * at[:, None], 0, 1)
    start, way = (np.tile(np.array(c, np.float32), COARSE) for c in (first, np.subtract(second, first)))
    pixels = start + np.repeat(t, 3, axis=1) * way
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8).reshape(COARSE, COARSE, 3))


def _ink(colour: Colour) -> tuple[int, int, int]:
    return int(colour[0]), int(colour[1]), int(colour[2])


def _plain(draw: ImageDraw.ImageDraw, colours: list[Colour], rng: np.random.Generator) -> None:
    """A wall."""


def _bokeh(draw: ImageDraw.ImageDraw, colours: list[Colour], rng: np.random.Generator) -> None:
    """Lights far behind."""
    for k in range(int(rng.integers(6, 16))):
        x, y, r = rng.uniform(0, COARSE), rng.uniform(0, COARSE), rng.uniform(1.5, 6)
        draw.ellipse((x - r, y - r, x + r, y + r), _ink(lighter(colours[k % 4], 0.35)))


def _bars(draw: ImageDraw.ImageDraw, colours: list[Colour], rng: np.random.Generator) -> None:
    """Books, curtains, trunks."""
    x = 0.0
    while x < COARSE:
        width = rng.uniform(2.5, 10)
        if rng.random() < 0.7:
            draw.rectangle((x, rng.uniform(-8, 14), x + width, COARSE), _ink(colours[int(rng.integers(4))]))
        x += width


def _blocks(draw: ImageDraw.ImageDraw, colours: list[Colour], rng: np.random.Generator) -> None:
    """Windows, pictures, furniture."""
    for k in range(int(rng.integers(2, 6))):
        x, y = rng.uniform(-6, COARSE - 6, 2)
        w, h = rng.uniform(8, 26, 2)
        draw.rectangle((x, y, x + w, y + h), _ink(colours[k % 4]))
        draw.rectangle((x + 1.5, y + 1.5, x + w - 1.5, y + h - 1.5), _ink(lighter(colours[(k + 1) % 4], 0.3)))


def _hills(draw: ImageDraw.ImageDraw, colours: list[Colour], rng: np.random.Generator) -> None:
    """A landscape."""
    x = np.linspace(0, COARSE, 13)
    for k in range(3):
        y = COARSE * (0.38 + 0.18 * k) + 5 * np.sin(x * rng.uniform(0.06, 0.2) + rng.uniform(0, 6))
        ridge = np.stack([x, y], 1).ravel().tolist()
        draw.polygon([*ridge, COARSE, COARSE, 0, COARSE], _ink(darker(colours[k], 0.12 * k)))


SHAPES = (_plain, _bokeh, _bars, _blocks, _hills)
