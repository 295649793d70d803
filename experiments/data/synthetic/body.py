"""Neck, shoulders and clothes: they belong to the photograph more than to the person."""

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import Points, mirrored, smooth, strokes, taper
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.palettes import INK, Colour, darker, lighter, mix

COLLARS: dict[str, tuple[float, float]] = {"crew": (1.52, 0.95), "vee": (2.0, 0.55), "shirt": (1.8, 0.55)}
"""How low the neckline hangs (y), and how wide it is half way down, in half widths of the neck."""


def draw_body(layer: Layer, identity: Identity, cloth: Colour, collar: str) -> None:
    """Neck and shoulders in `cloth`, cut as one of COLLARS or as a "turtle" neck."""
    neck, skin = identity.head.neck * identity.head.width * 1.12, identity.skin
    _draw_neck(layer, neck, skin)
    if collar == "turtle":
        roll = smooth([(neck * 1.12, 1.05), (0, 1.2), (-neck * 1.12, 1.05)])
        layer.fill(np.concatenate([roll, [(-neck * 1.4, 1.7), (neck * 1.4, 1.7)]]), darker(cloth, 0.12))
        line = np.array([(neck * 1.25, 1.35), (0, 1.5), (-neck * 1.25, 1.35)])
    else:
        line = _neckline(neck, *COLLARS[collar])
    shoulder = smooth([(1.25 * neck, 1.32), (1.05, 1.56), (1.6, 1.85), (1.85, 2.6), (1.9, 4.0)])
    layer.fill(np.concatenate([line[::-1], shoulder, shoulder[::-1] * (-1, 1)]), cloth)
    if collar == "shirt":
        lapel = np.array([(neck * 1.18, 1.22), (0.04, 1.86), (0.42, 1.98), (neck * 1.55, 1.42)])
        for side in (-1, 1):
            layer.fill(lapel * (side, 1), lighter(cloth, 0.25))
    elif collar != "turtle":
        layer.fill(strokes(line, np.full(len(line), 0.028)), mix(darker(cloth, 0.3), INK, 0.1))
    for side in (-1, 1):
        fold = smooth([(side * 0.95, 1.75), (side * 0.88, 2.1), (side * 0.98, 2.6)])
        layer.fill(strokes(fold, 0.03 * taper(len(fold))), darker(cloth, 0.3))


def _draw_neck(layer: Layer, neck: float, skin: Colour) -> None:
    """The neck, and the shadow of the chin on it."""
    side = [(0, 0.3), (neck, 0.35), (neck * 0.96, 1.0), (neck * 1.2, 1.42), (1.0, 1.62), (0, 2.4)]
    layer.fill(mirrored(smooth(side)), skin)
    shadow = [(-neck, 0.4), (neck, 0.4), (neck * 0.97, 1.02), (0.1, 1.36), (-neck * 0.97, 1.05)]
    layer.fill(smooth(shadow, closed=True), darker(skin, 0.22))


def _neckline(neck: float, depth: float, width: float) -> Points:
    """The edge of the cloth, from the right shoulder to the left one."""
    half = smooth([(neck * 1.3, 1.30), (neck * width, 1.36 + (depth - 1.36) * 0.6), (0, depth)])
    return np.concatenate([half, half[-2::-1] * (-1, 1)])
