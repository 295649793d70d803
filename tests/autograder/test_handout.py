"""The students' copy: complete, runnable, worth nothing, and without a line of the solution."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder import reference
from autograder.contract import CLASSES, FILES
from autograder.grading import grade
from autograder.handout import write
from autograder.reference import MODELS, sources
from autograder.render import table
from autograder.rubric import Rubric


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, default: Rubric, earlier: Rubric) -> Path:
    out = tmp_path_factory.mktemp("handout") / "students"
    write(out, default, earlier)
    return out


def _solution() -> Iterator[tuple[str, str]]:
    """Every line of a function's body in the reference, docstrings and layer.py aside, which students get."""
    course = {name: text for name, text in sources("mytorch.course").items() if name not in ("layer.py", "__init__.py")}
    models = {name: text for name, text in sources("models.scratch").items() if name in MODELS}
    for name, text in {**course, **models}.items():
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.FunctionDef):
                continue
            body = node.body[1:] if ast.get_docstring(node) else node.body
            for statement in body:
                for line in lines[statement.lineno - 1 : statement.end_lineno]:
                    stripped = line.split("  #")[0].strip()
                    # A lone bracket or an argument on its own line says nothing.
                    if len(stripped) >= 10 and not stripped.startswith("#"):
                        yield name, stripped


def test_no_line_of_the_solution_is_in_it(copy: Path) -> None:
    own = {copy / "mytorch/nn/layer.py", *(copy / "tests").rglob("*.py"), *(copy / "sandbox").rglob("*.py")}
    given = {
        line.strip() for path in copy.rglob("*.py") if path not in own for line in path.read_text().splitlines()
    } - {line.strip() for line in sources("mytorch.course")["layer.py"].splitlines()}
    solution = list(_solution())
    assert len(solution) > 300
    assert [line for line in solution if line[1] in given] == []


def test_nothing_of_it_is_in_the_scripts_either(copy: Path) -> None:
    text = "\n".join(path.read_text() for path in [*copy.glob("sandbox/*.py"), copy / "tests" / "run.py"])
    for telling in ("sliding_window_view", "einsum", ".argmax", "logaddexp", "np.pad", ".mean(axis"):
        assert telling not in text


def test_every_class_and_formula_is_there(copy: Path) -> None:
    found = {}
    for file, names in FILES.items():
        tree = ast.parse((copy / file).read_text())
        found |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in names}
    assert set(found) == CLASSES
    for node in found.values():
        assert ast.get_docstring(node)
        for method in node.body[1:]:
            assert isinstance(method, ast.FunctionDef)
            assert "NotImplementedError" in ast.unparse(method.body[-1])
            assert len(method.body) == 1 + bool(ast.get_docstring(method))
    assert "Σ_c Σ_k" in (copy / "mytorch/nn/conv1d.py").read_text()


def test_as_cut_it_scores_zero_and_says_why(copy: Path, default: Rubric, earlier: Rubric) -> None:
    for rubric in (default, earlier):
        report = grade(copy, rubric)
        assert (report.mark, report.extra, report.missing) == (0, 0, [])
        assert {test.status for test in report.tests} == {"unwritten"}
        assert table.text(report).count("Not written yet") == 1


@pytest.mark.slow
def test_solved_it_passes_its_own_tests_and_ours(copy: Path, tmp_path: Path, default: Rubric, earlier: Rubric) -> None:
    """The round trip: the reference put in the stubs' place earns 100, and the visible tests pass."""
    for path in sorted(copy.rglob("*")):
        if path.is_file():
            target = tmp_path / path.relative_to(copy)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    for name, text in sources("mytorch.course").items():
        (tmp_path / "mytorch" / "nn" / name).write_text(text.replace("mytorch.course", "mytorch.nn"))
    for name, target in {"course_cnn.py": "cnn.py", "scanning_mlp.py": "scanning_mlp.py"}.items():
        text = (
            sources("models.scratch")[name].replace("mytorch.course", "mytorch.nn").replace("models.scratch", "models")
        )
        (tmp_path / "models" / target).write_text(text)
    shared = sources("models.scratch")["shared_blocks.py"]
    (tmp_path / "models" / "shared_blocks.py").write_text(shared)
    report = grade(tmp_path, default)
    assert (report.mark, report.extra) == (100, 15)
    done = _python(tmp_path, "tests/run.py")
    assert done.returncode == 0, done.stdout
    asked = len({test.check for rubric in (default, earlier) for _, test in rubric.tests})
    assert f"{asked} of {asked} classes pass" in done.stdout
    for name in ("Conv1d", "CNN", "Adam", "Dropout2d", "CNN_SimpleScanningMLP", "MSELoss"):
        done = _python(tmp_path, f"sandbox/{name}.py")
        assert done.returncode == 0, done.stderr


def test_its_own_tests_fail_with_a_word(copy: Path) -> None:
    done = _python(copy, "tests/run.py", "Conv1d", "Linear")
    assert done.returncode == 1
    assert "✗ Conv1d" in done.stdout
    assert "NotImplementedError" in done.stdout
    assert "Hint: This is not written yet." in done.stdout
    assert _python(copy, "tests/run.py", "Conv9d").returncode == 2


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (
            "Z = np.zeros((*A.shape[:2], self.k * A.shape[2]))\n        Z[:, :, :: self.k] = A\n        return Z",
            "after the last",
        ),
        ("return np.repeat(A, self.k, 2)", "Values are repeated"),
        ("return A[:, :, : self.width]", "never set"),
        ("return np.zeros(A.shape[2] / 2)", "use // instead of /"),
    ],
)
def test_its_own_tests_give_hints(body: str, hint: str, copy: Path, tmp_path: Path) -> None:
    shutil.copytree(copy, tmp_path / "mine")
    (tmp_path / "mine" / "mytorch" / "nn" / "resampling.py").write_text(
        f"import numpy as np\n\nclass Upsample1d:\n    def __init__(self, k): self.k = k\n"
        f"    def forward(self, A):\n        {body}\n    def backward(self, dLdZ): return dLdZ\n"
    )
    done = _python(tmp_path / "mine", "tests/run.py", "Upsample1d")
    assert hint in done.stdout.partition("Hint: ")[2]


def test_a_students_work_is_not_written_over(copy: Path, default: Rubric) -> None:
    before = sorted(copy.rglob("*"))
    with pytest.raises(FileExistsError):
        write(copy, default)
    assert sorted(copy.rglob("*")) == before


def test_hidden_tests_are_not_in_it(tmp_path: Path, default: Rubric) -> None:
    sections = [
        section.model_copy(
            update={"tests": [test.model_copy(update={"visibility": "hidden"}) for test in section.tests]}
        )
        for section in default.sections
    ]
    write(tmp_path / "out", default.model_copy(update={"sections": sections}))
    assert list((tmp_path / "out" / "tests" / "cases").iterdir()) == []


def test_the_reference_is_laid_out_as_a_submission(tmp_path: Path) -> None:
    reference.copy(tmp_path)
    assert (tmp_path / "mytorch" / "course" / "conv1d.py").is_file()


def _python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
