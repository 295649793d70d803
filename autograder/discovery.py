"""Finds the contract's classes in a submission by reading it, without running any of it."""

import ast
import dataclasses
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from autograder.contract import FILES
from autograder.sandbox.loading import parse

_MAX_SOURCE = 2 << 20
_SET_ASIDE = re.compile(
    r"(^|[._\- ])(old|backup|bak|copy|draft|tests?|sandbox|autograder|solutions?)([._\- \d]|$)", re.I
)
_EXPECTED = {name: PurePosixPath(file) for file, names in FILES.items() for name in names}


@dataclasses.dataclass(frozen=True)
class Definition:
    """One place that defines a class."""

    name: str
    file: PurePosixPath  # relative to the submission
    line: int
    stub: bool  # whether no method is written yet
    imported: bool = False  # whether it is an import under this name

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Found:
    """What a submission offers."""

    classes: dict[str, Definition]
    others: dict[str, list[Definition]]  # definitions that are not graded
    looked_in: list[PurePosixPath]
    unreadable: dict[PurePosixPath, str]  # file: why
    folders: list[tuple[str, bool]]  # those with Python files, relative; whether each looks like a copy or a backup

    def where(self) -> str:
        """Where the classes were searched, in words."""
        if not self.looked_in and not self.unreadable:
            return "there is no Python file in the submission"
        files = [str(file) for file in self.looked_in]
        text = f"looked in {', '.join(files[:8])}" + (f" and {len(files) - 8} more" if len(files) > 8 else "")
        broken = [f"{file} cannot be read ({why})" for file, why in self.unreadable.items()]
        return "; ".join([text, *broken] if files else broken)


def find(folder: Path, names: Collection[str]) -> Found:
    """The classes called `names` in the Python files below `folder`."""
    candidates: dict[str, list[Definition]] = {}
    looked_in, unreadable = [], {}
    for file in python_files(folder):
        try:
            tree = _parse(folder / file)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            unreadable[file] = _reason(error)
            continue
        looked_in.append(file)
        for definition in _definitions(tree, file):
            if definition.name in names:
                candidates.setdefault(definition.name, []).append(definition)
    ranked = {name: sorted(places, key=_rank) for name, places in candidates.items()}
    return Found(
        classes={name: places[0] for name, places in ranked.items()},
        others={name: places[1:] for name, places in ranked.items() if places[1:]},
        looked_in=looked_in,
        unreadable=unreadable,
        folders=_folders([*looked_in, *unreadable]),
    )


def python_files(folder: Path) -> list[PurePosixPath]:
    """Its Python files in a fixed order, without links, hidden folders and environments."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith((".", "__")) and f not in ("site-packages", "venv"))
        for name in sorted(files):
            path = Path(parent, name)
            if name.endswith(".py") and not name.startswith(".") and not path.is_symlink():
                found.append(PurePosixPath(path.relative_to(folder).as_posix()))
    return found


def _parse(path: Path) -> ast.Module:
    if path.stat().st_size > _MAX_SOURCE:
        raise ValueError(f"more than {_MAX_SOURCE >> 20} MiB")
    return parse(path.read_bytes(), path.name)


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return str(error) or type(error).__name__


def _definitions(tree: ast.Module, file: PurePosixPath) -> Iterable[Definition]:
    """Names that a module defines at the top level, also inside `if`, `try` and `with`.

    These are classes, names bound to something (`Conv1d = Mine`) and imports under another name
    (`from mine import Up as Upsample1d`).
    """
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.ClassDef):
            yield Definition(node.name, file, node.lineno, is_stub(node))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and node.value is not None:
                    yield Definition(target.id, file, node.lineno, stub=False)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if alias.asname and alias.asname != alias.name:
                    yield Definition(alias.asname, file, node.lineno, stub=False, imported=True)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            kinds = ast.ClassDef | ast.Assign | ast.AnnAssign | ast.ImportFrom
            pending += [child for child in ast.walk(node) if isinstance(child, kinds)]


def is_stub(node: ast.ClassDef) -> bool:
    """Whether no method is written yet. A class without methods may inherit them and is no stub."""
    methods = [child for child in node.body if isinstance(child, ast.FunctionDef) and child.name != "__init__"]
    return bool(methods) and all(_is_empty(method) for method in methods)


def _is_empty(method: ast.FunctionDef) -> bool:
    """Whether a method only raises NotImplementedError, passes, or returns None."""
    empty = {"NotImplemented"}  # names that hold nothing
    for node in method.body:
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()) | ast.Return(value=None | ast.Constant(value=None)):
                continue
            case ast.Raise() if "NotImplemented" in ast.dump(node):
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=None)):
                empty.add(name)
            case ast.Return(value=ast.Name(id=name)) if name in empty:
                continue
            case _:
                return False
    return True


def _rank(definition: Definition) -> tuple[bool, bool, bool, bool, int, str, int]:
    """Smaller is more likely: written, not a copy, defined here, named as expected, near the top, last in its file."""
    file, expected = definition.file, _EXPECTED.get(definition.name)
    likely = expected is not None and (file.stem.lower() in (expected.stem, definition.name.lower()))
    aside = any(_SET_ASIDE.search(part.removesuffix(".py")) for part in file.parts)
    return (
        definition.stub,
        aside,
        definition.imported,
        not likely,
        len(file.parts),
        str(file),
        -definition.line,
    )


def _folders(files: Iterable[PurePosixPath]) -> list[tuple[str, bool]]:
    """Every folder that holds Python files, and every folder above one."""
    folders = {parent for file in files for parent in file.parents}
    return [(str(folder), any(_SET_ASIDE.search(part) for part in folder.parts)) for folder in sorted(folders)]
