"""Takes a submission in: a folder, an archive or one Python file, copied to where a grader can work on it.

Only regular files are copied, and only so many: a link could lead out of the submission, an archive unfold without end.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograder import archives, bounded
from autograder.archives import MAX_DEPTH, Budget, SubmissionError
from autograder.text import line

__all__ = ["SubmissionError", "fill", "staged"]

_FILES = (".py", ".ipynb")
_NESTED = 3  # archives in archives


@contextlib.contextmanager
def staged(source: Path, notes: list[str] | None = None) -> Iterator[Path]:
    """A private copy of the submission, which is gone afterwards; `notes` receives what was left out, and why.

    Raises SubmissionError where there is nothing there, or something that should not be unpacked.
    """
    with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as room:
        folder = Path(room, "submission")
        folder.mkdir()
        os.chmod(room, 0o711)
        try:
            left_out = bounded.call(fill, source, folder)
        except bounded.BoundedError as error:
            raise SubmissionError(f"{line(source.name)} cannot be read: {error}") from error
        if notes is not None:
            notes += left_out
        for parent, _, files in os.walk(folder):
            os.chmod(parent, 0o755)
            for name in files:
                os.chmod(os.path.join(parent, name), 0o644)
        yield folder


def fill(source: Path, folder: Path) -> list[str]:
    """Copy the submission's files into the empty `folder`; returns what was left out, and why.

    Raises SubmissionError as `staged` does.
    """
    budget = Budget()
    if source.is_dir():
        _copy_folder(source, folder, budget)
    elif not source.is_file():
        raise SubmissionError(
            f"{line(str(source))}: no such file or folder; give a folder, a zip, a tar or a Python file"
        )
    elif source.name.lower().endswith(_FILES):
        budget.spend(1, source.stat().st_size)
        shutil.copyfile(source, folder / _lowered_suffix(source.name))
    else:
        archives.unpack(source, folder, budget)
    _unpack_nested(folder, budget, _NESTED)
    return budget.notes


def files_below(source: Path) -> Iterator[Path]:
    """The regular files of a folder in a fixed order, without links and what tools leave behind.

    Raises SubmissionError where a folder cannot be read or is too deep.
    """
    pending = [(source, 0)]
    while pending:
        folder, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise SubmissionError(f"{_named(folder, source)} is more than {MAX_DEPTH} folders deep: hand in less")
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
            if depth and archives.is_environment({entry.name for entry in entries}):
                continue
            below = []
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if archives.is_litter(entry.name, is_folder):
                    continue
                if is_folder:
                    below.append((Path(entry.path), depth + 1))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)
        except OSError as error:
            raise SubmissionError(f"{_named(folder, source)} cannot be read: {error.strerror}") from error
        pending += reversed(below)


def remove(folder: Path | str) -> None:
    """Delete a folder that a submission may have written into, however deep; what cannot be deleted stays."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # deeper than Python's own stack
        subprocess.run(["rm", "-rf", "--", str(folder)], check=False, stderr=subprocess.DEVNULL)


def _copy_folder(source: Path, folder: Path, budget: Budget) -> None:
    for path in files_below(source):
        relative = path.relative_to(source)
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                continue
            budget.spend(1, status.st_size)
            (folder / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / relative, follow_symlinks=False)
        except OSError as error:
            raise SubmissionError(f"{line(str(relative)[:200])} cannot be read: {error.strerror}") from error


def _unpack_nested(folder: Path, budget: Budget, depth: int) -> None:
    """Unpack archives next to the other files, each into a folder of its name; leave out those that cannot be."""
    for path in [path for path in files_below(folder) if archives.is_archive(path.name)]:
        name = line(str(path.relative_to(folder)))
        if not depth:
            budget.notes.append(f"{name} was left out: archives in archives, more than {_NESTED} deep")
            continue
        target = path.with_name(archives.without_suffix(path.name) or "archive")
        while target.exists():
            target = target.with_name(f"{target.name}_")
        target.mkdir()
        before = budget.files, budget.bytes
        try:
            archives.unpack(path, target, budget)
            path.unlink()
        except SubmissionError as error:
            remove(target)
            budget.files, budget.bytes = before
            budget.notes.append(f"{name} was left out: {error}")
            continue
        _unpack_nested(target, budget, depth - 1)


def _lowered_suffix(name: str) -> str:
    """`CONV.PY` as Python finds it: `CONV.py`."""
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}{dot}{suffix.lower()}"


def _named(folder: Path, source: Path) -> str:
    text = line(str(folder.relative_to(source.parent)))
    return text if len(text) <= 80 else f"{text[:80]}..."
