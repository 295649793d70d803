"""Transcripts of the tutorials: `python -m docs.transcripts student` runs a page's commands and writes what they print.

Each command runs as typed, in an empty folder, one after the other. Of a long output the page keeps the beginning and
the end.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from docs.pages import PAGES, ROOT
from experiments.errors import FacesError

FIRST, LAST = 5, 4
"""Lines that are kept of an output longer than both together."""

BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.DOTALL | re.MULTILINE)
PROGRESS = re.compile(r"^\w+( [\w/]+)?: [\d,]+/[\d,]+ \w+, .* left$")
"""The lines that a long job prints while it runs, which depend on the machine's load."""


def commands_in(block: str) -> Iterator[str]:
    """Yield what follows "$ ", over as many lines as its quotes take; earlier outputs are left out."""
    lines = iter(block.splitlines())
    for line in lines:
        if line.startswith("$ "):
            command = line[2:]
            while command.count('"') % 2:
                command += "\n" + next(lines)
            yield command


def shortened(output: str, most: int = FIRST + LAST) -> list[str]:
    """Return the lines of an output without progress, with "..." for those in the middle of a long one."""
    lines = [line.rstrip() for line in output.splitlines() if not PROGRESS.match(line)]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) <= most + 1:
        return lines
    return [*lines[:FIRST], "...", *lines[-LAST:]]


def transcribe(page: str, folder: Path, allowed: tuple[int, ...] = (0, 1)) -> str:
    """Return the page with the output of each of its commands, which run in `folder`.

    Raises FacesError where a command ends with another status than those allowed.
    """

    def run_block(block: re.Match[str]) -> str:
        lines = []
        for command in commands_in(block[1]):
            lines += [f"$ {command}", *shortened(_run(command, folder, allowed)), ""]
        return "\n".join(lines[:-1]) + "\n"

    return BLOCK.sub(run_block, page)


def _run(command: str, folder: Path, allowed: tuple[int, ...]) -> str:
    here = {
        **os.environ, "COLUMNS": "110", "NO_COLOR": "1", "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", command.split("  #")[0]], cwd=folder, env=here, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode not in allowed:
        raise FacesError(f"{command}: ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout


def main(names: list[str]) -> None:
    """Rewrite the transcripts of these tutorials, or of all."""
    pages = sorted((PAGES / "tutorials").glob("*.md"))
    for path in (path for path in pages if not names or path.stem in names):
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(transcribe(path.read_text(encoding="utf-8"), Path(folder)), encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: written")


if __name__ == "__main__":
    main(sys.argv[1:])
