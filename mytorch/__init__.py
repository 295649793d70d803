"""mytorch: convolutional networks written by hand, forward and backward, on NumPy and CuPy.

PyTorch's names and meanings wherever it has them. There is no tape: every layer has a `forward` that keeps what its
`backward` needs, and a `backward` that returns the gradient at its input and adds its parameters' to their `grad`.
"""

from mytorch import data, nn, optim
from mytorch.checkpoint import CheckpointError, load, save
from mytorch.device import to_device
from mytorch.gradcheck import GradientError, gradcheck
from mytorch.modes import no_grad
from mytorch.random import manual_seed
from mytorch.summary import summary

__all__ = [
    "CheckpointError",
    "GradientError",
    "data",
    "gradcheck",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "save",
    "summary",
    "to_device",
]
