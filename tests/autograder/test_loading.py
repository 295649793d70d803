"""A submission's modules are found and run whatever its layout, and what fails on import is named."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.discovery import find
from autograder.grading import Options, grade
from autograder.rubric import Rubric
from autograder.sandbox.loading import Loader

_UP = """import numpy as np
class Upsample1d:
    def __init__(self, k): self.k = k
    def forward(self, A):
        Z = np.zeros((*A.shape[:2], self.k * (A.shape[2] - 1) + 1), A.dtype)
        Z[..., :: self.k] = A
        return Z
    def backward(self, dLdZ): return dLdZ[..., :: self.k]
"""

Load = Callable[[dict[str, str], str], Any]


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Writes files, and loads the value of X from one of them."""
    modules, finders = set(sys.modules), list(sys.meta_path)

    def one(files: dict[str, str], file: str) -> Any:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        loader = Loader(str(tmp_path), find(tmp_path, ()).folders)
        value = loader.load(file, "X")
        return value if not loader.notes else (value, loader.notes)

    yield one
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("files", "file"),
    [
        ({"a/b/c.py": "from a.d import X", "a/d.py": "X = 1"}, "a/b/c.py"),
        ({"a/b/c.py": "from d import *", "a/d.py": "X = 1"}, "a/b/c.py"),
        ({"a/b/c.py": "from ..d import X", "a/d.py": "X = 1"}, "a/b/c.py"),
        ({"c.py": "from .d import X", "d.py": "X = 1"}, "c.py"),
        ({"x y/c.py": "from .d import X", "x y/d.py": "X = 1"}, "x y/c.py"),
        ({"hw/hw.py": "from hw.d import X", "hw/d.py": "X = 1"}, "hw/hw.py"),
        ({"hw/d.py": "from hw import X", "hw/hw.py": "X = 1"}, "hw/d.py"),
        ({"c.py": "from hw.hw import X", "hw/hw.py": "X = 1"}, "c.py"),
        ({"new/c.py": "from d import X", "new/d.py": "X = 1", "backup/d.py": "X = 2"}, "new/c.py"),
        ({"z/c.py": "from d import X", "z/d.py": "X = 1", "a/d.py": "X = 2"}, "z/c.py"),
        ({"old/c.py": "from d import X", "new/d.py": "X = 2", "old/d.py": "X = 1"}, "old/c.py"),
        ({"v1.2.py": "X = 1"}, "v1.2.py"),
        ({"my (1).py": "import d; X = d.X", "d.py": "X = 1"}, "my (1).py"),
        ({"select.py": "X = 1"}, "select.py"),
        ({"random.py": "X = 2", "c.py": "import random; X = int(random.random() < 2)"}, "c.py"),
        ({"c.py": "def f():\n    from d import X\n    return X\nX = f()", "s/d.py": "X = 1"}, "c.py"),
        ({"c.py": "from __future__ import annotations\ndef f(a: Nothing): return 1\nX = f(1)"}, "c.py"),
        ({"c.py": "%matplotlib inline\nX = 1"}, "c.py"),
    ],
)
def test_imports_between_files(files: dict[str, str], file: str, load: Load) -> None:
    assert load(files, file) == 1


@pytest.mark.parametrize(
    ("files", "note"),
    [
        (
            {"p/__init__.py": "import nothing", "p/c.py": "X = 1"},
            "p/__init__.py:1 was skipped: ModuleNotFoundError",
        ),
        ({"p/__init__.py": "def (", "p/c.py": "X = 1"}, "p/__init__.py:1 was skipped: SyntaxError"),
        ({"p/c.py": "X = 1\nopen('no such file')"}, "p/c.py:2 was skipped: FileNotFoundError"),
        ({"p/c.py": "X = 1\nexit()"}, "p/c.py:2 was skipped: "),
        ({"p/c.py": "from p.d import y\nX = 1", "p/d.py": "1 / 0"}, "p/d.py:1 was skipped: ZeroDivisionError"),
    ],
)
def test_what_fails_on_import_is_skipped_and_named(files: dict[str, str], note: str, load: Load) -> None:
    value, notes = load(files, "p/c.py")
    assert value == 1
    assert any(text.startswith(note) for text in notes), notes


def test_what_a_missing_class_failed_by_is_raised(load: Load) -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        load({"c.py": "from nowhere import Base\nclass X(Base): pass\n"}, "c.py")


def test_a_forbidden_import_is_named_with_its_line_and_the_rest_is_graded(tmp_path: Path, default: Rubric) -> None:
    (tmp_path / "up.py").write_text(f"x = 1\nfrom torch import nn\n{_UP}")
    only = Options(only=("Upsample1d",))
    (test,) = grade(tmp_path, default, only).tests
    assert (test.status, test.earned) == ("passed", test.points)
    assert "torch (up.py:2)" in "".join(test.remarks)

    for cost in (0.2, 1.0):
        priced = default.model_copy(update={"forbidden_import_cost": cost})
        (test,) = grade(tmp_path, priced, only).tests
        assert test.earned == pytest.approx(test.points * (1 - cost))
        assert f"costs {cost:.0%}" in "".join(test.remarks)


def test_a_class_that_uses_a_forbidden_package_fails_by_name(tmp_path: Path, default: Rubric) -> None:
    (tmp_path / "up.py").write_text("import torch\n" + _UP.replace("np.zeros", "torch.zeros"))
    (test,) = grade(tmp_path, default, Options(only=("Upsample1d",))).tests
    assert test.earned == 0
    assert "forbids importing torch (up.py:1)" in "".join(test.remarks)
    assert {part.hint_key for part in test.parts if part.hint_key} == {"forbidden_name"}


def test_a_file_that_misses_its_package_says_what_is_missing(tmp_path: Path, default: Rubric) -> None:
    file = tmp_path / "resampling.py"
    text = _UP.replace("class Upsample1d:", "class Upsample1d(Layer):")
    file.write_text(f"from mytorch.nn.layer import Layer\n{text}")
    (test,) = grade(file, default, Options(only=("Upsample1d",))).tests
    assert test.earned == 0
    assert "resampling.py:1" in "".join([*test.remarks, *(part.failure for part in test.parts)])
    assert "mytorch" in "".join(part.failure for part in test.parts)
    assert {part.hint_key for part in test.parts if part.hint_key} == {"module_missing"}
