"""Layers and losses, thin wrappers of `mytorch.ops`. Names and meanings are PyTorch's.

Precisions are never mixed silently. A network computes in the dtype of its parameters, float32 or float64 (see
`Module.to`). An input, or a gradient at an output, of another dtype or on another device raises a TypeError that says
how to convert it. A layer without parameters computes in the dtype of its input. Losses convert targets to the dtype of
the predictions. Sums over many terms, such as batch statistics, are computed in float64 and rounded once.

`inplace` is accepted where PyTorch has it, so that its code runs here. It changes nothing: no layer writes to its
input.
"""

from mytorch.nn.activation import GELU, GLU, Identity, LeakyReLU, PReLU, ReLU, RReLU, Sigmoid, SiLU, Tanh
from mytorch.nn.adaptive import AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool2d
from mytorch.nn.batch_norm import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from mytorch.nn.container import Sequential
from mytorch.nn.conv import Conv1d, Conv2d
from mytorch.nn.conv_transpose import ConvTranspose1d, ConvTranspose2d
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
from mytorch.nn.linear import Bilinear, Flatten, Linear, Unflatten
from mytorch.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss, SmoothL1Loss
from mytorch.nn.margin import ArcFace, CosFace
from mytorch.nn.module import Module, Parameter
from mytorch.nn.normalization import GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm
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
from mytorch.nn.pool import AvgPool1d, AvgPool2d, GlobalAvgPool2d, MaxPool1d, MaxPool2d
from mytorch.nn.resample import Downsample1d, Downsample2d, Upsample, ZeroUpsample1d, ZeroUpsample2d
from mytorch.nn.residual import Residual
from mytorch.nn.softmax import LogSoftmax, Softmax, Softmax2d, Softmin
from mytorch.nn.squeeze_excitation import SqueezeExcitation

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "AlphaDropout",
    "ArcFace",
    "AvgPool1d",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "Bilinear",
    "Conv1d",
    "Conv2d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CosFace",
    "CrossEntropyLoss",
    "Downsample1d",
    "Downsample2d",
    "DropBlock2d",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
    "Flatten",
    "GlobalAvgPool2d",
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
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool1d",
    "MaxPool2d",
    "Mish",
    "Module",
    "NLLLoss",
    "PReLU",
    "Parameter",
    "RMSNorm",
    "RReLU",
    "ReLU",
    "ReLU6",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SqueezeExcitation",
    "StochasticDepth",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "Unflatten",
    "Upsample",
    "ZeroUpsample1d",
    "ZeroUpsample2d",
]
