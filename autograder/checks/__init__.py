"""The checks: what is done with each class of the contract, and what should come of it.

A check is data, a script and its expected values (`case`); PyTorch in float64 says what is right (`oracle`). Each file
describes a family of classes, and `layer` the ways in which every layer is used.
"""

from collections.abc import Mapping
from types import MappingProxyType

from autograder.checks.activation import activation, swish
from autograder.checks.case import Family
from autograder.checks.convolution import stride_1, strided, transposed
from autograder.checks.dense import flatten, linear
from autograder.checks.dropout import dropout
from autograder.checks.loss import cross_entropy, mean_squared
from autograder.checks.networks import cnn
from autograder.checks.norm import normalisation
from autograder.checks.optim import optimiser
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
            *map(normalisation, (1, 2)),
            *map(dropout, ("Dropout", "Dropout2d")),
            residual(),
            *map(optimiser, ("SGD", "Adam", "AdamW")),
            cnn(),
            *map(scanning, ("CNN_SimpleScanningMLP", "CNN_DistributedScanningMLP")),
        )
    }
)
