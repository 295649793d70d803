"""Optimizers, learning-rate schedules, gradient clipping and averages of weights. Names and meanings are PyTorch's."""

from mytorch.optim.adam import LAMB, Adam, AdamW, NAdam
from mytorch.optim.average import EMA
from mytorch.optim.clip import clip_grad_norm_, clip_grad_value_
from mytorch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    CosineWithWarmup,
    ExponentialLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    StepLR,
)
from mytorch.optim.optimizer import Optimizer
from mytorch.optim.rmsprop import Adagrad, RMSprop
from mytorch.optim.sgd import SGD

__all__ = [
    "EMA",
    "LAMB",
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "CosineAnnealingWarmRestarts",
    "CosineWithWarmup",
    "ExponentialLR",
    "MultiStepLR",
    "NAdam",
    "OneCycleLR",
    "Optimizer",
    "PolynomialLR",
    "RMSprop",
    "ReduceLROnPlateau",
    "StepLR",
    "clip_grad_norm_",
    "clip_grad_value_",
]
