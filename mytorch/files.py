"""Write files completely or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PRIVATE_MODE = 0o600
"""Permissions of new files that identify people, such as galleries of face embeddings: only the owner reads them."""


@contextmanager
def atomic_write(path: str | os.PathLike[str], private: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and move it to `path` when the block succeeds.

    If the block fails (a full disk, Ctrl-C, an error), the old file stays unchanged and the temporary file is removed.
    A link is followed: the file that it leads to is replaced, and the link stays. An existing file keeps its
    permissions and, where allowed, its owner; a new one gets those of any new file, or PRIVATE_MODE if `private`.
    Raises FileNotFoundError where the folder does not exist, and OSError where `path` is not a regular file (a folder,
    a device, a FIFO).
    """
    target = Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent}: no such folder to write {target.name} in; create it first")
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise OSError(f"{path}: is a {kind_of_file(old.st_mode)}, expected a regular file or a new name")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{target.suffix}")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE if private else 0o666))
        mode = stat.S_IMODE((old or temporary.stat()).st_mode)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        if old is not None:
            with suppress(PermissionError, AttributeError):  # another owner's file, or a system without owners
                os.chown(temporary, old.st_uid, old.st_gid)
        temporary.chmod(mode)  # after chown, which may clear bits; the block may have made a file of its own
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def kind_of_file(mode: int) -> str:
    """Name what a path is, from `st_mode`: "folder", "FIFO", "device", "socket" or "regular file"."""
    kinds = (
        (stat.S_ISDIR, "folder"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISREG, "regular file"),
    )
    return next((name for test, name in kinds if test(mode)), "device")
