"""The head itself: outline, ears, and the soft shadows and blushes that model the face."""

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import ellipse, mirrored, smooth
from experiments.data.synthetic.identity import Head, Identity
from experiments.data.synthetic.palettes import darker

EAR = np.array([(-0.3, -1.0), (0.35, -1.12), (0.75, -0.75), (0.72, -0.1), (0.42, 0.45), (0.2, 0.95), (-0.25, 0.9)])
EAR_HOLLOW = np.array([(-0.1, -0.6), (0.3, -0.78), (0.48, -0.45), (0.38, 0.0), (0.12, 0.3), (-0.1, 0.1)])
"""Right ear, in units of its half height, about the point where it joins the head."""


SHADOW, HALF_SHADOW, DEEP = (112.0, 104.0, 102.0), (122.0, 119.0, 118.0), (98.0, 86.0, 84.0)
GLOW, BRIGHT = (138.0, 136.0, 134.0), (144.0, 141.0, 139.0)
"""Factors by which soft light and shadow change the skin, 128 for one."""


def outline(head: Head) -> np.ndarray:
    """(N, 3) around the skull and the jaw; the chin stands forward of the rest."""
    w = head.width
    half = np.array(
        [
            (0.0, -1.0),
            (0.50 * w, -0.94),
            (0.86 * w, -0.66),
            (head.temple * w, -0.22),
            (head.cheek * w, 0.12),
            (head.jaw * w, head.jaw_y),
            (head.chin * w * 1.12, 0.88),
            (head.chin * w * 0.5, 0.985),
            (0.0, 1.0),
        ]
    )
    flat = smooth(mirrored(half), closed=True)
    forward = 0.34 * np.clip((flat[:, 1] - 0.35) / 0.6, 0, 1) ** 1.5
    return np.concatenate([flat, forward[:, None]], axis=1)


def draw_ear(layer: Layer, identity: Identity, side: int) -> None:
    """The ear on `side` (-1 left, 1 right of the image)."""
    head, skin = identity.head, identity.skin
    size = np.array((side * head.ear_size * 0.72, head.ear_size))
    shape = EAR.copy()
    shape[5:, 1] *= 0.75 + 0.35 * head.ear_lobe
    at = np.array((side * head.width * 0.97, 0.18))
    layer.fill(_splayed(smooth(shape, closed=True) * size + at, at), darker(skin, 0.06))
    layer.fill(_splayed(smooth(EAR_HOLLOW, closed=True) * size + at, at), darker(skin, 0.30))
    if identity.earrings:
        lobe = at + size * (0.28, 1.0 * (0.75 + 0.35 * head.ear_lobe))
        layer.fill(_splayed(ellipse(lobe[0], lobe[1], 0.035, 0.035), at), identity.earrings)
        layer.fill(_splayed(ellipse(lobe[0] - 0.01, lobe[1] - 0.012, 0.012, 0.012, 8), at), (255, 252, 240))


def draw_face(layer: Layer, identity: Identity) -> None:
    """The bare head."""
    layer.fill(outline(identity.head), identity.skin)


def _splayed(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(N, 3): ears lean back as they stand out."""
    depth = -0.02 - 0.7 * np.abs(points[:, 0] - at[0])
    return np.concatenate([points, depth[:, None]], axis=1)


def model(shade: Layer, identity: Identity, light: tuple[float, float, float]) -> None:
    """Soft light and shadow on the face, as factors with 128 for one: to be blurred, and multiplied with it."""
    head, eyes, nose, mouth = identity.head, identity.eyes, identity.nose, identity.mouth
    w, away = head.width, -1 if light[0] > 0 else 1
    blush = (134.0, 128 - 16 * identity.marks.blush, 128 - 13 * identity.marks.blush)
    shade.fill(ellipse(0, -0.45, 0.42 * w, 0.22), GLOW)
    for side in (-1, 1):
        shade.fill(ellipse(side * 0.56 * w, 0.34, 0.24 * w, 0.17), blush)
        shade.fill(ellipse(side * 0.53 * w, 0.22, 0.17 * w, 0.07), GLOW)
        shade.fill(ellipse(side * eyes.spacing, eyes.y - 0.05, eyes.width * 1.2, eyes.height + 0.07), SHADOW)
        hollow = smooth(np.array([(0.98, 0.2), (0.66, 0.5), (0.5, 0.86), (0.95, 0.75)]) * (side * w, 1), closed=True)
        shade.fill(hollow, SHADOW if side == away else HALF_SHADOW)
    _model_nose(shade, identity, away)
    shade.fill(ellipse(0, mouth.y + mouth.lower + 0.065, mouth.width * 0.6, 0.035), DEEP)
    shade.fill(ellipse(0, 0.86, 0.13, 0.08), GLOW)
    shade.fill(ellipse(-away * 0.02, nose.y - 0.07, 0.06, 0.055), BRIGHT, nose.tip)


def _model_nose(shade: Layer, identity: Identity, away: int) -> None:
    """Shadow on the side `away` from the light and below, light along the ridge."""
    eyes, nose = identity.eyes, identity.nose
    ridge, w, brow, base = nose.bridge, nose.width, eyes.y - 0.05, nose.y
    flank = [(0.6 * ridge, brow), (ridge + 0.07, brow + 0.03), (1.2 * w, base - 0.03), (0.5 * w, base)]
    shade.fill(np.array(flank) * (away, 1), DEEP, 0.1)
    below = [(-w, base), (w, base), (0.5 * w, base + 0.10), (-0.5 * w, base + 0.10)]
    shade.fill(smooth(below, closed=True), DEEP, 0.08)
    top, bottom = 0.45 * ridge, 0.4 * ridge
    shade.fill(np.array([(-top, brow), (top, brow), (bottom, base - 0.1), (-bottom, base - 0.1)]), BRIGHT, 0.12)
