"""A layer as plain data, its class and the arguments of its constructor, and the layer that such data describe.

A layer stores each argument under its own name, as PyTorch's layers do. So the arguments are read from the attributes,
and the same functions translate between the two libraries.
"""

from collections.abc import Callable, Iterable
from inspect import Parameter as Argument
from inspect import signature
from typing import Any, get_origin

import numpy as np

from mytorch.nn.module import Module

NOT_STORED = {"dtype", "device", "init", "inplace"}
"""Arguments that are not described: how and where weights are stored, their first values, and what only PyTorch has."""

OPTIONAL_ARRAYS = {"bias": "bias", "affine": "weight", "elementwise_affine": "weight"}
"""Arguments that say whether a layer has an array, with that array's name."""


def constructor_arguments(layer: Any, kind: type) -> dict[str, Any]:
    """Return the arguments with which `kind` builds a layer like `layer`, by name, as `layer` stores them.

    kind: the class of the layer itself, or that of its counterpart in the other library.

    Raises TypeError if the layer does not store one.
    """
    found: dict[str, Any] = {}
    for name, argument in signature(kind).parameters.items():
        if name in NOT_STORED or argument.kind is Argument.VAR_KEYWORD:
            continue
        if argument.kind is Argument.VAR_POSITIONAL:
            found[name] = list(layer.children())
        elif name in OPTIONAL_ARRAYS:
            stored = getattr(layer, OPTIONAL_ARRAYS[name], None)
            found[name] = stored if isinstance(stored, bool) else stored is not None
        elif hasattr(layer, name):
            found[name] = getattr(layer, name)
        elif argument.default is Argument.empty:
            raise TypeError(
                f"{type(layer).__name__} does not store its argument {name}: set self.{name} in its constructor"
            )
    return found


def build(kind: type, arguments: dict[str, Any]) -> Any:
    """Return a layer of class `kind` with arguments as `constructor_arguments` returns them."""
    known = signature(kind).parameters
    positional = [name for name, one in known.items() if one.kind is Argument.VAR_POSITIONAL]
    named = {name: value for name, value in arguments.items() if name not in positional}
    for name, value in named.items():  # such as the activation of SqueezeExcitation
        if isinstance(value, Module) and name in known and get_origin(known[name].annotation) is Callable:
            named[name] = _returning(value)
    return kind(*(one for name in positional for one in arguments.get(name, ())), **named)


def describe(layer: Module) -> dict[str, Any]:
    """Return a layer as data for JSON: {"class": its name, "arguments": {...}}. The layers inside it are nested.

    A Graph has its "structure" instead of arguments. Raises TypeError for an argument that is neither a number, a text,
    an array, a list of these, nor a layer.
    """
    if hasattr(layer, "structure"):
        return {"class": "Graph", "structure": layer.structure()}
    arguments = constructor_arguments(layer, type(layer))
    return {
        "class": type(layer).__name__,
        "arguments": {name: _encode(layer, name, value) for name, value in arguments.items()},
    }


def from_description(description: Any, kinds: dict[str, type]) -> Module:
    """Return the layer that `describe` described, with new weights.

    kinds: the classes that may occur, by name; nothing else is called. Raises ValueError for a class that is not among
    them, and for arguments that its constructor refuses.
    """
    if not isinstance(description, dict) or "class" not in description or len(description) != 2:
        raise ValueError(f"{description!r} describes no layer: expected a class and its arguments")
    name, arguments = description["class"], description.get("arguments")
    if not isinstance(name, str) or name not in kinds:
        raise ValueError(f"{name!r} is no known layer: if it is your own, give its class as one of `layers`")
    if name == "Graph":
        return getattr(kinds[name], "from_structure")(description.get("structure"), kinds)  # noqa: B009
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {name} are {arguments!r}: expected names and values")
    decoded = {key: _decode(value, kinds) for key, value in arguments.items()}
    try:
        return build(kinds[name], decoded)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} with the arguments {arguments}: {error}") from error


def known_layers(others: Iterable[type] = ()) -> dict[str, type]:
    """Return the classes of layers of this library, and `others`, by name."""

    def below(kind: type) -> list[type]:
        children: list[type] = kind.__subclasses__()
        return children + [one for child in children for one in below(child)]

    own = {one.__name__: one for one in below(Module) if one.__module__.startswith("mytorch.nn.")}
    return own | {one.__name__: one for one in others}


def _returning(layer: Module) -> Callable[[], Module]:
    return lambda: layer


def _encode(layer: Module, name: str, value: Any) -> Any:
    if isinstance(value, Module):
        return describe(value)
    if isinstance(value, list | tuple):
        return [_encode(layer, name, one) for one in value]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "tolist") and hasattr(value, "dtype"):  # such as the weights of a loss, on any device
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"{type(layer).__name__} has the argument {name}={value!r}, which JSON cannot hold: use a number")


def _decode(value: Any, kinds: dict[str, type]) -> Any:
    if isinstance(value, dict) and value.keys() == {"array", "dtype"}:
        return _decode_array(value)
    if isinstance(value, dict):
        return from_description(value, kinds)
    return tuple(_decode(one, kinds) for one in value) if isinstance(value, list) else value


def _decode_array(value: dict[str, Any]) -> np.ndarray:
    try:
        return np.array(value["array"], np.dtype(value["dtype"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{value} describes no array: expected numbers and their dtype ({error})") from error
