"""The layers of mytorch for the functions and tensor methods of PyTorch that change shapes."""

import operator
from typing import Any

import torch
from torch import fx

from models.from_torch.calls import Call, Function, Unsupported, Varying, plain, registry
from mytorch import nn
from mytorch.nn.graph_plan import Value

FUNCTIONS: dict[Any, Function] = {}
"""What adds the node of a call, by the function or by the name of the tensor method."""

function = registry(FUNCTIONS)

SHAPE = Value("a shape")
"""Stands for a shape that is not known, as there is no example."""


@function("size", getattr)
def _size(call: Call) -> Value:
    if call.node.target is getattr and call.args[1] != "shape":
        raise Unsupported(f"the attribute {call.args[1]}")
    return SHAPE


@function(torch.flatten, "flatten")
def _flatten(call: Call) -> Value:
    bound = call.bind("input", "start_dim", "end_dim", start_dim=0, end_dim=-1)
    if (bound["start_dim"], bound["end_dim"]) == (1, -1):
        return call.add(nn.Flatten(), call.value(0))
    return _reshaped(call)


@function("view", "reshape", torch.reshape)
def _reshape(call: Call) -> Value:
    if "example" in call.node.meta:
        return _reshaped(call)
    given = call.args[1] if len(call.args) > 1 and isinstance(call.args[1], list | tuple) else call.args[1:]
    lengths = [0 if axis == 0 and _is_batch(length) else plain(length) for axis, length in enumerate(given)]
    return call.add(nn.Reshape(lengths), call.value(0))


@function(torch.squeeze, "squeeze", torch.unsqueeze, "unsqueeze", torch.unflatten, "unflatten", "view_as", "reshape_as")
def _reshaped(call: Call) -> Value:
    """Add a Reshape to the shape that the example has here. Only the batch may be of any length."""
    before = list(zip(call.shape(0), call.shape(0, twin=True), strict=True))
    after = list(zip(call.result_shape(), call.result_shape(twin=True), strict=True))
    lengths = []
    for axis, (first, second) in enumerate(after):
        kept = axis < len(before) and before[axis] == (first, second)
        lengths.append(first if first == second else 0 if kept else -1)
    if lengths.count(-1) > 1:
        raise Unsupported("more than one length depends on the batch")
    return call.add(nn.Reshape(lengths), call.value(0))


def _is_batch(length: Any) -> bool:
    """Return True for x.size(0) and x.shape[0]."""
    if not isinstance(length, fx.Node):
        return False
    if length.target == "size":
        return length.args[1:] == (0,)
    shape = length.args[0] if length.target is operator.getitem and length.args[1] == 0 else None
    return isinstance(shape, fx.Node) and (shape.target == "size" or shape.args[1:] == ("shape",))


@function(torch.permute, "permute")
def _permute(call: Call) -> Value:
    given = call.kwargs.get("dims") or (call.args[1] if isinstance(call.args[1], list | tuple) else call.args[1:])
    return call.add(nn.Permute(plain(given)), call.value(0))


@function(torch.transpose, torch.swapaxes, "transpose", "swapaxes")
def _transpose(call: Call) -> Value:
    bound = call.bind("input", "dim0", "dim1")
    return call.add(nn.Transpose(bound["dim0"], bound["dim1"]), call.value(0))


@function(torch.chunk, "chunk")
def _chunk(call: Call) -> Value:
    bound = call.bind("input", "chunks", "dim", dim=0)
    return call.add(nn.Chunk(bound["chunks"], bound["dim"]), call.value(0))


@function(torch.split, "split")
def _split(call: Call) -> Value:
    names = ("split_size", "split_size_or_sections")
    bound = call.bind("input", next((name for name in names if name in call.kwargs), names[0]), "dim", dim=0)
    size = next(bound[name] for name in names if name in bound)
    return call.add(nn.Split(plain(size), bound["dim"]), call.value(0))


@function(operator.getitem)
def _part(call: Call) -> Value:
    source, index = call.node.args[0], call.args[1]
    assert isinstance(source, fx.Node)
    if call.value(0) is SHAPE:
        return SHAPE
    if source.target in (torch.chunk, "chunk", torch.split, "split"):
        return call.value(0)[index if index >= 0 else len(source.meta["example"]) + index]
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in parts:
        where = parts.index(Ellipsis)
        parts[where : where + 1] = [slice(None)] * (len(call.shape(0)) - len(parts) + 1)
    if not all(isinstance(part, slice) and not isinstance(part.start, Varying) for part in parts):
        raise Unsupported(f"[{index}]: expected ranges, such as [:, 0:1]; an index removes its axis")
    y = call.value(0)
    for axis, part in enumerate(parts):
        if part != slice(None):
            y = call.add(nn.Slice(axis, plain(part.start), plain(part.stop), part.step or 1), y)
    return y
