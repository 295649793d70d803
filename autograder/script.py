"""Scripts for the worker: calls written down as data, beside the arrays that they need."""

import dataclasses
from typing import Any, Self

import numpy as np

from autograder.wire import Array


@dataclasses.dataclass(frozen=True)
class Kept:
    """An object that the script named before."""

    name: str


@dataclasses.dataclass(frozen=True)
class Class:
    """One of the submission's classes."""

    name: str


@dataclasses.dataclass(frozen=True)
class Made:
    """A new object of one of the submission's classes."""

    name: str
    args: tuple[Any, ...] = ()


@dataclasses.dataclass(frozen=True)
class Fill:
    """An initialiser: a function of sizes, the same in grader and worker (`sandbox.worker.filled`)."""

    salt: float


@dataclasses.dataclass(frozen=True)
class Returns:
    """An initialiser that returns this array, whatever sizes it is called with."""

    array: Array


@dataclasses.dataclass(frozen=True)
class Laid:
    """An array whose memory lies in another order: "F" or "gaps"."""

    array: Array
    layout: str


@dataclasses.dataclass(frozen=True)
class Holder:
    """A plain object with these attributes."""

    attributes: dict[str, Any]


class Script:
    """Steps for one case. Each method adds one, and returns the script, so that they chain."""

    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.arrays: list[Array] = []
        self.classes: set[str] = set()

    def new(self, on: str, cls: str, *args: Any, **kwargs: Any) -> Self:
        """Construct an object and name it `on`."""
        self.classes.add(cls)
        return self._add("new", on=on, name=cls, args=args, kwargs=kwargs)

    def keep(self, on: str, value: Any) -> Self:
        """Name a value."""
        return self._add("keep", on=on, args=(value,))

    def call(self, on: str, method: str, *args: Any, out: str = "", keep: str = "", **kwargs: Any) -> Self:
        """Call a method ("" for the object itself); what it returns is sent back as `out`, and named `keep`."""
        return self._add("call", on=on, name=method, args=args, kwargs=kwargs, out=out, keep=keep)

    def get(self, on: str, path: str, out: str) -> Self:
        """Send an attribute back."""
        return self._add("get", on=on, name=path, out=out)

    def set(self, on: str, path: str, value: Any) -> Self:
        """Replace an attribute."""
        return self._add("set", on=on, name=path, args=(value,))

    def write(self, on: str, value: Any) -> Self:
        """Write over a named array in place."""
        return self._add("write", on=on, args=(value,))

    def seed(self, value: int) -> Self:
        """Seed NumPy's global generator in the worker."""
        return self._add("seed", args=(value,))

    def draw(self, out: str) -> Self:
        """Send back the generator's next number."""
        return self._add("draw", out=out)

    def _add(self, do: str, **fields: Any) -> Self:
        step = {"do": do, **fields}
        for name in ("args", "kwargs"):
            if name in step:
                step[name] = self._plain(step[name])
        self.steps.append(step)
        return self

    def _plain(self, value: Any) -> Any:
        """A value as JSON, its arrays set aside."""
        match value:
            case np.ndarray():
                return {"array": self._index(value)}
            case Laid(array, layout):
                return {"array": self._index(array), "layout": layout}
            case Kept(name):
                return {"object": name}
            case Class(name):
                self.classes.add(name)
                return {"class": name}
            case Made(name, args):
                self.classes.add(name)
                return {"make": name, "args": self._plain(list(args))}
            case Fill(salt):
                return {"fill": salt}
            case Returns(array):
                return {"returns": self._index(array)}
            case Holder(attributes):
                return {"holder": {name: self._plain(item) for name, item in attributes.items()}}
            case tuple() | list():
                # A call's arguments come as a tuple too, and are unpacked either way.
                return [self._plain(item) for item in value]
            case dict():
                return {name: self._plain(item) for name, item in value.items()}
            case None | bool() | int() | float() | str():
                return value
        raise TypeError(f"{value!r} cannot stand in a script")

    def _index(self, array: Array) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1


def renumbered(value: Any, offset: int) -> Any:
    """The steps with each array's number raised by `offset`, for scripts that travel together."""
    if isinstance(value, list):
        return [renumbered(item, offset) for item in value]
    if isinstance(value, dict):
        return {
            key: item + offset if key in ("array", "returns") and type(item) is int else renumbered(item, offset)
            for key, item in value.items()
        }
    return value
