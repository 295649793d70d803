"""Refuses forbidden imports, and reports each to the keeper before the submission can do anything about it.

Two barriers. A finder at the head of `sys.meta_path` sees every import by name, whatever makes it (an import statement,
importlib, exec, `__import__`). An audit hook, which Python cannot remove again, sees the same imports once more, and
the files that are opened. Only the libraries that the rubric lists can be imported at all. In the jail the others are
not there, so what passes both barriers finds nothing. A copy of a package under another name is not recognized.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import FrameType
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


def arm(
    forbidden: Sequence[str],
    modules: Sequence[str],
    installed: Sequence[str],
    readable: Sequence[str] | None,
    closed: Sequence[str],
    report: Callable[[str, str], None],
) -> None:
    """Watch this process from now on; `report(kind, text)` is called with each violation, before it is refused.

    forbidden: dotted names. modules: the top-level names that may be imported from the folders `installed`, where
    libraries are. readable: what may be read in these, or None where the kernel sees to that. closed: folders whose
    reading is a violation. All folders are given at real paths.
    """
    names, allowed = tuple(forbidden), frozenset(modules)
    sites = tuple(os.path.join(folder, "") for folder in installed)
    violated = tuple(os.path.join(folder, "") for folder in closed)
    open_paths = None if readable is None else tuple(readable)
    standard = os.path.join(os.path.dirname(os.__file__), "")
    refused = dict(_REFUSED_EVENTS)
    is_text, starts = str, str.startswith  # own references: a submission may replace what it finds in builtins
    fspath, realpath = os.fspath, os.path.realpath

    def refuse_import(name: str) -> None:
        report("import", name)
        raise ForbiddenImport(f"{name} may not be imported in this assignment")

    class Finder:
        """Refuses forbidden names and libraries that are not listed, and leaves all others to Python."""

        def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
            """None, or ImportError."""
            if is_forbidden(name, names):
                refuse_import(name)
            if "." in name or name in allowed or name in sys.stdlib_module_names:
                return None
            found = PathFinder.find_spec(name, path)
            places = [found.origin or "", *(found.submodule_search_locations or ())] if found else []
            if any(starts(realpath(place), sites) for place in places):
                raise ForbiddenImport(f"{name} is not one of the libraries that this assignment allows")
            return None

    def from_library() -> bool:
        """Whether an installed library does this of itself, as matplotlib does to look for fonts."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            file = frame.f_code.co_filename
            if starts(file, sites):
                return True
            if not starts(file, (standard, "<frozen")):
                return False
            frame = frame.f_back
        return False

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "import":
            if args and isinstance(args[0], is_text) and is_forbidden(args[0], names):
                refuse_import(args[0])
        elif event == "open":
            path = args[0] if args else None
            if isinstance(path, str | bytes | os.PathLike):
                text = realpath(fspath(path))
                text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                if starts(text, violated):
                    report("open", text)
                    raise PermissionError(f"{text} may not be read in this assignment")
                if open_paths is not None and starts(text, sites) and not starts(text, open_paths):
                    raise PermissionError(f"{text} may not be read in this assignment")
        elif event in refused:
            if not from_library():
                report("act", refused[event])
            raise PermissionError(f"a submission may not do this: it {refused[event]}")

    for name in [name for name in sys.modules if is_forbidden(name, names)]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder())
    sys.addaudithook(hook)
