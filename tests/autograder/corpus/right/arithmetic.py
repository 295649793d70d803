"""Submissions that are right by another arithmetic than the reference's, each written into a folder."""

import re
from pathlib import Path

from corpus.planting import correct
from corpus.right.texts import CONVOLVE, IM2COL, LOOPS, STRIDED


def loops_in_one_file(folder: Path) -> None:
    correct(folder)
    for name in ("conv1d.py", "conv2d.py", "pool.py"):
        (folder / name).write_text(LOOPS)


def as_strided(folder: Path) -> None:
    correct(folder)
    (folder / "conv2d.py").write_text(STRIDED)


def convolve(folder: Path) -> None:
    correct(folder)
    (folder / "conv1d.py").write_text(CONVOLVE)


def im2col_and_prints(folder: Path) -> None:
    correct(folder)
    (folder / "conv2d.py").write_text(IM2COL)


def aliases(folder: Path) -> None:
    """Classes under other names, bound to the contract's."""
    correct(folder)
    for name, text in (("conv1d.py", CONVOLVE), ("conv2d.py", STRIDED)):
        (known,) = re.findall(r"^class (\w+)", text, re.M)
        (folder / name).write_text(f"{text.replace(known, 'Mine')}\n{known} = Mine\n")
