"""A mytorch network in training, with the optimizer, schedule and loss of its recipe, and its checkpoint."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.model_settings import ScratchModel
from experiments.config.recipe import Recipe
from experiments.config.schema import OptimizerSettings, ScheduleSettings
from experiments.errors import FacesError
from experiments.training.schedule import TrainingProgress
from models.scratch.face_cnn import face_cnn
from models.scratch.residual import small_resnet
from mytorch import CheckpointError, load, manual_seed, no_grad, optim, save
from mytorch.nn import CrossEntropyLoss, Sequential

EVALUATION_BATCH = 64
"""Images per forward pass where nothing is learned."""


class MytorchLearner:
    """A mytorch network in training."""

    def __init__(self, recipe: Recipe, classes: int, steps_per_epoch: int, dtype: type = np.float32):
        manual_seed(recipe.seed)
        self.network = build_mytorch_network(recipe.mytorch_model, classes).to(dtype)
        self.network[0].needs_input_grad = False  # the gradient of the pixels is never used
        self.loss = CrossEntropyLoss(recipe.label_smoothing)
        self.optimizer = build_mytorch_optimizer(self.network, recipe.optimizer)
        self.rate = LearningRateSchedule(self.optimizer, recipe.schedule, steps_per_epoch, recipe.epochs)

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.optimizer.param_groups[0]["lr"]

    def step(self, pixels: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        """Train on a batch; return its loss and its logits, both from before the step."""
        logits = self.network(pixels)
        loss = self.loss(logits, labels)
        self.network.zero_grad()
        self.network.backward(self.loss.backward())
        self.optimizer.step()
        self.rate.after_step()
        return loss, logits


def build_mytorch_network(model: ScratchModel, classes: int) -> Sequential:
    """Return the network that a recipe names."""
    builder = {"face_cnn": face_cnn, "small_resnet": small_resnet}[model.name]
    return builder(classes, model.widths, model.depth, model.dropout)


def build_mytorch_optimizer(network: Sequential, settings: OptimizerSettings) -> optim.Optimizer:
    """Return the optimizer that a recipe names, for all parameters of a network."""
    rates: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    match settings.name:
        case "sgd":
            return optim.SGD(network.parameters(), momentum=settings.momentum, nesterov=settings.nesterov, **rates)
        case "adam":
            return optim.Adam(network.parameters(), **rates)
        case "adamw":
            return optim.AdamW(network.parameters(), **rates)


class LearningRateSchedule:
    """A recipe's schedule, whether it counts steps, epochs or losses."""

    def __init__(self, optimizer: optim.Optimizer, settings: ScheduleSettings, steps_per_epoch: int, epochs: int):
        self.by_step = self.by_epoch = self.by_loss = None
        total = steps_per_epoch * epochs
        match settings.name:
            case "cosine":
                self.by_step = optim.CosineWithWarmup(
                    optimizer, total, int(settings.warmup * total), settings.min_factor
                )
            case "step":
                self.by_epoch = optim.StepLR(optimizer, settings.step_size, settings.gamma)
            case "plateau":
                self.by_loss = optim.ReduceLROnPlateau(optimizer, "min", settings.gamma, settings.patience)

    def after_step(self) -> None:
        """Count a batch."""
        if self.by_step:
            self.by_step.step()

    def after_epoch(self, validation_loss: float) -> None:
        """Count an epoch."""
        if self.by_epoch:
            self.by_epoch.step()
        if self.by_loss:
            self.by_loss.step(validation_loss)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint needs."""
        active = self.by_step or self.by_epoch or self.by_loss
        return active.state_dict() if active else {}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Continue from a state_dict."""
        active = self.by_step or self.by_epoch or self.by_loss
        if active:
            active.load_state_dict(saved)


def predict_logits(network: Sequential, pixels: np.ndarray) -> np.ndarray:
    """Return logits (n, classes) in evaluation mode; the network's mode is restored."""
    training = network.training
    network.eval()
    with no_grad():
        logits = [network(pixels[i : i + EVALUATION_BATCH]) for i in range(0, len(pixels), EVALUATION_BATCH)]
    network.train(training)
    return np.concatenate(logits)


def save_mytorch_checkpoint(path: Path, learner: MytorchLearner, progress: TrainingProgress) -> None:
    """Write everything that an uninterrupted run would know at this point, whole or not at all."""
    optimizer = learner.optimizer.state_dict()
    arrays = {f"network.{name}": array for name, array in learner.network.state_dict().items()}
    scalars = []
    for number, state in enumerate(optimizer["state"]):
        arrays |= {f"optimizer.{number}.{name}": v for name, v in state.items() if isinstance(v, np.ndarray)}
        scalars.append({name: v for name, v in state.items() if not isinstance(v, np.ndarray)})
    notes = {
        "optimizer": {"scalars": scalars, "param_groups": optimizer["param_groups"]},
        "rate": learner.rate.state_dict(),
        "progress": {"history": progress.history, "seconds": progress.seconds},
    }
    save(arrays, path, {"training": json.dumps(notes)})


def load_mytorch_checkpoint(path: Path, learner: MytorchLearner) -> TrainingProgress:
    """Put a learner where `save_mytorch_checkpoint` left one. Raises FacesError for a file that is not such a state."""
    try:
        arrays, notes = load(path)
        saved = json.loads(notes["training"])
        learner.network.load_state_dict(_under("network.", arrays))
        optimizer = saved["optimizer"]
        states = [
            {**scalars, **{name: array.copy() for name, array in _under(f"optimizer.{number}.", arrays).items()}}
            for number, scalars in enumerate(optimizer["scalars"])
        ]
        learner.optimizer.load_state_dict({"state": states, "param_groups": optimizer["param_groups"]})
        learner.rate.load_state_dict(saved["rate"])
        progress = TrainingProgress(**saved["progress"])
        progress.history = [dict(row) for row in progress.history]
    except CheckpointError as error:
        raise FacesError(str(error)) from error
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise FacesError(
            f"{path}: not a checkpoint of this run ({error}); start the run again in another folder"
        ) from error
    return progress


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
