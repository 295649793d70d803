"""Unpacks zips and tars of unknown origin: regular files only, inside one folder, within a budget.

The kind is read from the content, since names lie (`.ZIP`, a tar called `.zip`, no suffix at all). What tools leave
behind (`.git`, `.venv`, `node_modules`, `__MACOSX`) neither counts nor is written.
"""

import contextlib
import re
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.text import line

MAX_FILES = 2000
MAX_BYTES = 64 << 20
MAX_DEPTH = 40  # folders in folders
_MAX_ENTRIES = 200_000  # of an archive, with what is skipped
_SUFFIXES = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
_LITTER = {
    "__pycache__", "__macosx", "node_modules", "venv", "site-packages", "dist-packages", "conda-meta", "thumbs.db",
    "desktop.ini",
}  # fmt: skip
_ENVIRONMENT = ("pyvenv.cfg", "conda-meta")
_OTHERS = {b"Rar!\x1a\x07": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7z archive", b"%PDF": "a PDF"}


class SubmissionError(ValueError):
    """A submission that cannot be graded at all; the message says why, for a student to read."""


class Budget:
    """What may still be written, over all archives of a hand-in; `notes` tells of what was left out."""

    def __init__(self) -> None:
        self.files, self.bytes = MAX_FILES, MAX_BYTES
        self.notes: list[str] = []

    def spend(self, files: int = 0, size: int = 0) -> None:
        """SubmissionError where that is more than is left."""
        self.files, self.bytes = self.files - files, self.bytes - size
        if self.files < 0 or self.bytes < 0:
            raise SubmissionError(
                f"the submission holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB: "
                "leave data, weights and environments out of it"
            )


def is_archive(name: str) -> bool:
    """Whether a file is called like an archive that can be unpacked here."""
    return bool(_SUFFIXES.search(name))


def without_suffix(name: str) -> str:
    """The name without `.zip`, `.tar.gz` or the like."""
    return _SUFFIXES.sub("", name)


def is_litter(name: str, folder: bool) -> bool:
    """Whether a name, of a file or a `folder`, is one that tools leave behind."""
    return name.lower() in _LITTER or name.startswith("._") or (folder and name.startswith("."))


def is_environment(names: Collection[str]) -> bool:
    """Whether a folder with these entries is an installation of Python, not a student's work."""
    return any(name in names for name in _ENVIRONMENT)


def unpack(source: Path, folder: Path, budget: Budget) -> None:
    """Write the archive's files below `folder`.

    Raises SubmissionError where it is no archive, is damaged or locked, leads out of its folder or exceeds the budget.
    """
    name = line(source.name)
    try:
        entries = _entries(source)
        environments = {str(path.parent) for path, _, _ in entries if path.name == "pyvenv.cfg"}
        environments |= {str(path.parent.parent) for path, _, _ in entries if path.parent.name == "conda-meta"}
        environments.discard(".")
        for path, kind, data in _opened(source, entries):
            if any(str(parent) in environments for parent in path.parents) or _is_skipped(path):
                continue
            if kind != "file":
                budget.notes.append(f"{line(str(path))} was left out: it is {kind}")
                continue
            _write(path, folder, data, budget)
    except SubmissionError:
        raise
    except MemoryError:
        raise
    except Exception as error:  # zipfile, tarfile and the decompressors raise what they like on damaged data
        raise SubmissionError(f"{name} cannot be unpacked: {_reason(error)}; pack the files again") from error


Entry = tuple[PurePosixPath, str, zipfile.ZipInfo | tarfile.TarInfo]


def _entries(source: Path) -> list[Entry]:
    """The archive's entries but folders: path, kind ("file" or what else it is), and its own description."""
    name = line(source.name)
    found: list[Entry] = []
    with contextlib.ExitStack() as stack:
        if zipfile.is_zipfile(source):
            listed: Iterator[zipfile.ZipInfo | tarfile.TarInfo] = iter(
                stack.enter_context(zipfile.ZipFile(source)).infolist()
            )
        else:
            try:
                listed = iter(stack.enter_context(tarfile.open(source, "r:*", errorlevel=0)))
            except tarfile.ReadError as error:
                raise SubmissionError(_no_archive(source)) from error
        for entry in listed:
            if len(found) == _MAX_ENTRIES:
                raise SubmissionError(f"{name} holds more than {_MAX_ENTRIES} entries: hand in your Python files alone")
            given = entry.filename if isinstance(entry, zipfile.ZipInfo) else entry.name
            folder = entry.is_dir() if isinstance(entry, zipfile.ZipInfo) else entry.isdir()
            path = _inside(given, name)
            if not folder and path.parts:
                found.append((path, _kind(entry), entry))
    return found


def _kind(entry: zipfile.ZipInfo | tarfile.TarInfo) -> str:
    if isinstance(entry, tarfile.TarInfo):
        return "file" if entry.isreg() else "a link" if entry.issym() or entry.islnk() else "no regular file"
    mode = stat.S_IFMT(entry.external_attr >> 16)
    return "file" if mode in (0, stat.S_IFREG) else "a link" if mode == stat.S_IFLNK else "no regular file"


def _inside(name: str, archive: str) -> PurePosixPath:
    """The path of an entry; SubmissionError where it leads out of the folder that it is unpacked into."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name:
        raise SubmissionError(f"{archive} holds {line(name)!r}, which leads out of its folder: pack the files again")
    return path


def _opened(source: Path, entries: list[Entry]) -> Iterator[tuple[PurePosixPath, str, IO[bytes]]]:
    """Each entry with its data to read, in the archive's order."""
    import io

    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for path, kind, entry in entries:
                if kind != "file" or _is_skipped(path):
                    yield path, kind, io.BytesIO()
                    continue
                assert isinstance(entry, zipfile.ZipInfo)
                with archive.open(entry) as data:
                    yield path, kind, data
        return
    with tarfile.open(source, "r:*") as packed:
        for path, kind, entry in entries:
            assert isinstance(entry, tarfile.TarInfo)
            opened = packed.extractfile(entry) if kind == "file" and not _is_skipped(path) else None
            yield path, kind, opened or io.BytesIO()


def _is_skipped(path: PurePosixPath) -> bool:
    return any(is_litter(part, True) for part in path.parts[:-1]) or is_litter(path.name, False)


def _write(path: PurePosixPath, folder: Path, data: IO[bytes], budget: Budget) -> None:
    """One file, however long the archive says that it is."""
    if len(path.parts) > MAX_DEPTH:
        raise SubmissionError(
            f"{line(str(path)[:80])}... is more than {MAX_DEPTH} folders deep: hand in a flatter folder"
        )
    budget.spend(files=1)
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while chunk := data.read(1 << 16):
            budget.spend(size=len(chunk))
            file.write(chunk)


def _no_archive(source: Path) -> str:
    with source.open("rb") as file:
        head = file.read(8)
    what = next((what for magic, what in _OTHERS.items() if head.startswith(magic)), "")
    is_it = f"is {what}" if what else "is neither a zip nor a tar" if head else "is empty"
    return f"{line(source.name)} {is_it}: hand in a zip, a tar, a folder or a Python file"


def _reason(error: Exception) -> str:
    if isinstance(error, RuntimeError) and "password" in str(error):
        return "it is locked by a password"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return line(f"{error}"[:200]) or type(error).__name__
