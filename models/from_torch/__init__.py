"""A PyTorch CNN as a mytorch network, `from_torch(module, example)`: same values, gradients and names of weights.

The network is traced with torch.fx (tracing.py). Each call becomes a node of a `mytorch.nn.Graph`: a layer of torch.nn
that of the same name in mytorch (modules.py), a function or a tensor method the layer that computes it (functions.py,
shapes.py).
"""

from models.from_torch.convert import from_torch

__all__ = ["from_torch"]
