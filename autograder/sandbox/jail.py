"""The zygote's own view of the machine: no network, and a root that holds libraries and the submission only.

Root enters the namespaces directly, another user through a user namespace, which some systems refuse. A worker can
neither read nor harm what it cannot see: the reference solution, other submissions, PyTorch.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.sandbox import linux

SUBMISSION = "/submission"
SCRATCH = "/scratch"


def enter(root: str, submission: str, libraries: Sequence[str], hidden: Sequence[str]) -> None:
    """Move this process into the jail.

    root: an empty folder, over which the new root is built (it stays empty outside).
    libraries: files and folders to show at their own paths, read-only.
    hidden: folders inside them to show empty, but for libraries inside these: the innermost path decides.

    Raises OSError where the system refuses any step: the process is then half in, and should end.
    """
    namespaces = linux.CLONE_NEWNS | linux.CLONE_NEWNET | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS
    if os.geteuid() == 0:
        linux.unshare(namespaces)
    else:
        uid, gid = os.geteuid(), os.getegid()
        linux.unshare(namespaces | linux.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")

    os.umask(0o022)  # the worker is another user, and has to be able to look into these folders
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("none", root, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "size=1m,mode=755")
    shown: dict[str, bool] = {}
    for path, is_shown in sorted([*((p, False) for p in hidden), *((p, True) for p in libraries)], key=_depth):
        if _is_shown(path, shown) != is_shown:
            if is_shown:
                _show(path, root + path)
            elif os.path.isdir(root + path):
                linux.mount("none", root + path, "tmpfs", 0, "size=64k,mode=755")
        shown[path] = is_shown
    _show(submission, root + SUBMISSION)
    os.mkdir(root + SCRATCH)
    linux.make_read_only(root)
    os.chroot(root)
    os.chdir("/")


def fresh_scratch(size: int, uid: int | None) -> None:
    """An empty scratch folder for this process and its children only; gone when the last of them is."""
    linux.unshare(linux.CLONE_NEWNS)
    owner = "" if uid is None else f",uid={uid},gid={uid}"
    linux.mount("none", SCRATCH, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, f"size={size},mode=700,nr_inodes=1k{owner}")


def _depth(entry: tuple[str, bool]) -> tuple[int, bool]:
    """Outer paths first, and of two that are the same the hidden one."""
    return entry[0].count("/"), entry[1]


def _is_shown(path: str, shown: Mapping[str, bool]) -> bool:
    """Whether what is decided so far shows this path: as the nearest folder above it is shown."""
    while path != "/":
        if path in shown:
            return shown[path]
        path = os.path.dirname(path)
    return False


def _show(source: str, target: str) -> None:
    """Show `source`, a file or a folder with all that is mounted below it, at `target`."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif os.path.isfile(source):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "ab"):
            pass
    else:
        return
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
