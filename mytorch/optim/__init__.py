"""Optimisers and learning-rate schedules, gradient clipping, averages of weights. PyTorch's names and meanings."""

from mytorch.optim.adam import Adam, AdamW
from mytorch.optim.average import EMA
from mytorch.optim.clip import clip_grad_norm, clip_grad_value
from mytorch.optim.optimizer import Optimizer
from mytorch.optim.schedule import CosineWithWarmup, ReduceLROnPlateau, StepLR
from mytorch.optim.sgd import SGD

__all__ = [
    "EMA",
    "SGD",
    "Adam",
    "AdamW",
    "CosineWithWarmup",
    "Optimizer",
    "ReduceLROnPlateau",
    "StepLR",
    "clip_grad_norm",
    "clip_grad_value",
]
