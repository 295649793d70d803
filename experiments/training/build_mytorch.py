"""Build what mytorch trains: its networks from random weights, and its optimizers. Needs no PyTorch."""

from typing import Any

import numpy as np

from experiments.config.model_settings import ScratchModel
from experiments.config.schema import OptimizerSettings
from models.mytorch_face_net import CLASSIFIER_LAYERS, MytorchFaceNet, Network, ScratchClassifier
from models.mytorch_heads import build_mytorch_head
from models.scratch.face_cnn import face_cnn
from models.scratch.residual import small_resnet
from mytorch import nn, no_grad, optim

EVALUATION_BATCH = 64
"""Images per forward pass where nothing is learned."""


def build_mytorch_network(model: ScratchModel, classes: int) -> Network:
    """Return the network that a recipe names, with random weights.

    With an embedding or a head of its own it has a backbone, a neck and a head, like a transfer network.
    """
    builder = {"face_cnn": face_cnn, "small_resnet": small_resnet}[model.name]
    plain = builder(classes, model.widths, model.depth, model.dropout)
    if not model.has_parts:
        return ScratchClassifier(*plain)
    neck: nn.Module | None = None
    if model.embedding:
        dense = nn.Linear(model.widths[-1], model.embedding, bias=False)
        dropout = [nn.Dropout(model.dropout)] if model.dropout else []
        neck = nn.Sequential(*dropout, dense, nn.BatchNorm1d(model.embedding))
    elif model.dropout and model.head.name != "dense":
        neck = nn.Dropout(model.dropout)
    settings = model.head_arguments
    head = build_mytorch_head(settings.pop("kind"), model.embedding or model.widths[-1], classes, **settings)
    return MytorchFaceNet(plain[:-CLASSIFIER_LAYERS], head, neck)


def build_mytorch_optimizer(groups: list[dict[str, Any]], settings: OptimizerSettings) -> optim.Optimizer:
    """Return the optimizer that a recipe names, for groups of parameters with their rate and weight decay."""
    plain: list[dict[str, Any]] = [
        {name: group[name] for name in ("params", "lr", "weight_decay") if name in group} for group in groups
    ]
    match settings.name:
        case "sgd":
            return optim.SGD(plain, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov)
        case "adam":
            return optim.Adam(plain, lr=settings.lr)
        case "adamw":
            return optim.AdamW(plain, lr=settings.lr)


def predict_logits(network: nn.Module, pixels: np.ndarray) -> np.ndarray:
    """Return logits (n, classes) in evaluation mode; the network's mode is restored."""
    training = network.training
    network.eval()
    with no_grad():
        logits = [network(pixels[i : i + EVALUATION_BATCH]) for i in range(0, len(pixels), EVALUATION_BATCH)]
    network.train(training)
    return np.concatenate(logits)
