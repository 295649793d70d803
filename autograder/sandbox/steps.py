"""Carries out the script of one case and sends back what each step returns.

The script is data (`autograder.script` writes it) and holds inputs only, no expected results.
"""

import contextlib
import inspect
import math
import os
import traceback
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder import wire

Send = Callable[[dict[str, Any], list[Any]], None]


class Case:
    """One case: its named objects, and the steps that create and use them."""

    def __init__(self, number: int, classes: dict[str, Any], arrays: list[wire.Array], send: Send, root: str) -> None:
        self.number, self.classes, self.arrays, self.send, self.root = number, classes, arrays, send, root
        self.objects: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Carry out the steps. After one that fails only attributes are read, as they may be right all the same."""
        failed = False
        for step in steps:
            reads = step["do"] == "get"
            if failed and not reads:
                continue
            try:
                result = getattr(self, f"do_{step['do']}")(step)
                if step.get("out"):
                    self.shapes[step["out"]] = np.shape(result) if isinstance(result, np.ndarray) else ()
                    header, arrays = self.message(step["out"], result)
                    self.send({**header, "after": int(failed)}, arrays)
            except BaseException as error:
                if failed:
                    continue
                header = {"kind": "missing" if reads else "error", "case": self.number, "out": step.get("out")}
                self.send({**header, "step": step_text(step), **describe(error, self.root)}, [])
                failed = not reads

    def do_new(self, step: dict[str, Any]) -> None:
        """Construct an object of one of the submission's classes."""
        args, kwargs = self.value(step["args"]), self.value(step["kwargs"])
        self.objects[step["on"]] = self.classes[step["name"]](*args, **kwargs)

    def do_keep(self, step: dict[str, Any]) -> None:
        """Name a value, to pass it to several calls and read it afterwards."""
        self.objects[step["on"]] = self.value(step["args"])[0]

    def do_call(self, step: dict[str, Any]) -> Any:
        """Call a method."""
        method = getattr(self.objects[step["on"]], step["name"])
        return method(*self.value(step["args"]), **self.value(step["kwargs"]))

    def do_set(self, step: dict[str, Any]) -> None:
        """Set an attribute by a dotted path, in which a number is an index.

        An array takes the shape of the array that it replaces, if they differ by axes of length one only.
        """
        *path, last = step["name"].split(".")
        target, value = follow(self.objects[step["on"]], path), self.value(step["args"])[0]
        old = getattr(target, last, None)
        if isinstance(old, np.ndarray) and isinstance(value, np.ndarray) and squeezed(old) == squeezed(value):
            value = value.reshape(old.shape)
        setattr(target, last, value)

    def do_attempt(self, step: dict[str, Any]) -> None:
        """Call a method and ignore what it raises."""
        with contextlib.suppress(Exception):
            self.do_call(step)

    def do_evaluate(self, step: dict[str, Any]) -> Any:
        """Call forward in evaluation mode, by the argument that the method has for it."""
        method, args = getattr(self.objects[step["on"]], step["name"]), self.value(step["args"])
        try:
            names = set(inspect.signature(method).parameters)
        except (TypeError, ValueError):
            names = set()
        for name, value in (("eval", True), ("train", False), ("training", False), ("is_train", False)):
            if name in names:
                return method(*args, **{name: value})
        return method(*args, True)

    def do_get(self, step: dict[str, Any]) -> Any:
        """Read an attribute by a dotted path; the object itself if the path is empty."""
        return follow(self.objects[step["on"]], step["name"].split(".") if step["name"] else [])

    def do_seed(self, step: dict[str, Any]) -> None:
        """Seed NumPy's global generator."""
        np.random.seed(step["args"][0])

    def do_draw(self, step: dict[str, Any]) -> Any:
        """The next number of NumPy's global generator, which shows how much was drawn before."""
        return np.random.random()

    def value(self, given: Any) -> Any:
        """A value of the script as a Python object."""
        if isinstance(given, list):
            return [self.value(item) for item in given]
        if not isinstance(given, dict):
            return given
        if "array" in given:
            array = laid_out(self.arrays[given["array"]], given.get("layout", ""))
            shape = self.shapes.get(given.get("like", ""), array.shape)
            return array.reshape(shape) if math.prod(shape) == array.size else array
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
        """What to send for a result: an array if it is one, else only its type."""
        header = {"kind": "result", "case": self.number, "out": out}
        if isinstance(result, np.ndarray | np.generic) or type(result) in (float, int, bool):
            plain = np.asarray(result).view(np.ndarray)
            kind = "array" if isinstance(result, np.ndarray) else "number"
            if plain.dtype.kind == "f" and plain.dtype.itemsize > 8:
                plain = plain.astype(np.float64)  # long double: its values are what counts
            if plain.dtype.kind in "fiub" and plain.dtype.itemsize <= 8:
                return {**header, "is": kind}, [plain]
            return {**header, "is": "other", "type": f"an array of {plain.dtype}"[:80]}, []
        return {**header, "is": "other", "type": type(result).__name__[:80]}, []


def follow(target: Any, path: list[str]) -> Any:
    """The object at the end of a path of attributes and indices."""
    for name in path:
        target = target[int(name)] if name.lstrip("-").isdigit() else getattr(target, name)
    return target


def squeezed(array: wire.Array) -> list[int]:
    """The shape without axes of length one."""
    return [size for size in array.shape if size != 1]


def filler(salt: float) -> Callable[..., wire.Array]:
    """An initializer whose values depend on the requested sizes only, not on the order of the calls."""

    def fill(*sizes: Any) -> wire.Array:
        shape = tuple(int(size) for size in (sizes[0] if len(sizes) == 1 and isinstance(sizes[0], tuple) else sizes))
        return filled(shape, salt)

    return fill


def filled(shape: tuple[int, ...], salt: float) -> wire.Array:
    """Values between -0.5 and 0.5 that look random: a sine of large numbers."""
    numbers = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64)
    return np.asarray(np.sin(numbers * numbers * 0.7 + salt + 3 * len(shape)) / 2).reshape(shape)


def laid_out(array: wire.Array, layout: str) -> wire.Array:
    """A copy of the array in a memory layout: "" for C order, "F" for Fortran order, "gaps" for a strided view."""
    if layout == "F":
        return np.array(array, order="F")
    if layout == "gaps":
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return wide[..., ::2]
    return array.copy()


def step_text(step: dict[str, Any]) -> str:
    """A step in a few words."""
    name = step.get("name", "")
    return {
        "new": f"{name}(...)",
        "call": f"{name}(...)",
        "evaluate": f"{name}(..., eval=True)",
        "set": f"setting {name}",
        "get": f"reading {name}",
    }.get(step["do"], step["do"])


def describe(error: BaseException, root: str) -> dict[str, Any]:
    """An exception as a report shows it: type, message, and the line of the submission that raised it."""
    where = ""
    try:
        for frame, line in traceback.walk_tb(error.__traceback__):  # unlike extract_tb, this opens no file
            if frame.f_code.co_filename.startswith(root):
                where = f"{os.path.relpath(frame.f_code.co_filename, root)}:{line}"
        text = str(error)[:500]
    except BaseException:  # an exception that cannot even be printed
        text = ""
    if isinstance(error, SyntaxError) and error.filename and str(error.filename).startswith(root):
        where = f"{os.path.relpath(str(error.filename), root)}:{error.lineno}"
    return {"type": type(error).__name__[:80], "message": text, "where": where}
