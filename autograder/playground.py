"""Writes a script for each class that students can experiment with, from the class's smallest check."""

from typing import Any

from autograder.checks.case import Case
from autograder.contract import FILES


def playground(name: str, module: str, case: Case) -> str:
    """Python code that constructs the class, uses it and prints the results."""
    writer = _Writer(case)
    body = [line for step in case.script.steps for line in writer.lines(step)]
    others = sorted(writer.classes - {name})
    plain = ["from types import SimpleNamespace"] if any("SimpleNamespace" in line for line in body) else []
    imports = [f"from {module} import {name}", *(f"from {_home(other)} import {other}" for other in others)]
    return "\n".join(
        [
            f'"""Try {name}: python sandbox/{name}.py"""',
            "",
            "import sys",
            "from pathlib import Path",
            *plain,
            "",
            "import numpy as np",
            "",
            "sys.path.insert(0, str(Path(__file__).resolve().parents[1]))",
            *imports,
            "",
            "rng = np.random.default_rng(0)",
            "",
            *body,
            "",
        ]
    )


def _home(name: str) -> str:
    return next(file.removesuffix(".py").replace("/", ".") for file, names in FILES.items() if name in names)


class _Writer:
    """Turns the steps of a script into Python code."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.classes: set[str] = set()

    def lines(self, step: dict[str, Any]) -> list[str]:
        """One step's lines."""
        args = [self.written(value) for value in step.get("args", [])]
        args += [f"{name}={self.written(value)}" for name, value in step.get("kwargs", {}).items()]
        on, name, out = step.get("on", ""), step.get("name", ""), step.get("out", "")
        match step["do"]:
            case "new":
                self.classes.add(name)
                return [f"{on} = {name}({', '.join(args)})"]
            case "keep":
                return [f"{on} = {args[0]}"]
            case "set":
                return [f"{_path(on, name)} = {args[0]}"]
            case "seed":
                return [f"np.random.seed({args[0]})"]
            case "call" | "get":
                source = _path(on, name)
                if step["do"] == "call":
                    source = f"{on}.{name}({', '.join(args)})" if name else f"{on}({', '.join(args)})"
                if not out:
                    return [source] if step["do"] == "call" else []
                return [f"{out} = {source}", f'print("{out}", np.shape({out}), {out}, sep="\\n")']
        return []

    def written(self, value: Any) -> str:
        """One value as Python."""
        if isinstance(value, list):
            return f"[{', '.join(map(self.written, value))}]"
        if not isinstance(value, dict):
            return repr(value)
        if "array" in value or "returns" in value:
            number = value["array"] if "array" in value else value["returns"]
            shape = self.case.script.arrays[number].shape
            return f"rng.standard_normal({shape})"
        if "object" in value:
            return str(value["object"])
        if "make" in value:
            self.classes.add(value["make"])
            return f"{value['make']}({', '.join(map(self.written, value['args']))})"
        if "fill" in value:
            return "lambda *shape: rng.standard_normal(shape)"
        if "holder" in value:
            fields = [f"{name}={self.written(item)}" for name, item in value["holder"].items()]
            return f"SimpleNamespace({', '.join(fields)})"
        return repr(value)


def _path(on: str, path: str) -> str:
    """A dotted path, in which a number is an index."""
    steps = [f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".") if part]
    return on + "".join(steps)
