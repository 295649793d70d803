"""The process in which a submission runs: it follows a script of calls, and sends back what came of each.

The script is data (`autograder.script` writes it). The worker knows inputs only; what would be right it cannot tell.
"""

import importlib
import os
import sys
import traceback
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder import wire

Send = Callable[[dict[str, Any], list[Any]], None]


def run(request: dict[str, Any], arrays: list[wire.Array], send: Send) -> None:
    """Import the submission's modules, then run every case, sending a message for each thing that the script asks for.

    request: {"paths": [...], "classes": {name: [module, attribute]}, "root": ..., "cases": [{"number", "steps"}]}
    """
    np.seterr(all="ignore")
    sys.path[:0] = request["paths"]
    classes: dict[str, Any] = {}
    for name, (module, attribute) in request["classes"].items():
        try:
            classes[name] = getattr(importlib.import_module(module), attribute)
        except BaseException as error:
            send({"kind": "import", "class": name, "error": describe(error, request["root"])}, [])
            return
    for case in request["cases"]:
        send({"kind": "begin", "case": case["number"]}, [])
        Case(case["number"], classes, arrays, send, request["root"]).run(case["steps"])
    send({"kind": "end"}, [])


class Case:
    """One case: its named objects, and the steps that make and use them."""

    def __init__(self, number: int, classes: dict[str, Any], arrays: list[wire.Array], send: Send, root: str) -> None:
        self.number, self.classes, self.arrays, self.send, self.root = number, classes, arrays, send, root
        self.objects: dict[str, Any] = {}

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Every step in turn; the first that fails ends the case."""
        for step in steps:
            try:
                result = getattr(self, f"do_{step['do']}")(step)
                if step.get("out"):
                    self.send(*self.message(step["out"], result))
            except BaseException as error:
                described = describe(error, self.root)
                self.send(
                    {"kind": "error", "case": self.number, "out": step.get("out"), "step": said(step), **described}, []
                )
                return

    def do_new(self, step: dict[str, Any]) -> None:
        """Construct an object of one of the submission's classes."""
        args, kwargs = self.value(step["args"]), self.value(step["kwargs"])
        self.objects[step["on"]] = self.classes[step["name"]](*args, **kwargs)

    def do_keep(self, step: dict[str, Any]) -> None:
        """Give a value a name, to hand it to several calls and to look at it afterwards."""
        self.objects[step["on"]] = self.value(step["args"])[0]

    def do_call(self, step: dict[str, Any]) -> Any:
        """Call a method, or the object itself where the name is empty; kept under `keep` where that is given."""
        method = getattr(self.objects[step["on"]], step["name"] or "__call__")
        result = method(*self.value(step["args"]), **self.value(step["kwargs"]))
        if step.get("keep"):
            self.objects[step["keep"]] = result
        return result

    def do_set(self, step: dict[str, Any]) -> None:
        """Set an attribute by a dotted path, in which a number is an index."""
        *path, last = step["name"].split(".")
        setattr(follow(self.objects[step["on"]], path), last, self.value(step["args"])[0])

    def do_get(self, step: dict[str, Any]) -> Any:
        """Read an attribute by a dotted path; of an empty path, the object itself."""
        return follow(self.objects[step["on"]], step["name"].split(".") if step["name"] else [])

    def do_write(self, step: dict[str, Any]) -> None:
        """Write over an array in place, as a caller does who uses its memory again."""
        self.objects[step["on"]][...] = self.value(step["args"])[0]

    def do_seed(self, step: dict[str, Any]) -> None:
        """Seed NumPy's global generator."""
        np.random.seed(step["args"][0])

    def do_draw(self, step: dict[str, Any]) -> Any:
        """The next number of NumPy's global generator, which tells how much was drawn before."""
        return np.random.random()

    def value(self, given: Any) -> Any:
        """A value of the script as Python has it."""
        if isinstance(given, list):
            return [self.value(item) for item in given]
        if not isinstance(given, dict):
            return given
        if "array" in given:
            return laid_out(self.arrays[given["array"]], given.get("layout", ""))
        if "object" in given:
            return self.objects[given["object"]]
        if "class" in given:
            return self.classes[given["class"]]
        if "make" in given:
            return self.classes[given["make"]](*self.value(given.get("args", [])))
        if "tuple" in given:
            return tuple(self.value(given["tuple"]))
        if "fill" in given:
            return filler(given["fill"])
        if "returns" in given:
            array = self.arrays[given["returns"]]
            return lambda *sizes: array.copy()
        if "holder" in given:
            return types.SimpleNamespace(**{name: self.value(value) for name, value in given["holder"].items()})
        return {name: self.value(value) for name, value in given.items()}

    def message(self, out: str, result: Any) -> tuple[dict[str, Any], list[Any]]:
        """What to send for a result: an array where it is one, else only what kind of thing it is."""
        header = {"kind": "result", "case": self.number, "out": out}
        if isinstance(result, np.ndarray | np.generic) or type(result) in (float, int, bool):
            plain = np.asarray(result).view(np.ndarray)
            kind = "array" if isinstance(result, np.ndarray) else "number"
            if plain.dtype.kind in "fiub" and plain.dtype.itemsize <= 8:
                return {**header, "is": kind}, [plain]
            return {**header, "is": "other", "type": f"an array of {plain.dtype}"[:80]}, []
        return {**header, "is": "other", "type": type(result).__name__[:80]}, []


def follow(target: Any, path: list[str]) -> Any:
    """The object at the end of a path of attributes and indices."""
    for name in path:
        target = target[int(name)] if name.lstrip("-").isdigit() else getattr(target, name)
    return target


def filler(salt: float) -> Callable[..., wire.Array]:
    """An initialiser whose values depend on the sizes asked for alone, not on the order of the calls."""

    def fill(*sizes: Any) -> wire.Array:
        shape = tuple(int(size) for size in (sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple) else sizes))
        return filled(shape, salt)

    return fill


def filled(shape: tuple[int, ...], salt: float) -> wire.Array:
    """Values between -0.5 and 0.5 that look random enough: a sine far out."""
    numbers = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64)
    return np.asarray(np.sin(numbers * numbers * 0.7 + salt + 3 * len(shape)) / 2).reshape(shape)


def laid_out(array: wire.Array, layout: str) -> wire.Array:
    """A copy of the array whose memory lies as asked: "" in C order, "F" in Fortran's, "gaps" in a larger array."""
    if layout == "F":
        return np.array(array, order="F")
    if layout == "gaps":
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    return array.copy()


def said(step: dict[str, Any]) -> str:
    """The step in a few words."""
    name = step.get("name", "")
    return {
        "new": f"{name}(...)",
        "call": f"{name or '__call__'}(...)",
        "set": f"setting {name}",
        "get": f"reading {name}",
    }.get(step["do"], step["do"])


def describe(error: BaseException, root: str) -> dict[str, Any]:
    """An exception as a report shows it: its type, what it says, and the submission's line that it came from."""
    where = ""
    try:
        for frame, line in traceback.walk_tb(error.__traceback__):  # which opens no file, as extract_tb does
            if frame.f_code.co_filename.startswith(root):
                where = f"{os.path.relpath(frame.f_code.co_filename, root)}:{line}"
        text = str(error)[:500]
    except BaseException:  # an exception that cannot even be printed
        text = ""
    if isinstance(error, SyntaxError) and error.filename and str(error.filename).startswith(root):
        where = f"{os.path.relpath(str(error.filename), root)}:{error.lineno}"
    return {"type": type(error).__name__[:80], "message": text, "where": where}
