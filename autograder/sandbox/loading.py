"""Imports a submission of any layout: by file, with imports between its files, whatever its folders are called.

Students run their code from many folders, so an import may be written from any of them: `from mytorch.nn.linear import
Linear`, `from nn.linear import Linear`, `from linear import *`. A finder looks for such a name next to the importing
file first, then in every folder of the submission, with those that look like copies and backups last. Names of Python's
own modules stay Python's: a `random.py` in a submission does not break NumPy.

A module runs statement by statement. A statement that raises, such as a forbidden import or a demonstration at the end
of a file, is skipped and noted, and the rest still runs.
"""

import ast
import dis
import importlib
import importlib.util
import os
import re
import sys
import types
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

ROOT_PACKAGE = "handin"
"""The package that represents the submission's top folder, for files that no ordinary name reaches."""

_MAGIC = re.compile(rb"^(\s*)[%!].*$", re.M)
_KEPT = frozenset({"numpy"})


def parse(text: bytes, name: str) -> ast.Module:
    """The syntax tree of a Python file. Lines that only notebooks understand (`%matplotlib inline`) are ignored.

    Raises SyntaxError, ValueError, RecursionError or MemoryError if the file cannot be parsed.
    """
    try:
        return ast.parse(text, name)
    except SyntaxError:
        cleaned = _MAGIC.sub(rb"\1pass", text)
        if cleaned == text:
            raise
        return ast.parse(cleaned, name)


class Loader:
    """A finder and loader for one submission. Creating it puts it into `sys.meta_path`.

    root: the submission's folder. folders: the folders below it that hold Python files, relative, each with whether it
    looks like a copy or a backup.
    """

    def __init__(self, root: str, folders: Sequence[Sequence[Any]]) -> None:
        self.root = os.path.abspath(root)
        self.folders = [
            (os.path.normpath(os.path.join(self.root, folder)), bool(aside), str(folder)) for folder, aside in folders
        ]
        self.notes: list[str] = []
        self._failures: dict[str, BaseException] = {}
        self._acting_from = ""
        sys.meta_path.insert(0, self)

    def load(self, file: str, attribute: str) -> Any:
        """An attribute of a module of the submission.

        Raises what the module's first failing statement raised if the attribute is missing, or AttributeError.
        """
        path = os.path.join(self.root, file)
        module = self._module(path, file)
        if not hasattr(module, attribute) and path in self._failures:
            raise self._failures[path]
        return getattr(module, attribute)

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        """Where a module of the submission is; None for modules that are not the submission's."""
        if path is not None:
            inside = [entry for entry in path if _is_inside(entry, self.root)]
            return self._below(name, inside) if inside else None
        importer = self._acting_from or self._importer()
        if not importer or name in _KEPT:
            return None
        if name in sys.stdlib_module_names:
            return None if name in sys.modules else self._below(name, [importer], packages=False)
        return self._anywhere(name, importer)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType | None:
        """Python's default module."""
        return None

    def exec_module(self, module: types.ModuleType) -> None:
        """Run a module's file, one statement after the other. SyntaxError if it cannot be parsed."""
        spec = module.__spec__
        path = spec.origin if spec else None
        if path is None or not path.endswith(".py"):
            return
        try:
            with open(path, "rb") as file:
                tree = parse(file.read(), path)
        except (SyntaxError, ValueError, OSError) as error:
            if os.path.basename(path) != "__init__.py":
                raise
            self._note(path, getattr(error, "lineno", 0) or 0, error)
            return
        flags = _future_flags(tree)
        if ast.get_docstring(tree) is not None:
            module.__doc__ = ast.get_docstring(tree)
        for node in tree.body:
            try:
                code = compile(ast.Module([node], []), path, "exec", flags=flags, dont_inherit=True)
                exec(code, module.__dict__)
            except (Exception, SystemExit) as error:
                self._failures.setdefault(path, error)
                self._note(path, node.lineno, error)

    def _note(self, path: str, line: int, error: BaseException) -> None:
        try:
            text = str(error)[:200]
        except Exception:  # an exception that cannot be printed
            text = ""
        self.notes.append(f"{os.path.relpath(path, self.root)}:{line} was skipped: {type(error).__name__}: {text}")

    def _module(self, path: str, file: str) -> types.ModuleType:
        """The module of a file, under its ordinary name if that leads to this file."""
        name = self._ordinary_name(path, file)
        if name:
            self._acting_from = os.path.dirname(path)
            try:
                return importlib.import_module(name)
            finally:
                self._acting_from = ""
        return self._rooted(path, file)

    def _ordinary_name(self, path: str, file: str) -> str:
        """The dotted name by which the submission's own files import this file, or ""."""
        *folders, stem = file.removesuffix(".py").split("/")
        first = max((i + 1 for i, folder in enumerate(folders) if not folder.isidentifier()), default=0)
        parts = [*folders[first:], stem]
        if not stem.isidentifier() or parts[0] in sys.stdlib_module_names or parts[0] in _KEPT:
            return ""
        if _relative_depth(path) > len(parts) - 1:
            return ""
        spec = self._anywhere(parts[0], os.path.dirname(path))
        for i in range(1, len(parts)):
            if spec is None or spec.submodule_search_locations is None:
                return ""
            spec = self._below(".".join(parts[: i + 1]), spec.submodule_search_locations)
        return ".".join(parts) if spec is not None and spec.origin == path else ""

    def _rooted(self, path: str, file: str) -> types.ModuleType:
        """The module of a file as part of a package for the whole submission, so that relative imports work."""
        *folders, stem = file.removesuffix(".py").split("/")
        name, folder = ROOT_PACKAGE, self.root
        self._make(ModuleSpec(name, self), name, [folder])  # type: ignore[arg-type]
        for part in folders:
            name, folder = f"{name}.{part.replace('.', '_')}", os.path.join(folder, part)
            init = os.path.join(folder, "__init__.py")
            self._make(self._spec(name, init if os.path.isfile(init) else None, [folder]), name, [folder])
        name = f"{name}.{stem.replace('.', '_')}"
        return self._make(self._spec(name, path, None), name, None)

    def _make(self, spec: ModuleSpec, name: str, locations: list[str] | None) -> types.ModuleType:
        """The module of this name, created and run if it does not exist."""
        if name in sys.modules:
            return sys.modules[name]
        spec.submodule_search_locations = locations
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        self.exec_module(module)
        parent, _, tail = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], tail, module)
        return module

    def _anywhere(self, name: str, importer: str) -> ModuleSpec | None:
        """A top-level module or package, nearest to the importing file first.

        A folder without `__init__.py` and a file of the same name may both exist (hw2/hw2.py): the module is both.
        """
        file, locations, found = None, list[str](), False
        for folder in self._search_order(importer):
            candidate, own = _candidate(folder, name)
            if candidate and file is None:
                file, locations, found = candidate, [*own, *locations], True
            elif own and (not candidate):
                locations, found = [*locations, *own], True
        return self._spec(name, file, locations or None) if found else None

    def _below(self, name: str, places: Sequence[str], packages: bool = True) -> ModuleSpec | None:
        """A module in one of these folders."""
        tail = name.rpartition(".")[2]
        for place in places:
            file, own = _candidate(place, tail)
            if file or (own and packages):
                return self._spec(name, file, own or None)
        return None

    def _spec(self, name: str, file: str | None, locations: list[str] | None) -> ModuleSpec:
        spec = ModuleSpec(name, self, origin=file, is_package=locations is not None)  # type: ignore[arg-type]
        spec.submodule_search_locations = locations
        spec.has_location = file is not None
        return spec

    def _search_order(self, importer: str) -> list[str]:
        """All folders: backups last unless the importing file is in one, then by nearness, depth and name."""

        def rank(entry: tuple[str, bool, str]) -> tuple[bool, bool, int, int, str]:
            folder, aside, name = entry
            shared = len(os.path.commonpath([folder, importer]))
            return folder != importer, aside and not _is_inside(importer, folder), -shared, name.count("/"), name

        return [folder for folder, _, _ in sorted(self.folders, key=rank)]

    def _importer(self) -> str:
        """The folder of the submission's file whose import is running, or "" if another file imports."""
        for path in importing_files():
            return os.path.dirname(path) if _is_inside(path, self.root) else ""
        return ""


def importing_line(root: str) -> tuple[str, bool]:
    """The submission's file and line that is running, and whether it is an import statement.

    An import by other means, such as `__import__("to" + "rch")`, is none.
    """
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if _is_inside(code.co_filename, root):
            plain = dis.opname[code.co_code[frame.f_lasti]].startswith("IMPORT_")
            return f"{os.path.relpath(code.co_filename, root)}:{frame.f_lineno}", plain
        frame = frame.f_back
    return "", False


def importing_files() -> Iterator[str]:
    """The files of the running frames, innermost first, without the import machinery and the sandbox's own."""
    frame: types.FrameType | None = sys._getframe(1)
    own = os.path.dirname(__file__)
    while frame is not None:
        path = frame.f_code.co_filename
        if not path.startswith("<") and not path.endswith("importlib/__init__.py") and os.path.dirname(path) != own:
            yield path
        frame = frame.f_back


def _candidate(folder: str, name: str) -> tuple[str | None, list[str]]:
    """The file that an import of `name` runs, if any, and the folders of its submodules."""
    place = os.path.join(folder, name)
    own = [place] if os.path.isdir(place) else []
    for file in (os.path.join(place, "__init__.py"), f"{place}.py"):
        if os.path.isfile(file):
            return file, own
    return None, own


def _relative_depth(path: str) -> int:
    """How many folders up a file's relative imports reach."""
    try:
        with open(path, "rb") as file:
            tree = parse(file.read(), path)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return 0
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def _future_flags(tree: ast.Module) -> int:
    """Compiler flags of the file's `from __future__ import ...`."""
    import __future__

    names = [
        alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    return sum({getattr(__future__, name).compiler_flag for name in names if name in __future__.all_feature_names})


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
