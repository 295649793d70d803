"""What a worker may read and import: an allow-list, computed by the grader.

Python's own library without what is installed into it, the files of the libraries that the rubric lists and of those
that they need, and the system's shared libraries. Whatever else is installed, here or for another Python, is not there.
"""

import dataclasses
import functools
import os
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np

_SHARED = re.compile(r".+-linux-(gnu|musl).*|blas|lapack|atlas.*|openblas.*|gconv")
_INSTALLED = ("site-packages", "dist-packages")


@dataclasses.dataclass(frozen=True)
class Visible:
    """paths: files and folders that may be read. hidden: folders inside them that may not, unless a path inside these
    is listed again: the innermost decides. search: for sys.path. modules: top-level names that may be imported.
    """

    paths: tuple[str, ...]
    hidden: tuple[str, ...]
    search: tuple[str, ...]
    modules: tuple[str, ...]


def visible(libraries: Sequence[str], forbidden: Sequence[str]) -> Visible:
    """What a submission sees under a rubric with these `libraries`, whose `forbidden` modules are taken out."""
    return _visible(tuple(libraries), tuple(forbidden))


@functools.lru_cache(maxsize=8)
def _visible(libraries: tuple[str, ...], forbidden: tuple[str, ...]) -> Visible:
    site, standard, system = site_folders(), standard_folders(), _system_folders()
    packages = {path for name in _with_needed(libraries) for path in _files(name)}
    packages |= {os.path.join(site[0], name) for name in ("numpy", "numpy.libs")}
    parts = [os.path.join(folder, *name.split(".")) for folder in site for name in forbidden]
    return Visible(
        paths=tuple(path for path in [*standard, *system, *sorted(packages)] if os.path.exists(path)),
        hidden=tuple(
            [path for folder in standard for name in _INSTALLED if os.path.isdir(path := os.path.join(folder, name))]
            + [path for folder in system for path in _private(folder)]
            + [path for path in parts if os.path.isdir(path)]
        ),
        search=(*standard, *site),
        modules=tuple(sorted({name.partition(".")[0] for name in map(os.path.basename, packages) if "-" not in name})),
    )


def site_folders() -> list[str]:
    """Where NumPy is installed, and where other libraries are, at real paths."""
    numpy_folder = Path(np.__file__).resolve().parents[1]
    paths = sysconfig.get_paths()
    return list(
        dict.fromkeys(
            os.path.realpath(p) for p in (numpy_folder, paths["purelib"], paths["platlib"]) if os.path.isdir(p)
        )
    )


def standard_folders() -> list[str]:
    """Python's own library."""
    folders = [os.path.dirname(os.__file__), sysconfig.get_paths()["platstdlib"]]
    dynamic = [entry for entry in sys.path if entry.endswith("lib-dynload")]
    found = [folder for folder in dict.fromkeys([*folders, *dynamic]) if os.path.isdir(folder)]
    # A virtual environment's folder of the same name holds nothing but what is installed.
    return [folder for folder in found if os.path.exists(os.path.join(folder, "os.py")) or folder in dynamic]


def _system_folders() -> list[str]:
    """Where shared libraries are: those of the system, and of Python itself."""
    folders = [f"{sys.base_prefix}/lib", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64"]
    return [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def _private(folder: str, depth: int = 2) -> Iterator[str]:
    """The folders inside a system folder that hold no shared libraries a program is linked to."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            if _SHARED.fullmatch(entry.name) and depth:
                yield from _private(entry.path, depth - 1)
            else:
                yield entry.path


def _with_needed(libraries: Iterable[str]) -> set[str]:
    """These distributions and all that they need, as far as they are installed."""
    found: set[str] = set()
    pending = list(libraries)
    while pending:
        name = pending.pop()
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        if name not in found:
            found.add(name)
            plain = [need for need in needs if "extra ==" not in need]
            pending += [match[0] for need in plain if (match := re.match(r"[\w.\-]+", need))]
    return found


def _files(name: str) -> set[str]:
    """The files and folders at the top of what a distribution has installed."""
    distribution = metadata.distribution(name)
    top = {entry.parts[0] for entry in distribution.files or () if len(entry.parts) > 1 or entry.suffix != ".pth"}
    named = top - {"..", "__pycache__"} or {name}
    base = os.path.realpath(str(distribution.locate_file("")))
    return {os.path.join(base, entry) for entry in named}
