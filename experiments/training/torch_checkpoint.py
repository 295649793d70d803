"""The state of a transfer network's training in one safetensors file, and the files of weights of a run."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from experiments.errors import FacesError
from experiments.training.schedule import EpochPosition, TrainingProgress
from experiments.training.torch_learner import TorchLearner
from models.weights import refuse_unusable
from mytorch.files import atomic_write


@dataclass
class TorchProgress(TrainingProgress):
    """How far a run is, also within an epoch.

    step: batches of the next epoch that are done. totals: the epoch's sums so far, as a TorchLearner has them. bad:
    what is wrong with each image that could not be read. select: the metric that decides which epoch is best.
    """

    step: int = 0
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    bad: list[str] = field(default_factory=list)
    select: str = "top1"

    def __post_init__(self) -> None:
        for row in self.history:  # runs started before this metric existed
            row.setdefault("eer", None)

    @property
    def best(self) -> dict[str, Any]:
        """The row with the lowest EER, where that decides and exists; otherwise as in TrainingProgress."""
        rated = [row for row in self.history if row["eer"] is not None]
        return min(rated, key=lambda row: row["eer"]) if self.select == "eer" and rated else super().best


def save_torch_checkpoint(path: Path, learner: TorchLearner, progress: TorchProgress, stage: int | None) -> None:
    """Write everything that an uninterrupted run would know at this point, whole or not at all.

    stage: whose optimizer is saved; None where the next stage begins with a new one.
    """
    tensors = {f"network.{name}": tensor for name, tensor in learner.network.state_dict().items()}
    notes: dict[str, Any] = {"progress": vars(progress), "stage": stage, "updates": learner.updates}
    if learner.average:
        tensors |= {f"average.{name}": tensor for name, tensor in learner.average.module.state_dict().items()}
    if stage is not None:
        state = learner.optimizer.state_dict()
        notes["groups"], notes["scalars"] = state["param_groups"], {}
        for number, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{number}.{name}"] = value
                else:
                    notes["scalars"][f"{number}.{name}"] = value
    if learner.accelerator.scaler is not None:
        notes["scaler"] = learner.accelerator.scaler.state_dict()
    save_tensors(tensors, path, {"training": json.dumps(notes)})


def load_torch_checkpoint(path: Path, learner: TorchLearner, position: EpochPosition | None) -> TorchProgress:
    """Put a learner where `save_torch_checkpoint` left one, in the stage of `position`.

    Raises FacesError for a file that is not such a state.
    """
    tensors, notes = read_tensors(path)
    try:
        saved = json.loads(notes["training"])
        network = _under("network.", tensors)
        learner.network.load_state_dict(network)
        refuse_unusable(learner.network.state_dict(), network)
        if learner.average:
            learner.average.module.load_state_dict(_under("average.", tensors))
        learner.updates = saved["updates"]
        if position is not None:
            learner.begin_stage(position.stage)
            if saved["stage"] == position.stage:
                _restore_optimizer(learner, saved, _under("optimizer.", tensors))
        if "scaler" in saved and learner.accelerator.scaler is not None:
            learner.accelerator.scaler.load_state_dict(saved["scaler"])
        progress = TorchProgress(**saved["progress"])
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FacesError(
            f"{path}: not a checkpoint of this run ({error}); start the run again in another folder"
        ) from error
    if learner.accelerator.is_main_process:  # the sums are of all processes: one continues from them
        learner.totals += torch.tensor(progress.totals, dtype=torch.float64, device=learner.totals.device)
    return progress


def _restore_optimizer(learner: TorchLearner, saved: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Restore the optimizer, each tensor in its parameter's memory order, so that arithmetic rounds as before."""
    parameters = [p for group in learner.optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **saved["scalars"]}.items():
        number, _, name = key.partition(".")
        parameter = parameters[int(number)]
        if isinstance(value, Tensor) and value.shape == parameter.shape:
            value = torch.empty_like(parameter).copy_(value)
        state.setdefault(int(number), {})[name] = value
    learner.optimizer.load_state_dict({"state": state, "param_groups": saved["groups"]})


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def read_progress(path: Path) -> TorchProgress:
    """Return how far the run of this checkpoint is. Raises FacesError for a file that is not a checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            return TorchProgress(**json.loads(file.metadata()["training"])["progress"])
    except (OSError, SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FacesError(f"{path}: not a checkpoint that can be read ({error}); start the run again") from error


def save_tensors(tensors: dict[str, Tensor], path: Path, notes: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all. Raises OSError where there is no room.

    The library's own writer is not used: its errors are not OSErrors, and its files are readable by their owner alone.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(serialize(plain, notes))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and notes of a safetensors file. Raises FacesError where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise FacesError(f"{path}: not a safetensors file that can be read ({error})") from error


def load_network_weights(network: nn.Module, path: Path) -> None:
    """Load a run's weights into its network. Raises FacesError, which names what does not match or is unusable."""
    tensors, _ = read_tensors(path)
    try:
        refuse_unusable(network.state_dict(), tensors)
        network.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        raise FacesError(f"{path}: {error}\nwere these weights moved here from another run, or damaged?") from error
