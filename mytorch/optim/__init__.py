"""Optimizers, learning-rate schedules, gradient clipping and averages of weights. Names and meanings are PyTorch's."""

from mytorch.optim.adam import Adam, AdamW
from mytorch.optim.average import EMA
from mytorch.optim.clip import clip_grad_norm_, clip_grad_value_
from mytorch.optim.lr_scheduler import CosineWithWarmup, ReduceLROnPlateau, StepLR
from mytorch.optim.optimizer import Optimizer
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
    "clip_grad_norm_",
    "clip_grad_value_",
]
