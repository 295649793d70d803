"""Pictures that are not all in memory, indexed as an array (N, H, W, 3) of uint8 is."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from experiments.data.images import Fit, fit_image, read_image

IN_MEMORY = 2 * 1024**3
"""Bytes of pixels up to which a folder's pictures are decoded once and kept; above, each is read when it is wanted."""


class Source(Protocol):
    """Where pictures come from: how many there are, of what size, and any of them by number."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Those pictures, (n, H, W, 3) uint8, in memory."""


class Files:
    """Image files, each decoded whenever it is wanted. Raises ImageError, naming it, for one that cannot be."""

    def __init__(self, paths: Sequence[Path], size: tuple[int, int], fit: Fit):
        self.paths, self.size, self.fit = tuple(paths), size, fit

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.paths), *self.size, 3

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Decode those pictures, one after another: batches are prepared by several processes as it is."""
        pixels = np.empty((len(rows), *self.size, 3), np.uint8)
        for pixel, row in zip(pixels, rows, strict=True):
            pixel[...] = fit_image(read_image(self.paths[row], at_least=2 * max(self.size)), self.size, self.fit)
        return pixels


class Stored:
    """Pixels in a .npy file, mapped into memory when first wanted; a copy for another process maps them itself."""

    def __init__(self, path: str | os.PathLike[str], shape: tuple[int, int, int, int]):
        self.path, self.shape = Path(path), shape
        self._pixels: np.ndarray | None = None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Copy those pictures from the file."""
        if self._pixels is None:
            self._pixels = np.load(self.path, mmap_mode="r")
        return np.asarray(self._pixels[rows])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pixels": None}


class Joined:
    """Pictures in memory or out of it, (N, H, W, 3), and after them those of a source of the same size."""

    def __init__(self, first: Any, then: Source):
        self.first, self.then = first, then

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.first) + self.then.shape[0], *self.then.shape[1:]

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Those pictures, each from where it is."""
        before = rows < len(self.first)
        pixels = np.empty((len(rows), *self.shape[1:]), np.uint8)
        pixels[before] = self.first[rows[before]]
        pixels[~before] = self.then.read(rows[~before] - len(self.first))
        return pixels


class Pictures:
    """Some of a source's pictures, in an order of their own: `pictures[i]`, `pictures[3:9]`, `pictures[[4, 2]]`.

    What is indexed is read, and nothing else; `pick` reads nothing. np.asarray reads all.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, source: Source, rows: np.ndarray | None = None):
        self.source = source
        self.rows = np.arange(source.shape[0]) if rows is None else rows

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self.rows), *self.source.shape[1:]

    @property
    def nbytes(self) -> int:
        """Bytes that they would take in memory."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = self.rows[index]
        if np.ndim(rows) == 0:
            return self.source.read(np.array([rows]))[0]
        return self.source.read(rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        pixels = self[:]
        return pixels if dtype is None else pixels.astype(dtype)

    def astype(self, dtype: Any) -> np.ndarray:
        """All of them, in memory, as another type."""
        return self[:].astype(dtype)

    def pick(self, rows: np.ndarray) -> "Pictures":
        """Those pictures of these, still unread."""
        return Pictures(self.source, self.rows[rows])
