"""How hair falls: its tones, its waves, its scalloped edges and its tufts."""

import numpy as np

from experiments.data.synthetic.canvas import Layer
from experiments.data.synthetic.curves import ellipse, strokes, taper
from experiments.data.synthetic.identity import Hair
from experiments.data.synthetic.palettes import Colour, darker, lighter
from experiments.data.synthetic.styles import Style


class Locks:
    """The hair of one head as a material. Its random numbers are the head's own: the same in every image."""

    def __init__(self, hair: Hair, style: Style):
        self.rng = np.random.default_rng(hair.grain)
        self.colour = hair.colour
        self.style = style
        self.phase = 9 * hair.part

    def tones(self, count: int, contrast: float) -> list[Colour]:
        """Shades of the hair, some lit and some in shadow."""
        return [
            lighter(self.colour, 0.55 * contrast * v) if v > 0 else darker(self.colour, -contrast * v)
            for v in self.rng.uniform(-1, 1, count).tolist()
        ]

    def waved(self, locks: np.ndarray) -> np.ndarray:
        """Bend strands (M, S, 2) sideways, more towards their ends."""
        many, steps = locks.shape[:2]
        phase = self.rng.uniform(0, 2, (many, 1)) + np.linspace(0, 9, steps)
        sideways = 0.6 * self.style.wave * np.sin(phase) * np.linspace(0, 1, steps)
        return locks + np.stack([sideways, np.zeros_like(sideways)], axis=-1)

    def edged(self, outline: np.ndarray) -> np.ndarray:
        """Scallop an outline as deeply as the style has it: curls deeply, straight hair hardly."""
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

    def draw_tufts(self, layer: Layer, at: np.ndarray, scale: float, flat: float | None = None) -> None:
        """Rounded tufts about the points `at` (M, 2), each with a lit or a shaded crescent."""
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


def between(outer: np.ndarray, inner: np.ndarray, along: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Points (M, 2) of the band between two curves: `along` them and `down` from one to the other, 0 to 1."""
    high, low = (
        np.stack([np.interp(along * (len(curve) - 1), np.arange(len(curve)), curve[:, k]) for k in (0, 1)], axis=1)
        for curve in (outer, inner)
    )
    return high + (low - high) * down[:, None]
