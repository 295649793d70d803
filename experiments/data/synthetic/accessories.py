"""Glasses, occlusions, and the body with its clothes. Glasses are part of the identity, the rest of the photo."""

import numpy as np

from experiments.data.synthetic.canvas import Points, ShapeLayer, ellipse, mirrored, smooth, strokes, taper
from experiments.data.synthetic.identity import Glasses, Identity
from experiments.data.synthetic.styles import CLOTH, INK, Color, darker, lighter, mix

GLASSES_DEPTH = 0.66
"""Depth of glasses: slightly in front of the eyes."""

LENS_REFLECTION = np.array([(-0.55, -0.5), (-0.3, -0.62), (-0.52, 0.1), (-0.66, 0.1)])
"""A reflection on a lens, in units of its half size."""


def _lens(width: float, height: float, square: float, count: int = 28) -> np.ndarray:
    """A superellipse, from round to nearly square."""
    angle = np.arange(count) * (2 * np.pi / count)
    c, s = np.cos(angle), np.sin(angle)
    power = 1 - 0.6 * square
    return np.stack([np.sign(c) * np.abs(c) ** power * width, np.sign(s) * np.abs(s) ** power * height], 1)


def _curved(points: np.ndarray) -> np.ndarray:
    """Bend a pair of glasses around the face."""
    depth = GLASSES_DEPTH - 0.22 * points[:, 0] ** 2
    return np.concatenate([points, depth[:, None]], axis=1)


def draw_glasses(layer: ShapeLayer, identity: Identity, glasses: Glasses, dark: bool = False) -> None:
    """Draw frame, bridge and temples; the lenses are clear with a reflection, or `dark`."""
    eyes, w = identity.eyes, identity.head.width
    rim = max(glasses.rim, 0.012)
    shape = _lens(glasses.width, glasses.height, glasses.square)
    closed = np.concatenate([shape, shape[:2]])
    reach = max(eyes.spacing, glasses.width + 0.04)
    for side in (-1, 1):
        at = np.array((side * reach, eyes.y + 0.02))
        if dark:
            layer.fill(_curved(shape + at), (34, 32, 40))
            layer.fill(_curved(shape[15:27] * 0.88 + at), (66, 66, 82))
        layer.fill(_curved(strokes(closed + at, np.full(len(closed), rim))), glasses.color)
        hinge = at + np.array((side * glasses.width, -0.3 * glasses.height))
        arm = np.array([(*hinge, GLASSES_DEPTH - 0.22 * hinge[0] ** 2), (side * w * 1.02, eyes.y - 0.02, -0.05)])
        half_thickness = np.array((0, rim * 1.1, 0))
        layer.fill(np.concatenate([arm + half_thickness, arm[::-1] - half_thickness]), glasses.color)
        if not dark:
            layer.fill(_curved(LENS_REFLECTION * (glasses.width, glasses.height) + at), lighter(identity.skin, 0.55))
    gap = reach - glasses.width
    bridge = smooth([(-gap, eyes.y - 0.01), (0, eyes.y - 0.05), (gap, eyes.y - 0.01)])
    layer.fill(_curved(strokes(bridge, np.full(len(bridge), rim * 1.1))), glasses.color)


def draw_occlusion(layer: ShapeLayer, identity: Identity, kind: str, rng: np.random.Generator) -> None:
    """Draw an object of OCCLUSIONS that hides part of the face in this photo."""
    cloth = CLOTH[int(rng.integers(len(CLOTH)))]
    if kind == "sunglasses":
        frames = Glasses(rng.uniform(0.25, 0.29), rng.uniform(0.15, 0.2), rng.uniform(0, 1), 0.022, (30, 28, 34))
        draw_glasses(layer, identity, frames, dark=True)
    elif kind == "mask":
        _draw_mask(layer, identity, lighter(cloth, 0.45))
    elif kind == "scarf":
        _draw_scarf(layer, identity, cloth)
    elif kind == "hand":
        _draw_hand(layer, identity, int(rng.choice((-1, 1))), rng.uniform(-0.1, 0.2))
    else:
        _draw_board(layer, cloth, rng)


def _draw_mask(layer: ShapeLayer, identity: Identity, cloth: Color) -> None:
    w, nose = identity.head.width, identity.nose
    for side in (-1, 1):
        loop = smooth([(side * 0.72 * w, nose.y - 0.02), (side * 0.98 * w, 0.12)])
        layer.fill(strokes(loop, np.full(len(loop), 0.012)), (236, 238, 240))
    body = smooth(
        mirrored(
            [
                (0, nose.y - 0.18),
                (0.4 * w, nose.y - 0.06),
                (0.84 * w, nose.y + 0.02),
                (0.80 * w, 0.72),
                (0.4 * w, 1.0),
                (0, 1.06),
            ]
        ),
        closed=True,
    )
    layer.fill(body, cloth, 0.08)
    for y in (0.55, 0.68, 0.81):
        pleat = smooth([(-0.7 * w, y - 0.05), (0, y + 0.02), (0.7 * w, y - 0.05)])
        layer.fill(strokes(pleat, np.full(len(pleat), 0.010)), darker(cloth, 0.16), 0.08)


def _draw_scarf(layer: ShapeLayer, identity: Identity, cloth: Color) -> None:
    w, y = identity.head.width, identity.mouth.y
    body = smooth(
        [
            (-1.05 * w, y - 0.02),
            (0, y + 0.08),
            (1.05 * w, y - 0.08),
            (1.25 * w, 1.2),
            (0.9 * w, 1.75),
            (-0.9 * w, 1.75),
            (-1.25 * w, 1.2),
        ],
        closed=True,
    )
    layer.fill(body, cloth, flat=0.35)
    for k, tone in enumerate((0.18, 0.3, 0.12)):
        fold = smooth([(-1.1 * w, y + 0.22 + 0.3 * k), (-0.2 * w, y + 0.42 + 0.26 * k), (1.12 * w, y + 0.14 + 0.3 * k)])
        layer.fill(strokes(fold, np.full(len(fold), 0.03)), darker(cloth, tone), flat=0.35)
    layer.fill(
        np.array([(0.25 * w, 1.2), (0.75 * w, 1.1), (0.95 * w, 2.4), (0.4 * w, 2.5)]), darker(cloth, 0.12), flat=0.35
    )


def _draw_hand(layer: ShapeLayer, identity: Identity, side: int, lift: float) -> None:
    """A hand at the cheek: the palm below the jaw, four fingers up along the face."""
    skin = identity.skin
    at = np.array((side * 0.42, 0.95 - lift))
    palm = (
        smooth([(-0.24, 0.05), (0.2, -0.05), (0.3, 0.5), (0.26, 1.6), (-0.2, 1.6), (-0.28, 0.5)], closed=True)
        * (side, 1)
        + at
    )
    layer.fill(palm, darker(skin, 0.10), flat=0.6)
    for k, length in enumerate((0.36, 0.46, 0.44, 0.34)):
        base = at + np.array((side * (-0.19 + 0.13 * k), 0.12))
        tip = base + np.array((side * (-0.10 + 0.06 * k), -length - 0.1))
        finger = smooth([base, (base + tip) / 2 + (side * 0.02, 0), tip])
        widths = np.linspace(0.072, 0.058, len(finger))
        for ink, grow in ((darker(skin, 0.32), 0.012), (darker(skin, 0.02), 0.0)):
            layer.fill(strokes(finger, widths + grow), ink, flat=0.62)
            layer.fill(ellipse(tip[0], tip[1], 0.058 + grow, 0.064 + grow, 12), ink, flat=0.62)
        layer.fill(ellipse(tip[0], tip[1] - 0.01, 0.034, 0.04, 10), lighter(skin, 0.3), flat=0.62)


def _draw_board(layer: ShapeLayer, cloth: Color, rng: np.random.Generator) -> None:
    """A book, a shelf or a shoulder: a straight edge across one corner of the face."""
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(0.42, 0.75)
    across = np.array((np.cos(angle), np.sin(angle)))
    along = np.array((-across[1], across[0]))
    near, far = across * offset, across * (offset + rng.uniform(0.25, 2.5))
    layer.fill(np.array([near - 4 * along, near + 4 * along, far + 4 * along, far - 4 * along]), cloth, flat=0.7)
    rim = across * (offset + 0.05)
    layer.fill(
        np.array([near - 4 * along, near + 4 * along, rim + 4 * along, rim - 4 * along]), lighter(cloth, 0.3), flat=0.7
    )


COLLARS: dict[str, tuple[float, float]] = {"crew": (1.52, 0.95), "vee": (2.0, 0.55), "shirt": (1.8, 0.55)}
"""Lowest point of the neckline (y), and its half width half way down, in half widths of the neck."""


def draw_body(layer: ShapeLayer, identity: Identity, cloth: Color, collar: str) -> None:
    """Draw neck and shoulders in clothes of color `cloth`, with a collar of COLLARS or a "turtle" neck."""
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


def _draw_neck(layer: ShapeLayer, neck: float, skin: Color) -> None:
    """The neck, and the shadow of the chin on it."""
    side = [(0, 0.3), (neck, 0.35), (neck * 0.96, 1.0), (neck * 1.2, 1.42), (1.0, 1.62), (0, 2.4)]
    layer.fill(mirrored(smooth(side)), skin)
    shadow = [(-neck, 0.4), (neck, 0.4), (neck * 0.97, 1.02), (0.1, 1.36), (-neck * 0.97, 1.05)]
    layer.fill(smooth(shadow, closed=True), darker(skin, 0.22))


def _neckline(neck: float, depth: float, width: float) -> Points:
    """Return the edge of the cloth, from the right to the left shoulder."""
    half = smooth([(neck * 1.3, 1.30), (neck * width, 1.36 + (depth - 1.36) * 0.6), (0, depth)])
    return np.concatenate([half, half[-2::-1] * (-1, 1)])
