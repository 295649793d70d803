"""How every lesson begins: figures of one kind, and a folder of its own to write into."""

import atexit
import os
import shlex
import warnings
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl

FIGURES: Any = {
    "figure.dpi": 80,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.titlesize": 11,
    "legend.frameon": False,
    "font.size": 10,
}
"""Small enough for a notebook's file, large enough to read."""


def begin() -> None:
    """Work in a new empty folder, which is removed when the kernel ends, and draw as all lessons do.

    So a lesson may write `faces/` or `runs/` wherever it was opened, any number of times, and leaves nothing behind.
    """
    mpl.rcParams.update(FIGURES)
    warnings.filterwarnings("ignore", "IProgress not found")  # tqdm's, of libraries that show no progress here
    folder = TemporaryDirectory(prefix="lesson-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    os.chdir(folder.name)


def faces(command: str) -> None:
    """Run the command `faces ...` in this kernel, as it would be typed: quicker than a process for each.

    Raises FacesError, which the command itself says in one line, where the input is wrong.
    """
    from experiments.cli import app

    app(shlex.split(command), prog_name="faces", standalone_mode=False)
