"""Layers: parameters, and what forward keeps for backward; thin over `mytorch.ops`. PyTorch's names and meanings."""

from mytorch.nn.activation import LeakyReLU, ReLU
from mytorch.nn.container import Residual, Sequential
from mytorch.nn.conv import Conv2d
from mytorch.nn.dropout import Dropout
from mytorch.nn.linear import Flatten, Linear
from mytorch.nn.loss import CrossEntropyLoss
from mytorch.nn.module import Module, Parameter
from mytorch.nn.norm import BatchNorm1d, BatchNorm2d
from mytorch.nn.pool import AvgPool2d, GlobalAvgPool2d, MaxPool2d

__all__ = [
    "AvgPool2d",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GlobalAvgPool2d",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "Module",
    "Parameter",
    "ReLU",
    "Residual",
    "Sequential",
]
