"""Curves through a few control points, and the outlines of strokes laid along them."""

from functools import lru_cache

import numpy as np

Points = np.ndarray
"""(N, 2): x to the right, y downwards."""


@lru_cache(maxsize=64)
def _catmull_rom(count: int, steps: int, closed: bool) -> np.ndarray:
    """Weights (samples, count) that turn control points into a Catmull-Rom spline through them."""
    segments = count if closed else count - 1
    t = np.arange(steps) / steps
    blend = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1
    )
    weights = np.zeros((segments * steps + (not closed), count))
    for segment in range(segments):
        for k in range(4):
            index = segment + k - 1
            index = index % count if closed else min(max(index, 0), count - 1)
            weights[segment * steps : (segment + 1) * steps, index] += blend[:, k]
    if not closed:
        weights[-1, -1] = 1
    return weights


def smooth(points: np.ndarray | list, steps: int = 5, closed: bool = False) -> Points:
    """A smooth curve through `points` (N, D), `steps` samples a segment."""
    points = np.asarray(points, float)
    return _catmull_rom(len(points), steps, closed) @ points


def mirrored(half: np.ndarray | list) -> Points:
    """Close a right half, given from top to bottom, with its mirror image; points on the axis are not repeated."""
    half = np.asarray(half, float)
    left = half[::-1] * (-1, 1)
    return np.concatenate([half, left[np.abs(left[:, 0]) > 1e-9]])


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 16) -> Points:
    """An ellipse about (x, y)."""
    return np.array((x, y)) + _circle(count) * (rx, ry)


@lru_cache(maxsize=16)
def _circle(count: int) -> np.ndarray:
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def beziers(start: np.ndarray, control: np.ndarray, end: np.ndarray, steps: int = 7) -> np.ndarray:
    """Quadratic Bézier curves, many at once: three arrays (M, 2) give (M, steps, 2)."""
    t = np.linspace(0, 1, steps)[:, None]
    start, control, end = (np.asarray(points, float)[:, None] for points in (start, control, end))
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def strokes(centres: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Outlines (..., 2S, 2) of strokes along `centres` (..., S, 2) whose half widths (..., S) vary along the way."""
    x, y = centres[..., 0], centres[..., 1]
    dx, dy = _slope(x), _slope(y)
    scale = widths / np.sqrt(dx * dx + dy * dy + 1e-12)
    dx *= scale
    dy *= scale
    steps = x.shape[-1]
    outline = np.empty((*x.shape[:-1], 2 * steps, 2))
    outline[..., :steps, 0], outline[..., :steps, 1] = x - dy, y + dx
    outline[..., : steps - 1 : -1, 0], outline[..., : steps - 1 : -1, 1] = x + dy, y - dx
    return outline


def _slope(values: np.ndarray) -> np.ndarray:
    """Differences along the last axis: central inside, one-sided at both ends, as far as their direction goes."""
    slope = np.empty_like(values)
    np.subtract(values[..., 2:], values[..., :-2], out=slope[..., 1:-1])
    slope[..., 0] = values[..., 1] - values[..., 0]
    slope[..., -1] = values[..., -1] - values[..., -2]
    return slope


@lru_cache(maxsize=32)
def taper(steps: int, start: float = 0.0, end: float = 0.0, peak: float = 0.4) -> np.ndarray:
    """Half widths of a stroke that swells from `start` to 1 at `peak` of its length and thins to `end`."""
    t = np.linspace(0, 1, steps)
    rise = start + (1 - start) * np.sin(np.clip(t / peak, 0, 1) * np.pi / 2)
    fall = end + (1 - end) * np.cos(np.clip((t - peak) / (1 - peak), 0, 1) * np.pi / 2)
    return np.where(t < peak, rise, fall)
