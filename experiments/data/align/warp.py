"""Warp an image so that a face's landmarks fall on a template.

Points are arrays (K, 2) of (x, y) in pixels; the center of the first pixel is (0, 0). A transform is a (2, 3) matrix:
the linear part, then the translation.
"""

import numpy as np
from PIL import Image

TEMPLATE_SIZE = 112
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""ArcFace's points at 112 px: left and right eye as seen in the image, nose, left and right corner of the mouth."""


def template(size: int, margin: float = 0.0) -> np.ndarray:
    """Return ArcFace's five points (5, 2) in an image of `size` pixels a side, `margin` (a fraction) wider than
    ArcFace's.
    """
    middle = TEMPLATE_SIZE / 2
    return ((TEMPLATE + 0.5 - middle) / (1 + margin) + middle) * (size / TEMPLATE_SIZE) - 0.5


def fit_similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the rotation, scale and translation (2, 3) that map `source` to `target` with least squares.

    Reflections are excluded. Umeyama 1991, "Least-squares estimation of transformation parameters between two point
    patterns", equations 38 to 43. Raises ValueError where all source points are equal.
    """
    source_mean, target_mean = source.mean(0), target.mean(0)
    from_points, to_points = source - source_mean, target - target_mean
    spread = (from_points**2).sum() / len(source)
    if not spread > 0 or not np.isfinite(spread):
        raise ValueError(f"the points {source.tolist()} give no scale: expected at least two that differ")
    u, stretch, v = np.linalg.svd(to_points.T @ from_points / len(source))
    signs = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(v)) or 1.0])
    turn = u @ np.diag(signs) @ v
    scaled = (stretch @ signs / spread) * turn
    return np.column_stack([scaled, target_mean - scaled @ source_mean])


def fit_box(box: np.ndarray, margin: float, size: int) -> np.ndarray:
    """Return the transform (2, 3) that scales a square around a box to `size` pixels, without rotation.

    box: left, top, right, bottom. The square's side is the longer side of the box times (1 + margin).
    """
    center = (np.asarray(box[:2], float) + box[2:4]) / 2
    scale = size / (max(box[2] - box[0], box[3] - box[1]) * (1 + margin))
    return np.column_stack([scale * np.eye(2), (size - 1) / 2 - scale * center])


def transform_points(points: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Apply a transform (2, 3) to points (K, 2)."""
    transformed: np.ndarray = points @ transform[:, :2].T + transform[:, 2]
    return transformed


def warp(image: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Warp an image (H, W, 3) uint8 by a similarity to (size, size, 3): bicubic, black outside the image.

    Where the transform shrinks, the visible part is first resized with antialiasing.
    """
    inverse = _inverse(transform)
    corners = transform_points(np.array([(-1, -1), (size, -1), (size, size), (-1, size)], float), inverse)
    height, width = image.shape[:2]
    reach = 2 / min(1.0, _scale(transform))
    left, top = np.clip(np.floor(corners.min(0) - reach), 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(np.ceil(corners.max(0) + reach) + 1, 1, (width, height)).astype(int)
    seen = Image.fromarray(image[top : max(bottom, top + 1), left : max(right, left + 1)])
    inverse[:, 2] -= left, top
    if (shrink := _scale(transform)) < 1:
        smaller = (max(1, round(seen.width * shrink)), max(1, round(seen.height * shrink)))
        factors = np.array(smaller) / seen.size
        seen = seen.resize(smaller, Image.Resampling.BICUBIC)
        inverse[:, 2] = (inverse[:, 2] + 0.5) * factors - 0.5
        inverse[:, :2] *= factors[:, None]
    inverse[:, 2] += 0.5 - 0.5 * inverse[:, :2].sum(1)  # Pillow's origin is a pixel's corner
    coefficients = tuple(inverse.ravel().tolist())
    return np.array(seen.transform((size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC))


def _inverse(transform: np.ndarray) -> np.ndarray:
    linear = np.linalg.inv(transform[:, :2])
    return np.column_stack([linear, -linear @ transform[:, 2]])


def _scale(transform: np.ndarray) -> float:
    return float(np.sqrt(abs(np.linalg.det(transform[:, :2]))))
