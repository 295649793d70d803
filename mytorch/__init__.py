"""mytorch: convolutional networks from scratch, forward and backward, on NumPy and CuPy.

Names and meanings are PyTorch's. There is no autograd: every layer has a `forward` that saves what its `backward`
needs, and a `backward` that returns the gradient at its input and adds the gradients of its parameters to their `grad`.
"""

from mytorch import data, nn, optim
from mytorch.checkpoint import CheckpointError, load, save
from mytorch.config import show_config
from mytorch.device import to_device
from mytorch.gradcheck import GradientError, gradcheck
from mytorch.memory import set_cache_limit
from mytorch.modes import allow_winograd, no_grad
from mytorch.random import manual_seed
from mytorch.summary import summary
from mytorch.threads import get_num_threads, set_num_threads
from mytorch.version import __version__

__all__ = [
    "CheckpointError",
    "GradientError",
    "__version__",
    "allow_winograd",
    "data",
    "get_num_threads",
    "gradcheck",
    "load",
    "manual_seed",
    "nn",
    "no_grad",
    "optim",
    "save",
    "set_cache_limit",
    "set_num_threads",
    "show_config",
    "summary",
    "to_device",
]
