"""Shapes in head coordinates, their projection into the image, and curves to build them from."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from PIL import ImageDraw

from experiments.data.synthetic.styles import Color

DEPTH = 0.68
"""Depth of the middle of the face over the plane of its outline, in half face heights."""


@dataclass(frozen=True)
class HeadView:
    """Projection of a head of half width `width`: rotation by yaw, pitch and roll, then scale and translation.

    `scale` and `center` are fractions of the image. The projection is orthographic, as for a distant camera.
    """

    yaw: float
    pitch: float
    roll: float
    scale: float
    center: tuple[float, float]
    width: float

    @cached_property
    def _turn(self) -> np.ndarray:
        """(3, 2): the first two rows of roll @ pitch @ yaw, transposed, times the scale."""
        (cy, cp, cr), (sy, sp, sr) = (
            np.cos((self.yaw, self.pitch, self.roll)),
            np.sin((self.yaw, self.pitch, self.roll)),
        )
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        roll = np.array([[cr, -sr], [sr, cr]])
        return (self.scale * (roll @ (pitch @ yaw)[:2])).T

    def surface(self, points: np.ndarray) -> np.ndarray:
        """Return the depth (N,) of the face at `points` (N, 2): an ellipsoid inside the outline, 0 outside."""
        x, y = points[:, 0] / self.width, (points[:, 1] - 0.12) / 1.14
        return DEPTH * np.sqrt(np.maximum(1 - x * x - y * y, 0))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project points (N, 3) of the head to the image, (N, 2), as fractions of it.

        Points near the outline are widened as the head turns, because a rotated ball keeps its outline.
        """
        widening = np.sqrt(1 + (np.tan(self.yaw) * DEPTH / self.width) ** 2) - 1
        rim = np.clip(1 - points[:, 2] / DEPTH, 0, 1)
        points = points * np.stack([1 + widening * rim, *np.ones((2, len(points)))], axis=1)
        return points @ self._turn + self.center


class ShapeLayer:
    """Filled polygons in painting order. Points are (N, 2), placed on the face's surface, or (N, 3)."""

    def __init__(self) -> None:
        self._shapes: list[np.ndarray] = []
        self._inks: list[Color] = []
        self._raised: list[float] = []

    def fill(self, points: np.ndarray, color: Color, raised: float = 0.0, flat: float | None = None) -> None:
        """Add a polygon. (N, 2): at depth `raised` above the surface, or in the plane z = `flat`. (N, 3): as given."""
        if flat is not None:
            points = np.concatenate([points, np.full((len(points), 1), flat)], axis=1)
        self._shapes.append(points)
        self._inks.append(color)
        self._raised.append(raised)

    def fill_all(self, shapes: np.ndarray, colors: list[Color], raised: float = 0.0, flat: float | None = None) -> None:
        """Add polygons with equal numbers of points: shapes (M, N, 2)."""
        if flat is not None:
            shapes = np.concatenate([shapes, np.full((*shapes.shape[:2], 1), flat)], axis=2)
        self._shapes.extend(shapes)
        self._inks.extend(colors)
        self._raised.extend([raised] * len(shapes))

    def add(self, other: "ShapeLayer") -> None:
        """Add every shape of another layer."""
        self._shapes.extend(other._shapes)
        self._inks.extend(other._inks)
        self._raised.extend(other._raised)

    def paint(self, draw: ImageDraw.ImageDraw, view: HeadView, size: int, opaque: bool = True) -> None:
        """Draw all polygons, projected by `view`, on a canvas `size` pixels wide. opaque: it has an alpha channel."""
        if not self._shapes:
            return
        flat = (view.project(self._placed(view)) * size - 0.5).ravel().tolist()
        start = 0
        for points, color in zip(self._shapes, self._inks, strict=True):
            end = start + 2 * len(points)
            ink = (int(color[0]), int(color[1]), int(color[2]))
            draw.polygon(flat[start:end], (*ink, 255) if opaque else ink)
            start = end

    def _placed(self, view: HeadView) -> np.ndarray:
        """Return the points of all shapes, (N, 3). At once, because a layer has hundreds of small shapes."""
        lengths = [len(points) for points in self._shapes]
        deep = [points.shape[1] == 3 for points in self._shapes]
        placed = np.empty((sum(lengths), 3))
        placed[:, :2] = np.concatenate([points[:, :2] for points in self._shapes])
        placed[:, 2] = view.surface(placed[:, :2]) + np.repeat(self._raised, lengths)
        if any(deep):
            own = np.concatenate([points[:, 2] for points, has in zip(self._shapes, deep, strict=True) if has])
            placed[np.repeat(deep, lengths), 2] = own
        return placed


Points = np.ndarray
"""(N, 2): x to the right, y downwards."""


@lru_cache(maxsize=64)
def _catmull_rom(count: int, steps: int, closed: bool) -> np.ndarray:
    """Return weights (samples, count) that map control points to a Catmull-Rom spline through them."""
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
    """Return a smooth curve through `points` (N, D), with `steps` samples per segment."""
    points = np.asarray(points, float)
    return _catmull_rom(len(points), steps, closed) @ points


def mirrored(half: np.ndarray | list) -> Points:
    """Close a right half, given from top to bottom, with its mirror image, without repeating points on the axis."""
    half = np.asarray(half, float)
    left = half[::-1] * (-1, 1)
    return np.concatenate([half, left[np.abs(left[:, 0]) > 1e-9]])


def ellipse(x: float, y: float, rx: float, ry: float, count: int = 16) -> Points:
    """Return an ellipse around (x, y)."""
    return np.array((x, y)) + _circle(count) * (rx, ry)


@lru_cache(maxsize=16)
def _circle(count: int) -> np.ndarray:
    angle = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def beziers(start: np.ndarray, control: np.ndarray, end: np.ndarray, steps: int = 7) -> np.ndarray:
    """Return quadratic Bézier curves (M, steps, 2) of three arrays (M, 2)."""
    t = np.linspace(0, 1, steps)[:, None]
    start, control, end = (np.asarray(points, float)[:, None] for points in (start, control, end))
    return (1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * end


def strokes(centers: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return outlines (..., 2S, 2) of strokes along `centers` (..., S, 2) with half widths (..., S)."""
    x, y = centers[..., 0], centers[..., 1]
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
    """Return differences along the last axis: central inside, one-sided at both ends; only their direction counts."""
    slope = np.empty_like(values)
    np.subtract(values[..., 2:], values[..., :-2], out=slope[..., 1:-1])
    slope[..., 0] = values[..., 1] - values[..., 0]
    slope[..., -1] = values[..., -1] - values[..., -2]
    return slope


@lru_cache(maxsize=32)
def taper(steps: int, start: float = 0.0, end: float = 0.0, peak: float = 0.4) -> np.ndarray:
    """Return half widths of a stroke that grow from `start` to 1 at `peak` of its length and shrink to `end`."""
    t = np.linspace(0, 1, steps)
    rise = start + (1 - start) * np.sin(np.clip(t / peak, 0, 1) * np.pi / 2)
    fall = end + (1 - end) * np.cos(np.clip((t - peak) / (1 - peak), 0, 1) * np.pi / 2)
    return np.where(t < peak, rise, fall)
