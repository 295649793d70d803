"""The checks: how each class of the contract is used, and what it should return.

A check is data: a script and its expected values (`case`). PyTorch in float64 computes them (`oracle`), or NumPy where
a layer is affine. Each file holds the checks of a family of classes; `layer` holds those that every layer gets.
"""

from collections.abc import Mapping
from types import MappingProxyType

from autograder.checks.activation import activation, swish
from autograder.checks.case import Family
from autograder.checks.convolution import stride_1, strided, transposed
from autograder.checks.dense import flatten, linear
from autograder.checks.dropout import dropout
from autograder.checks.loss import cross_entropy, mean_squared
from autograder.checks.mlp import mlp
from autograder.checks.networks import cnn
from autograder.checks.norm import normalization
from autograder.checks.optim import optimizer
from autograder.checks.pool import pooling
from autograder.checks.resampling import downsampling, upsampling
from autograder.checks.resblock import residual
from autograder.checks.scanning import scanning

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            *(make(axes) for make in (upsampling, downsampling, stride_1, strided, transposed) for axes in (1, 2)),
            *map(pooling, ("MaxPool2d_stride1", "MeanPool2d_stride1", "MaxPool2d", "MeanPool2d")),
            flatten(),
            linear(),
            *map(activation, ("Identity", "Sigmoid", "Tanh", "ReLU", "GELU", "Softmax")),
            swish(),
            mean_squared(),
            cross_entropy(),
            *map(normalization, (1, 2)),
            *map(dropout, ("Dropout", "Dropout2d")),
            residual(),
            *map(optimizer, ("SGD", "Adam", "AdamW")),
            cnn(),
            *map(mlp, ("MLP0", "MLP1", "MLP4")),
            *map(scanning, ("CNN_SimpleScanningMLP", "CNN_DistributedScanningMLP")),
        )
    }
)
