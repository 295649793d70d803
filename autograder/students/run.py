"""The visible tests: python tests/run.py [Conv1d ...]

Each test uses a class as the grader does and compares the results with stored results of PyTorch. It needs NumPy only.
The hidden tests are of the same kind, with other sizes and numbers.
"""

import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from autograder.hints.catalogue import SENTENCES
from autograder.hints.errors import causes
from autograder.sandbox.steps import Case

HERE = Path(__file__).resolve().parent
_CLOSE = 1e-8


def main(names: list[str]) -> int:
    """Run the tests of these classes, or all; the exit status is 1 if any fails."""
    sys.path.insert(0, str(HERE.parent))
    files = sorted((HERE / "cases").glob("*.json"))
    known = {file.stem: file for file in files}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"There is no test of {unknown[0]}; there are {', '.join(known)}")
        return 2
    failed = [name for name in names or known if not run(name, known[name])]
    print(f"\n{len(names or known) - len(failed)} of {len(names or known)} classes pass")
    return 1 if failed else 0


def run(name: str, file: Path) -> bool:
    """All cases of one class; prints the first that fails."""
    described = json.loads(file.read_text(encoding="utf-8"))
    try:
        classes = {
            needed: getattr(importlib.import_module(module), needed) for needed, module in described["classes"].items()
        }
    except Exception:
        print(f"✗ {name}\n{_indented(traceback.format_exc(limit=-2))}")
        return False
    for number, case in enumerate(described["cases"]):
        problem = _problem(number, case, classes)
        if problem:
            print(f"✗ {name}: {case['name']}\n{_indented(problem)}")
            return False
    print(f"✓ {name}")
    return True


def _problem(number: int, case: dict[str, Any], classes: dict[str, Any]) -> str:
    """What is wrong with one case and a hint, or "" if nothing is."""
    results: dict[str, Any] = {}
    errors: dict[str, dict[str, Any]] = {}

    def keep(header: dict[str, Any], arrays: list[Any]) -> None:
        if header["kind"] in ("error", "missing"):
            errors[header["out"] if header["kind"] == "missing" else ""] = header
        else:
            results[header["out"]] = arrays[0] if arrays else None

    arrays = [np.array(values["values"], dtype=values["dtype"]).reshape(values["shape"]) for values in case["arrays"]]
    Case(number, classes, arrays, keep, str(HERE.parent)).run(case["steps"])
    for out, expected in case["expected"].items():
        right = np.array(expected["values"], dtype=float).reshape(expected["shape"])
        if out not in results:
            error = errors.get(out) or errors.get("")
            return _exception(error, case["aspect"]) if error else f"{expected['what']} never came"
        got = results[out]
        if got is None:
            return f"{expected['what']} is not an array of numbers"
        if got.shape != right.shape:
            return f"{expected['what']} has shape {got.shape}, expected {right.shape}{_hint(got, expected)}"
        if not np.allclose(got, right, rtol=_CLOSE, atol=_CLOSE):
            worst = np.unravel_index(np.nanargmax(np.abs(got - right)), got.shape) if np.isfinite(got).all() else ()
            place = f"{list(map(int, worst))}: {got[worst]}, expected {right[worst]}" if worst else "not finite"
            return f"{expected['what']} is wrong; the worst element is {place}{_hint(got, expected)}"
    return ""


def _hint(got: Any, expected: dict[str, Any]) -> str:
    """The hint of the mistake that gives exactly this result, on a line of its own."""
    for mistake in expected["mistakes"]:
        values = np.array(mistake["values"], dtype=float).reshape(mistake["shape"])
        if got.shape == values.shape and np.allclose(got, values, rtol=_CLOSE, atol=_CLOSE * np.abs(values).max()):
            return f"\nHint: {mistake['hint']}"
    return ""


def _exception(error: dict[str, Any], aspect: str) -> str:
    """An exception with the line that raised it and its usual cause."""
    file, _, line = error["where"].rpartition(":")
    code = ""
    if file:
        code = (HERE.parent / file).read_text(encoding="utf-8").splitlines()[int(line) - 1].strip()
    text = f"{error['step']} raised {error['type']}: {error['message']} ({error['where']}): {code}"
    key = next(iter(causes({**error, "code": code}, aspect)), "")
    return f"{text}\nHint: {SENTENCES[key].format(what='the result')}" if key else text


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
