"""The state of a transfer network's training in one safetensors file, which can be opened without running anything."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from experiments.errors import FacesError
from experiments.training.mytorch_checkpoint import TrainingProgress
from experiments.training.schedule import EpochPosition
from experiments.training.torch_learner import TorchLearner
from mytorch.files import atomic_write


@dataclass
class TorchProgress(TrainingProgress):
    """How far a run is, within an epoch, too.

    step: batches of the next epoch that are done; totals: the epoch's sums so far, as a FaceLearner has them; bad: what
    is wrong with each picture that could not be read; select: the figure that says which epoch is best.
    """

    step: int = 0
    totals: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    bad: list[str] = field(default_factory=list)
    select: str = "top1"

    def __post_init__(self) -> None:
        for row in self.history:  # runs begun before this figure was taken
            row.setdefault("eer", None)

    @property
    def best(self) -> dict[str, Any]:
        """The row with the lowest EER, where that decides and there is any; else as in Progress."""
        judged = [row for row in self.history if row["eer"] is not None]
        return min(judged, key=lambda row: row["eer"]) if self.select == "eer" and judged else super().best


def save_torch_checkpoint(path: Path, learner: TorchLearner, progress: TorchProgress, stage: int | None) -> None:
    """Write all that an unbroken run would know at this point; whole or not at all.

    stage: whose optimiser goes in; none where the next stage begins with a new one.
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


def load_torch_checkpoint(path: Path, learner: TorchLearner, place: EpochPosition | None) -> TorchProgress:
    """Put a learner where `save_state` left one, in the stage of `place`. Raises FacesError for a file that is none."""
    tensors, notes = read_tensors(path)
    try:
        saved = json.loads(notes["training"])
        learner.network.load_state_dict(_under("network.", tensors))
        if learner.average:
            learner.average.module.load_state_dict(_under("average.", tensors))
        learner.updates = saved["updates"]
        if place is not None:
            learner.begin_stage(place.stage)
            if saved["stage"] == place.stage:
                _restore_optimizer(learner, saved, _under("optimizer.", tensors))
        if "scaler" in saved and learner.accelerator.scaler is not None:
            learner.accelerator.scaler.load_state_dict(saved["scaler"])
        progress = TorchProgress(**saved["progress"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FacesError(
            f"{path}: not a checkpoint of this run ({error}); start the run anew in another folder"
        ) from error
    if learner.accelerator.is_main_process:  # the sums are of all processes: one goes on from them
        learner.totals += torch.tensor(progress.totals, dtype=torch.float64, device=learner.totals.device)
    return progress


def read_progress(path: Path) -> TorchProgress:
    """How far the run is whose state this file holds. Raises FacesError where it is no such file."""
    try:
        with safe_open(path, framework="pt") as file:
            return TorchProgress(**json.loads(file.metadata()["training"])["progress"])
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise FacesError(f"{path}: not a checkpoint that can be read ({error}); start the run anew") from error


def save_tensors(tensors: dict[str, Tensor], path: Path, notes: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(plain, temporary, notes)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and notes of a safetensors file. Raises FacesError where it cannot be read."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise FacesError(f"{path}: not a safetensors file that can be read ({error})") from error


def load_network_weights(network: nn.Module, path: Path) -> None:
    """Put the weights of a run's file into its network. Raises FacesError, which names what does not match."""
    tensors, _ = read_tensors(path)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise FacesError(f"{path}: {error}\nwere these weights moved here from another run?") from error


def _restore_optimizer(learner: TorchLearner, saved: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """The optimiser's state, each tensor with its parameter's order in memory, so that arithmetic rounds as before."""
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
