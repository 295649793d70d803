"""A headscarf in place of hair: cloth around the face, and its folds."""

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import beziers, mirrored, smooth, strokes, taper
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.palettes import darker, lighter
from experiments.data.synthetic.styles import STYLES

FOLDS = np.array(
    [
        [(-0.80, -0.2), (-0.86, 0.3), (-0.5, 0.95), (0.82, 0.0), (0.7, 0.8), (-0.3, -0.72), (0.1, 1.1)],
        [(0.2, -1.1), (-1.05, 0.9), (0.7, 1.7), (0.95, 0.9), (-0.9, 1.5), (0.8, -0.85), (0.95, 1.9)],
    ]
)
"""Where folds start and end; x in half widths of the head."""


def draw_headscarf(back: Layer, front: Layer, identity: Identity) -> None:
    """The cloth behind the head, and the same cloth before it with an opening for the face."""
    style, cloth, w = STYLES["headscarf"], identity.hair.scarf, identity.head.width
    wide, top = w + style.side * identity.hair.volume, style.top * identity.hair.volume
    head = [(0, -1 - top), (wide * 0.62, -0.9 - top * 0.7), (wide, -0.4), (wide * 1.02, 0.3)]
    shoulders = [(wide, 0.9), (wide * 1.45, 1.6), (wide * 1.3, 2.6), (0, 2.7)]
    around = smooth(mirrored([*head, *shoulders]), closed=True)
    back.fill(around, darker(cloth, 0.3), flat=0.0)
    face = [(0, -0.66), (0.55 * w, -0.56), (0.86 * w, -0.15), (0.87 * w, 0.35), (0.62 * w, 0.84), (0, 1.02)]
    opening = smooth(mirrored(face), closed=True)
    hem = np.concatenate([opening, opening[:1]])
    front.fill(np.concatenate([around, around[:1], hem[::-1]]), cloth)
    front.fill(strokes(hem, np.full(len(hem), 0.03)), darker(cloth, 0.22))
    starts, ends = FOLDS * (w, 1)
    folds = beziers(starts, (starts + ends) / 2 + (0.04, 0.12), ends)
    tones = [lighter(cloth, 0.10) if k % 2 else darker(cloth, 0.13) for k in range(len(folds))]
    front.fill_all(strokes(folds, 0.03 * taper(7)), tones)
