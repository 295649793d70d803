"""Random configurations of the layers over images: convolution, padding, pooling, resampling, rearranging."""

from typing import Any

import numpy as np

from mytorch import nn
from tests.gradients.drawing import (
    Case,
    Draw,
    case,
    flip,
    integers,
    perturbed,
    separated,
    spatial,
    values,
)


@case("Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d")
def _convolution(draw: Draw, name: str) -> Case:
    axes = int(name[-2])
    most = 4 if axes < 3 else 2
    kernel, stride, dilation = integers(draw, 1, most, axes), integers(draw, 1, 3, axes), integers(draw, 1, 3, axes)
    (groups,), channels = integers(draw, 1, 3, 1), integers(draw, 1, 3, 2)
    depthwise = flip(draw, 0.2)
    arguments: dict[str, Any] = {
        "in_channels": groups * (1 if depthwise else channels[0]),
        "out_channels": groups * (1 if depthwise else channels[1]),
        "kernel_size": kernel,
        "stride": stride,
        "dilation": dilation,
        "groups": groups,
        "bias": flip(draw, 0.7),
    }
    if name.startswith("ConvTranspose"):
        size = integers(draw, 1, 7 - axes, axes)
        grown = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in zip(size, stride, dilation, kernel, strict=True)]
        arguments["padding"] = tuple(int(draw.integers(min(3, (length + 1) // 2))) for length in grown)
        arguments["output_padding"] = tuple(
            int(draw.integers(max(s, d))) for s, d in zip(stride, dilation, strict=True)
        )
    else:
        arguments["padding"] = integers(draw, 0, 3 if axes < 3 else 1, axes)
        arguments["padding_mode"] = str(draw.choice(["zeros", "zeros", "reflect", "replicate", "circular"]))
        size = spatial(draw, kernel, dilation, arguments["padding"])
        if arguments["padding_mode"] in ("reflect", "circular"):
            size = tuple(max(n, p + 1) for n, p in zip(size, arguments["padding"], strict=True))
        is_even = all(d * (k - 1) % 2 == 0 for k, d in zip(kernel, dilation, strict=True))  # else PyTorch warns
        if is_even and flip(draw, 0.4):
            arguments |= {"padding": "same", "stride": 1, "padding_mode": "zeros"}
    layer = getattr(nn, name)(**arguments)
    return Case(perturbed(layer, draw), values(draw, *integers(draw, 1, 3, 1), arguments["in_channels"], *size))


@case(*(f"{kind}Pad{n}d" for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero") for n in (1, 2, 3)))
def _padding(draw: Draw, name: str) -> Case:
    axes = int(name[-2])
    size = integers(draw, 3, 6, axes)
    padding = integers(draw, -1, min(size) - 2, 2 * axes)  # mirrored, an axis may grow by less than what is left of it
    arguments = (float(draw.normal()),) if name.startswith("Constant") else ()
    return Case(getattr(nn, name)(padding, *arguments), values(draw, *integers(draw, 1, 3, 2), *size))


@case("MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d")
def _pooling(draw: Draw, name: str) -> Case:
    axes = int(name[-2])
    kernel, dilation = integers(draw, 1, 6 - axes, axes), (1,) * axes
    arguments: dict[str, Any] = {
        "padding": tuple(int(draw.integers(k // 2 + 1)) for k in kernel),
        "stride": None if flip(draw, 0.3) else integers(draw, 1, 5, axes),
        "ceil_mode": flip(draw),
    }
    if name.startswith("Max"):
        dilation = arguments["dilation"] = integers(draw, 1, 3, axes)
    else:
        arguments["count_include_pad"] = flip(draw)
        arguments["divisor_override"] = int(draw.integers(1, 9)) if axes > 1 and flip(draw, 0.3) else None
    x = values(draw, *integers(draw, 1, 3, 2), *spatial(draw, kernel, dilation, (0,) * axes))
    return Case(getattr(nn, name)(kernel, **arguments), separated(x))


@case(
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "GlobalAvgPool2d",
)
def _adaptive(draw: Draw, name: str) -> Case:
    axes = int(name[-2])
    arguments = [] if name.startswith("Global") else [integers(draw, 1, 10 - axes, axes)]
    x = values(draw, *integers(draw, 1, 3, 2), *integers(draw, 1, 10 - axes, axes))
    return Case(getattr(nn, name)(*arguments), separated(x))


@case("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d")
def _upsample(draw: Draw, name: str) -> Case:
    mode = str(draw.choice(["nearest", "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"]))
    axes = {"linear": 1, "trilinear": 3}.get(mode, 2 if mode.startswith("bi") else int(draw.integers(1, 4)))
    if name != "Upsample":
        mode, axes = "bilinear" if "Bi" in name else "nearest", 2
    size = integers(draw, 2, 8 - axes, axes)
    to_size, factors = integers(draw, 1, 15 if axes < 3 else 8, axes), None
    if flip(draw):
        factors = tuple(float(f) for f in np.round(draw.uniform(1 / min(size), 3, axes), 2) + 0.01)
        if mode == "nearest" and axes == 1 and int(size[0] * factors[0]) in (size[0], 2 * size[0]):
            factors = (float(size[0] * factors[0] // size[0]),)  # else PyTorch's gradient is not that of its forward
    x = values(draw, *integers(draw, 1, 3, 2), *size)
    if name != "Upsample":
        return Case(getattr(nn, name)(None if factors else to_size, factors), x)
    corners = flip(draw) if mode.endswith(("linear", "cubic")) else None
    width = int(size[-1] * factors[-1]) if factors else to_size[-1]  # of one, PyTorch's antialiasing repeats a row
    options: dict[str, Any] = {"antialias": axes == 2 and mode.startswith("bi") and width > 1 and flip(draw)}
    if factors:  # else some of PyTorch's antialiased gradients are not those of its forward
        options["recompute_scale_factor"] = options["antialias"] or flip(draw, 0.3)
    return Case(nn.Upsample(None if factors else to_size, factors, mode, corners, **options), x)


@case("LPPool1d", "LPPool2d", "LPPool3d")
def _power_pooling(draw: Draw, name: str) -> Case:
    axes, p = int(name[-2]), float(draw.choice([1, 2, 3, 1.5]))
    kernel = integers(draw, 1, 6 - axes, axes)
    stride = None if flip(draw, 0.3) else integers(draw, 1, 5, axes)
    x = np.abs(separated(values(draw, *integers(draw, 1, 3, 2), *spatial(draw, kernel, (1,) * axes, (0,) * axes))))
    return Case(getattr(nn, name)(p, kernel, stride, flip(draw)), x + 0.5)  # roots of negative sums are NaN


@case("MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d")
def _unpooling(draw: Draw, name: str) -> Case:
    axes, (n, channels) = int(name[-2]), integers(draw, 1, 3, 2)
    kernel, size = integers(draw, 1, 3, axes), integers(draw, 1, 4, axes)
    stride = tuple(k + int(draw.integers(2)) for k in kernel)  # windows apart, so no index occurs twice
    layer, pool = getattr(nn, name)(kernel, stride), getattr(nn, f"MaxPool{axes}d")(kernel, stride, return_indices=True)
    image = ((m - 1) * s + k for m, s, k in zip(size, stride, kernel, strict=True))
    _, indices = pool(draw.standard_normal((n, channels, *image)))
    return Case(layer, values(draw, n, channels, *size), (indices,))


@case("PixelShuffle", "PixelUnshuffle", "ChannelShuffle")
def _shuffle(draw: Draw, name: str) -> Case:
    (factor,), lead, (channels, h, w) = integers(draw, 1, 3, 1), integers(draw, 1, 3, 1), integers(draw, 1, 4, 3)
    channels *= {"PixelShuffle": factor**2, "ChannelShuffle": factor}.get(name, 1)
    grown = factor if name == "PixelUnshuffle" else 1
    return Case(getattr(nn, name)(factor), values(draw, *lead, channels, grown * h, grown * w))


@case("Unfold", "Fold")
def _fold(draw: Draw, name: str) -> Case:
    kernel, stride, padding, dilation = (integers(draw, low, 3, 2) for low in (1, 1, 0, 1))
    size, lead = spatial(draw, kernel, dilation, padding), integers(draw, 1, 3, 2)
    unfold, x = nn.Unfold(kernel, dilation, padding, stride), values(draw, *lead, *size)
    if name == "Unfold":
        return Case(unfold, x)
    return Case(nn.Fold(size, kernel, dilation, padding, stride), values(draw, *unfold(x).shape))


@case("ZeroUpsample1d", "ZeroUpsample2d", "Downsample1d", "Downsample2d")
def _spaced(draw: Draw, name: str) -> Case:
    axes = int(name[-2])
    layer = getattr(nn, name)(integers(draw, 1, 4, axes))
    return Case(layer, values(draw, *integers(draw, 1, 3, 2), *integers(draw, 1, 9, axes)))


@case("Conv2d by Winograd")
def _quick_convolution(draw: Draw, name: str) -> Case:
    """Shapes that use Winograd convolution in float32."""
    channels, kernel = integers(draw, 24, 40, 2), tuple(int(k) for k in draw.choice([3, 5], 2))
    padding, (n,) = integers(draw, 0, 2, 2), integers(draw, 2, 4, 1)
    layer = nn.Conv2d(*channels, kernel, padding=padding, bias=flip(draw, 0.7))
    return Case(perturbed(layer, draw), values(draw, n, channels[0], *integers(draw, 24, 30, 2)))
