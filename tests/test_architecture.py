"""Import rules: which packages may import which, and that `import mytorch` needs NumPy alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mytorch", "models", "experiments", "faces", "autograder")

MAY_IMPORT = {
    "mytorch": {"mytorch"},
    "models": {"models", "mytorch"},
    "experiments": {"experiments", "models", "mytorch"},
    "faces": {"faces", "experiments"},
    "autograder": {"autograder", "models", "mytorch"},
}
"""Which packages the files of a package may import."""

FLOORS = [
    "device memory threads geometry modes random files checkpoint version",
    "ops",
    "nn",
    "optim gradcheck config data summary testing explain onnx",
    "course",
]
"""Inside mytorch: a module imports from its own floor and those before it."""

EXPERIMENTS_FLOORS = [
    "errors runtime progress requirements",
    "metrics files config weights",
    "data plots run",
    "training",
    "inference twin",
    "evaluation submission visualize tools bench doctor",
    "report serve",
    "demo smoke",
    "commands",
    "cli",
]
"""Inside experiments: a file or folder imports from its own floor and those before it, also inside functions."""

LAZY_IN_MYTORCH = {"cupy", "safetensors", "threadpoolctl"}
"""What mytorch imports inside functions alone, apart from NumPy and the standard library."""


def modules(root: Path) -> dict[str, Path]:
    """Every module of the packages under `root`, by its dotted name; a package by its own."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, bool]]:
    """The modules that a file names in its imports, and whether at its top, where they run as it is imported.

    `from package import module` is an import of the module; imports for type checkers alone do not count.
    """

    def visit(node: ast.AST, top: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from ((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                above = package.split(".")[: len(package.split(".")) - child.level + 1] if child.level else []
                module = ".".join([*above, *([child.module] if child.module else [])])
                for alias in child.names:
                    full = f"{module}.{alias.name}"
                    yield (full if full in known else module), top
            yield from visit(child, top and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))

    yield from visit(ast.parse(path.read_text(encoding="utf-8")), True)


def floor(name: str) -> int:
    """The floor of a module of mytorch; the package itself is above all floors."""
    return next((index for index, names in enumerate(FLOORS) if part(name) in names.split()), len(FLOORS))


def part(name: str) -> str:
    """The file or folder directly inside a package that a module belongs to: `data` for experiments.data.pack."""
    return [*name.split("."), ""][1]


def experiments_floor(name: str) -> int | None:
    """The floor of a module of experiments, or None where EXPERIMENTS_FLOORS does not name its part."""
    return next((floor for floor, parts in enumerate(EXPERIMENTS_FLOORS) if part(name) in parts.split()), None)


def experiments_violations(root: Path) -> list[str]:
    """Every import inside experiments that runs upward, and every two parts that import each other."""
    known, wrong = modules(root), []
    edges: dict[tuple[str, str], str] = {}
    for name, path in known.items():
        if not name.startswith("experiments."):
            continue
        if experiments_floor(name) is None:
            wrong.append(f"{name}: EXPERIMENTS_FLOORS does not name {part(name)}")
            continue
        for target, _ in imports(name, path, known):
            if target.startswith("experiments.") and part(target) != part(name):
                edges.setdefault((part(name), part(target)), f"{name} imports {target}")
                if (experiments_floor(target) or 0) > (experiments_floor(name) or 0):
                    wrong.append(f"{name} imports {target}, which is on a higher floor")
    wrong += [
        f"{one} and {other} import each other: {edges[one, other]}, {edges[other, one]}"
        for one, other in edges
        if one < other and (other, one) in edges
    ]
    return wrong


def violations(root: Path) -> list[str]:
    """Every import that breaks a rule, in words."""
    known, wrong = modules(root), experiments_violations(root)
    for name, path in known.items():
        package = name.partition(".")[0]
        for target, top in imports(name, path, known):
            other = target.partition(".")[0]
            if other in PACKAGES and other not in MAY_IMPORT[package]:
                wrong.append(f"{name} imports {target}: {package} may import {sorted(MAY_IMPORT[package])} alone")
            if package == other == "mytorch" and floor(target) > floor(name):
                wrong.append(f"{name} imports {target}, which is on a higher floor")
            if package == "mytorch" and other not in {"mytorch", "numpy", *sys.stdlib_module_names}:
                if other not in LAZY_IN_MYTORCH:
                    wrong.append(f"{name} imports {target}: mytorch needs NumPy alone")
                elif top:
                    wrong.append(f"{name} imports {target} at its top: only inside the function that needs it")
    return wrong


def circle(root: Path) -> list[str]:
    """Modules that import one another in a circle, at their top or inside a function, or nothing."""
    known = modules(root)
    graph = {
        name: {target for target, _ in imports(name, path, known) if target in known and target != name}
        for name, path in known.items()
    }
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name not in done:
            for target in sorted(graph[name]):
                if found := walk(target, [*way, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in graph if (found := walk(name, []))), [])


def test_imports_run_one_way():
    assert len(modules(ROOT)) > 20
    assert violations(ROOT) == []


def test_no_modules_import_one_another_in_a_circle():
    assert circle(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("mytorch/ops/conv.py", "import torch", "mytorch.ops.conv imports torch: mytorch needs NumPy alone"),
        ("mytorch/ops/conv.py", "def f():\n    import torch.nn", "imports torch.nn: mytorch needs NumPy alone"),
        ("mytorch/ops/conv.py", "import cupy", "imports cupy at its top"),
        (
            "mytorch/ops/conv.py",
            "from mytorch.nn.conv import Conv2d",
            "imports mytorch.nn.conv, which is on a higher floor",
        ),
        ("mytorch/ops/conv.py", "from .. import nn", "imports mytorch.nn, which is on a higher floor"),
        ("mytorch/nn/conv.py", "from mytorch.optim import SGD", "mytorch.nn.conv imports mytorch.optim, which is on"),
        ("mytorch/geometry.py", "from mytorch.ops import conv", "imports mytorch.ops.conv, which is on a higher floor"),
        ("mytorch/nn/conv.py", "def f():\n    import models", "mytorch may import ['mytorch'] alone"),
        ("models/a.py", "from experiments import recipe", "models may import ['models', 'mytorch'] alone"),
        ("experiments/a.py", "import autograder.checks", "experiments.a imports autograder.checks"),
        ("autograder/a.py", "import experiments", "autograder.a imports experiments"),
        (
            "experiments/data/a.py",
            "import experiments.training.b",
            "experiments.training.b, which is on a higher floor",
        ),
        (
            "experiments/data/a.py",
            "def f():\n    from experiments import cli",
            "imports experiments.cli, which is on a",
        ),
        ("experiments/outputs/a.py", "import json", "EXPERIMENTS_FLOORS does not name outputs"),
    ],
)
def test_planted_violation_is_found(tmp_path, file, line, message):
    for name in ("__init__", "nn/__init__", "nn/conv", "ops/__init__", "ops/conv", "optim/__init__"):
        path = tmp_path / "mytorch" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True, parents=True)
    for name in ("cli", "training/b"):
        (tmp_path / "experiments" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "experiments" / f"{name}.py").touch()
    assert violations(tmp_path) == []
    path.write_text(f"{line}\n")
    assert any(message in found for found in violations(tmp_path)), violations(tmp_path)


def test_two_folders_that_import_each_other_are_found(tmp_path):
    for name, line in {"data/a": "import experiments.plots.b", "plots/b": "", "plots/c": "", "data/d": ""}.items():
        path = tmp_path / "experiments" / f"{name}.py"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(f"{line}\n")
    assert violations(tmp_path) == []
    (tmp_path / "experiments/plots/c.py").write_text("def f():\n    from experiments.data import d\n")
    (found,) = violations(tmp_path)
    assert found.startswith("data and plots import each other: experiments.data.a imports experiments.plots.b")


def test_planted_circle_is_found_behind_a_lazy_import_too(tmp_path):
    (tmp_path / "models").mkdir()
    for name, line in {"a": "from models import b", "b": "import models.c", "c": "from models.a import x"}.items():
        (tmp_path / "models" / f"{name}.py").write_text(f"{line}\n")
    assert circle(tmp_path) == ["models.a", "models.b", "models.c", "models.a"]
    (tmp_path / "models" / "c.py").write_text("def f():\n    import models.a\n")
    assert circle(tmp_path) == ["models.a", "models.b", "models.c", "models.a"]
    (tmp_path / "models" / "c.py").write_text("import numpy\n")
    assert circle(tmp_path) == []


ALONE = """
import importlib, pkgutil, sys

class NumPyAlone:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {"mytorch", "numpy"} and top not in sys.stdlib_module_names:
            raise ImportError(f"{name}: mytorch needs NumPy alone")

sys.meta_path.insert(0, NumPyAlone())
import mytorch

names = [module.name for module in pkgutil.walk_packages(mytorch.__path__, "mytorch.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def alone(folder: Path) -> subprocess.CompletedProcess[str]:
    """Import every module of mytorch in `folder` where nothing but NumPy and the standard library can be found."""
    return subprocess.run([sys.executable, "-c", ALONE], cwd=folder, capture_output=True, text=True, check=False)


def test_import_mytorch_needs_numpy_alone():
    run = alone(ROOT)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) == sum(name.startswith("mytorch.") for name in modules(ROOT))


def test_import_of_anything_else_is_found(tmp_path):
    (tmp_path / "mytorch").mkdir()
    (tmp_path / "mytorch" / "__init__.py").touch()
    (tmp_path / "mytorch" / "deep.py").write_text("import torch\n")
    assert "torch: mytorch needs NumPy alone" in alone(tmp_path).stderr
