"""A layer of every kind by name, each for the same images: what the tests of all layers share."""

import numpy as np

import mytorch
from mytorch import nn
from mytorch.device import device_of
from mytorch.nn.validate import check_input

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((4, 6, 7, 5))


class Rows(nn.Module):
    """Images (N, C, H, W) as sequences (N, C, H W), for the layers of one axis."""

    def forward(self, x):
        y = check_input(self, x, "(N, C, H, W)").reshape(*x.shape[:2], x.shape[2] * x.shape[3])
        self.save_for_backward(x.shape, output=y)
        return y

    def backward(self, grad):
        (shape,) = self.saved(grad)
        return grad.reshape(shape)


class Volumes(Rows):
    """Images (N, C, H, W) as volumes (N, C / 2, 2, H, W), for the layers of three axes."""

    def forward(self, x):
        y = check_input(self, x, "(N, C, H, W)").reshape(len(x), x.shape[1] // 2, 2, *x.shape[2:])
        self.save_for_backward(x.shape, output=y)
        return y


class Unpooled(nn.Module):
    """Max unpooling with fixed indices: those of an image that max pooling by 2 makes as large as the input."""

    def __init__(self, axes):
        self.pool = getattr(nn, f"MaxPool{axes}d")(2, return_indices=True)
        self.unpool = getattr(nn, f"MaxUnpool{axes}d")(2)

    def forward(self, x):
        check_input(self, x, "(*, F)")
        shape = (*x.shape[:2], *(2 * n for n in x.shape[2:]))
        _, indices = self.pool(np.cos(np.arange(np.prod(shape), dtype=float)).reshape(shape))
        return self.unpool(x, mytorch.to_device(indices, device_of(x)))

    def backward(self, grad):
        return self.unpool.backward(grad)


def rows(layer):
    return nn.Sequential(Rows(), layer)


def volumes(layer):
    return nn.Sequential(Volumes(), layer)


def graph():
    """Every function of several arrays, or of one, that only graphs need."""
    graph = nn.Graph()
    y = graph.add("conv", nn.Conv2d(6, 8, 3, padding=1, groups=2), graph.input())
    parts = graph.add("chunk", nn.Chunk(2, dim=1), y)
    sides = graph.add("split", nn.Split((1, 3), dim=1), parts[1])
    gate = graph.add("mean", nn.Mean((2, 3), keepdim=True), parts[0])
    y = graph.add("product", nn.Multiply(), parts[0], graph.add("scale", nn.Scale(0.5, -1.0), gate))
    y = graph.add("quotient", nn.Divide(), y, graph.add("positive", nn.Scale(0.0, 2.0), parts[1]))
    y = graph.add("difference", nn.Subtract(), y, gate)
    y = graph.add("concatenation", nn.Concatenate(), y, sides[1])
    y = graph.add("sum", nn.Add(), y, graph.parameter("bias", np.full((7, 1, 1), 0.1)))
    y = graph.add("relu", nn.ReLU(), y)
    y = graph.add("normalize", nn.Normalize(), y)
    y = graph.add("permute", nn.Permute((0, 2, 3, 1)), y)
    y = graph.add("transpose", nn.Transpose(1, 2), y)
    y = graph.add("slice", nn.Slice(1, 1, None, 2), y)
    graph.output(graph.add("reshape", nn.Reshape((0, -1)), y))
    return graph


def functions():
    """The functions of one array, and the product of two, that networks from ONNX files have."""
    graph = nn.Graph()
    x = graph.add("conv", nn.Conv2d(6, 4, 3, padding=1), graph.input())
    positive = graph.add("power", nn.Power(2), graph.add("clamp", nn.Clamp(-1.5, 1.5), x))
    y = graph.add("log", nn.Log(), graph.add("offset", nn.Scale(1, 1), positive))
    y = graph.add("erf", nn.Erf(), y)
    y = graph.add("flip", nn.Flip((1, 3)), graph.add("exp", nn.Exp(), graph.add("abs", nn.Abs(), y)))
    y = graph.add("select", nn.IndexSelect(1, (2, 0, 2)), y)
    total = graph.add("total", nn.Sum((1, 2, 3), keepdim=True), positive)
    total = graph.add("unsqueeze", nn.Unsqueeze((1, -1)), graph.add("squeeze", nn.Squeeze((1, 2)), total))
    total = graph.add("expand", nn.Expand((-1, 1, 7, 1)), total)
    y = graph.add("matmul", nn.Matmul(), graph.add("transpose", nn.Transpose(2, 3), y), total)
    graph.output(y)
    return graph


PADDINGS = ["Circular", "Reflection", "Replication", "Zero"]

LAYERS = {
    "Conv1d": lambda: rows(nn.Conv1d(6, 4, 3, stride=2, dilation=2, groups=2)),
    "depthwise Conv2d": lambda: nn.Conv2d(6, 6, 3, stride=(2, 1), padding=1, groups=6),
    "ConvTranspose1d": lambda: rows(nn.ConvTranspose1d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2)),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(6, 4, (3, 2), stride=(1, 2), padding=1, output_padding=(0, 1)),
    "Conv2d, reflected": lambda: nn.Conv2d(6, 4, (3, 2), 2, (1, 2), padding_mode="reflect"),
    "Conv2d, same": lambda: nn.Conv2d(6, 4, (4, 2), padding="same"),
    "Conv3d": lambda: volumes(nn.Conv3d(3, 2, (1, 3, 2), stride=(1, 2, 1), padding=(0, 1, 2), padding_mode="circular")),
    "ConvTranspose3d": lambda: volumes(nn.ConvTranspose3d(3, 2, (1, 3, 2), stride=(1, 2, 1), output_padding=(0, 1, 0))),
    "MaxPool1d": lambda: rows(nn.MaxPool1d(3, 2, 1)),
    "AvgPool1d": lambda: rows(nn.AvgPool1d(3, 2, 1)),
    "MaxPool3d": lambda: volumes(nn.MaxPool3d((1, 3, 2), (1, 2, 1), (0, 1, 1), (1, 2, 1), ceil_mode=True)),
    "AvgPool3d": lambda: volumes(nn.AvgPool3d((2, 3, 2), 2, (1, 1, 0), True, False)),
    "AvgPool2d, divided": lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True, divisor_override=4),
    **{f"{kind}Pad1d": lambda kind=kind: rows(getattr(nn, f"{kind}Pad1d")((3, -1))) for kind in PADDINGS},
    **{f"{kind}Pad2d": lambda kind=kind: getattr(nn, f"{kind}Pad2d")((1, -1, 2, 3)) for kind in PADDINGS},
    **{
        f"{kind}Pad3d": lambda kind=kind: volumes(getattr(nn, f"{kind}Pad3d")((1, -1, 2, 3, 1, 0))) for kind in PADDINGS
    },
    "ConstantPad1d": lambda: rows(nn.ConstantPad1d((3, -1), 1.5)),
    "ConstantPad2d": lambda: nn.ConstantPad2d((1, -1, 2, 3), np.float64(1.5)),
    "ConstantPad3d": lambda: volumes(nn.ConstantPad3d((1, -1, 2, 3, 0, 1), -2)),
    "AdaptiveAvgPool3d": lambda: volumes(nn.AdaptiveAvgPool3d((1, 3, 4))),
    "AdaptiveMaxPool1d": lambda: rows(nn.AdaptiveMaxPool1d(4)),
    "AdaptiveMaxPool3d": lambda: volumes(nn.AdaptiveMaxPool3d((1, 3, 4))),
    "AdaptiveAvgPool1d": lambda: rows(nn.AdaptiveAvgPool1d(4)),
    "AdaptiveAvgPool2d": lambda: nn.AdaptiveAvgPool2d((3, 4)),
    "AdaptiveMaxPool2d": lambda: nn.AdaptiveMaxPool2d((3, 4)),
    "Upsample nearest": lambda: nn.Upsample(scale_factor=(1.7, 2.0)),
    "Upsample linear": lambda: rows(nn.Upsample(size=20, mode="linear")),
    "Upsample bilinear": lambda: nn.Upsample(scale_factor=1.5, mode="bilinear", align_corners=True),
    "Upsample nearest-exact": lambda: volumes(nn.Upsample((3, 5, 8), mode="nearest-exact")),
    "Upsample trilinear": lambda: volumes(nn.Upsample(scale_factor=1.5, mode="trilinear")),
    "Upsample bicubic": lambda: nn.Upsample((9, 4), mode="bicubic"),
    "Upsample bicubic, antialiased": lambda: nn.Upsample((3, 8), mode="bicubic", antialias=True),
    "Upsample area": lambda: nn.Upsample((3, 8), mode="area"),
    "UpsamplingNearest2d": lambda: nn.UpsamplingNearest2d(scale_factor=2),
    "UpsamplingBilinear2d": lambda: nn.UpsamplingBilinear2d((5, 8)),
    "MaxUnpool1d": lambda: rows(Unpooled(1)),
    "MaxUnpool2d": lambda: Unpooled(2),
    "MaxUnpool3d": lambda: volumes(Unpooled(3)),
    "LPPool1d": lambda: rows(nn.LPPool1d(np.float64(2), 3, 2, ceil_mode=True)),
    "LPPool2d": lambda: nn.LPPool2d(4, (3, 2)),
    "LPPool3d": lambda: volumes(nn.LPPool3d(2, (1, 3, 2), 2)),
    "PixelShuffle": lambda: volumes(nn.PixelShuffle(1)),
    "PixelShuffle by 2": lambda: nn.Sequential(nn.Conv2d(6, 8, 1), nn.PixelShuffle(2)),
    "PixelUnshuffle": lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 1, 0)), nn.PixelUnshuffle(2)),
    "ChannelShuffle": lambda: nn.ChannelShuffle(3),
    "Unfold": lambda: nn.Unfold((3, 2), (1, 2), (2, 1), (2, 1)),
    "Fold": lambda: nn.Sequential(nn.Unfold(2, stride=2), nn.Fold((6, 4), 2, stride=2)),
    "Fold, overlapping": lambda: nn.Sequential(
        nn.Unfold((3, 2), 1, (2, 1), (2, 1)), nn.Fold((7, 5), (3, 2), 1, (2, 1), (2, 1))
    ),
    "ZeroUpsample1d": lambda: rows(nn.ZeroUpsample1d(3)),
    "ZeroUpsample2d": lambda: nn.ZeroUpsample2d((2, 3)),
    "Downsample1d": lambda: rows(nn.Downsample1d(3)),
    "Downsample2d": lambda: nn.Downsample2d((2, 3)),
    "LayerNorm": lambda: nn.LayerNorm((7, 5), eps=np.float64(1e-5)),
    "GroupNorm": lambda: nn.GroupNorm(2, 6, eps=np.float64(1e-5)),
    "PReLU": lambda: nn.PReLU(6),
    "PReLU of one slope": lambda: nn.PReLU(init=np.float64(0.1)),
    "Sigmoid": lambda: nn.Sigmoid(),
    "Tanh": lambda: nn.Tanh(),
    "GELU": lambda: nn.GELU(),
    "GELU by tanh": lambda: nn.GELU("tanh"),
    "SiLU": lambda: nn.SiLU(),
    "RReLU": lambda: nn.RReLU(),
    "GLU": lambda: nn.GLU(1),
    "CELU": lambda: nn.CELU(np.float64(0.7)),
    "ELU": lambda: nn.ELU(np.float64(0.7)),
    "SELU": lambda: nn.SELU(),
    "Hardshrink": lambda: nn.Hardshrink(np.float64(0.7)),
    "Hardsigmoid": lambda: nn.Hardsigmoid(),
    "Hardswish": lambda: nn.Hardswish(),
    "Hardtanh": lambda: nn.Hardtanh(np.float64(-0.7), np.float64(1.2)),
    "LogSigmoid": lambda: nn.LogSigmoid(),
    "Mish": lambda: nn.Mish(),
    "ReLU6": lambda: nn.ReLU6(),
    "Softplus": lambda: nn.Softplus(np.float64(1.5)),
    "Softshrink": lambda: nn.Softshrink(np.float64(0.7)),
    "Softsign": lambda: nn.Softsign(),
    "Tanhshrink": lambda: nn.Tanhshrink(),
    "Threshold": lambda: nn.Threshold(np.float64(0.3), np.float64(0.1)),
    "Softmin": lambda: nn.Softmin(1),
    "Softmax2d": lambda: nn.Softmax2d(),
    "InstanceNorm1d": lambda: rows(nn.InstanceNorm1d(6, affine=True, eps=np.float64(1e-5))),
    "InstanceNorm2d": lambda: nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
    "InstanceNorm3d": lambda: volumes(nn.InstanceNorm3d(3, affine=True)),
    "BatchNorm3d": lambda: volumes(nn.BatchNorm3d(3)),
    "LocalResponseNorm": lambda: nn.LocalResponseNorm(3, np.float64(0.5)),
    "RMSNorm": lambda: nn.RMSNorm((7, 5), eps=np.float64(1e-5)),
    "Dropout1d": lambda: rows(nn.Dropout1d(np.float64(0.4))),
    "Dropout3d": lambda: volumes(nn.Dropout3d(np.float64(0.4))),
    "AlphaDropout": lambda: nn.AlphaDropout(np.float64(0.4)),
    "FeatureAlphaDropout": lambda: nn.FeatureAlphaDropout(np.float64(0.4)),
    "StochasticDepth": lambda: nn.StochasticDepth(np.float64(0.4), "row"),
    "Unflatten": lambda: nn.Unflatten(1, (2, 3)),
    "Softmax": lambda: nn.Softmax(1),
    "LogSoftmax": lambda: nn.LogSoftmax(-1),
    "Identity": lambda: nn.Identity(),
    "Dropout2d": lambda: nn.Dropout2d(np.float64(0.4)),
    "DropBlock2d": lambda: nn.DropBlock2d(np.float64(0.3), 3),
    "SqueezeExcitation": lambda: nn.SqueezeExcitation(6, 3),
    "BatchNorm1d": lambda: rows(nn.BatchNorm1d(6)),
    "Conv2d": lambda: nn.Conv2d(6, 4, (3, 2), stride=(1, 2), padding=1, groups=2),
    "Linear": lambda: nn.Linear(5, 3),
    "BatchNorm2d": lambda: nn.BatchNorm2d(6, eps=np.float64(1e-5), momentum=np.float64(0.1)),
    "MaxPool2d": lambda: nn.MaxPool2d(3, 2, 1),
    "AvgPool2d": lambda: nn.AvgPool2d(3, 2, 1),
    "GlobalAvgPool2d": lambda: nn.GlobalAvgPool2d(),
    "ReLU": lambda: nn.ReLU(),
    "LeakyReLU": lambda: nn.LeakyReLU(np.float64(0.1)),
    "Dropout": lambda: nn.Dropout(np.float64(0.4)),
    "Flatten": lambda: nn.Flatten(),
    "Residual": lambda: nn.Residual(
        nn.Sequential(nn.Conv2d(6, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU()),
        nn.Conv2d(6, 6, 1),
    ),
    "Graph": lambda: graph(),
    "Resize": lambda: nn.Resize((2, 3), (1.7, 0.6), mode="cubic", antialias=True),
    "functions of ONNX": lambda: functions(),
    "identity Residual": lambda: nn.Residual(nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.Dropout(0.2))),
}
