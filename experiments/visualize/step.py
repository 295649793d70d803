"""A step that several operations share: pixels of a source, a small sum, pixels of a target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.visualize.stage import Panel, Stage

SIZE = (11.0, 4.0)
SIDE, TERM, GAP = 2.6, 1.28, 0.34
TOP = 1.1
MIDDLE = TOP + SIDE / 2


@dataclass(frozen=True)
class Step:
    """source and target: pictures left and right. terms: small tables between them, `signs` between those.

    total: in words, what comes out.
    """

    headline: str
    caption: str
    source: Panel
    terms: Sequence[Panel]
    signs: Sequence[str]
    total: str
    target: Panel

    def draw(self, stage: Stage) -> None:
        """Source, terms and target in a row, the total below the terms."""
        stage.heading(self.headline, self.caption)
        stage.picture((0.3, TOP, SIDE, SIDE), self.source)
        stage.picture((stage.width - 0.3 - SIDE, TOP, SIDE, SIDE), self.target)
        wide = len(self.terms) * TERM + (len(self.terms) - 1) * GAP
        left = (stage.width - wide) / 2
        middle = MIDDLE - 0.15
        for number, term in enumerate(self.terms):
            stage.picture((left + number * (TERM + GAP), middle - TERM / 2, TERM, TERM), term)
        for number, sign in enumerate(self.signs):
            stage.sign(left + (number + 1) * (TERM + GAP) - GAP / 2, middle, sign)
        stage.words(stage.width / 2, middle + TERM / 2 + 0.2, self.total, 11, "center", weight="bold")


def so_far(values: np.ndarray, done: int) -> np.ndarray:
    """The first `done` values in reading order, the others not a number."""
    shown = np.full(values.shape, np.nan, values.dtype)
    shown.flat[:done] = values.flat[:done]
    return shown


def only_first(values: np.ndarray, done: int) -> np.ndarray:
    """The first `done` values in reading order, the others zero."""
    return np.where(np.arange(values.size).reshape(values.shape) < done, values, 0).astype(values.dtype)


def place(number: int, columns: int) -> tuple[int, int]:
    """Row and column of a value by its number in reading order."""
    return divmod(number, columns)


def telling(values: np.ndarray) -> int:
    """The number of the value that stands out most, of those about the middle: there a face has its eyes."""
    rows, columns = values.shape
    shown = np.full(values.shape, -1.0)
    middle = (slice(int(0.45 * rows), int(0.6 * rows) + 1), slice(columns // 4, 3 * columns // 4 + 1))
    shown[middle] = np.abs(values - values.mean())[middle]
    return int(np.argmax(shown))
