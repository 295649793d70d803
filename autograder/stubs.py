"""Makes stubs of the reference: keeps signatures and docstrings, removes solutions."""

import ast
from collections.abc import Mapping

PUBLIC = ("__init__", "forward", "backward", "init_weights", "zero_grads", "step", "train", "eval")


def cut(text: str, names: tuple[str, ...], layer: str) -> str:
    """A file with the classes `names` of the module `text`, with methods that raise NotImplementedError.

    Methods that a class inherits within the file are written into the class itself, as the way in which the reference
    shares code is part of its solution. Classes with a forward derive from Layer, imported from the module `layer`.
    Everything else in the module (imports, helpers, comments) is left out.
    """
    tree = ast.parse(text)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    stubs = [_stub(name, classes) for name in names]
    parts = [_docstring(tree, 0)] if ast.get_docstring(tree) else []
    head = "\n\n".join([*parts, _imports("\n".join(stubs), layer)])
    return head + "\n" + "".join(f"\n\n{stub}\n" for stub in stubs)


def _stub(name: str, classes: Mapping[str, ast.ClassDef]) -> str:
    """One class as students get it."""
    methods = _methods(name, classes)
    head = f"class {name}(Layer):" if "forward" in methods else f"class {name}:"
    lines = [head, _docstring(classes[name], 4)]
    for method in PUBLIC:
        if method in methods:
            lines += ["", _method(methods[method])]
    return "\n".join(lines)


def _methods(name: str, classes: Mapping[str, ast.ClassDef]) -> dict[str, ast.FunctionDef]:
    """A class's methods, with those that it inherits within the file."""
    node = classes[name]
    found: dict[str, ast.FunctionDef] = {}
    for base in _bases(node):
        if base in classes:
            found |= _methods(base, classes)
    return found | {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}


def _bases(node: ast.ClassDef) -> list[str]:
    return [base.id for base in node.bases if isinstance(base, ast.Name)]


def _method(node: ast.FunctionDef) -> str:
    """Its signature, its docstring, and nothing else."""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    lines = [f"    def {node.name}({ast.unparse(node.args)}){returns}:"]
    if ast.get_docstring(node):
        lines.append(_docstring(node, 8))
    return "\n".join([*lines, "        raise NotImplementedError"])


def _docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef, indent: int) -> str:
    """The docstring as the source has it, with its line breaks and drawings."""
    first = node.body[0]
    assert isinstance(first, ast.Expr)
    assert isinstance(first.value, ast.Constant)
    assert isinstance(first.value.value, str)
    return f'{" " * indent}"""{first.value.value}"""'


def _imports(stubs: str, layer: str) -> str:
    """The imports that the signatures need, and NumPy."""
    lines = []
    if "Sequence[" in stubs:
        lines.append("from collections.abc import Sequence")
    if "Any" in stubs:
        lines.append("from typing import Any")
    names = [name for name in ("Array", "InitFn", "Layer") if f"{name}" in stubs]
    known = f"from {layer} import {', '.join(names)}" if names else ""
    return "\n\n".join(part for part in ("\n".join(lines), "import numpy as np", known) if part)
