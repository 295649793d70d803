"""Layers and losses, thin wrappers of `mytorch.ops`. Names and meanings are PyTorch's.

Precisions are never mixed silently. A network computes in the dtype of its parameters, float32 or float64 (see
`Module.to`). An input, or a gradient at an output, of another dtype or on another device raises a TypeError that says
how to convert it. A layer without parameters computes in the dtype of its input. Losses convert targets to the dtype of
the predictions. Sums over many terms, such as batch statistics, are computed in float64 and rounded once.
"""

from mytorch.nn.activation import GELU, Identity, LeakyReLU, PReLU, ReLU, Sigmoid, SiLU, Tanh
from mytorch.nn.adaptive import (
    AdaptiveAvgPool1d,
    AdaptiveAvgPool2d,
    AdaptiveAvgPool3d,
    AdaptiveMaxPool1d,
    AdaptiveMaxPool2d,
    AdaptiveMaxPool3d,
)
from mytorch.nn.container import Sequential
from mytorch.nn.conv import Conv1d, Conv2d, Conv3d
from mytorch.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from mytorch.nn.dropout import DropBlock2d, Dropout, Dropout2d
from mytorch.nn.graph import Graph
from mytorch.nn.linear import Flatten, Linear
from mytorch.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss
from mytorch.nn.margin import ArcFace, CosFace
from mytorch.nn.merge import Add, Concatenate, Divide, Multiply, Subtract
from mytorch.nn.module import Module, Parameter
from mytorch.nn.normalization import BatchNorm1d, BatchNorm2d, GroupNorm, LayerNorm
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
from mytorch.nn.shape import Chunk, Mean, Permute, Reshape, Scale, Slice, Split, Transpose
from mytorch.nn.softmax import LogSoftmax, Softmax
from mytorch.nn.squeeze_excitation import SqueezeExcitation

__all__ = [
    "GELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "Add",
    "ArcFace",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
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
    "Dropout2d",
    "Flatten",
    "GlobalAvgPool2d",
    "Graph",
    "GroupNorm",
    "Identity",
    "L1Loss",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "Mean",
    "Module",
    "Multiply",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "Permute",
    "ReLU",
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
    "Split",
    "SqueezeExcitation",
    "Subtract",
    "Tanh",
    "Transpose",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "ZeroUpsample1d",
    "ZeroUpsample2d",
]
