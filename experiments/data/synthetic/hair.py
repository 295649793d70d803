"""Draw hair: behind the head, over the skull, and in front of the ears; or a headscarf in its place."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.data.synthetic.canvas import ShapeLayer, beziers, ellipse, mirrored, smooth, strokes, taper
from experiments.data.synthetic.identity import Hair, Identity
from experiments.data.synthetic.styles import (
    FRINGE_KNOTS,
    FRINGES,
    STYLES,
    Color,
    Style,
    darker,
    lighter,
    luminance,
    mix,
)

FOLDS = np.array(
    [
        [(-0.80, -0.2), (-0.86, 0.3), (-0.5, 0.95), (0.82, 0.0), (0.7, 0.8), (-0.3, -0.72), (0.1, 1.1)],
        [(0.2, -1.1), (-1.05, 0.9), (0.7, 1.7), (0.95, 0.9), (-0.9, 1.5), (0.8, -0.85), (0.95, 1.9)],
    ]
)
"""Start and end points of a headscarf's folds; x in half widths of the head."""


def draw_headscarf(back: ShapeLayer, front: ShapeLayer, identity: Identity) -> None:
    """Draw the cloth behind the head, and the cloth in front of it with an opening for the face."""
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


class HairTexture:
    """Tones, waves, edges and tufts of one person's hair; the random numbers are equal in all images of the person."""

    def __init__(self, hair: Hair, style: Style):
        self.rng = np.random.default_rng(hair.detail_seed)
        self.color = hair.color
        self.style = style
        self.phase = 9 * hair.part

    def tones(self, count: int, contrast: float) -> list[Color]:
        """Return `count` shades of the hair, some lit and some in shadow."""
        return [
            lighter(self.color, 0.55 * contrast * v) if v > 0 else darker(self.color, -contrast * v)
            for v in self.rng.uniform(-1, 1, count).tolist()
        ]

    def waved(self, texture: np.ndarray) -> np.ndarray:
        """Bend strands (M, S, 2) sideways, more towards their ends."""
        many, steps = texture.shape[:2]
        phase = self.rng.uniform(0, 2, (many, 1)) + np.linspace(0, 9, steps)
        sideways = 0.6 * self.style.wave * np.sin(phase) * np.linspace(0, 1, steps)
        return texture + np.stack([sideways, np.zeros_like(sideways)], axis=-1)

    def edged(self, outline: np.ndarray) -> np.ndarray:
        """Scallop an outline as the style says: deeply for curls, slightly for straight hair."""
        if self.style.bumps:
            return self.scalloped(outline, self.style.bumps, 13 if self.style.fine else 9)
        return self.scalloped(outline, 0.35 * self.style.wave, 6)

    def scalloped(self, outline: np.ndarray, depth: float, count: int) -> np.ndarray:
        """Push `count` scallops of `depth` out of an outline (N, 2)."""
        if not depth:
            return outline
        phase = np.linspace(0, count * np.pi, len(outline)) + self.phase
        away = outline - (0, -0.2)
        away /= np.sqrt((away**2).sum(axis=1, keepdims=True)) + 1e-9
        return outline + away * (depth * np.abs(np.sin(phase)))[:, None]

    def draw_tufts(self, layer: ShapeLayer, at: np.ndarray, scale: float, flat: float | None = None) -> None:
        """Draw round tufts at the points `at` (M, 2), each with a lit or a shaded crescent."""
        many, at = len(at), at[:, None]
        radius = self.rng.uniform(0.075, 0.125, many)[:, None, None] * scale
        tones = self.tones(many, 0.15)
        layer.fill_all(at + ellipse(0, 0, 1, 0.92, 9) * radius, tones, 0.02, flat)
        lit = self.rng.random(many) < 0.5
        start = np.where(lit, 3.5, 0.3) + self.rng.uniform(-0.5, 0.5, many)
        turn = start[:, None] + np.linspace(0, 2.4, 6)
        crescents = at + 0.78 * radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        inks = [
            lighter(tone, 0.16) if bright else darker(tone, 0.26)
            for tone, bright in zip(tones, lit.tolist(), strict=True)
        ]
        layer.fill_all(strokes(crescents, 0.015 * taper(6)), inks, 0.03, flat)


def points_between(outer: np.ndarray, inner: np.ndarray, along: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Return points (M, 2) between two curves, at `along` on both and `down` from one to the other, each 0 to 1."""
    high, low = (
        np.stack([np.interp(along * (len(curve) - 1), np.arange(len(curve)), curve[:, k]) for k in (0, 1)], axis=1)
        for curve in (outer, inner)
    )
    return high + (low - high) * down[:, None]


BACK_DEPTH = -0.22
"""Depth of the hair at the back of the head, in half face heights."""

BUN_STRANDS = (
    ((-0.26, 0.05), (-0.2, -0.12), (-0.1, 0.18), (0.28, 0.0)),
    ((0.0, -0.28), (0.1, -0.3), (0.1, 0.3), (0.1, -0.2)),
    ((0.26, 0.02), (0.24, 0.1), (0.22, 0.1), (-0.1, -0.2)),
)
"""Start, control and end points of the strands around a bun, relative to its center."""


@dataclass(frozen=True)
class HairShapes:
    """The shapes of one person's hair, for any view."""

    back: ShapeLayer
    front: ShapeLayer
    covers_ears: bool


@lru_cache(maxsize=16)
def lay_out_hair(identity: Identity) -> HairShapes:
    """Return the shapes of an identity's hair; cached, because they are equal in all images of the identity."""
    style = identity.hair.style
    shapes = HairShapes(ShapeLayer(), ShapeLayer(), covers_ears=style == "headscarf")
    if style == "headscarf":
        draw_headscarf(shapes.back, shapes.front, identity)
    elif style != "bald":
        drawing = _HairDrawing(identity)
        drawing.draw_gathered(shapes.back)
        drawing.draw_back(shapes.back)
        drawing.draw_cap(shapes.front)
        drawing.draw_sides(shapes.front)
    return shapes


class _HairDrawing:
    """Draws one person's hair; lengths are in half face heights."""

    def __init__(self, identity: Identity):
        self.identity, self.hair = identity, identity.hair
        self.style = STYLES[self.hair.style]
        self.texture = HairTexture(self.hair, self.style)
        self.rng = self.texture.rng
        self.width = identity.head.width
        self.wide = self.width + self.style.side * self.hair.volume
        self.top = self.style.top * self.hair.volume
        self.end = None if self.style.length is None else self.style.length + self.hair.length

    def draw_gathered(self, layer: ShapeLayer) -> None:
        """Draw a bun on the crown, or a ponytail at one side."""
        color = self.hair.color
        if self.style.gathered == "bun":
            at = np.array((0.05, -1.16 - self.top))
            layer.fill(
                self.texture.scalloped(ellipse(at[0], at[1], 0.33, 0.27, 40), 0.015, 5),
                darker(color, 0.12),
                flat=BACK_DEPTH,
            )
            strands = beziers(*(np.array(row) + at for row in BUN_STRANDS))
            layer.fill_all(strokes(strands, 0.02 * taper(7)), self.texture.tones(len(strands), 0.3), flat=BACK_DEPTH)
        elif self.style.gathered == "ponytail":
            side = np.array((1 if self.hair.part > 0 else -1, 1))
            tail = [(0, -1.0), (0.62, -1.05), (1.12, -0.55), (1.15, 0.3), (0.92, 1.1), (0.85, 0.4), (0.80, -0.2)]
            layer.fill(smooth(tail, closed=True) * side, darker(color, 0.2), flat=BACK_DEPTH)
            starts = np.full((6, 2), (0.4, -0.95))
            middles = np.linspace((0.85, -0.6), (1.3, -0.8), 6)
            ends = np.linspace((0.86, 0.9), (1.1, 0.4), 6)
            strands = beziers(starts, middles, ends) * side
            layer.fill_all(strokes(strands, 0.022 * taper(7)), self.texture.tones(6, 0.3), flat=BACK_DEPTH)

    def draw_back(self, layer: ShapeLayer) -> None:
        """Draw long hair behind the neck."""
        if self.end is None:
            return
        wide, flare, end, count = self.wide, self.style.flare, self.end, 14
        crown = [(0, -1 - self.top), (wide * 0.62, -0.92 - self.top * 0.8), (wide, -0.4), (wide + flare * 0.4, 0.2)]
        tips = [(wide + flare, end * 0.75), (wide + flare * 0.6, end), (wide * 0.4, end + 0.06), (0, end)]
        shape = smooth(mirrored([*crown, *tips]), 8, closed=True)
        layer.fill(self.texture.edged(shape), darker(self.hair.color, 0.35), flat=BACK_DEPTH)
        x = np.linspace(-0.9, 0.9, count) * (wide + flare * 0.5)
        starts = np.stack([0.9 * x, np.full(count, 0.1)], axis=1)
        ends = np.stack([x, end - self.rng.uniform(0, 0.25, count)], axis=1)
        strands = self.texture.waved(beziers(starts, (starts + ends) / 2, ends, 9))
        tones = [darker(tone, 0.28) for tone in self.texture.tones(count, 0.2)]
        layer.fill_all(strokes(strands, 0.03 * taper(9)), tones, flat=BACK_DEPTH)

    def draw_cap(self, layer: ShapeLayer) -> None:
        """Draw the hair over the skull and the forehead."""
        outer, inner = self._outer(), self._inner()
        if self.hair.style == "buzz":
            layer.fill(np.concatenate([outer, inner[::-1]]), mix(self.hair.color, self.identity.skin, 0.30))
            self._draw_stubble(layer, outer, inner)
            return
        layer.fill(np.concatenate([self.texture.edged(outer), inner[::-1]]), self.hair.color)
        if self.style.bumps:
            self._draw_curls(layer, outer, inner)
        else:
            self._draw_strands(layer, outer, inner)

    def draw_sides(self, layer: ShapeLayer) -> None:
        """Draw long hair in front of the ears and over the shoulders."""
        if self.end is None:
            return
        w, wide, end, flare = self.width, self.wide, self.end, self.style.flare
        for side in (-1, 1):
            mirror = np.array((side, 1))
            inset = w * (0.86 + 0.06 * side * self.hair.part)
            away = [(0.80 * w, -0.62), (0.97 * wide, -0.5), (wide, 0.1), (wide + flare, end * 0.75)]
            back = [(0.86 * wide + flare, end), (0.98 * w, end * 0.8 + 0.1), (inset + 0.06 * w, 0.5), (inset, 0.1)]
            panel = self.texture.edged(smooth([*away, *back, (0.86 * w, -0.3)], 6, closed=True) * mirror)
            depth = 0.05 + 0.12 * np.clip(-panel[:, 1], 0, 1)
            layer.fill(np.concatenate([panel, depth[:, None]], axis=1), darker(self.hair.color, 0.08))
            if self.style.bumps:
                x = np.broadcast_to(np.linspace(0.98 * w, wide + 0.5 * flare, 3), (7, 3))
                y = np.linspace(-0.35, end - 0.02, 7)[:, None] + self.rng.uniform(-0.06, 0.06, (7, 3))
                self.texture.draw_tufts(layer, np.stack([x, y], axis=-1).reshape(-1, 2) * mirror, 1.1, flat=0.09)
            else:
                starts = np.linspace((0.84 * w, -0.5), (0.97 * wide, -0.45), 10)[1:-1]
                middles = np.linspace((inset + 0.03 * w, 0.2), (wide, 0.15), 10)[1:-1]
                ends = np.linspace((w, end * 0.8), (wide + 0.8 * flare, end * 0.85), 10)[1:-1]
                strands = self.texture.waved(beziers(starts, middles, ends, 9) * mirror)
                layer.fill_all(strokes(strands, 0.024 * taper(9, 0.2)), self.texture.tones(8, 0.3), flat=0.09)

    def _outer(self) -> np.ndarray:
        """Return the outer edge from the left sideburn over the crown to the right, fuller opposite to the parting."""
        wide, top, burn = self.wide, self.top, FRINGES[self.hair.fringe][0]
        lean = np.array((0, 0.25 * self.hair.part * top))
        shoulder = 0.72 * top * self.style.rounded
        half = np.array([(self.width, burn), (wide, burn - 0.16), (wide, -0.40), (0.86 * wide, -0.70 - 0.7 * shoulder)])
        bend = np.array([(0.48 * wide, -0.955 - shoulder)])
        left, crown, right = -bend * (1, -1) - lean, np.array([(0, -1.0 - top)]), bend + lean
        return smooth(np.concatenate([half * (-1, 1), left, crown, right, half[::-1]]), 6)

    def _inner(self) -> np.ndarray:
        """Return the lower edge over the forehead, from left to right."""
        heights = np.array(FRINGES[self.hair.fringe])
        heights[1:-1] += self.hair.hairline
        if self.hair.part < 0:
            heights = heights[::-1]
        edge = smooth(np.stack([np.array(FRINGE_KNOTS) * self.width * 0.965, heights], axis=1), 8)
        ragged = 0.022 if "bangs" in self.hair.fringe else 0.008
        edge[1:-1, 1] += self.rng.normal(0, ragged, len(edge) - 2)
        return edge

    def _draw_strands(self, layer: ShapeLayer, outer: np.ndarray, inner: np.ndarray) -> None:
        """Draw strands from the parting to the hairline and down both sides, with a gloss across them."""
        count = 28
        s = np.linspace(0.03, 0.97, count)
        low, high = points_between(outer, inner, s, np.ones(count)), points_between(outer, inner, s, np.zeros(count))
        root = np.array((0.55 * self.hair.part * self.width, -0.97 - 0.75 * self.top))
        apart = np.abs(s - 0.5)
        starts = root + np.stack([(s - 0.5) * 0.55 * self.width, 0.12 * apart], axis=1)
        pull = 0.45 + 0.39 * apart[:, None]
        middles = low * (1 - pull) + high * pull + self.rng.normal(0, 0.015, (count, 2))
        strands = self.texture.waved(beziers(starts, middles, low, 9))
        widths = self.rng.uniform(0.015, 0.036, (count, 1)) * taper(9, 0.2, 0.1, 0.6)
        layer.fill_all(strokes(strands, widths), self.texture.tones(count, 0.32), raised=0.03)
        rims = beziers(starts, 0.88 * high + 0.12 * root, 0.97 * high + 0.03 * low, 9)[::3]
        layer.fill_all(strokes(rims, 0.018 * taper(9, 0.2, 0.1, 0.6)), self.texture.tones(len(rims), 0.25))
        shine = strands[3:-3, 3:7]
        widths = self.rng.uniform(0.002, 0.015, (len(shine), 1)) * taper(4, 0.1, 0.1, 0.5)
        gloss = lighter(self.hair.color, 0.28 if luminance(self.hair.color) < 0.45 else 0.45)
        layer.fill_all(strokes(shine, widths), [gloss] * len(shine), raised=0.04)

    def _draw_curls(self, layer: ShapeLayer, outer: np.ndarray, inner: np.ndarray) -> None:
        """Draw tufts all over the skull, on a jittered grid."""
        columns, rows = (13, 5) if self.style.fine else (10, 4)
        s, t = np.meshgrid((np.arange(columns) + 0.5) / columns, (np.arange(rows) + 0.35) / rows)
        s = np.clip(s + self.rng.uniform(-0.4, 0.4, s.shape) / columns, 0.01, 0.99)
        t = t + self.rng.uniform(-0.4, 0.4, t.shape) / rows
        self.texture.draw_tufts(
            layer, points_between(outer, inner, s.ravel(), t.ravel()), 0.72 if self.style.fine else 1.0
        )

    def _draw_stubble(self, layer: ShapeLayer, outer: np.ndarray, inner: np.ndarray) -> None:
        """Draw very short hair as dots."""
        count = 80
        at = points_between(outer, inner, self.rng.uniform(0.04, 0.96, count), self.rng.random(count))
        tones = [mix(tone, self.identity.skin, 0.2) for tone in self.texture.tones(count, 0.2)]
        layer.fill_all(at[:, None] + ellipse(0, 0, 0.011, 0.014, 5), tones)
