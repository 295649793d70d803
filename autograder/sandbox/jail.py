"""The zygote's own view of the machine: no network, and a root with nothing in it but libraries and the submission.

As root the namespaces are entered directly, otherwise through a user namespace, which some systems refuse. What a
worker cannot see it can neither read (the reference solution, other submissions, PyTorch) nor harm.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from autograder.sandbox import linux

SUBMISSION = "/submission"
SCRATCH = "/scratch"


def enter(root: str, submission: str, libraries: Sequence[str], hidden: Sequence[str]) -> None:
    """Move this process into the jail.

    root: an empty folder, over which the new root is built (it stays empty outside).
    libraries: folders that are to be seen at their own paths, read-only.
    hidden: folders inside them that are to look empty.

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
    for folder in _outermost(libraries):
        _show(folder, root + folder)
    for folder in hidden:
        if os.path.isdir(root + folder):
            linux.mount("none", root + folder, "tmpfs", linux.MS_RDONLY, "size=0,mode=555")
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


def _outermost(folders: Sequence[str]) -> list[str]:
    """Those folders that exist and lie in no other; a link, as /lib may be, is shown as the folder it leads to."""
    kept: list[str] = []
    for folder in sorted({f for f in folders if os.path.isdir(f)}, key=len):
        if not any(folder.startswith(outer + "/") for outer in kept):
            kept.append(folder)
    return kept


def _show(source: str, target: str) -> None:
    """Let `source` be seen at `target`, with all that is mounted below it."""
    os.makedirs(target, exist_ok=True)
    linux.mount(source, target, None, linux.MS_BIND | linux.MS_REC)
