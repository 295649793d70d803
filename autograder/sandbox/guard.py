"""Forbidden imports: refused, and reported to the keeper before the submission can do anything about it.

Two fences. A finder at the head of `sys.meta_path` sees what is imported by name, whoever asks (an import statement,
importlib, exec, `__import__`). An audit hook, which Python cannot take off again, sees the same statements once more,
and files opened inside a forbidden package. In the jail the packages are not there at all, so what slips past both
finds nothing. A copy of a package under another name is not recognised as one.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

_REFUSED_EVENTS = {
    "os.exec": "starts another program",
    "os.posix_spawn": "starts another program",
    "os.system": "starts another program",
    "subprocess.Popen": "starts another program",
    "os.fork": "starts another process",
    "os.forkpty": "starts another process",
    "socket.connect": "opens a network connection",
    "socket.bind": "opens a network connection",
    "socket.getaddrinfo": "opens a network connection",
    "socket.gethostbyname": "opens a network connection",
    "os.kill": "sends a signal to a process",
    "os.killpg": "sends a signal to a process",
    "gc.get_objects": "searches the interpreter's objects",
    "gc.get_referrers": "searches the interpreter's objects",
}


class ForbiddenImport(ImportError):
    """An import that the rubric does not allow."""


def is_forbidden(name: str, forbidden: Sequence[str]) -> bool:
    """Whether the module `name` is one of the forbidden ones, or inside one."""
    return any(name == entry or name.startswith(entry + ".") for entry in forbidden)


def arm(forbidden: Sequence[str], hidden: Sequence[str], report: Callable[[str, str], None]) -> None:
    """Watch this process from now on; `report(kind, text)` is called with each violation, before it is refused.

    forbidden: dotted names. hidden: folders that may not be read, at real paths.
    """
    names = tuple(forbidden)
    prefixes = tuple(os.path.join(folder, "") for folder in hidden)
    refused = dict(_REFUSED_EVENTS)
    is_text, starts = str, str.startswith  # own references: a submission may replace what it finds in builtins
    fspath, realpath = os.fspath, os.path.realpath

    def refuse_import(name: str) -> None:
        report("import", name)
        raise ForbiddenImport(f"{name} may not be imported in this assignment")

    class Finder:
        """Refuses forbidden names, leaves all others to Python."""

        def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
            """None, or ForbiddenImport."""
            if is_forbidden(name, names):
                refuse_import(name)
            return None

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "import":
            if args and isinstance(args[0], is_text) and is_forbidden(args[0], names):
                refuse_import(args[0])
        elif event == "open":
            path = args[0] if args else None
            if prefixes and isinstance(path, str | bytes | os.PathLike):
                text = realpath(fspath(path))
                text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                if starts(text, prefixes):
                    report("open", text)
                    raise PermissionError(f"{text} may not be read in this assignment")
        elif event in refused:
            report("act", refused[event])
            raise PermissionError(f"a submission may not do this: it {refused[event]}")

    for name in [name for name in sys.modules if is_forbidden(name, names)]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder())
    sys.addaudithook(hook)
