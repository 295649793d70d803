"""Makes the students' handout from the reference: stubs, a script for each class, visible tests, a README."""

import json
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from autograder.checks import FAMILIES
from autograder.checks.case import Case, Expectation
from autograder.contract import FILES
from autograder.hints.catalogue import SENTENCES
from autograder.playground import playground
from autograder.reference import sources
from autograder.rubric import Rubric
from autograder.stubs import cut

_MODELS = {"models/mlp.py": "mlp.py", "models/cnn.py": "course_cnn.py", "models/scanning_mlp.py": "scanning_mlp.py"}
_VISIBLE_SEED = 1  # students see other numbers than those that grade
_LARGEST_WITH_HINTS = 150
_LARGEST = 4000  # elements of a visible case's input


_INTRODUCTION = """# Your layers

Every class here has its formulas in its docstring, and methods that raise NotImplementedError. Write them, with NumPy
alone. `mytorch/nn/layer.py` is given: it makes layers callable and has checks that you may use.

- `python sandbox/Conv1d.py` runs one class on a small input and prints the result: change it as you like.
- `python tests/run.py` runs the visible tests, with hints; `python tests/run.py Conv1d` runs those of one class.
- Hand in a zip of this folder. The layout is up to you, as long as the classes keep their names.

Arrays are `(batch, channels, width)` or `(batch, channels, height, width)`. float64 stays float64. Do not change the
arrays that a layer gets: work on copies. `backward` sets the parameters' gradients and does not add to them. A network
has several layers of one class: keep what you need on `self`. The edge cases test this: repeated calls, replaced
parameters, slices of larger arrays, two layers at once, float32."""


def write(out: Path, *rubrics: Rubric) -> None:
    """Write the handout into the folder `out`.

    Raises FileExistsError if something is there already: a student's work is never overwritten.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} already exists and is not empty: name a new folder")
    unfinished = out.with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _stubs(unfinished)
        _playgrounds(unfinished)
        _tests(unfinished, rubrics)
        (unfinished / "README.md").write_text(_readme(rubrics), encoding="utf-8")
        if out.exists():
            out.rmdir()
        unfinished.rename(out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _stubs(out: Path) -> None:
    course, models = sources("mytorch.course"), sources("models.scratch")
    for file, names in FILES.items():
        text = models[_MODELS[file]] if file in _MODELS else course[PurePosixPath(file).name]
        target = out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(cut(text, names, "mytorch.nn.layer"), encoding="utf-8")
    # How layers are called and check their arrays is support, not a solution: students get it whole.
    (out / "mytorch/nn/layer.py").write_text(course["layer.py"], encoding="utf-8")
    for package, purpose in (("mytorch", "Yours."), ("mytorch/nn", "The layers."), ("models", "The networks.")):
        (out / package / "__init__.py").write_text(f'"""{purpose}"""\n', encoding="utf-8")


def _playgrounds(out: Path) -> None:
    (out / "sandbox").mkdir()
    for file, names in FILES.items():
        for name in names:
            case = FAMILIES[name].build(_VISIBLE_SEED, "contract")[0]
            (out / "sandbox" / f"{name}.py").write_text(playground(name, _module(file), case), encoding="utf-8")


def _tests(out: Path, rubrics: tuple[Rubric, ...]) -> None:
    cases = out / "tests" / "cases"
    cases.mkdir(parents=True)
    for rubric in rubrics:
        for _, test in rubric.tests:
            if test.visibility != "visible":
                continue
            family = FAMILIES[test.check]
            described = {
                "classes": {name: _home(name) for name in (family.name, *family.uses)},
                "cases": [_plain(case) for case in family.build(_VISIBLE_SEED, rubric.dialect) if _is_shown(case)],
            }
            (cases / f"{test.check}.json").write_text(json.dumps(described), encoding="utf-8")
    support = out / "tests" / "support"
    for source, target in {
        "autograder.students/run.py": out / "tests" / "run.py",
        "autograder.sandbox/steps.py": support / "steps.py",
        "autograder/wire.py": support / "wire.py",
        "autograder.hints/catalogue.py": support / "catalogue.py",
        "autograder.hints/errors.py": support / "errors.py",
    }.items():
        package, name = source.split("/")
        target.parent.mkdir(exist_ok=True)
        text = (
            sources(package)[name]
            .replace("autograder.sandbox", "support")
            .replace("autograder.hints", "support")
            .replace("from autograder", "from support")
        )
        target.write_text(text, encoding="utf-8")
    (support / "__init__.py").write_text('"""What run.py needs."""\n', encoding="utf-8")


def _is_shown(case: Case) -> bool:
    """Whether the handout shows a case: plain ones and a few edge cases, not the largest."""
    return case.size <= _LARGEST and case.aspect in ("", "repeated", "input_changed", "pool_ties")


def _plain(case: Case) -> dict[str, Any]:
    """A case as JSON."""
    return {
        "name": case.name,
        "steps": case.script.steps,
        "arrays": [
            {"values": array.ravel().tolist(), "shape": array.shape, "dtype": array.dtype.str}
            for array in case.script.arrays
        ],
        "expected": {
            out: {
                "what": e.what,
                "values": e.value.ravel().tolist(),
                "shape": e.value.shape,
                "mistakes": _mistakes(e) if case.size <= _LARGEST_WITH_HINTS else [],
            }
            for out, e in case.expected.items()
        },
        "aspect": case.aspect,
    }


def _mistakes(expectation: Expectation) -> list[dict[str, Any]]:
    """The results of known mistakes, with their hints."""
    found = []
    for key, guess in expectation.guesses.items():
        try:
            array = np.asarray(guess())
        except (ValueError, IndexError, RuntimeError, ZeroDivisionError):  # this size leaves no room for the mistake
            continue
        if array.size and not (
            array.shape == expectation.value.shape and np.allclose(array, expectation.value, rtol=1e-9, atol=1e-12)
        ):
            hint = SENTENCES[key.strip()].format(what=expectation.what)
            found.append({"values": array.ravel().tolist(), "shape": array.shape, "hint": hint})
    return found


def _module(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


def _home(name: str) -> str:
    return next(_module(file) for file, names in FILES.items() if name in names)


def _readme(rubrics: tuple[Rubric, ...]) -> str:
    """The README: what to do, the points, and what is forbidden."""
    lines = [_INTRODUCTION]
    for rubric in rubrics:
        extra = sum(test.points for section, test in rubric.tests if section.extra)
        lines += ["", f"## {rubric.title}: {rubric.full:g} points" + (f", and {extra:g} extra" if extra else ""), ""]
        lines += ["| test | class | file | points | of which |", "| --- | --- | --- | --- | --- |"]
        for section, test in rubric.tests:
            parts = ", ".join(f"{name} {points:g}" for name, points in test.parts.items())
            file = _home(test.check).replace(".", "/") + ".py"
            extra_mark = " (extra)" if section.extra else ""
            lines.append(f"| {test.name}{extra_mark} | `{test.check}` | `{file}` | {test.points:g} | {parts} |")
    forbidden = sorted({name for rubric in rubrics for name in rubric.forbidden})
    lines += ["", "## Forbidden", "", f"These cannot be imported: {', '.join(forbidden)}."]
    return "\n".join(lines) + "\n"
