"""Run the lessons from top to bottom: `python -m notebooks.execute [NAME ...] [--out FOLDER]`.

Each lesson runs in its own kernel and an empty folder, and is written back with its outputs, in place or to a folder.
A lesson with an error, a warning, or an output that depends on this machine fails and is not written.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from traitlets.config import Config

from experiments.errors import FacesError
from experiments.progress import format_duration, say
from notebooks.book import faults, lessons, read, shrink, tidy, write

CELL_TIMEOUT = 1800
"""Seconds that one cell may take."""


def execute(path: Path) -> Any:
    """Run a notebook and return it with its outputs, tidied. Raises FacesError where a cell fails or warns."""
    book = read(path)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    with TemporaryDirectory(prefix="lessons-") as folder:
        client = NotebookClient(
            book, config=_kernels(folder), timeout=CELL_TIMEOUT, kernel_name="python3",
            resources={"metadata": {"path": folder}}, record_timing=False, coalesce_streams=True,
        )  # fmt: skip
        try:
            client.execute(env=_environment(folder))
        except CellExecutionError as error:
            raise FacesError(f"{path.name}: {str(error).strip()}") from error
        except (TimeoutError, RuntimeError) as error:
            raise FacesError(f"{path.name}: the kernel failed: {error}") from error
    tidy(book)
    shrink(book)
    if found := faults(book):
        raise FacesError("\n  ".join([f"{path.name}:", *found]))
    return book


def _kernels(folder: str) -> Config:
    """Return settings that connect to kernels through sockets in `folder` instead of the network, where possible.

    A socket's path may have about 100 characters, so `folder` must be a short one.
    """
    if sys.platform == "win32":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": str(Path(folder, "kernel"))}})


def _environment(folder: str) -> dict[str, str]:
    """Return this process's environment, with this Python's `faces` on the path and temporary files in `folder`."""
    scripts = str(Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join([scripts, os.environ.get("PATH", "")]), "TMPDIR": folder}


def chosen(names: Sequence[str]) -> list[Path]:
    """Return the lessons whose file names begin with one of `names`, or all. Raises FacesError for an unknown name."""
    there = lessons()
    for name in names:
        if not any(path.name.startswith(name) for path in there):
            raise FacesError(f"no lesson is called {name!r}; there are: {', '.join(path.stem for path in there)}")
    return [path for path in there if not names or any(path.name.startswith(name) for name in names)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the lessons named on the command line. Returns the exit status: 1 if a lesson failed."""
    parser = argparse.ArgumentParser(prog="python -m notebooks.execute", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="start of a lesson's name, such as 3 (default: all)")
    parser.add_argument("--out", type=Path, help="folder for the executed notebooks (default: in place)")
    wanted = parser.parse_args(arguments)
    failed = 0
    try:
        paths = chosen(wanted.names)
        if wanted.out:
            wanted.out.mkdir(parents=True, exist_ok=True)
    except (FacesError, OSError) as error:
        say(f"notebooks: {error}")
        return 2
    for path in paths:
        started = time.monotonic()
        try:
            target = (wanted.out or path.parent) / path.name
            write(execute(path), target)
            size = f"{target.stat().st_size / 1000:,.0f} KB"
            say(f"{path.name}: {format_duration(time.monotonic() - started)}, {size}")
        except FacesError as error:
            failed += 1
            say(str(error))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
