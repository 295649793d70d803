"""The state of a training run in one safetensors file: weights, optimiser, schedule, and how far it is."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.errors import FacesError
from experiments.training.mytorch_learner import MytorchLearner
from mytorch import CheckpointError, load, save


@dataclass
class TrainingProgress:
    """How far a run is. history: a row for each epoch done; best: the row of the best one."""

    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    @property
    def best(self) -> dict[str, Any]:
        """The row with the highest validation accuracy, the first of several; the last where nothing validates."""
        if self.history[-1]["top1"] is None:
            return self.history[-1]
        return max(self.history, key=lambda row: row["top1"])


def save_mytorch_checkpoint(path: Path, learner: MytorchLearner, progress: TrainingProgress) -> None:
    """Write all that an unbroken run would know at this point; whole or not at all."""
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
    """Put a learner where `save_state` left one. Raises FacesError where the file is not such a state."""
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
        return TrainingProgress(**saved["progress"])
    except CheckpointError as error:
        raise FacesError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise FacesError(
            f"{path}: not a checkpoint of this run ({error}); start the run anew in another folder"
        ) from error


def _under(prefix: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
