"""The state of a mytorch training run in one safetensors file: weights, optimizer, schedule and progress."""

import json
from pathlib import Path

import numpy as np

from experiments.errors import FacesError
from experiments.training.mytorch_learner import MytorchLearner
from experiments.training.schedule import TrainingProgress
from mytorch import CheckpointError, load, save


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
