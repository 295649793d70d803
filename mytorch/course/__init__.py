"""A readable solution of a course's from-scratch CNN assignment: every layer next to its formula, in NumPy alone.

`forward` maps A to Z and saves what `backward` needs. `backward` maps dLdZ (the gradient of the loss at the output) to
dLdA (at the input) and sets the gradients of the parameters. Arrays are (N, C, W) or (N, C, H, W). A layer computes in
the floating-point type of its input.
"""

from mytorch.course.activation import GELU, Identity, ReLU, Sigmoid, Softmax, Swish, Tanh
from mytorch.course.batchnorm import BatchNorm1d, BatchNorm2d
from mytorch.course.conv1d import Conv1d, Conv1d_stride1
from mytorch.course.conv2d import Conv2d, Conv2d_stride1
from mytorch.course.dropout import Dropout, Dropout2d
from mytorch.course.layer import Layer
from mytorch.course.linear import Flatten, Linear
from mytorch.course.loss import CrossEntropyLoss, MSELoss
from mytorch.course.optim import SGD, Adam, AdamW
from mytorch.course.pool import MaxPool2d, MaxPool2d_stride1, MeanPool2d, MeanPool2d_stride1
from mytorch.course.resampling import Downsample1d, Downsample2d, Upsample1d, Upsample2d
from mytorch.course.resblock import ResBlock
from mytorch.course.transposed import ConvTranspose1d, ConvTranspose2d

__all__ = [
    "GELU",
    "SGD",
    "Adam",
    "AdamW",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv1d",
    "Conv1d_stride1",
    "Conv2d",
    "Conv2d_stride1",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "CrossEntropyLoss",
    "Downsample1d",
    "Downsample2d",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "Identity",
    "Layer",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "MaxPool2d_stride1",
    "MeanPool2d",
    "MeanPool2d_stride1",
    "ReLU",
    "ResBlock",
    "Sigmoid",
    "Softmax",
    "Swish",
    "Tanh",
    "Upsample1d",
    "Upsample2d",
]
