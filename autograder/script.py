"""Scripts for the worker: calls as data, together with their arrays."""

import dataclasses
from typing import Any, Self

import numpy as np

from autograder.wire import Array


@dataclasses.dataclass(frozen=True)
class Kept:
    """An object that the script has named."""

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
    """An initializer: a function of sizes, the same in grader and worker (`sandbox.steps.filled`)."""

    salt: float


@dataclasses.dataclass(frozen=True)
class Returns:
    """An initializer that returns this array for any sizes."""

    array: Array


@dataclasses.dataclass(frozen=True)
class Laid:
    """An array in another memory layout: "F" or "gaps"."""

    array: Array
    layout: str


@dataclasses.dataclass(frozen=True)
class Like:
    """An array in the shape of an earlier result of the script, if that has as many elements."""

    array: Array
    out: str


@dataclasses.dataclass(frozen=True)
class Holder:
    """A plain object with these attributes."""

    attributes: dict[str, Any]


class Script:
    """Steps for one case. Each method adds a step and returns the script, so calls can be chained."""

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

    def call(self, on: str, method: str, *args: Any, out: str = "", **kwargs: Any) -> Self:
        """Call a method and send its result back as `out`."""
        return self._add("call", on=on, name=method, args=args, kwargs=kwargs, out=out)

    def get(self, on: str, path: str, out: str) -> Self:
        """Send an attribute back."""
        return self._add("get", on=on, name=path, out=out)

    def set(self, on: str, path: str, value: Any) -> Self:
        """Replace an attribute."""
        return self._add("set", on=on, name=path, args=(value,))

    def evaluate(self, on: str, A: Any, out: str = "") -> Self:
        """Call forward in evaluation mode, by the argument that the submission has for it (eval, train or training)."""
        return self._add("evaluate", on=on, name="forward", args=(A,), out=out)

    def attempt(self, on: str, name: str, *args: Any) -> Self:
        """Call a method whose exceptions do not matter to this case."""
        return self._add("attempt", on=on, name=name, args=args, kwargs={})

    def seed(self, value: int) -> Self:
        """Seed NumPy's global generator in the worker."""
        return self._add("seed", args=(value,))

    def draw(self, out: str) -> Self:
        """Send back the next number of the generator."""
        return self._add("draw", out=out)

    def _add(self, do: str, **fields: Any) -> Self:
        step = {"do": do, **fields}
        for name in ("args", "kwargs"):
            if name in step:
                step[name] = self._plain(step[name])
        self.steps.append(step)
        return self

    def _plain(self, value: Any) -> Any:
        """A value as JSON, with its arrays stored separately."""
        match value:
            case np.ndarray():
                return {"array": self._index(value)}
            case Laid(array, layout):
                return {"array": self._index(array), "layout": layout}
            case Like(array, out):
                return {"array": self._index(array), "like": out}
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
                # A call's arguments are a tuple too; both become lists.
                return [self._plain(item) for item in value]
            case dict():
                return {name: self._plain(item) for name, item in value.items()}
            case None | bool() | int() | float() | str():
                return value
        raise TypeError(f"{value!r} cannot be part of a script")

    def _index(self, array: Array) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1


def renumbered(value: Any, offset: int) -> Any:
    """The steps with each array's number raised by `offset`, to send several scripts together."""
    if isinstance(value, list):
        return [renumbered(item, offset) for item in value]
    if isinstance(value, dict):
        return {
            key: item + offset if key in ("array", "returns") and type(item) is int else renumbered(item, offset)
            for key, item in value.items()
        }
    return value
