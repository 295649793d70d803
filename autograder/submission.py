"""Takes a submission in: a folder, a zip or one Python file, copied to where a grader can work on it.

Only regular files are copied, and only so many: a link could lead out of the submission, a zip unfold without end.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_FILES = 2000
MAX_BYTES = 64 << 20
_SKIPPED = {".git", "__pycache__", "__MACOSX", ".ipynb_checkpoints", "node_modules", ".venv", "venv", "site-packages"}


class SubmissionError(ValueError):
    """A submission that cannot be graded at all; the message says why, for a student to read."""


@contextlib.contextmanager
def staged(source: Path) -> Iterator[Path]:
    """A private copy of the submission, which is gone afterwards.

    Raises SubmissionError where there is nothing there, or something that should not be unpacked.
    """
    with tempfile.TemporaryDirectory(prefix="submission-", ignore_cleanup_errors=True) as room:
        folder = Path(room, "submission")
        folder.mkdir()
        os.chmod(room, 0o711)
        fill(source, folder)
        for parent, folders, files in os.walk(folder):
            os.chmod(parent, 0o755)
            for name in files:
                os.chmod(os.path.join(parent, name), 0o644)
            folders.sort()
        yield folder


def fill(source: Path, folder: Path) -> None:
    """Copy the submission's files into the empty `folder`; SubmissionError as in `staged`."""
    if source.is_dir():
        _copy_folder(source, folder)
    elif not source.is_file():
        raise SubmissionError(f"{source}: no such file or folder; give a folder, a zip or a Python file")
    elif zipfile.is_zipfile(source):
        _unzip(source, folder)
    elif source.suffix == ".py":
        _check_room(1, source.stat().st_size)
        shutil.copyfile(source, folder / source.name)
    else:
        raise SubmissionError(f"{source.name} is not a folder, a zip or a Python file: hand in one of these")


def _copy_folder(source: Path, folder: Path) -> None:
    count = size = 0
    for parent, folders, files in os.walk(source):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED and not name.startswith("."))
        into = folder / os.path.relpath(parent, source)
        for name in sorted(files):
            path = Path(parent, name)
            try:
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode):
                    continue
                count, size = count + 1, size + status.st_size
                _check_room(count, size)
                into.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, into / name, follow_symlinks=False)
            except OSError as error:
                raise SubmissionError(f"{path.relative_to(source)} cannot be read: {error.strerror}") from error


def _unzip(source: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            _check_room(len(entries), sum(entry.file_size for entry in entries))
            left = MAX_BYTES
            for entry in entries:
                left -= _extract(archive, entry, folder, left)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
        if isinstance(error, SubmissionError):
            raise
        raise SubmissionError(f"{source.name} cannot be unpacked: {error}") from error


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, left: int) -> int:
    """One entry; the bytes that it took, which may be more than the archive says, but not more than `left`."""
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in entry.filename or "\0" in entry.filename:
        raise SubmissionError(f"the zip holds {entry.filename!r}, which leads out of its folder: zip the files again")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise SubmissionError(f"the zip holds {entry.filename!r}, a link: hand in the file that it points to")
    if entry.is_dir() or any(part in _SKIPPED or part.startswith("._") for part in path.parts):
        return 0
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with archive.open(entry) as packed, target.open("wb") as file:
        while chunk := packed.read(1 << 16):
            written += len(chunk)
            if written > left:
                raise SubmissionError(_too_much())
            file.write(chunk)
    return written


def _check_room(count: int, size: int) -> None:
    if count > MAX_FILES or size > MAX_BYTES:
        raise SubmissionError(_too_much())


def _too_much() -> str:
    return (
        f"the submission holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB: "
        "leave data, weights and environments out of it"
    )
