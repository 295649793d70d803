"""The scene of one photo: pose, expression, light, camera, clothes, occlusion, and the background."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from experiments.data.synthetic import styles
from experiments.data.synthetic.styles import BACKGROUND, Color, darker, lighter, mix

OCCLUSIONS = ("hand", "scarf", "sunglasses", "board", "mask")


@dataclass(frozen=True, slots=True)
class Pose:
    """Radians; positive yaw turns the face to the viewer's right, positive pitch down, positive roll clockwise."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Expression:
    """`smile` -0.5 to 1; `open` mouth 0 to 1; `lids` open 0.2 to 1.15; brows `raised` and `furrowed`; gaze -1 to 1."""

    smile: float
    open: float
    lids: float
    raised: float
    furrowed: float
    gaze: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """Direction of the source (unit vector; x right, y down, z to the viewer), strength, ambient light and tint."""

    direction: tuple[float, float, float]
    strength: float
    ambience: float
    tint: Color
    exposure: float


@dataclass(frozen=True, slots=True)
class Camera:
    """Half the face's height, its center and the blur as fractions of the image; noise in gray levels."""

    scale: float
    center: tuple[float, float]
    blur: float
    noise: float
    contrast: float
    jpeg_quality: int


@dataclass(frozen=True, slots=True)
class Scene:
    """One photo of one identity. `detail_seed` seeds the fine details: background, cloth, noise."""

    pose: Pose
    expression: Expression
    light: Light
    camera: Camera
    cloth: Color
    collar: str
    occlusion: str | None
    detail_seed: int


def draw_scene(seed: int, identity: int, image: int) -> Scene:
    """Draw the scene of image number `image` of person number `identity`; it depends on the arguments alone."""
    rng = np.random.default_rng([seed, 1, identity, image])
    return Scene(
        pose=Pose(
            yaw=float(np.clip(rng.normal(0, 0.26), -0.55, 0.55)),
            pitch=float(np.clip(rng.normal(0, 0.12), -0.28, 0.28)),
            roll=float(np.clip(rng.normal(0, 0.14), -0.4, 0.4)),
        ),
        expression=_draw_expression(rng),
        light=_draw_light(rng),
        camera=Camera(
            scale=rng.uniform(0.29, 0.41),
            center=(rng.uniform(0.41, 0.59), rng.uniform(0.45, 0.58)),
            blur=rng.uniform(0.003, 0.010) if rng.random() < 0.3 else 0.0,
            noise=rng.uniform(0, 8) if rng.random() < 0.6 else 0.0,
            contrast=rng.uniform(0.86, 1.1),
            jpeg_quality=int(rng.integers(55, 96)),
        ),
        cloth=styles.CLOTH[int(rng.integers(len(styles.CLOTH)))],
        collar=("crew", "vee", "shirt", "turtle")[int(rng.integers(4))],
        occlusion=OCCLUSIONS[int(rng.integers(len(OCCLUSIONS)))] if rng.random() < 0.14 else None,
        detail_seed=int(rng.integers(2**31)),
    )


def _draw_expression(rng: np.random.Generator) -> Expression:
    blink = rng.random() < 0.04
    return Expression(
        smile=float(np.clip(rng.normal(0.5, 0.4), -0.4, 1)),
        open=rng.uniform(0.15, 1) if rng.random() < 0.35 else 0.0,
        lids=0.15 if blink else rng.uniform(0.72, 1.15),
        raised=float(np.clip(rng.normal(0, 0.5), -1, 1)),
        furrowed=rng.uniform(0, 1) if rng.random() < 0.2 else 0.0,
        gaze=(float(np.clip(rng.normal(0, 0.35), -0.9, 0.9)), float(np.clip(rng.normal(0, 0.2), -0.5, 0.5))),
    )


def _draw_light(rng: np.random.Generator) -> Light:
    around, above = rng.uniform(-1.3, 1.3), rng.uniform(-0.1, 1.0)
    strength, brightest = rng.uniform(0.25, 0.65), rng.uniform(1.02, 1.2)
    warmth = rng.normal(0, 0.07)
    return Light(
        direction=(
            float(np.sin(around) * np.cos(above)),
            float(-np.sin(above)),
            float(np.cos(around) * np.cos(above)),
        ),
        strength=strength,
        ambience=brightest - strength,
        tint=(1 + warmth, 1 + rng.normal(0, 0.03), 1 - warmth),
        exposure=rng.uniform(0.86, 1.1),
    )


BACKGROUND_SIDE = 48
"""Pixels a side of a background before it is enlarged; it is out of focus anyway."""


def draw_background(rng: np.random.Generator, size: int) -> Image.Image:
    """Draw a background `size` pixels wide, RGB."""
    first, second = (BACKGROUND[int(k)] for k in rng.integers(len(BACKGROUND), size=2))
    dim = rng.uniform(0, 0.35)
    image = _gradient(darker(first, dim), darker(mix(second, first, 0.3), dim), rng.uniform(0, 2 * np.pi))
    draw = ImageDraw.Draw(image)
    colors = [BACKGROUND[int(k)] for k in rng.integers(len(BACKGROUND), size=4)]
    SHAPES[int(rng.integers(len(SHAPES)))](draw, colors, rng)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 2.2)))
    return image.resize((size, size), Image.Resampling.BILINEAR)


def _gradient(first: Color, second: Color, angle: float) -> Image.Image:
    at = np.linspace(-0.5, 0.5, BACKGROUND_SIDE, dtype=np.float32)
    t = np.clip(0.5 + np.float32(np.cos(angle)) * at + np.float32(np.sin(angle)) * at[:, None], 0, 1)
    start, way = (np.tile(np.array(c, np.float32), BACKGROUND_SIDE) for c in (first, np.subtract(second, first)))
    pixels = start + np.repeat(t, 3, axis=1) * way
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8).reshape(BACKGROUND_SIDE, BACKGROUND_SIDE, 3))


def _ink(color: Color) -> tuple[int, int, int]:
    return int(color[0]), int(color[1]), int(color[2])


def _plain(draw: ImageDraw.ImageDraw, colors: list[Color], rng: np.random.Generator) -> None:
    """Draw nothing: a plain wall."""


def _bokeh(draw: ImageDraw.ImageDraw, colors: list[Color], rng: np.random.Generator) -> None:
    """Draw distant lights out of focus."""
    for k in range(int(rng.integers(6, 16))):
        x, y, r = rng.uniform(0, BACKGROUND_SIDE), rng.uniform(0, BACKGROUND_SIDE), rng.uniform(1.5, 6)
        draw.ellipse((x - r, y - r, x + r, y + r), _ink(lighter(colors[k % 4], 0.35)))


def _bars(draw: ImageDraw.ImageDraw, colors: list[Color], rng: np.random.Generator) -> None:
    """Draw upright bars, as of books, curtains or trunks."""
    x = 0.0
    while x < BACKGROUND_SIDE:
        width = rng.uniform(2.5, 10)
        if rng.random() < 0.7:
            draw.rectangle((x, rng.uniform(-8, 14), x + width, BACKGROUND_SIDE), _ink(colors[int(rng.integers(4))]))
        x += width


def _blocks(draw: ImageDraw.ImageDraw, colors: list[Color], rng: np.random.Generator) -> None:
    """Draw rectangles, as of windows, frames or furniture."""
    for k in range(int(rng.integers(2, 6))):
        x, y = rng.uniform(-6, BACKGROUND_SIDE - 6, 2)
        w, h = rng.uniform(8, 26, 2)
        draw.rectangle((x, y, x + w, y + h), _ink(colors[k % 4]))
        draw.rectangle((x + 1.5, y + 1.5, x + w - 1.5, y + h - 1.5), _ink(lighter(colors[(k + 1) % 4], 0.3)))


def _hills(draw: ImageDraw.ImageDraw, colors: list[Color], rng: np.random.Generator) -> None:
    """Draw a landscape of hills."""
    x = np.linspace(0, BACKGROUND_SIDE, 13)
    for k in range(3):
        y = BACKGROUND_SIDE * (0.38 + 0.18 * k) + 5 * np.sin(x * rng.uniform(0.06, 0.2) + rng.uniform(0, 6))
        ridge = np.stack([x, y], 1).ravel().tolist()
        draw.polygon([*ridge, BACKGROUND_SIDE, BACKGROUND_SIDE, 0, BACKGROUND_SIDE], _ink(darker(colors[k], 0.12 * k)))


SHAPES = (_plain, _bokeh, _bars, _blocks, _hills)
