"""Resize, Upsample and Pad."""

from math import prod
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.nn.graph_plan import Value
from mytorch.onnx.node import Node, Unsupported, layer_class, operator

ASPECT = {"not_larger": min, "not_smaller": max}
PADS = {"constant": "ConstantPad", "reflect": "ReflectionPad", "edge": "ReplicationPad", "wrap": "CircularPad"}


@operator("Upsample")
def upsample(node: Node) -> Value:
    """Upsample, which is deprecated: Resize with the coordinate output / scale."""
    given = node.attribute("scales")
    scales = list(given) if given is not None else node.constant(1, "scales").tolist()
    return _resize(
        node, list(range(len(scales))), scales, None, node.attribute("mode", "nearest"), "asymmetric", "floor"
    )


@operator("Resize")
def resize(node: Node) -> Value:
    """Resize to a size or by scales: an Upsample where PyTorch has the same, otherwise a layer of its own."""
    mode = node.attribute("mode", "nearest")
    if node.opset < 11:
        scales = node.constant(1, "scales").tolist()
        return _resize(node, list(range(len(scales))), scales, None, mode, "asymmetric", "floor")
    rank = node.rank()
    axes = [axis % rank for axis in node.attribute("axes", range(rank))]
    scales = node.constant(2, "scales").tolist() if node.has(2) else []
    sizes = None
    if not scales:
        scales, sizes = _sizes(node, axes)
    coordinates = node.attribute("coordinate_transformation_mode", "half_pixel")
    options = {"cubic_coeff_a": node.attribute("cubic_coeff_a", -0.75)} if mode == "cubic" else {}
    if mode == "cubic" or node.attribute("antialias", 0):
        options["exclude_outside"] = bool(node.attribute("exclude_outside", 0))
    if node.attribute("antialias", 0):
        options["antialias"] = True
    if coordinates == "tf_crop_and_resize":
        options["roi"] = node.constant(1, "roi").tolist()
        options["extrapolation_value"] = node.attribute("extrapolation_value", 0.0)
    rounding = node.attribute("nearest_mode", "round_prefer_floor")
    return _resize(node, axes, scales, sizes, mode, coordinates, rounding, **options)


def _sizes(node: Node, axes: list[int]) -> tuple[list[float] | None, list[int] | None]:
    """Return scales, or sizes if the model has these, for each axis."""
    targets, shapes = node.choices(3, "sizes"), node.shapes()
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    lengths = [[shape[axis] for axis in axes] for shape in shapes or []]
    if policy != "stretch":
        (target, size), count = (targets[0], node.size(axes)), len(axes)
        scale = ASPECT[policy](target[i] / size[i] for i in range(count))
        return [scale] * count, [int(scale * n + 0.5) for n in size]
    if len({tuple(one) for one in targets}) == 1:
        return None, targets[0]
    ratios = [[t / n if n else 0 for t, n in zip(*pair, strict=True)] for pair in zip(targets, lengths, strict=True)]
    if not ratios or any(one != ratios[0] for one in ratios) or 0 in ratios[0]:
        raise node.unresolved("its size")
    return ratios[0], None


def _resize(
    node: Node,
    axes: list[int],
    scales: list[float] | None,
    sizes: list[int] | None,
    mode: str,
    coordinates: str,
    rounding: str,
    **options: Any,
) -> Value:
    shape = node.shape()
    lengths = [None if shape is None else shape[axis] for axis in axes]
    if coordinates != "tf_crop_and_resize":  # which may crop an axis that keeps its length
        kept = [
            i for i, n in enumerate(lengths) if (scales is None or scales[i] != 1) and (sizes is None or sizes[i] != n)
        ]
        axes = [axes[i] for i in kept]
        scales = None if scales is None else [scales[i] for i in kept]
        sizes = None if sizes is None else [sizes[i] for i in kept]
    if not axes:
        return node.value()
    layer = _as_upsample(node, axes, scales, sizes, mode, coordinates, rounding, options)
    if layer is None:
        layer = nn.Resize(axes, scales, sizes, mode, coordinates, rounding, **options)  # type: ignore[arg-type]
    return node.add(layer, node.value())


def _as_upsample(
    node: Node,
    axes: list[int],
    scales: list[float] | None,
    sizes: list[int] | None,
    mode: str,
    coordinates: str,
    rounding: str,
    options: dict[str, Any],
) -> nn.Module | None:
    """Return PyTorch's layer if it computes the same, otherwise None."""
    shape = node.shape()
    if shape is None or axes != list(range(2, len(shape))) or options.get("antialias") or (scales and sizes):
        return None
    count = len(axes)
    given: Any = (
        {"size": tuple(sizes)} if scales is None and sizes is not None else {"scale_factor": tuple(scales or ())}
    )
    whole = scales is not None and all(float(one).is_integer() for one in scales)
    if mode == "nearest":
        if whole and coordinates == "asymmetric" and rounding == "floor":
            return nn.Upsample(**given)
        return None
    if mode == "cubic" and (count != 2 or options != {"cubic_coeff_a": -0.75, "exclude_outside": False}):
        return None
    if not whole and sizes is None:
        return None
    name: Any = "bicubic" if mode == "cubic" else {1: "linear", 2: "bilinear", 3: "trilinear"}.get(count)
    if name is None or coordinates not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        return None
    if coordinates == "pytorch_half_pixel" and sizes is not None and 1 in sizes:
        return None
    return nn.Upsample(**given, mode=name, align_corners=coordinates == "align_corners")


@operator("Pad")
def pad_axes(node: Node) -> Value:
    """Pad any axes but the first: the others become the axes of an image for a while, if need be."""
    kind = node.attribute("mode", "constant")
    if kind not in PADS:
        raise Unsupported(f"mode={kind!r}, expected {', '.join(PADS)}")
    rank = node.rank()
    if node.opset < 11:
        pads, value = list(node.attribute("pads")), node.attribute("value", 0.0)
    else:
        pads = node.integers(1, "pads")
        value = float(node.constant(2, "value").reshape(())) if node.has(2) else 0.0
    axes = [axis % rank for axis in (node.integers(3, "axes") if node.has(3) else range(rank))]
    ends = [(0, 0)] * rank
    for index, axis in enumerate(axes):
        ends[axis] = (pads[index], pads[index + len(axes)])
    if not any(map(any, ends)):
        return node.value()
    first = next(axis for axis, one in enumerate(ends) if any(one))
    added = max(0, 2 - first) if first < 2 or rank < 3 else 0
    if rank + added > 5:
        raise Unsupported(f"it pads axis {first} of {rank}, expected one of the last three")
    x = node.value()
    if added:
        x = node.add(nn.Unsqueeze(tuple(range(added))), x, part="unsqueeze")
        ends = [(0, 0)] * added + ends
    flat = tuple(n for one in reversed(ends[2:]) for n in one)
    maker = layer_class(PADS[kind], len(ends) - 2)
    layer = maker(flat, value) if kind == "constant" else maker(flat)
    if not added:
        return node.add(layer, x)
    return node.add(nn.Squeeze(tuple(range(added))), node.add(layer, x, part="pad"))


@operator("Col2Im")
def col2im(node: Node) -> Value:
    """Col2Im: sums the pixels of windows."""
    size, kernel = tuple(node.integers(1, "image_shape")), tuple(node.integers(2, "block_shape"))
    axes = len(size)
    pads = node.attribute("pads", [0] * 2 * axes)
    if axes != 2 or list(pads[:axes]) != list(pads[axes:]):
        raise Unsupported(f"it has {axes} axes with pads={list(pads)}, expected 2, padded alike at both ends")
    settings = [tuple(node.attribute(name, [1] * axes)) for name in ("dilations", "strides")]
    if not prod(kernel) or not np.prod(size):
        raise Unsupported(f"image_shape={size}, block_shape={kernel}: expected lengths of at least 1")
    return node.add(nn.Fold(size, kernel, settings[0], tuple(pads[:axes]), settings[1]), node.value())
