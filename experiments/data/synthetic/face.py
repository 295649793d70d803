"""Draw the bare head: outline, ears, eyes, brows, nose, mouth, facial hair, marks of the skin, soft shading."""

import numpy as np

from experiments.data.synthetic.canvas import Points, ShapeLayer, beziers, ellipse, mirrored, smooth, strokes, taper
from experiments.data.synthetic.identity import Head, Identity
from experiments.data.synthetic.scene import Expression
from experiments.data.synthetic.styles import INK, WHITE, Color, darker, lighter, luminance, mix

EAR = np.array([(-0.3, -1.0), (0.35, -1.12), (0.75, -0.75), (0.72, -0.1), (0.42, 0.45), (0.2, 0.95), (-0.25, 0.9)])
EAR_HOLLOW = np.array([(-0.1, -0.6), (0.3, -0.78), (0.48, -0.45), (0.38, 0.0), (0.12, 0.3), (-0.1, 0.1)])
"""Right ear around the point where it joins the head, in units of its half height."""


SHADOW, HALF_SHADOW, DEEP = (112.0, 104.0, 102.0), (122.0, 119.0, 118.0), (98.0, 86.0, 84.0)
GLOW, BRIGHT = (138.0, 136.0, 134.0), (144.0, 141.0, 139.0)
"""Factors of soft light and shadow on the skin, 128 for one."""


def outline(head: Head) -> np.ndarray:
    """Return the outline (N, 3) of skull and jaw; the chin is in front of the rest."""
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


def draw_ear(layer: ShapeLayer, identity: Identity, side: int) -> None:
    """Draw the ear on `side` (-1 left, 1 right in the image)."""
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


def draw_face(layer: ShapeLayer, identity: Identity) -> None:
    """Draw the bare head."""
    layer.fill(outline(identity.head), identity.skin)


def _splayed(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Add depth to an ear's points: (N, 3); the outer points are farther back."""
    depth = -0.02 - 0.7 * np.abs(points[:, 0] - at[0])
    return np.concatenate([points, depth[:, None]], axis=1)


def draw_soft_shading(shade: ShapeLayer, identity: Identity, light: tuple[float, float, float]) -> None:
    """Draw soft light and shadow as factors, 128 for one; they are blurred and multiplied with the face later."""
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


def _model_nose(shade: ShapeLayer, identity: Identity, away: int) -> None:
    """Draw shadow on the nose's side `away` from the light and below it, and light along the ridge."""
    eyes, nose = identity.eyes, identity.nose
    ridge, w, brow, base = nose.bridge, nose.width, eyes.y - 0.05, nose.y
    flank = [(0.6 * ridge, brow), (ridge + 0.07, brow + 0.03), (1.2 * w, base - 0.03), (0.5 * w, base)]
    shade.fill(np.array(flank) * (away, 1), DEEP, 0.1)
    below = [(-w, base), (w, base), (0.5 * w, base + 0.10), (-0.5 * w, base + 0.10)]
    shade.fill(smooth(below, closed=True), DEEP, 0.08)
    top, bottom = 0.45 * ridge, 0.4 * ridge
    shade.fill(np.array([(-top, brow), (top, brow), (bottom, base - 0.1), (-bottom, base - 0.1)]), BRIGHT, 0.12)


SPAN = np.linspace(-1, 1, 13)
"""Positions along a mouth, from left to right."""

UNDERSIDE = np.array(
    [(-0.8, -0.005), (-0.35, -0.022), (0, 0.012), (0.35, -0.022), (0.8, -0.005), (0.4, 0.03), (0, 0.04), (-0.4, 0.03)]
)
WING = np.array([(0.78, -0.10), (1.04, -0.045), (0.97, 0.008), (0.66, 0.012)])
NOSTRIL = np.array([(0.22, 0.010), (0.48, -0.016), (0.74, 0.002), (0.45, 0.020)])
"""Parts of a nose around the middle of its base; x in half widths of the nose, y in half face heights."""


def draw_nose(layer: ShapeLayer, identity: Identity) -> None:
    """Draw nostrils, wings and the shadow under the tip; the bridge is part of the soft shading."""
    nose, skin = identity.nose, identity.skin
    base, out = np.array((0, nose.y)), 0.5 * nose.tip
    under = UNDERSIDE * (nose.width, 1) + base
    under[[2, 6], 1] += nose.droop
    layer.fill(smooth(under, closed=True), darker(skin, 0.24), out)
    for side in (-1, 1):
        scale = (side * nose.width, 1)
        wing = smooth(WING * scale + base)
        layer.fill(strokes(wing, 0.011 * taper(len(wing), 0.1, 0.3, 0.6)), darker(skin, 0.40), out * 0.5)
        layer.fill(smooth(NOSTRIL * scale + base, closed=True), darker(skin, 0.70), out)


def draw_mouth(layer: ShapeLayer, identity: Identity, expression: Expression) -> None:
    """Draw the lips and, in an open mouth, the teeth and the dark between them."""
    mouth, skin = identity.mouth, identity.skin
    smile, gap = expression.smile, expression.open * 0.11
    half = mouth.width * (1 + 0.22 * max(smile, 0) - 0.12 * expression.open)
    bulge = 1 - SPAN**2
    x = SPAN * half
    middle = mouth.y + 0.01 - (mouth.corners + 0.075 * smile) * (SPAN**2 - 0.35)
    bow = mouth.bow * 0.4 * np.exp(-((SPAN / 0.16) ** 2))
    top = middle - gap * 0.25 * bulge - mouth.upper * (1 - 0.25 * max(smile, 0)) * (1 - np.abs(SPAN) ** 1.7) * (1 - bow)
    line_up = middle - gap * 0.25 * bulge + 0.008 * np.cos(SPAN * 2 * np.pi) * bulge
    line_low = line_up + gap * bulge**0.7
    bottom = line_low + mouth.lower * (1 - 0.2 * max(smile, 0)) * (1 - SPAN**2) ** 0.8

    def path(upper: np.ndarray, lower: np.ndarray, trim: int = 0) -> np.ndarray:
        part = slice(trim, len(SPAN) - trim)
        return np.concatenate([np.stack([x, upper], 1)[part], np.stack([x, lower], 1)[part][::-1]])

    lip = mouth.color
    if gap:
        layer.fill(path(line_up, line_low), (84, 26, 32), 0.02)
        layer.fill(path(line_up, np.minimum(line_up + 0.052 * bulge**0.5, line_low), 1), mix(WHITE, skin, 0.08), 0.02)
        layer.fill(path(np.maximum(line_low - 0.03, line_up), line_low, 3), (176, 84, 88), 0.02)
    layer.fill(path(top, line_up), darker(lip, 0.12), 0.03)
    layer.fill(path(line_low, bottom), lip, 0.04)
    shine = np.stack([x, line_low + 0.36 * (bottom - line_low)], 1)[4:-4]
    layer.fill(strokes(shine, 0.2 * mouth.lower * taper(5, 0.2, 0.2)), lighter(lip, 0.22), 0.045)
    seam = np.stack([x, line_up], 1)
    layer.fill(strokes(seam, 0.011 * taper(13, 0.5, 0.5, 0.5)), darker(lip, 0.62), 0.03)
    for side in (-1, 1):
        corner = np.array((side * half, middle[0]))
        crease = smooth(corner + np.array([(side * 0.012, -0.02), (side * 0.03, 0.004), (side * 0.02, 0.03)]))
        layer.fill(strokes(crease, 0.008 * taper(len(crease))), darker(skin, 0.35))


def draw_marks(layer: ShapeLayer, identity: Identity, expression: Expression) -> None:
    """Draw freckles, moles, a scar, and the lines of age and laughter."""
    marks, skin, head = identity.marks, identity.skin, identity.head
    if marks.freckles:
        rng = np.random.default_rng(identity.hair.detail_seed)
        across = rng.uniform(-0.72, 0.72, marks.freckles) * head.width
        down = 0.24 + rng.normal(0, 0.07, marks.freckles)
        radii = rng.uniform(0.006, 0.013, marks.freckles)
        dots = ellipse(0, 0, 1, 1, 6) * radii[:, None, None] + np.stack([across, down], 1)[:, None]
        layer.fill_all(dots, [mix(skin, (150, 84, 44), 0.5)] * marks.freckles)
    for x, y, radius in marks.moles:
        layer.fill(ellipse(x, y, radius, radius, 10), mix(darker(skin, 0.6), INK, 0.4))
    if marks.scar:
        x, y, angle = marks.scar
        dx, dy = 0.12 * np.cos(angle), 0.12 * np.sin(angle)
        line = smooth([(x - dx, y - dy), (x + 0.01, y), (x + dx, y + dy)])
        layer.fill(strokes(line, 0.013 * taper(len(line))), mix(lighter(skin, 0.4), (220, 130, 130), 0.35))
    laugh = max(marks.lines * 0.8, 0.5 * max(expression.smile, 0) - 0.1)
    if laugh > 0.1:
        _draw_laugh_lines(layer, identity, laugh)
    if marks.lines > 0.15:
        for y in (-0.40, -0.31)[: 1 + (marks.lines > 0.4)]:
            line = smooth(
                [(-0.36 * head.width, y), (-0.1, y - 0.02), (0.12, y - 0.015), (0.36 * head.width, y + 0.005)]
            )
            layer.fill(strokes(line, 0.008 * taper(len(line), peak=0.5)), darker(skin, 0.10 + 0.16 * marks.lines))


def _draw_laugh_lines(layer: ShapeLayer, identity: Identity, strength: float) -> None:
    """Draw lines from the wings of the nose around the corners of the mouth."""
    nose, mouth = identity.nose, identity.mouth
    start, end = (1.25 * nose.width, nose.y - 0.02), (mouth.width + 0.09, mouth.y)
    line = smooth([start, (mouth.width + 0.05, nose.y + 0.11), end])
    for side in (-1, 1):
        shape = strokes(line * (side, 1), 0.010 * taper(len(line)))
        layer.fill(shape, darker(identity.skin, 0.08 + 0.22 * min(strength, 1)))


def shade_stubble(shade: ShapeLayer, identity: Identity) -> None:
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


def draw_beard(layer: ShapeLayer, identity: Identity, smile: float) -> None:
    """Draw beard and mustache, before the lips, which cover them."""
    beard = identity.beard
    rng = np.random.default_rng(identity.hair.detail_seed)  # the same hairs in every image of this face
    wide = identity.mouth.width * (1 + 0.2 * max(smile, 0))
    if beard.full:
        _draw_full_beard(layer, identity, wide, rng)
    if beard.chin:
        _draw_goatee(layer, identity, wide, rng)
    if beard.mustache:
        _draw_mustache(layer, identity, wide, smile, rng)


def _draw_full_beard(layer: ShapeLayer, identity: Identity, wide: float, rng: np.random.Generator) -> None:
    beard, y, w = identity.beard, identity.mouth.y, identity.head.width
    drop = 1.02 + 0.13 * beard.full
    lip = [(0, y - 0.02), (0.9 * wide, y - 0.03), (wide + 0.10, y - 0.06)]
    cheek = [(0.78 * w, 0.36), (0.90 * w, 0.10), (0.985 * w, 0.08)]
    jaw = [(0.93 * w, 0.5), (0.68 * w, 0.88), (0.34 * w, drop), (0, drop + 0.05)]
    layer.fill(mirrored(smooth([*lip, *cheek, *jaw])), beard.color)
    x = w * np.concatenate([np.linspace(-0.9, -0.4, 9), np.linspace(-0.33, 0.33, 9), np.linspace(0.4, 0.9, 9)])
    edge = np.interp(np.abs(x), (0.3 * w, wide + 0.1, 0.78 * w, 0.95 * w), (y + 0.13, y + 0.02, 0.42, 0.2))
    starts, ends = edge + rng.uniform(0, 0.1, len(x)), edge + rng.uniform(0.18, 0.32, len(x))
    _draw_hairs(layer, identity, np.stack([x, starts], axis=1), np.stack([0.9 * x, ends], axis=1), rng)


def _draw_goatee(layer: ShapeLayer, identity: Identity, wide: float, rng: np.random.Generator) -> None:
    """Draw a goatee; a strong one is joined to the mustache."""
    beard, y = identity.beard, identity.mouth.y
    tuft = [(0, y + 0.11), (0.11, y + 0.13), (0.20, 0.88), (0.14, 1.03), (0, 1.08)]
    layer.fill(smooth(mirrored(tuft), closed=True), beard.color)
    starts = np.linspace((-0.14, 0.82), (0.14, 0.82), 9)
    ends = starts * (0.9, 1) + np.stack([np.zeros(9), 0.20 + 0.03 * rng.random(9)], axis=1)
    _draw_hairs(layer, identity, starts, ends, rng)
    if beard.chin > 0.75:
        line = smooth([(wide + 0.02, y - 0.02), (wide + 0.03, y + 0.12), (0.18, 0.92)])
        for side in (-1, 1):
            layer.fill(strokes(line * (side, 1), np.full(len(line), 0.03)), beard.color)


def _draw_mustache(layer: ShapeLayer, identity: Identity, wide: float, smile: float, rng: np.random.Generator) -> None:
    beard, y = identity.beard, identity.mouth.y
    top, tip = y - 0.115 + 0.02 * smile, y + 0.03 + 0.06 * beard.mustache - 0.06 * smile
    upper = [(0, top + 0.015), (0.4 * wide, top), (0.9 * wide, top + 0.055), (1.12 * wide, tip)]
    lower = [(0.8 * wide, y - 0.012), (0.3 * wide, y - 0.035), (0, y - 0.03)]
    layer.fill(mirrored(smooth([*upper, *lower])), beard.color, 0.03)
    t = np.linspace(-0.9, 0.9, 12)
    starts = np.stack([0.7 * wide * t, top + 0.015 + 0.04 * t**2], axis=1)
    ends = np.stack([1.1 * wide * t, y - 0.02 + 0.04 * t**2], axis=1)
    _draw_hairs(layer, identity, starts, ends, rng)


def _draw_hairs(
    layer: ShapeLayer, identity: Identity, starts: np.ndarray, ends: np.ndarray, rng: np.random.Generator
) -> None:
    """Draw single hairs over the body of a beard, some lit and some in shadow."""
    color = identity.beard.color
    hairs = beziers(starts, (starts + ends) / 2 + rng.normal(0, 0.012, starts.shape), ends, 5)
    tones = [
        lighter(color, 0.22 * v) if v > 0 else darker(color, -0.35 * v) for v in rng.uniform(-1, 1, len(hairs)).tolist()
    ]
    layer.fill_all(strokes(hairs, 0.012 * taper(5)), tones, raised=0.03)


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
