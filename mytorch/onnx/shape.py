"""Operators that change shapes and axes, and select parts."""

from collections.abc import Sequence

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.node import Node, Unsupported, operator


@operator("Identity", "Cast", "CastLike")
def identity(node: Node) -> Value:
    """Identity and Cast: a network computes in one precision, so nothing is left to do."""
    if node.kind == "Cast" and node.attribute("to") not in (1, 10, 11, 16):
        raise Unsupported("it converts to whole numbers, expected floating-point numbers")
    return node.value()


@operator("Dropout")
def dropout(node: Node) -> Value:
    """Dropout, which does nothing in evaluation mode."""
    if node.uses_output(1):
        raise Unsupported("its mask is used as an output, expected its first output alone")
    if node.has(2) and bool(node.constant(2, "training_mode")):
        raise Unsupported("it drops elements in inference, too (training_mode is true)")
    ratio = float(node.constant(1, "ratio")) if node.has(1) else node.attribute("ratio", 0.5)
    return node.add(nn.Dropout(ratio), node.value())


@operator("Flatten")
def flatten(node: Node) -> Value:
    """Flatten to two axes: those before `axis` and the rest."""
    axis = node.attribute("axis", 1)
    shape = node.shape()
    if axis < 0 and shape is not None:
        axis += len(shape)
    if axis == 1:
        return node.add(nn.Flatten(), node.value())
    rows = 1
    for length in node.size(range(axis)):
        rows *= length
    return node.add(nn.Reshape((rows, -1)), node.value())


@operator("Reshape")
def reshape(node: Node) -> Value:
    """Reshape. A length that is the input's at the same axis is kept, so that the batch may have any length."""
    targets = node.choices(1, "shape")
    shapes = node.shapes() or [()] * len(targets)
    lengths = []
    for axis, choices in enumerate(zip(*targets, strict=True)):
        known = [shape[axis] if axis < len(shape) else None for shape in shapes]
        copied = choices[0] == 0 and not node.attribute("allowzero", 0)
        same = all(one == length and one > 0 for one, length in zip(choices, known, strict=True))
        if copied or (same and (len(set(choices)) > 1 or not axis)):
            lengths.append(0)
        elif len(set(choices)) > 1:
            lengths.append(-1)
        else:
            lengths.append(choices[0])
    if lengths.count(-1) > 1:
        raise node.unresolved("more than one length of its shape")
    if 0 in lengths and node.attribute("allowzero", 0) and any(0 in one for one in targets):
        raise Unsupported("allowzero=1 with a length of 0, expected lengths of at least 1")
    return node.add(nn.Reshape(lengths), node.value())


@operator("Transpose")
def transpose(node: Node) -> Value:
    """Transpose: axes in another order, by default reversed."""
    dims = node.attribute("perm") or range(node.rank())[::-1]
    return node.add(nn.Permute(tuple(dims)), node.value())


@operator("Squeeze")
def squeeze(node: Node) -> Value:
    """Squeeze: remove axes of length 1."""
    return node.add(nn.Squeeze(_axes(node)), node.value())


@operator("Unsqueeze")
def unsqueeze(node: Node) -> Value:
    """Unsqueeze: insert axes of length 1."""
    axes = _axes(node)
    if axes is None:
        raise Unsupported("it has no axes")
    return node.add(nn.Unsqueeze(axes), node.value())


def _axes(node: Node, index: int = 1) -> tuple[int, ...] | None:
    """Return axes, which are an attribute before opset 13 and an input since."""
    if node.has(index):
        return tuple(node.integers(index, "axes"))
    axes = node.attribute("axes")
    return None if axes is None else tuple(axes)


@operator("Concat")
def concat(node: Node) -> Value:
    """Concat along an axis."""
    values = [node.value(index) for index in range(len(node.proto.input))]
    return node.add(nn.Concatenate(node.attribute("axis", 1)), *values)


@operator("Split")
def split(node: Node) -> Sequence[Value]:
    """Split into parts along an axis: of given lengths, or of equal length with the last one possibly shorter."""
    axis, count = node.attribute("axis", 0), len(node.proto.output)
    sizes = node.integers(1, "split") if node.has(1) else node.attribute("split")
    if sizes is None:
        (length,) = node.size([axis])
        equal = -(-length // node.attribute("num_outputs", count))
        sizes = [min(equal, length - start) for start in range(0, length, equal)]
    parts = node.add(nn.Split(tuple(sizes), axis), node.value())
    return [parts[index] for index in range(count)]


@operator("Slice")
def slice_axes(node: Node) -> Value:
    """Slice along axes, with constant bounds."""
    if node.opset < 10:
        starts, ends = list(node.attribute("starts")), list(node.attribute("ends"))
        axes, steps = list(node.attribute("axes", range(len(starts)))), [1] * len(starts)
    else:
        starts, ends = node.integers(1, "starts"), _ends(node)
        axes = node.integers(3, "axes") if node.has(3) else list(range(len(starts)))
        steps = node.integers(4, "steps") if node.has(4) else [1] * len(starts)
    y = node.value()
    for number, (start, end, axis, step) in enumerate(zip(starts, ends, axes, steps, strict=True)):
        part = "" if number == len(axes) - 1 else f"axis{axis}"
        if step < 0:
            (length,) = node.size([axis])
            first, last, _ = slice(start, end if end >= -length else None, step).indices(length)
            y = node.add(nn.Flip(axis), y, part=f"flip{axis}")
            start, end, step = length - 1 - first, length - 1 - last, -step
        y = node.add(nn.Slice(axis, start or None, None if end >= 2**31 - 1 else end, step), y, part=part)
    return y


def _ends(node: Node) -> list[int]:
    """Return the ends of a slice. The end of an open axis may be its length."""
    choices = node.choices(2, "ends")
    axes = node.integers(3, "axes") if node.has(3) else range(len(choices[0]))
    shapes, found = node.shapes(), []
    for number, axis in enumerate(axes):
        ends = [one[number] for one in choices]
        if len(set(ends)) == 1:
            found.append(ends[0])
        elif shapes is not None and all(end == shape[axis] for end, shape in zip(ends, shapes, strict=True)):
            found.append(2**31 - 1)
        else:
            raise node.unresolved("the end of its slice")
    return found


@operator("Gather")
def gather(node: Node) -> Value:
    """Gather: elements of an axis, by constant indices."""
    index, axis = node.constant(1, "indices"), node.attribute("axis", 0)
    if index.ndim > 1:
        raise Unsupported(f"its indices have {index.ndim} axes, expected a number or a list")
    if index.ndim == 1:
        return node.add(nn.IndexSelect(axis, tuple(int(one) for one in index)), node.value())
    y = node.add(nn.IndexSelect(axis, (int(index),)), node.value(), part="select")
    return node.add(nn.Squeeze(axis), y)


@operator("Expand")
def expand(node: Node) -> Value:
    """Expand: repeat axes of length 1."""
    targets = node.choices(1, "shape")
    shapes = node.shapes() or [()] * len(targets)
    lengths = []
    for axis, choices in enumerate(zip(*targets, strict=True)):
        offset = axis - len(targets[0])
        known = [shape[offset] if -offset <= len(shape) else None for shape in shapes]
        if len(set(choices)) == 1:
            lengths.append(choices[0])
        elif all(one == length for one, length in zip(choices, known, strict=True)):
            lengths.append(-1)
        else:
            raise node.unresolved("its shape")
    return node.add(nn.Expand(lengths), node.value())


@operator("DepthToSpace")
def depth_to_space(node: Node) -> Value:
    """DepthToSpace: blocks of channels become squares of pixels."""
    block, (channels, height, width) = node.attribute("blocksize"), node.size([1, 2, 3])
    rest = channels // block**2
    if node.attribute("mode", "DCR") == "DCR":
        shape, order = (0, block, block, rest, height, width), (0, 3, 4, 1, 5, 2)
    else:
        shape, order = (0, rest, block, block, height, width), (0, 1, 4, 2, 5, 3)
    y = node.add(nn.Reshape(shape), node.value(), part="split")
    y = node.add(nn.Permute(order), y, part="permute")
    return node.add(nn.Reshape((0, rest, height * block, width * block)), y)


@operator("SpaceToDepth")
def space_to_depth(node: Node) -> Value:
    """SpaceToDepth: squares of pixels become blocks of channels."""
    block, (channels, height, width) = node.attribute("blocksize"), node.size([1, 2, 3])
    y = node.add(nn.Reshape((0, channels, height // block, block, width // block, block)), node.value(), part="split")
    order = (0, 3, 5, 1, 2, 4) if node.attribute("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    y = node.add(nn.Permute(order), y, part="permute")
    return node.add(nn.Reshape((0, channels * block**2, height // block, width // block)), y)
