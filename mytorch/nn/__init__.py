"""Layers and losses, thin wrappers of `mytorch.ops`. Names and meanings are PyTorch's.

Precisions are never mixed silently. A network computes in the dtype of its parameters, float32 or float64 (see
`Module.to`). An input, or a gradient at an output, of another dtype or on another device raises a TypeError that says
how to convert it. A layer without parameters computes in the dtype of its input. Losses convert targets to the dtype of
the predictions. Sums over many terms, such as batch statistics, are computed in float64 and rounded once.

`inplace` is accepted where PyTorch has it, so that its code runs here. It changes nothing: no layer writes to its
input.
"""

from mytorch.nn.activation import GELU, GLU, Identity, LeakyReLU, PReLU, ReLU, RReLU, Sigmoid, SiLU, Tanh
from mytorch.nn.adaptive import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
)
from mytorch.nn.batch_norm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from mytorch.nn.container import Sequential
from mytorch.nn.conv import Conv1d, Conv2d, Conv3d
from mytorch.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from mytorch.nn.dropout import (
    AlphaDropout,
    DropBlock2d,
    Dropout,
    Dropout1d,
    Dropout2d,
    Dropout3d,
    FeatureAlphaDropout,
    StochasticDepth,
)
from mytorch.nn.fold import Fold, Unfold
from mytorch.nn.graph import Graph
from mytorch.nn.linear import Bilinear, Flatten, Linear, Unflatten
from mytorch.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss
from mytorch.nn.lp_pool import LPPool1d, LPPool2d, LPPool3d
from mytorch.nn.margin import ArcFace, CosFace
from mytorch.nn.merge import Add, Concatenate, Divide, Multiply, Subtract
from mytorch.nn.module import Module, Parameter
from mytorch.nn.normalization import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
from mytorch.nn.padding import (
    CircularPad1d,
    CircularPad2d,
    CircularPad3d,
    ConstantPad1d,
    ConstantPad2d,
    ConstantPad3d,
    ReflectionPad1d,
    ReflectionPad2d,
    ReflectionPad3d,
    ReplicationPad1d,
    ReplicationPad2d,
    ReplicationPad3d,
    ZeroPad1d,
    ZeroPad2d,
    ZeroPad3d,
)
from mytorch.nn.pointwise import (
    CELU,
    ELU,
    SELU,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LogSigmoid,
    Mish,
    ReLU6,
    Softplus,
    Softshrink,
    Softsign,
    Tanhshrink,
    Threshold,
)
from mytorch.nn.pool import AvgPool1d, AvgPool2d, AvgPool3d, GlobalAvgPool2d, MaxPool1d, MaxPool2d, MaxPool3d
from mytorch.nn.resample import (
    Downsample1d,
    Downsample2d,
    Upsample,
    UpsamplingBilinear2d,
    UpsamplingNearest2d,
    ZeroUpsample1d,
    ZeroUpsample2d,
)
from mytorch.nn.residual import Residual
from mytorch.nn.shape import Chunk, Mean, Normalize, Permute, Reshape, Scale, Slice, Split, Transpose
from mytorch.nn.shuffle import ChannelShuffle, PixelShuffle, PixelUnshuffle
from mytorch.nn.softmax import LogSoftmax, Softmax, Softmax2d, Softmin
from mytorch.nn.squeeze_excitation import SqueezeExcitation
from mytorch.nn.unpool import MaxUnpool1d, MaxUnpool2d, MaxUnpool3d

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "Add",
    "AlphaDropout",
    "ArcFace",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bilinear",
    "ChannelShuffle",
    "Chunk",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "Concatenate",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CosFace",
    "CrossEntropyLoss",
    "Divide",
    "Downsample1d",
    "Downsample2d",
    "DropBlock2d",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
    "Flatten",
    "Fold",
    "GlobalAvgPool2d",
    "Graph",
    "GroupNorm",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "L1Loss",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Mean",
    "Mish",
    "Module",
    "Multiply",
    "NLLLoss",
    "Normalize",
    "PReLU",
    "Parameter",
    "Permute",
    "PixelShuffle",
    "PixelUnshuffle",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "Reshape",
    "Residual",
    "Scale",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Slice",
    "SmoothL1Loss",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Split",
    "SqueezeExcitation",
    "StochasticDepth",
    "Subtract",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Transpose",
    "Unflatten",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "ZeroUpsample1d",
    "ZeroUpsample2d",
]
