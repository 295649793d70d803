"""Optimisers and learning-rate schedules. PyTorch's names and meanings."""

from mytorch.optim.adam import Adam, AdamW
from mytorch.optim.optimizer import Optimizer
from mytorch.optim.schedule import CosineWithWarmup, ReduceLROnPlateau, StepLR
from mytorch.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "CosineWithWarmup", "Optimizer", "ReduceLROnPlateau", "StepLR"]
