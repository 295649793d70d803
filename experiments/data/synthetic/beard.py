"""Facial hair: a soft shadow for stubble, a body and hairs for what is longer."""

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import beziers, ellipse, mirrored, smooth, strokes, taper
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.palettes import darker, lighter


def shade_stubble(shade: Layer, identity: Identity) -> None:
    """Darken the jaw and the upper lip, as factors with 128 for one."""
    strength = identity.beard.stubble
    if not strength:
        return
    w, mouth = identity.head.width, identity.mouth
    tone = (128 - 34 * strength, 128 - 30 * strength, 128 - 26 * strength)
    cheek = [(0, mouth.y + 0.12), (mouth.width + 0.1, mouth.y + 0.04), (0.80 * w, 0.30), (0.95 * w, 0.25)]
    jaw = [(0.9 * w, 0.6), (0.45 * w, 0.96), (0, 1.02)]
    shade.fill(smooth(mirrored([*cheek, *jaw]), closed=True), tone)
    shade.fill(ellipse(0, mouth.y - 0.075, mouth.width, 0.05), tone)


def draw_beard(layer: Layer, identity: Identity, smile: float) -> None:
    """Beard and moustache; drawn before the lips, which lie on top."""
    beard = identity.beard
    rng = np.random.default_rng(identity.hair.grain)  # the same hairs in every image of this face
    wide = identity.mouth.width * (1 + 0.2 * max(smile, 0))
    if beard.full:
        _draw_full(layer, identity, wide, rng)
    if beard.chin:
        _draw_goatee(layer, identity, wide, rng)
    if beard.moustache:
        _draw_moustache(layer, identity, wide, smile, rng)


def _draw_full(layer: Layer, identity: Identity, wide: float, rng: np.random.Generator) -> None:
    beard, y, w = identity.beard, identity.mouth.y, identity.head.width
    drop = 1.02 + 0.13 * beard.full
    lip = [(0, y - 0.02), (0.9 * wide, y - 0.03), (wide + 0.10, y - 0.06)]
    cheek = [(0.78 * w, 0.36), (0.90 * w, 0.10), (0.985 * w, 0.08)]
    jaw = [(0.93 * w, 0.5), (0.68 * w, 0.88), (0.34 * w, drop), (0, drop + 0.05)]
    layer.fill(mirrored(smooth([*lip, *cheek, *jaw])), beard.colour)
    x = w * np.concatenate([np.linspace(-0.9, -0.4, 9), np.linspace(-0.33, 0.33, 9), np.linspace(0.4, 0.9, 9)])
    edge = np.interp(np.abs(x), (0.3 * w, wide + 0.1, 0.78 * w, 0.95 * w), (y + 0.13, y + 0.02, 0.42, 0.2))
    starts, ends = edge + rng.uniform(0, 0.1, len(x)), edge + rng.uniform(0.18, 0.32, len(x))
    _draw_hairs(layer, identity, np.stack([x, starts], axis=1), np.stack([0.9 * x, ends], axis=1), rng)


def _draw_goatee(layer: Layer, identity: Identity, wide: float, rng: np.random.Generator) -> None:
    """A tuft on the chin; a strong one is joined to the moustache."""
    beard, y = identity.beard, identity.mouth.y
    tuft = [(0, y + 0.11), (0.11, y + 0.13), (0.20, 0.88), (0.14, 1.03), (0, 1.08)]
    layer.fill(smooth(mirrored(tuft), closed=True), beard.colour)
    starts = np.linspace((-0.14, 0.82), (0.14, 0.82), 9)
    ends = starts * (0.9, 1) + np.stack([np.zeros(9), 0.20 + 0.03 * rng.random(9)], axis=1)
    _draw_hairs(layer, identity, starts, ends, rng)
    if beard.chin > 0.75:
        line = smooth([(wide + 0.02, y - 0.02), (wide + 0.03, y + 0.12), (0.18, 0.92)])
        for side in (-1, 1):
            layer.fill(strokes(line * (side, 1), np.full(len(line), 0.03)), beard.colour)


def _draw_moustache(layer: Layer, identity: Identity, wide: float, smile: float, rng: np.random.Generator) -> None:
    beard, y = identity.beard, identity.mouth.y
    top, tip = y - 0.115 + 0.02 * smile, y + 0.03 + 0.06 * beard.moustache - 0.06 * smile
    upper = [(0, top + 0.015), (0.4 * wide, top), (0.9 * wide, top + 0.055), (1.12 * wide, tip)]
    lower = [(0.8 * wide, y - 0.012), (0.3 * wide, y - 0.035), (0, y - 0.03)]
    layer.fill(mirrored(smooth([*upper, *lower])), beard.colour, 0.03)
    t = np.linspace(-0.9, 0.9, 12)
    starts = np.stack([0.7 * wide * t, top + 0.015 + 0.04 * t**2], axis=1)
    ends = np.stack([1.1 * wide * t, y - 0.02 + 0.04 * t**2], axis=1)
    _draw_hairs(layer, identity, starts, ends, rng)


def _draw_hairs(
    layer: Layer, identity: Identity, starts: np.ndarray, ends: np.ndarray, rng: np.random.Generator
) -> None:
    """Single hairs over the body of a beard, some lit and some in shadow."""
    colour = identity.beard.colour
    hairs = beziers(starts, (starts + ends) / 2 + rng.normal(0, 0.012, starts.shape), ends, 5)
    tones = [
        lighter(colour, 0.22 * v) if v > 0 else darker(colour, -0.35 * v)
        for v in rng.uniform(-1, 1, len(hairs)).tolist()
    ]
    layer.fill_all(strokes(hairs, 0.012 * taper(5)), tones, raised=0.03)
