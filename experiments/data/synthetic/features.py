"""Nose, mouth, and the marks of a skin."""

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import ellipse, smooth, strokes, taper
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.palettes import INK, WHITE, darker, lighter, mix
from experiments.data.synthetic.scene import Expression

SPAN = np.linspace(-1, 1, 13)
"""Positions along a mouth, from left to right."""

UNDERSIDE = np.array(
    [(-0.8, -0.005), (-0.35, -0.022), (0, 0.012), (0.35, -0.022), (0.8, -0.005), (0.4, 0.03), (0, 0.04), (-0.4, 0.03)]
)
WING = np.array([(0.78, -0.10), (1.04, -0.045), (0.97, 0.008), (0.66, 0.012)])
NOSTRIL = np.array([(0.22, 0.010), (0.48, -0.016), (0.74, 0.002), (0.45, 0.020)])
"""Parts of a nose about the middle of its base; x in half widths of the nose, y in half face heights."""


def draw_nose(layer: Layer, identity: Identity) -> None:
    """Nostrils, wings and the shadow under the tip; the bridge is modelled by the soft shadows."""
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


def draw_mouth(layer: Layer, identity: Identity, expression: Expression) -> None:
    """Lips, and between them teeth and dark where the mouth is open."""
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

    lip = mouth.colour
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


def draw_marks(layer: Layer, identity: Identity, expression: Expression) -> None:
    """Freckles, moles, a scar, and the lines of age and laughter."""
    marks, skin, head = identity.marks, identity.skin, identity.head
    if marks.freckles:
        rng = np.random.default_rng(identity.hair.grain)
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


def _draw_laugh_lines(layer: Layer, identity: Identity, strength: float) -> None:
    """From the wings of the nose around the corners of the mouth."""
    nose, mouth = identity.nose, identity.mouth
    start, end = (1.25 * nose.width, nose.y - 0.02), (mouth.width + 0.09, mouth.y)
    line = smooth([start, (mouth.width + 0.05, nose.y + 0.11), end])
    for side in (-1, 1):
        shape = strokes(line * (side, 1), 0.010 * taper(len(line)))
        layer.fill(shape, darker(identity.skin, 0.08 + 0.22 * min(strength, 1)))
