"""Where there is no jail: the kernel lets this process read and write below given paths only.

Landlock needs no privilege and no namespace, so it works in containers that allow neither. Linux has it since 5.13, if
the distribution enables it. https://docs.kernel.org/userspace-api/landlock.html
"""

import ctypes
import os
from collections.abc import Iterable, Sequence

from autograder.sandbox import linux

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_OF_FILES = _EXECUTE | 1 << 1 | _READ_FILE | 1 << 14  # execute, write, read, truncate: what a rule for one file may say
_KNOWN = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many kinds of access each version of the kernel's interface controls


class _Ruleset(ctypes.Structure):
    _fields_ = [("handled_access_fs", ctypes.c_uint64)]


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def version() -> int:
    """The kernel's version of the interface; 0 where there is none."""
    if not linux.AVAILABLE:
        return 0
    return max(0, linux.call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)))


def restrict(
    libraries: Sequence[str], hidden: Sequence[str], listed: Sequence[str], readable: str, writable: str
) -> None:
    """Let this process read `libraries` (without `hidden` inside them) and `readable`, and write `writable`, only.

    listed: folders whose entries' names it may read too, as Python does to find a module.

    Needs no_new_privs. Raises OSError where the kernel refuses.
    """
    everything = (1 << _KNOWN[min(version(), max(_KNOWN))]) - 1
    attributes = _Ruleset(everything)
    ruleset = linux.call(_CREATE, ctypes.byref(attributes), ctypes.c_size_t(8), ctypes.c_uint32(0))
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock: no ruleset")
    try:
        for folder in listed:
            _allow(ruleset, folder, _READ_DIR)
        for folder in dict.fromkeys(map(os.path.realpath, libraries)):  # /lib is often a link to /usr/lib
            for path in without(folder, [path for path in hidden if path != folder]):
                _allow(ruleset, path, _EXECUTE | _READ_FILE | _READ_DIR)
        _allow(ruleset, readable, _READ_FILE | _READ_DIR)
        _allow(ruleset, writable, everything & ~_EXECUTE)
        if linux.call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0)) < 0:
            raise OSError(ctypes.get_errno(), "landlock: not restricted")
    finally:
        os.close(ruleset)


def without(folder: str, hidden: Sequence[str]) -> Iterable[str]:
    """Paths that together contain everything in `folder` except what is hidden."""
    if folder in hidden or not os.path.exists(folder):
        return
    if not any(path.startswith(folder + "/") for path in hidden):
        yield folder
        return
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            yield from without(entry.path, hidden)
        else:
            yield entry.path


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        rule = _PathBeneath(access if os.path.isdir(path) else access & _OF_FILES, beneath)
        linux.call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(rule), ctypes.c_uint32(0))
    finally:
        os.close(beneath)
