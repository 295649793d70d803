"""Draw eyes and brows."""

import numpy as np

from experiments.data.synthetic.canvas import Points, ShapeLayer, beziers, ellipse, smooth, strokes, taper
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.scene import Expression
from experiments.data.synthetic.styles import INK, WHITE, Color, darker, lighter, luminance, mix

SPAN = np.linspace(-1, 1, 13)
"""Positions along an eye from its inner to its outer corner."""

IRIS_DISCS = ((1, 0, 0), (0.86, 0, 0), (0.55, 0, 0.26), (0.46, 0, 0), (0.24, -0.32, -0.36), (0.11, 0.35, 0.35))
"""Radius and center (x, y) of rim, iris, its lit part, pupil and two catchlights, in radii of the iris."""

LASHES = np.array([(0.4, -1.25), (0.9, -1.1), (1.25, -0.9), (1.4, -0.5)])
"""Directions of the upper lashes, from the middle to the outer corner, in lengths of a lash."""

LASH, BROW_HAIR = 0.010 * np.array((1, 0.8, 0.5, 0.1)), 0.007 * np.array((1, 0.9, 0.1))
"""Half widths of a lash and of a brow hair from root to tip, in half face heights."""


def draw_eyes(layer: ShapeLayer, identity: Identity, expression: Expression) -> None:
    """Draw both eyes, from the folds of the lids down to the lashes."""
    eyes, smile = identity.eyes, max(0.0, expression.smile)
    lids = expression.lids * (1 - 0.22 * smile)
    rise = (1 - np.abs(SPAN) ** 2.2) * (1 - eyes.peak * SPAN)
    tilt = -eyes.tilt * eyes.width * SPAN
    upper = tilt - eyes.height * (1.25 * lids - 0.25) * rise
    lower = tilt + eyes.height * (0.62 - 0.25 * smile) * (1 - SPAN**2) * (1 + 0.3 * SPAN)
    fold = tilt - eyes.height * rise - 0.012 - eyes.fold
    under, over = _lids(identity, upper, lower, fold), _lashes(identity, upper, lower)
    for side in (-1, 1):
        for points, color in under:
            layer.fill(points * (side, 1), color)
        _draw_iris(layer, identity, expression, side, upper, lower)
        for points, color in over:
            layer.fill(points * (side, 1), color)


def _at(identity: Identity, x: np.ndarray, y: np.ndarray) -> Points:
    """Map an eye's own coordinates (x from -1, inner, to 1, outer corner) to the right half of the head."""
    return np.stack([identity.eyes.spacing + identity.eyes.width * x, identity.eyes.y + y], axis=1)


def _lids(identity: Identity, upper: np.ndarray, lower: np.ndarray, fold: np.ndarray) -> list[tuple[Points, Color]]:
    """Return the shapes under the iris of a right eye: the bag below, the fold above, and the white."""
    eyes, skin = identity.eyes, identity.skin
    lid, shapes = _at(identity, SPAN, upper), []
    if eyes.bags > 0.15:
        bag = _at(identity, SPAN[1:-1] * 0.85, lower[1:-1] + 0.055)
        shapes.append((strokes(bag, 0.011 * taper(11, peak=0.35)), darker(skin, 0.10 + 0.12 * min(eyes.bags, 1))))
    if eyes.fold:
        line = _at(identity, SPAN[1:] * 0.98, np.minimum(fold, upper - 0.016)[1:])
        shapes.append((np.concatenate([line, lid[:0:-1]]), darker(skin, 0.13)))
        shapes.append((strokes(line, 0.009 * taper(12, 0.3, 0.1)), darker(skin, 0.42)))
    white = np.concatenate([lid, _at(identity, SPAN, lower)[::-1]])
    return [*shapes, (white, mix(WHITE, skin, 0.06))]


def _lashes(identity: Identity, upper: np.ndarray, lower: np.ndarray) -> list[tuple[Points, Color]]:
    """Return the shapes over the iris of a right eye: the shadow of the lid, and the edges of both lids."""
    eyes, skin = identity.eyes, identity.skin
    lid, edge, ink = _at(identity, SPAN, upper), _at(identity, SPAN, lower), mix(INK, (10, 8, 10), 0.4)
    shadow = np.concatenate([lid, _at(identity, SPAN, np.minimum(upper + 0.02, lower))[::-1]])
    shapes = [
        (shadow, mix(darker(skin, 0.75), ink, 0.5)),
        (strokes(edge[2:], 0.007 * taper(11, 0.2, 0.6, 0.8)), darker(skin, 0.5)),
        (strokes(lid, (0.017 + 0.12 * eyes.lashes) * taper(13, 0.35, 0.5, 0.7)), ink),
    ]
    if eyes.lashes > 0.012:
        roots = lid[[6, 8, 10, 12]]
        tips = roots + LASHES * eyes.lashes
        lashes = beziers(roots, (roots + tips) / 2 + (0.2 * eyes.lashes, 0), tips, 4)
        shapes.extend((lash, ink) for lash in strokes(lashes, LASH))
    return shapes


def _draw_iris(
    layer: ShapeLayer, identity: Identity, expression: Expression, side: int, upper: np.ndarray, lower: np.ndarray
) -> None:
    """Draw iris, pupil and catchlight, clipped by the lids."""
    eyes = identity.eyes
    x = eyes.spacing * side + expression.gaze[0] * eyes.width * 0.42
    y = eyes.y + expression.gaze[1] * eyes.height * 0.5 - 0.004
    radius, right, down = np.array(IRIS_DISCS).T[:, :, None] * eyes.iris
    circle = ellipse(0, 0, 1, 1, 18)
    discs_x, discs_y = x + right + radius * circle[:, 0], y + down + radius * circle[:, 1]
    t = np.clip((discs_x * side - eyes.spacing) / eyes.width, -1, 1)
    discs_x = side * (eyes.spacing + eyes.width * t)
    discs_y = eyes.y + np.clip(discs_y - eyes.y, np.interp(t, SPAN, upper), np.interp(t, SPAN, lower))
    color = eyes.color
    inks = [darker(color, 0.55), color, lighter(color, 0.28), (16, 12, 14), (255, 255, 255), (236, 240, 244)]
    layer.fill_all(np.stack([discs_x, discs_y], axis=-1), inks)


def draw_brows(layer: ShapeLayer, identity: Identity, expression: Expression) -> None:
    """Draw the brows: a tapered body each, and hairs that lean outwards."""
    brows, eyes, color = identity.brows, identity.eyes, _brow_color(identity)
    y = eyes.y - brows.lift - 0.05 * expression.raised
    inner = y + 0.055 * expression.furrowed
    x = eyes.spacing - brows.length * 0.92 + brows.inset - 0.02 * expression.furrowed
    bend = (x + brows.length * 1.25, y - brows.arch - 0.008)
    rise = (x + brows.length * 0.6, (inner + bend[1]) / 2 - 0.014)
    line = smooth([(x, inner), rise, bend, (x + brows.length * 2.05, y - brows.slope + 0.03)])
    body = strokes(line, brows.thickness * taper(len(line), 0.6, 0.05, 0.35))
    roots = line[1:-3:2] + np.array((0, brows.thickness * 0.7))
    tips = line[2:-2:2] + np.array((0.03, -brows.thickness * 1.15))
    hairs = strokes(beziers(roots, (roots + tips) / 2 - np.array((0, 0.01)), tips, 3), BROW_HAIR)
    for side in (-1, 1):
        layer.fill(body * (side, 1), color)
        layer.fill_all(hairs * (side, 1), [darker(color, 0.14)] * len(hairs))


def _brow_color(identity: Identity) -> Color:
    """Return a color darker than the hair, or darker than the skin where the hair's would not be visible."""
    color = darker(identity.hair.color, 0.3)
    if abs(luminance(color) - luminance(identity.skin)) < 0.2:
        color = darker(identity.skin, 0.55)
    return color
