"""How layers with weights or windows are written: convolution, linear, normalization, pooling, padding, resampling."""

from collections.abc import Sequence
from math import isinf, prod
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.onnx.writer import CannotWrite, Name, Site, Tensor, writes

MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""ONNX's names for modes of padding."""


def flat(ends: Sequence[tuple[int, int]]) -> list[int]:
    """Return pairs for each axis as ONNX has them: first all begins, then all ends."""
    return [before for before, _ in ends] + [after for _, after in ends]


def batch_of(layer: nn.Module, x: Tensor, axes: int) -> None:
    """Raise CannotWrite for an input without a batch."""
    if len(x.shape) != axes + 2:
        raise CannotWrite(f"its input has {len(x.shape)} axes, expected {axes + 2}, the first one the batch")


@writes(nn.Conv1d, nn.Conv2d, nn.Conv3d)
def _conv(layer: Any, site: Site, x: Tensor) -> Name:
    batch_of(layer, x, layer.axes)
    ends = [(n, n) for n in layer._inner]
    value: Tensor | Name = x
    if layer._outer and layer._pad_mode == "constant":
        ends = [(n + before, n + after) for n, (before, after) in zip(layer._inner, layer._outer, strict=True)]
    elif layer._outer:
        pads = site.numbers("pads", flat([(0, 0), (0, 0), *layer._outer]))
        value = site.node("Pad", [x, pads], "pad", mode=MODES[layer._pad_mode])
    return site.node("Conv", _with_bias(layer, site, value), pads=flat(ends), **_geometry(layer))


@writes(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
def _conv_transpose(layer: Any, site: Site, x: Tensor) -> Name:
    batch_of(layer, x, layer.axes)
    pads, extra = flat([(n, n) for n in layer.padding]), list(layer.output_padding)
    return site.node("ConvTranspose", _with_bias(layer, site, x), pads=pads, output_padding=extra, **_geometry(layer))


def _with_bias(layer: Any, site: Site, x: Tensor | Name) -> list[Tensor | Name]:
    bias = [] if layer.bias is None else [site.array("bias", layer.bias)]
    return [x, site.array("weight", layer.weight), *bias]


def _geometry(layer: Any) -> dict[str, Any]:
    kernel, stride, dilation = list(layer.kernel_size), list(layer.stride), list(layer.dilation)
    return {"kernel_shape": kernel, "strides": stride, "dilations": dilation, "group": layer.groups}


@writes(nn.Linear)
def _linear(layer: nn.Linear, site: Site, x: Tensor) -> Name:
    if len(x.shape) == 2:
        return site.node("Gemm", _with_bias(layer, site, x), transB=1)
    y = site.node("MatMul", [x, site.array("weight", layer.weight.data.T)], "" if layer.bias is None else "product")
    return y if layer.bias is None else site.node("Add", [y, site.array("bias", layer.bias)])


def _affine(layer: Any, site: Site, shape: Sequence[int]) -> list[Name]:
    """Return weight and bias, ones and zeros where there are none."""
    values = ((layer.weight, np.ones), (getattr(layer, "bias", None), np.zeros))
    return [
        site.array(name, make(shape, site.writer.dtype) if value is None else value)
        for name, (value, make) in zip(("weight", "bias"), values, strict=True)
    ]


@writes(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
def _channel_norm(layer: Any, site: Site, x: Tensor) -> Name:
    affine = _affine(layer, site, (layer.num_features,))
    if layer.running_mean is not None:
        statistics = [site.array(name, getattr(layer, name)) for name in ("running_mean", "running_var")]
        momentum = 1 - (0.1 if layer.momentum is None else layer.momentum)
        return site.node("BatchNormalization", [x, *affine, *statistics], epsilon=layer.eps, momentum=momentum)
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        raise CannotWrite("it normalizes by the batch's statistics, expected track_running_stats=True")
    return site.node("InstanceNormalization", [x, *affine], epsilon=layer.eps)


@writes(nn.LayerNorm)
def _layer_norm(layer: nn.LayerNorm, site: Site, x: Tensor) -> Name:
    affine = _affine(layer, site, layer.normalized_shape)
    return site.node("LayerNormalization", [x, *affine], axis=-len(layer.normalized_shape), epsilon=layer.eps)


@writes(nn.GroupNorm)
def _group_norm(layer: nn.GroupNorm, site: Site, x: Tensor) -> Name:
    affine = _affine(layer, site, (layer.num_channels,))
    return site.node("GroupNormalization", [x, *affine], num_groups=layer.num_groups, epsilon=layer.eps)


@writes(nn.RMSNorm)
def _rms_norm(layer: nn.RMSNorm, site: Site, x: Tensor) -> Name:
    eps = float(np.finfo(site.writer.dtype).eps) if layer.eps is None else layer.eps
    axes = site.numbers("axes", range(-len(layer.normalized_shape), 0))
    squares = site.node("Mul", [x, x], "squares")
    mean = site.node("Add", [site.node("ReduceMean", [squares, axes], "mean"), site.number("eps", eps)], "sum")
    y = site.node("Div", [x, site.node("Sqrt", [mean], "root")], "" if layer.weight is None else "normalized")
    return y if layer.weight is None else site.node("Mul", [y, site.array("weight", layer.weight)])


@writes(nn.LocalResponseNorm)
def _local_response_norm(layer: nn.LocalResponseNorm, site: Site, x: Tensor) -> Name:
    if layer.size % 2 == 0:
        raise CannotWrite(f"size={layer.size}, expected an odd number: ONNX begins even ones at another channel")
    return site.node("LRN", [x], size=layer.size, alpha=layer.alpha, beta=layer.beta, bias=layer.k)


@writes(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
def _max_pool(layer: Any, site: Site, x: Tensor) -> Name:
    batch_of(layer, x, layer.axes)
    if layer.return_indices:
        raise CannotWrite("return_indices=True, expected False: ONNX counts the indices in another way")
    return site.node("MaxPool", [x], dilations=list(layer.dilation), **_windows(layer))


@writes(nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
def _avg_pool(layer: Any, site: Site, x: Tensor) -> Name:
    batch_of(layer, x, layer.axes)
    counted, divisor = layer.count_include_pad, layer.divisor_override
    if divisor is None:
        return site.node("AveragePool", [x], count_include_pad=int(counted), **_windows(layer))
    if layer.ceil_mode:
        raise CannotWrite(f"ceil_mode=True with divisor_override={divisor}, expected one of them alone")
    y = site.node("AveragePool", [x], "mean", count_include_pad=1, **_windows(layer))
    return site.node("Mul", [y, site.number("factor", prod(layer.kernel_size) / divisor)])


@writes(nn.LPPool1d, nn.LPPool2d, nn.LPPool3d)
def _lp_pool(layer: Any, site: Site, x: Tensor) -> Name:
    batch_of(layer, x, layer.axes)
    p = layer.norm_type
    if isinf(p) or p != int(p) or int(p) % 2:
        raise CannotWrite(f"norm_type={p}, expected an even number: ONNX takes the magnitude of x first")
    windows = zip(x.shape[2:], layer.kernel_size, layer.stride, strict=True)
    if layer.ceil_mode and any((n - k) % s for n, k, s in windows):
        raise CannotWrite("ceil_mode=True with windows that leave the image, whose sums PyTorch enlarges and ONNX not")
    return site.node("LpPool", [x], p=int(p), kernel_shape=list(layer.kernel_size), strides=list(layer.stride))


def _windows(layer: Any) -> dict[str, Any]:
    kernel, stride = list(layer.kernel_size), list(layer.stride)
    pads = flat([(n, n) for n in layer.padding])
    return {"kernel_shape": kernel, "strides": stride, "pads": pads, "ceil_mode": int(layer.ceil_mode)}


@writes(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
def _adaptive_avg_pool(layer: Any, site: Site, x: Tensor) -> Name:
    return _adaptive(layer, site, x, "AveragePool")


@writes(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
def _adaptive_max_pool(layer: Any, site: Site, x: Tensor) -> Name:
    if layer.return_indices:
        raise CannotWrite("return_indices=True, expected False: ONNX counts the indices in another way")
    return _adaptive(layer, site, x, "MaxPool")


def _adaptive(layer: Any, site: Site, x: Tensor, kind: str) -> Name:
    batch_of(layer, x, layer.axes)
    size = x.shape[2:]
    out = [n if wanted is None else wanted for n, wanted in zip(size, layer.output_size, strict=True)]
    if max(out) == 1:
        return site.node(f"Global{kind}", [x])
    if any(n % o for n, o in zip(size, out, strict=True)):
        raise CannotWrite(f"its windows have several sizes for {size}, expected an input that {tuple(out)} divides")
    kernel = [n // o for n, o in zip(size, out, strict=True)]
    return site.node(kind, [x], kernel_shape=kernel, strides=kernel)


@writes(nn.GlobalAvgPool2d)
def _global_avg_pool(layer: nn.GlobalAvgPool2d, site: Site, x: Tensor) -> Name:
    return site.node("GlobalAveragePool", [x])


PADDINGS = tuple(
    getattr(nn, f"{kind}Pad{axes}d")
    for kind in ("Constant", "Zero", "Reflection", "Replication", "Circular")
    for axes in (1, 2, 3)
)


@writes(*PADDINGS)
def _pad(layer: Any, site: Site, x: Tensor) -> Name:
    batch_of(layer, x, layer.axes)
    inputs: list[Any] = [x, site.numbers("pads", flat([(0, 0), (0, 0), *layer._ends]))]
    value = [site.number("value", layer.value)] if layer.mode == "constant" and layer.value else []
    return site.node("Pad", [*inputs, *value], mode=MODES[layer.mode])


@writes(nn.Upsample, nn.UpsamplingNearest2d, nn.UpsamplingBilinear2d)
def _upsample(layer: nn.Upsample, site: Site, x: Tensor) -> Name:
    axes = list(range(2, len(x.shape)))
    out, scales = layer._out(x.shape[2:])
    if layer.mode == "area":
        if any(n % o for n, o in zip(x.shape[2:], out, strict=True)):
            raise CannotWrite(f"mode='area' from {x.shape[2:]} to {out}, expected a size that divides the input's")
        kernel = [n // o for n, o in zip(x.shape[2:], out, strict=True)]
        return site.node("AveragePool", [x], kernel_shape=kernel, strides=kernel)
    settings: dict[str, Any] = {"mode": "linear"}
    if layer.mode.startswith("nearest"):
        exact = layer.mode == "nearest-exact"
        settings = {"mode": "nearest", "nearest_mode": "round_prefer_ceil" if exact else "floor"}
        settings["coordinate_transformation_mode"] = "half_pixel" if exact else "asymmetric"
    else:
        settings["coordinate_transformation_mode"] = "align_corners" if layer.align_corners else "half_pixel"
    if layer.mode == "bicubic":
        settings |= {"mode": "cubic", "cubic_coeff_a": -0.5 if layer.antialias else -0.75}
    if layer.antialias:
        settings |= {"antialias": 1, "exclude_outside": 1}
    given = [one for one in scales if one is not None]
    if len(given) == len(axes):
        return _resize_node(site, x, given, None, axes, settings)
    return _resize_node(site, x, None, list(out), axes, settings)


@writes(nn.Resize)
def _resize(layer: nn.Resize, site: Site, x: Tensor) -> Name:
    settings: dict[str, Any] = {"mode": layer.mode, "coordinate_transformation_mode": layer.coordinates}
    settings |= {"nearest_mode": layer.rounding, "cubic_coeff_a": layer.cubic_coeff_a}
    settings |= {"exclude_outside": int(layer.exclude_outside), "antialias": int(layer.antialias)}
    settings["extrapolation_value"] = layer.extrapolation_value
    axes = [axis % len(x.shape) for axis in layer.axes]
    scales = None if layer.sizes is not None else layer.scales
    return _resize_node(site, x, scales, layer.sizes, axes, settings, layer.roi)


def _resize_node(
    site: Site,
    x: Tensor,
    scales: Sequence[float] | None,
    sizes: Sequence[int] | None,
    axes: list[int],
    settings: dict[str, Any],
    roi: Sequence[float] | None = None,
) -> Name:
    window = "" if roi is None else site.array("roi", np.array(roi, site.writer.dtype))
    writer, inputs = site.writer, [x.name, window]
    if scales is not None:  # float32 whatever the network's precision is
        name = writer.unique(f"{site.weights}.scales")
        writer.arrays[name] = np.array(scales, np.float32)
        inputs.append(name)
    else:
        inputs += ["", site.numbers("sizes", sizes or ())]
    return site.node("Resize", inputs, axes=axes, **settings)


@writes(nn.Downsample1d, nn.Downsample2d)
def _downsample(layer: Any, site: Site, x: Tensor) -> Name:
    axes = range(2, 2 + layer.axes)
    numbers: dict[str, Any] = {
        "starts": [0] * layer.axes,
        "ends": [2**62] * layer.axes,
        "axes": list(axes),
        "steps": layer.factor,
    }
    return site.node("Slice", [x, *(site.numbers(name, value) for name, value in numbers.items())])


@writes(nn.ZeroUpsample1d, nn.ZeroUpsample2d)
def _zero_upsample(layer: Any, site: Site, x: Tensor) -> Name:
    channels = x.shape[1]
    weight = site.array("ones", np.ones((channels, 1, *(1,) * layer.axes), site.writer.dtype))
    return site.node("ConvTranspose", [x, weight], group=channels, strides=list(layer.factor))


@writes(nn.Fold)
def _fold(layer: nn.Fold, site: Site, x: Tensor) -> Name:
    inputs: list[Any] = [
        x,
        site.numbers("image_shape", layer.output_size),
        site.numbers("block_shape", layer.kernel_size),
    ]
    pads = flat([(n, n) for n in layer.padding])
    return site.node("Col2Im", inputs, pads=pads, strides=list(layer.stride), dilations=list(layer.dilation))


@writes(nn.Unfold)
def _unfold(layer: nn.Unfold, site: Site, x: Tensor) -> Name:
    """Each pixel of a window is a convolution with a kernel that is 1 there."""
    batch_of(layer, x, 2)
    channels, taps = x.shape[1], prod(layer.kernel_size)
    one_hot = np.eye(taps, dtype=site.writer.dtype).reshape(taps, 1, *layer.kernel_size)
    pads = flat([(n, n) for n in layer.padding])
    settings: dict[str, Any] = {
        "strides": list(layer.stride),
        "dilations": list(layer.dilation),
        "pads": pads,
        "group": channels,
    }
    y = site.node("Conv", [x, site.array("taps", np.tile(one_hot, (channels, 1, 1, 1)))], "windows", **settings)
    return site.node("Reshape", [y, site.numbers("shape", [0, channels * taps, -1])])
