"""The start of every lesson: common plot settings, and a temporary folder to work in."""

import atexit
import os
import shlex
import warnings
from tempfile import TemporaryDirectory
from typing import Any

import matplotlib as mpl

PLOT_SETTINGS: Any = {
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
    """Change to a new empty folder, which is removed when the kernel ends, and apply the lessons' plot settings.

    A lesson can therefore write `faces/` or `runs/` any number of times and leaves nothing behind.
    """
    mpl.rcParams.update(PLOT_SETTINGS)
    warnings.filterwarnings("ignore", "IProgress not found")  # from tqdm, which shows no progress here
    folder = TemporaryDirectory(prefix="lesson-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    os.chdir(folder.name)


def faces(command: str) -> None:
    """Run the command `faces ...` in this kernel, which is faster than a new process.

    Raises FacesError for wrong input; on the command line that is one line of text.
    """
    from experiments.cli import app

    app(shlex.split(command), prog_name="faces", standalone_mode=False)
