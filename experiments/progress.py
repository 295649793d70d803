"""How far a long job is: a bar with rate and time left in a terminal, plain lines elsewhere."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

Advance = Callable[[int, int], None]
"""Called with how many are done, and how many there are."""

IN_NOTEBOOK = "ipykernel" in sys.modules


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let `say` handle it: rich itself would end the command silently."""
        raise


console = _Console(highlight=False, force_jupyter=False, force_terminal=False if IN_NOTEBOOK else None)
"""In a notebook: plain lines, neither a web page each, nor a terminal's codes, which its kernel asks for."""

SECONDS_BETWEEN_LINES = 15.0


class _Rate(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} {task.fields['unit']}/s", style="progress.data.speed")


_tracked = False
"""Whether a job is being shown: those inside it are its steps, and silent."""


@contextmanager
def track(label: str, total: int, unit: str) -> Iterator[Advance]:
    """Show the progress of `total` items while the block runs; it calls what it is given with (done, total).

    Inside another block of `track` nothing is shown: the outer one knows how far the whole job is.
    """
    global _tracked
    if _tracked:
        yield lambda done, total: None
        return
    _tracked = True
    try:
        with _show_progress(label, total, unit) as advance:
            yield advance
    finally:
        _tracked = False


@contextmanager
def _show_progress(label: str, total: int, unit: str) -> Iterator[Advance]:
    if console.is_terminal and total:
        columns = (
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
            _Rate(), TimeRemainingColumn(compact=True),
        )  # fmt: skip
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(escape(printable(label)), total=total, unit=unit)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        yield _plain_progress(label, unit)


def _plain_progress(label: str, unit: str) -> Advance:
    """A line every quarter of a minute, with the rate and the time left."""
    started = last = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done and done < total and now - last >= SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - started)
            say(f"{label}: {done}/{total} {unit}, {rate:,.0f} {unit}/s, {format_duration((total - done) / rate)} left")

    return advance


def say(text: str = "") -> None:
    """Print a line at once; a progress bar stays below it. Markup and control characters in it are shown as text.

    Where standard output cannot be written (a full disk, a closed pipe), that is one line on standard error, and the
    job continues without it.
    """
    if sys.stdout is None:  # closed by the caller of the command
        return
    with _surviving_output():
        console.print(_encodable(printable(text)), markup=False, soft_wrap=True)
        sys.stdout.flush()


def print_table(table: Table, width: int | None = None) -> None:
    """Print a table at once. width: of what is printed where standard output is no terminal."""
    if sys.stdout is None:
        return
    out = console if console.is_terminal or width is None else _Console(width=width, highlight=False)
    with _surviving_output():
        with out.capture() as captured:
            out.print(table)
        text = captured.get()
        sys.stdout.write(_encodable(text if out.is_terminal else printable(text)))
        sys.stdout.flush()


@contextmanager
def messages_on_stderr() -> Iterator[None]:
    """Send what is printed inside the block to standard error, so that standard output holds the answer alone."""
    with redirect_stdout(sys.stderr):
        yield


def print_json(value: Any) -> None:
    """Print a value as JSON, in ASCII, whatever names it holds. Raises ValueError for numbers that are not finite."""
    if sys.stdout is None:
        return
    with _surviving_output():
        sys.stdout.write(json.dumps(value, indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n")
        sys.stdout.flush()


def _encodable(text: str) -> str:
    """Return a text with escapes in place of the characters that the encoding of standard output does not have."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def _surviving_output() -> Iterator[None]:
    """Where standard output cannot be written, say so once on standard error and continue without it."""
    try:
        yield
    except (OSError, ValueError) as error:
        _discard_output()
        print(f"faces: standard output cannot be written ({error}): continuing without it", file=sys.stderr)


def _discard_output() -> None:
    """Send standard output nowhere from now on. What Python holds back of it would fail once more at the end."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but for tab and line feed, characters that turn the writing direction, and lone surrogates."""


def printable(text: str) -> str:
    """Return a text in which characters that could command a terminal are escapes, as in `repr`: \\x1b for Escape.

    File names, people and messages from outside may hold them.
    """
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode(), text)


def format_duration(seconds: float) -> str:
    """A time for people: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def format_count(count: int, what: str) -> str:
    """A number of things for people: 1 epoch, 2 epochs, 1,000 epochs."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
