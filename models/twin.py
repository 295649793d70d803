"""Any mytorch network as its PyTorch counterpart, with the same weights."""

import numpy as np
import torch
from torch import nn as theirs

import models.counterparts  # noqa: F401 - which fills the registry
from models.registry import counterpart, structure
from mytorch import nn as ours

__all__ = ["copy_back", "counterpart", "twin"]


def twin(model: ours.Module) -> theirs.Module:
    """The PyTorch module that computes what `model` computes: same structure, names, weights, dtype and mode.

    Weights are copied, not shared. Raises TypeError for a layer that has no counterpart here; `counterpart` adds one.
    """
    module = structure(model)
    arrays = model.state_dict()
    floating = [array.dtype for array in arrays.values() if array.dtype.kind == "f"]
    if floating:
        module.to(torch.float64 if floating[0] == np.float64 else torch.float32)
    module.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    modes = {name: layer.training for name, layer in model.named_modules()}
    for name, layer in module.named_modules():
        layer.training = modes.get(name, model.training)
    return module


def copy_back(module: theirs.Module, model: ours.Module) -> None:
    """Copy the weights of a twin into the model that it is the twin of."""
    model.load_state_dict({name: tensor.detach().cpu().numpy() for name, tensor in module.state_dict().items()})
