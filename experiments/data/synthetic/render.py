"""Render one image of one identity: its layers, the light on the head, and the camera's exposure, noise and blur."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from experiments.data.synthetic.accessories import draw_body, draw_glasses, draw_occlusion
from experiments.data.synthetic.canvas import HeadView, ShapeLayer
from experiments.data.synthetic.face import (
    draw_beard,
    draw_brows,
    draw_ear,
    draw_eyes,
    draw_face,
    draw_marks,
    draw_mouth,
    draw_nose,
    draw_soft_shading,
    shade_stubble,
)
from experiments.data.synthetic.hair import lay_out_hair
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.scene import Light, Scene, draw_background, draw_scene
from experiments.errors import FacesError

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


NEUTRAL = (128, 128, 128)
"""A factor of one in the image of soft shading."""


def draw_image(identity: Identity, seed: int, image: int, size: int) -> np.ndarray:
    """Draw image number `image` of `identity`: (size, size, 3) uint8, sRGB.

    seed: the seed that the identity was drawn with. The image depends on the arguments alone.
    """
    scene = draw_scene(seed, identity.number, image)
    return render(identity, scene, size)


def draw_jpeg(identity: Identity, seed: int, image: int, size: int) -> bytes:
    """Draw an image as a JPEG file with the quality of its scene."""
    scene = draw_scene(seed, identity.number, image)
    file = io.BytesIO()
    Image.fromarray(render(identity, scene, size)).save(file, "JPEG", quality=scene.camera.jpeg_quality)
    return file.getvalue()


def render(identity: Identity, scene: Scene, size: int) -> np.ndarray:
    """Render `identity` in `scene`: (size, size, 3) uint8."""
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise FacesError(f"size = {size}: expected {MIN_SIZE} to {MAX_SIZE} pixels; draw at one of these, then resize")
    rng = np.random.default_rng(scene.detail_seed)
    view = HeadView(
        scene.pose.yaw, scene.pose.pitch, scene.pose.roll, scene.camera.scale, scene.camera.center, identity.head.width
    )
    oversampling = 2 if size >= 96 else -(-192 // size)
    canvas = Image.new("RGBX", (size * oversampling, size * oversampling), (0, 0, 0, 0))
    draw = ImageDraw.Draw(canvas)
    for layer, seen in _layers(identity, scene, view, rng):
        layer.paint(draw, seen, size * oversampling)
    # RGBX, not RGBA: Pillow would divide RGBA by its alpha again. Outside the person everything is zero.
    person = canvas.reduce(oversampling)
    return compose_photo(person, _shading(identity, scene, view, size), draw_background(rng, size), scene, rng)


def _layers(
    identity: Identity, scene: Scene, view: HeadView, rng: np.random.Generator
) -> list[tuple[ShapeLayer, HeadView]]:
    """Return all layers in painting order with their views: hair behind, body, head with front hair and occlusion."""
    hair, body, head, expression = lay_out_hair(identity), ShapeLayer(), ShapeLayer(), scene.expression
    far, near = (1, -1) if view.yaw > 0 else (-1, 1)
    draw_body(body, identity, scene.cloth, scene.collar)
    if not hair.covers_ears:
        draw_ear(head, identity, far)
    draw_face(head, identity)
    if not hair.covers_ears:
        draw_ear(head, identity, near)
    draw_beard(head, identity, expression.smile)
    draw_marks(head, identity, expression)
    draw_mouth(head, identity, expression)
    draw_nose(head, identity)
    draw_eyes(head, identity, expression)
    draw_brows(head, identity, expression)
    head.add(hair.front)
    if identity.glasses and scene.occlusion != "sunglasses":
        draw_glasses(head, identity, identity.glasses)
    if scene.occlusion:
        draw_occlusion(head, identity, scene.occlusion, rng)
    return [(hair.back, view), (body, _body_view(view)), (head, view)]


def _body_view(view: HeadView) -> HeadView:
    """Return the body's view: it turns and leans less than the head, and stays connected to the neck."""
    lean = 0.3 * view.roll
    pivot = 0.7 * view.scale
    x = view.center[0] - pivot * (np.sin(view.roll) - np.sin(lean))
    y = view.center[1] + pivot * (np.cos(view.roll) - np.cos(lean))
    return HeadView(0.25 * view.yaw, 0.0, lean, view.scale, (float(x), float(y)), view.width)


def _shading(identity: Identity, scene: Scene, view: HeadView, size: int) -> Image.Image:
    """Return light and soft shading as factors, RGB, 128 for one; drawn small, because they are smooth."""
    coarse = max(48, size // 3)
    image = Image.new("RGB", (coarse, coarse), NEUTRAL)
    shade = ShapeLayer()
    draw_soft_shading(shade, identity, scene.light.direction)
    shade_stubble(shade, identity)
    shade.paint(ImageDraw.Draw(image), view, coarse, opaque=False)
    image = image.filter(ImageFilter.GaussianBlur(0.055 * view.scale * coarse))
    factors = np.asarray(image).reshape(coarse, -1) * np.repeat(light_map(scene.light, view, coarse), 3, axis=1)
    image = Image.fromarray(np.minimum(factors, 255).astype(np.uint8).reshape(coarse, coarse, 3))
    return image.resize((size, size), Image.Resampling.BILINEAR)
