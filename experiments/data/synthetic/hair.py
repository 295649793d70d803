"""Hair: what hangs behind the head, the cap over the skull, and what falls before the ears."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import beziers, ellipse, mirrored, smooth, strokes, taper
from experiments.data.synthetic.headscarf import draw_headscarf
from experiments.data.synthetic.identity import Identity
from experiments.data.synthetic.locks import Locks, between
from experiments.data.synthetic.palettes import darker, lighter, luminance, mix
from experiments.data.synthetic.styles import FRINGE_KNOTS, FRINGES, STYLES

BEHIND = -0.22
"""Depth of the hair at the back of the head, in half face heights."""

BUN_STRANDS = (
    ((-0.26, 0.05), (-0.2, -0.12), (-0.1, 0.18), (0.28, 0.0)),
    ((0.0, -0.28), (0.1, -0.3), (0.1, 0.3), (0.1, -0.2)),
    ((0.26, 0.02), (0.24, 0.1), (0.22, 0.1), (-0.1, -0.2)),
)
"""Starts, controls and ends of the strands wound around a bun, about its middle."""


@dataclass(frozen=True)
class Combed:
    """The hair of one head, ready to be seen from any side."""

    back: Layer
    front: Layer
    covers_ears: bool


@lru_cache(maxsize=16)
def comb(identity: Identity) -> Combed:
    """Lay out the hair of `identity`; kept, because every image of a head has the same."""
    style = identity.hair.style
    combed = Combed(Layer(), Layer(), covers_ears=style == "headscarf")
    if style == "headscarf":
        draw_headscarf(combed.back, combed.front, identity)
    elif style != "bald":
        hairdo = _Hairdo(identity)
        hairdo.draw_gathered(combed.back)
        hairdo.draw_back(combed.back)
        hairdo.draw_cap(combed.front)
        hairdo.draw_sides(combed.front)
    return combed


class _Hairdo:
    """The measures of one head of hair, in half face heights."""

    def __init__(self, identity: Identity):
        self.identity, self.hair = identity, identity.hair
        self.style = STYLES[self.hair.style]
        self.locks = Locks(self.hair, self.style)
        self.rng = self.locks.rng
        self.width = identity.head.width
        self.wide = self.width + self.style.side * self.hair.volume
        self.top = self.style.top * self.hair.volume
        self.end = None if self.style.length is None else self.style.length + self.hair.length

    def draw_gathered(self, layer: Layer) -> None:
        """A bun on the crown, or a ponytail at one side."""
        colour = self.hair.colour
        if self.style.gathered == "bun":
            at = np.array((0.05, -1.16 - self.top))
            layer.fill(
                self.locks.scalloped(ellipse(at[0], at[1], 0.33, 0.27, 40), 0.015, 5), darker(colour, 0.12), flat=BEHIND
            )
            strands = beziers(*(np.array(row) + at for row in BUN_STRANDS))
            layer.fill_all(strokes(strands, 0.02 * taper(7)), self.locks.tones(len(strands), 0.3), flat=BEHIND)
        elif self.style.gathered == "ponytail":
            side = np.array((1 if self.hair.part > 0 else -1, 1))
            tail = [(0, -1.0), (0.62, -1.05), (1.12, -0.55), (1.15, 0.3), (0.92, 1.1), (0.85, 0.4), (0.80, -0.2)]
            layer.fill(smooth(tail, closed=True) * side, darker(colour, 0.2), flat=BEHIND)
            starts = np.full((6, 2), (0.4, -0.95))
            middles = np.linspace((0.85, -0.6), (1.3, -0.8), 6)
            ends = np.linspace((0.86, 0.9), (1.1, 0.4), 6)
            strands = beziers(starts, middles, ends) * side
            layer.fill_all(strokes(strands, 0.022 * taper(7)), self.locks.tones(6, 0.3), flat=BEHIND)

    def draw_back(self, layer: Layer) -> None:
        """The fall of long hair behind the neck."""
        if self.end is None:
            return
        wide, flare, end, count = self.wide, self.style.flare, self.end, 14
        crown = [(0, -1 - self.top), (wide * 0.62, -0.92 - self.top * 0.8), (wide, -0.4), (wide + flare * 0.4, 0.2)]
        tips = [(wide + flare, end * 0.75), (wide + flare * 0.6, end), (wide * 0.4, end + 0.06), (0, end)]
        shape = smooth(mirrored([*crown, *tips]), 8, closed=True)
        layer.fill(self.locks.edged(shape), darker(self.hair.colour, 0.35), flat=BEHIND)
        x = np.linspace(-0.9, 0.9, count) * (wide + flare * 0.5)
        starts = np.stack([0.9 * x, np.full(count, 0.1)], axis=1)
        ends = np.stack([x, end - self.rng.uniform(0, 0.25, count)], axis=1)
        strands = self.locks.waved(beziers(starts, (starts + ends) / 2, ends, 9))
        tones = [darker(tone, 0.28) for tone in self.locks.tones(count, 0.2)]
        layer.fill_all(strokes(strands, 0.03 * taper(9)), tones, flat=BEHIND)

    def draw_cap(self, layer: Layer) -> None:
        """What lies over the skull and the forehead."""
        outer, inner = self._outer(), self._inner()
        if self.hair.style == "buzz":
            layer.fill(np.concatenate([outer, inner[::-1]]), mix(self.hair.colour, self.identity.skin, 0.30))
            self._draw_stubble(layer, outer, inner)
            return
        layer.fill(np.concatenate([self.locks.edged(outer), inner[::-1]]), self.hair.colour)
        if self.style.bumps:
            self._draw_curls(layer, outer, inner)
        else:
            self._draw_strands(layer, outer, inner)

    def draw_sides(self, layer: Layer) -> None:
        """Long hair that falls before the ears and over the shoulders."""
        if self.end is None:
            return
        w, wide, end, flare = self.width, self.wide, self.end, self.style.flare
        for side in (-1, 1):
            mirror = np.array((side, 1))
            inset = w * (0.86 + 0.06 * side * self.hair.part)
            away = [(0.80 * w, -0.62), (0.97 * wide, -0.5), (wide, 0.1), (wide + flare, end * 0.75)]
            back = [(0.86 * wide + flare, end), (0.98 * w, end * 0.8 + 0.1), (inset + 0.06 * w, 0.5), (inset, 0.1)]
            panel = self.locks.edged(smooth([*away, *back, (0.86 * w, -0.3)], 6, closed=True) * mirror)
            depth = 0.05 + 0.12 * np.clip(-panel[:, 1], 0, 1)
            layer.fill(np.concatenate([panel, depth[:, None]], axis=1), darker(self.hair.colour, 0.08))
            if self.style.bumps:
                x = np.broadcast_to(np.linspace(0.98 * w, wide + 0.5 * flare, 3), (7, 3))
                y = np.linspace(-0.35, end - 0.02, 7)[:, None] + self.rng.uniform(-0.06, 0.06, (7, 3))
                self.locks.draw_tufts(layer, np.stack([x, y], axis=-1).reshape(-1, 2) * mirror, 1.1, flat=0.09)
            else:
                starts = np.linspace((0.84 * w, -0.5), (0.97 * wide, -0.45), 10)[1:-1]
                middles = np.linspace((inset + 0.03 * w, 0.2), (wide, 0.15), 10)[1:-1]
                ends = np.linspace((w, end * 0.8), (wide + 0.8 * flare, end * 0.85), 10)[1:-1]
                strands = self.locks.waved(beziers(starts, middles, ends, 9) * mirror)
                layer.fill_all(strokes(strands, 0.024 * taper(9, 0.2)), self.locks.tones(8, 0.3), flat=0.09)

    def _outer(self) -> np.ndarray:
        """From the left sideburn over the crown to the right one; fuller on the side away from the parting."""
        wide, top, burn = self.wide, self.top, FRINGES[self.hair.fringe][0]
        lean = np.array((0, 0.25 * self.hair.part * top))
        shoulder = 0.72 * top * self.style.rounded
        half = np.array([(self.width, burn), (wide, burn - 0.16), (wide, -0.40), (0.86 * wide, -0.70 - 0.7 * shoulder)])
        bend = np.array([(0.48 * wide, -0.955 - shoulder)])
        left, crown, right = -bend * (1, -1) - lean, np.array([(0, -1.0 - top)]), bend + lean
        return smooth(np.concatenate([half * (-1, 1), left, crown, right, half[::-1]]), 6)

    def _inner(self) -> np.ndarray:
        """The lower edge of the cap, over the forehead, from the left to the right."""
        heights = np.array(FRINGES[self.hair.fringe])
        heights[1:-1] += self.hair.hairline
        if self.hair.part < 0:
            heights = heights[::-1]
        edge = smooth(np.stack([np.array(FRINGE_KNOTS) * self.width * 0.965, heights], axis=1), 8)
        ragged = 0.022 if "bangs" in self.hair.fringe else 0.008
        edge[1:-1, 1] += self.rng.normal(0, ragged, len(edge) - 2)
        return edge

    def _draw_strands(self, layer: Layer, outer: np.ndarray, inner: np.ndarray) -> None:
        """Strands fan out from the parting: to the hairline, and down both sides; a gloss lies across them."""
        count = 28
        s = np.linspace(0.03, 0.97, count)
        low, high = between(outer, inner, s, np.ones(count)), between(outer, inner, s, np.zeros(count))
        root = np.array((0.55 * self.hair.part * self.width, -0.97 - 0.75 * self.top))
        apart = np.abs(s - 0.5)
        starts = root + np.stack([(s - 0.5) * 0.55 * self.width, 0.12 * apart], axis=1)
        pull = 0.45 + 0.39 * apart[:, None]
        middles = low * (1 - pull) + high * pull + self.rng.normal(0, 0.015, (count, 2))
        strands = self.locks.waved(beziers(starts, middles, low, 9))
        widths = self.rng.uniform(0.015, 0.036, (count, 1)) * taper(9, 0.2, 0.1, 0.6)
        layer.fill_all(strokes(strands, widths), self.locks.tones(count, 0.32), raised=0.03)
        rims = beziers(starts, 0.88 * high + 0.12 * root, 0.97 * high + 0.03 * low, 9)[::3]
        layer.fill_all(strokes(rims, 0.018 * taper(9, 0.2, 0.1, 0.6)), self.locks.tones(len(rims), 0.25))
        shine = strands[3:-3, 3:7]
        widths = self.rng.uniform(0.002, 0.015, (len(shine), 1)) * taper(4, 0.1, 0.1, 0.5)
        gloss = lighter(self.hair.colour, 0.28 if luminance(self.hair.colour) < 0.45 else 0.45)
        layer.fill_all(strokes(shine, widths), [gloss] * len(shine), raised=0.04)

    def _draw_curls(self, layer: Layer, outer: np.ndarray, inner: np.ndarray) -> None:
        """Tufts all over the cap, on a grid that is shaken a little."""
        columns, rows = (13, 5) if self.style.fine else (10, 4)
        s, t = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.35) / rows)
        s = np.clip(s + self.rng.uniform(-0.4, 0.4, s.shape) / columns, 0.01, 0.99)
        t = t + self.rng.uniform(-0.4, 0.4, t.shape) / rows
        self.locks.draw_tufts(layer, between(outer, inner, s.ravel(), t.ravel()), 0.72 if self.style.fine else 1.0)

    def _draw_stubble(self, layer: Layer, outer: np.ndarray, inner: np.ndarray) -> None:
        """Hair too short to lie down: dots."""
        count = 80
        at = between(outer, inner, self.rng.uniform(0.04, 0.96, count), self.rng.random(count))
        tones = [mix(tone, self.identity.skin, 0.2) for tone in self.locks.tones(count, 0.2)]
        layer.fill_all(at[:, None] + ellipse(0, 0, 0.011, 0.014, 5), tones)
