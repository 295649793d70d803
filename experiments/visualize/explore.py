"""A network on one image as a page to explore: every layer's maps and gradients, and what one pixel is made of.

The page is one file that works offline. It holds the layers of a mytorch network, and of each its maps, their gradients
and its weights, for chosen channels and with 16 bits per number, so that its size is bounded.
"""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

import numpy as np

from experiments.errors import FacesError
from mytorch import nn
from mytorch.modes import no_grad

MAX_FEATURES = 2048
"""Numbers of a vector that are stored, the largest ones."""

MAX_OUTPUTS = 12
"""Classes whose logits are explained."""

MAX_CHANNELS, MAX_BYTES = 16, 8_000_000
MAX_LAYERS = 400
INPUT = "image"


@dataclass(frozen=True)
class Call:
    """One layer of the network at one place: its name there, and the names of what goes in."""

    name: str
    layer: nn.Module
    inputs: tuple[str, ...]


def calls_of(network: nn.Module, prefix: str = "", source: str = INPUT) -> list[Call]:
    """Return the layers of a Sequential or Graph in the order in which they are computed.

    Raises FacesError for a graph with several inputs or outputs, or with a layer that returns several arrays.
    """
    if isinstance(network, nn.Sequential):
        found: list[Call] = []
        for name, layer in network.named_children():
            found += calls_of(layer, f"{prefix}{name}.", found[-1].name if found else source)
        return found or [Call(f"{prefix}identity", nn.Identity(), (source,))]
    if isinstance(network, nn.Graph):
        return _calls_of_graph(network, prefix, source)
    return [Call(prefix.removesuffix(".") or type(network).__name__, network, (source,))]


def _calls_of_graph(graph: nn.Graph, prefix: str, source: str) -> list[Call]:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or graph.sources():
        raise FacesError("explore: expected a graph with one input, one output and no arrays of its own")
    names, found = {graph.inputs[0]: source}, list[Call]()
    for node in graph.nodes:
        if any(value.index is not None for value in node.inputs):
            raise FacesError(f"explore: {node.name} uses one of several outputs of a layer, which cannot be shown")
        inputs = tuple(names[value.name] for value in node.inputs)
        parts = [Call(f"{prefix}{node.name}", graph[node.layer], inputs)]
        if len(inputs) == 1:
            parts = calls_of(graph[node.layer], f"{prefix}{node.name}.", inputs[0])
        found += parts
        names[node.name] = parts[-1].name
    if not found or graph.outputs[0].name != graph.nodes[-1].name:
        raise FacesError("explore: expected a graph whose output is its last node")
    return found


def run(calls: Sequence[Call], pixels: np.ndarray, label: int | None) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return each value (1, ...) by name, the gradient of one logit at each, and which logit: the largest by default.

    Every layer is in evaluation mode, and no gradient is left in a parameter. Raises FacesError for values that are not
    finite, for an output that is no vector of logits, and for a label that it lacks.
    """
    flags = {id(call): (call.layer, call.layer.training, call.layer.needs_input_grad) for call in calls}
    try:
        for call in calls:
            call.layer.eval()
            call.layer.needs_input_grad = True
        values = {INPUT: pixels}
        with no_grad():
            for call in calls:
                values[call.name] = call.layer.forward(*(values[name] for name in call.inputs))
        logits = values[calls[-1].name]
        if logits.ndim != 2 or not all(np.isfinite(value).all() for value in values.values()):
            raise FacesError("explore: expected a network with finite logits (1, classes) for an image")
        label = int(logits[0].argmax()) if label is None else label
        if not 0 <= label < logits.shape[1]:
            raise FacesError(f"explore: class {label}, expected 0 to {logits.shape[1] - 1}")
        grads = {name: np.zeros_like(value) for name, value in values.items()}
        grads[calls[-1].name][0, label] = 1
        for call in reversed(calls):
            call.layer.forward(*(values[name] for name in call.inputs))  # again, as a layer may be called twice
            back: Any = call.layer.backward(grads[call.name])
            for name, grad in zip(call.inputs, back if isinstance(back, tuple) else (back,), strict=True):
                grads[name] = grads[name] + grad
        return values, grads, label
    finally:
        for layer, training, needed in flags.values():
            layer.zero_grad()
            layer.train(training)
            layer.needs_input_grad = needed


def describe(
    network: nn.Module, pixels: np.ndarray, names: Sequence[str] = (), label: int | None = None, channels: int = 6
) -> dict[str, Any]:
    """Return what the page shows, as data for JSON.

    pixels: (1, C, H, W), as the network takes them. names: of the classes. label: whose logit is differentiated; the
    most probable class by default. channels: maps that are stored of a layer, those that vary most.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise FacesError(f"--channels {channels}: expected 1 to {MAX_CHANNELS}")
    calls = calls_of(network)
    if len(calls) > MAX_LAYERS:
        raise FacesError(f"explore: {len(calls)} layers, expected at most {MAX_LAYERS}")
    values, grads, label = run(calls, pixels, label)
    chosen = _channels(calls, values, channels)
    nodes = [_node(INPUT, "Image", (), values, grads, chosen, {"kind": "input"})]
    for call in calls:
        kind = type(call.layer).__name__
        nodes.append(_node(call.name, kind, call.inputs, values, grads, chosen, _operation(call, values, chosen)))
    top = [int(i) for i in chosen[calls[-1].name][:MAX_OUTPUTS]]
    shown = {str(i): str(names[i]) if i < len(names) else f"class {i}" for i in {*top, label}}
    return {"label": label, "classes": shown, "nodes": nodes}


def _channels(calls: Sequence[Call], values: dict[str, Any], most: int) -> dict[str, list[int]]:
    """The channels to store of each value. Layers that keep channels apart have those of their input."""
    group = {INPUT: INPUT}
    for call in calls:
        same = call.inputs[0]
        shapes = {values[name].shape[:2] for name in (*call.inputs, call.name)}
        group[call.name] = group[same] if _keeps_channels(call.layer) and len(shapes) == 1 else call.name
        if group[call.name] != call.name:  # a sum joins the groups of its inputs
            joined = {group[name] for name in call.inputs}
            group = {name: group[same] if old in joined else old for name, old in group.items()}
    last = {group[name]: name for name in values if _is_map(values[name])}
    found = {}
    for name, value in values.items():
        if _is_map(value):
            spread = values[last[group[name]]][0].std(axis=(1, 2))
            count = value.shape[1] if name == INPUT else min(most, value.shape[1])
            found[name] = sorted(np.argsort(-spread, kind="stable")[:count].tolist())
        else:
            flat = value.reshape(-1)
            order = np.argsort(-flat if name == calls[-1].name else -np.abs(flat), kind="stable")
            found[name] = order.tolist() if name == calls[-1].name else sorted(order[:MAX_FEATURES].tolist())
            found[name] = found[name][:MAX_FEATURES]
    return found


def _keeps_channels(layer: nn.Module) -> bool:
    depthwise = isinstance(layer, nn.Conv2d) and layer.groups == layer.in_channels == layer.out_channels
    kinds = (nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.Add, nn.Dropout, nn.Identity)
    return depthwise or isinstance(layer, kinds)


def _is_map(value: np.ndarray) -> bool:
    return value.ndim == 4 and value.shape[2] * value.shape[3] > 1


def _node(
    name: str, kind: str, inputs: Sequence[str], values: dict[str, Any], grads: dict[str, Any],
    chosen: dict[str, list[int]], operation: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    value, grad = values[name][0], grads[name][0]
    is_map, keep = _is_map(values[name]), chosen[name]
    height, width = value.shape[1:] if is_map else (1, 1)
    flat = (array.reshape(-1, height * width) for array in (value, grad))
    stored = [pack(array[keep]) for array in flat]
    return {
        "name": name, "type": kind, "inputs": list(inputs), "shape": list(value.shape), "size": [height, width],
        "channels": keep, "values": stored[0], "grads": stored[1], "op": operation,
    }  # fmt: skip


def pack(array: np.ndarray) -> dict[str, Any]:
    """Return rows of numbers (R, n) as 16-bit whole numbers in base64, with a scale for each row."""
    scale = np.abs(array).max(axis=1, initial=0).astype(np.float64) / 32767
    whole = np.round(array / np.where(scale > 0, scale, 1)[:, None]).astype("<i2")
    return {"scale": [float(f"{s:.9g}") for s in scale], "data": b64encode(whole.tobytes()).decode("ascii")}


def _operation(call: Call, values: dict[str, Any], chosen: dict[str, list[int]]) -> dict[str, Any]:
    """How the page computes one output of a layer; "other" where it cannot."""
    layer, source = call.layer, call.inputs[0]
    keep, came = chosen[call.name], chosen[source]
    match layer:
        case nn.Conv2d() if layer.padding_mode == "zeros" and values[source].ndim == 4:
            return _conv(layer, keep, came)
        case nn.MaxPool2d() if not layer.return_indices:
            return {"kind": "max", **_windows(layer)}
        case nn.AvgPool2d() if layer.divisor_override is None and not layer.ceil_mode:
            return {"kind": "mean", **_windows(layer), "all": bool(layer.count_include_pad)}
        case nn.GlobalAvgPool2d() if _is_map(values[source]):
            return {"kind": "global"}
        case nn.BatchNorm1d() | nn.BatchNorm2d() if layer.running_mean is not None and layer.running_var is not None:
            scale = 1 / np.sqrt(layer.running_var + layer.eps)
            scale = scale * layer.weight.data if layer.weight is not None else scale
            shift = (layer.bias.data if layer.bias is not None else 0) - layer.running_mean * scale
            return {"kind": "affine", "scale": _short(scale[keep]), "shift": _short(shift[keep])}
        case nn.ReLU():
            return {"kind": "relu"}
        case nn.Add() if len({values[name].shape for name in call.inputs}) == 1:
            return {"kind": "add"}
        case nn.Dropout() | nn.Identity():
            return {"kind": "same"}
        case nn.Flatten() if values[call.name].ndim == 2:
            return {"kind": "flatten"}
        case nn.Linear() if values[source].ndim == 2:
            bias = np.zeros(len(layer.weight.data)) if layer.bias is None else layer.bias.data
            rows = keep[:MAX_OUTPUTS]
            return {"kind": "linear", "weight": pack(layer.weight.data[rows][:, came]), "bias": _short(bias[rows])}
    return {"kind": "other"}


def _windows(layer: Any) -> dict[str, Any]:
    padding = layer.padding
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
    padding = (0, 0) if padding == "valid" else padding
    return {
        "kernel": list(layer.kernel_size), "stride": list(layer.stride), "padding": list(padding),
        "dilation": list(layer.dilation),
    }  # fmt: skip


def _conv(layer: nn.Conv2d, keep: Sequence[int], came: Sequence[int]) -> dict[str, Any]:
    """The kernels from the stored input channels to the stored output channels; None between groups."""
    weight, inside = layer.weight.data, layer.in_channels // layer.groups
    kernels: list[list[list[float] | None]] = []
    for f in keep:
        first = f // (layer.out_channels // layer.groups) * inside
        kernels.append([_short(weight[f, c - first].ravel()) if 0 <= c - first < inside else None for c in came])
    bias = [0.0] * len(keep) if layer.bias is None else _short(layer.bias.data[list(keep)])
    return {"kind": "conv", **_windows(layer), "weight": kernels, "bias": bias, "reads": inside}


def _short(array: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in np.ravel(array).tolist()]


def page(data: dict[str, Any], title: str) -> str:
    """Return the page as one HTML file. Raises FacesError for one of more than MAX_BYTES."""
    folder = files("experiments.visualize")
    script = folder.joinpath("explore.js").read_text(encoding="utf-8")
    style = folder.joinpath("explore.css").read_text(encoding="utf-8")
    stored = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    allowed = [b64encode(sha256(text.encode()).digest()).decode() for text in (script, style)]
    policy = f"default-src 'none'; script-src 'sha256-{allowed[0]}'; style-src 'sha256-{allowed[1]}'"
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{escape(title)}</h1><p id="about"></p></header>
<div id="columns">
<nav id="graph" aria-label="Layers of the network"></nav>
<main id="panel" aria-live="polite"></main>
</div>
<script type="application/json" id="data">{stored}</script>
<script>{script}</script>
</body>
</html>
"""
    if len(text.encode()) > MAX_BYTES:
        raise FacesError(
            f"explore: the page would have {len(text) / 1e6:.1f} MB, at most {MAX_BYTES / 1e6:.0f} are written: use "
            "fewer --channels or smaller images"
        )
    return text
