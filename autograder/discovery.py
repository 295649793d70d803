"""Finds the contract's classes in a submission by reading it, without running any of it."""

import ast
import dataclasses
import os
import re
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from autograder.contract import FILES

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
    stub: bool  # whether every method of it still raises NotImplementedError

    @property
    def module(self) -> str:
        """The dotted name under which the worker imports the file."""
        parts = [*self.file.parts[:-1], self.file.stem]
        return ".".join(parts[_first_importable(self.file.parts[:-1]) :])

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Found:
    """What a submission offers."""

    classes: dict[str, Definition]
    others: dict[str, list[Definition]]  # the definitions that were passed over
    looked_in: list[PurePosixPath]
    unreadable: dict[PurePosixPath, str]  # file: why
    search_path: list[str]  # folders, relative to the submission, from which its imports are served

    def where(self) -> str:
        """Where the search went, in words."""
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
        search_path=_search_path([*looked_in, *unreadable]),
    )


def python_files(folder: Path) -> list[PurePosixPath]:
    """Its Python files in a fixed order; links, hidden folders and what tools leave behind are passed over."""
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
    return ast.parse(path.read_bytes(), str(path.name))


def _reason(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    return str(error) or type(error).__name__


def _definitions(tree: ast.Module, file: PurePosixPath) -> Iterable[Definition]:
    """Classes at the top level, also inside `if`, `try` and `with`, and names bound to something: `Conv1d = Mine`."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.ClassDef):
            yield Definition(node.name, file, node.lineno, _is_stub(node))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield Definition(target.id, file, node.lineno, stub=False)
        elif isinstance(node, ast.If | ast.Try | ast.With):
            pending += [child for child in ast.walk(node) if isinstance(child, ast.ClassDef | ast.Assign)]


def _is_stub(node: ast.ClassDef) -> bool:
    """Whether no method does more than raise NotImplementedError; a class without methods may inherit them."""
    methods = [child for child in node.body if isinstance(child, ast.FunctionDef) and child.name != "__init__"]
    return bool(methods) and all("NotImplementedError" in ast.dump(method.body[-1]) for method in methods)


def _rank(definition: Definition) -> tuple[bool, bool, bool, int, str, int]:
    """Smaller is the likelier definition: one that is written, not set aside, named as expected, near the top, last."""
    file, expected = definition.file, _EXPECTED.get(definition.name)
    likely = expected is not None and (file.stem.lower() in (expected.stem, definition.name.lower()))
    aside = any(_SET_ASIDE.search(part.removesuffix(".py")) for part in file.parts)
    return definition.stub, aside, not likely, len(file.parts), str(file), -definition.line


def _first_importable(folders: tuple[str, ...]) -> int:
    """Where the dotted name begins: behind the last folder whose name Python cannot import."""
    return max((i + 1 for i, name in enumerate(folders) if not name.isidentifier()), default=0)


def _search_path(files: Iterable[PurePosixPath]) -> list[str]:
    """Every folder that holds Python files and every folder above one, nearest to the top first.

    So all of these work: `from mytorch.nn.linear import Linear`, `from nn.conv import *`, `from resampling import *`.
    """
    folders = {str(parent) for file in files for parent in file.parents}
    return sorted(folders, key=lambda folder: (folder != ".", folder.count("/"), folder))
