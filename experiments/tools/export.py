"""A run as one ONNX file: pictures in, logits or embeddings out, checked against the run itself."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.progress import say
from experiments.requirements import install_command
from models.twin import twin
from mytorch import nn as ours
from mytorch.files import atomic_write

ExportTarget = Literal["classifier", "embedding"]

TOLERANCE = 1e-4
"""Largest difference from the run, as a share of its largest output: float32 in another order of summation."""

WARM_UP, TIMED = 5, 30
_OUTPUT = {"classifier": "logits", "embedding": "embedding"}


@dataclass(frozen=True)
class Exported:
    """difference: the largest, as a share of the largest output; medians of milliseconds for one picture; threads."""

    difference: float
    torch_ms: float
    onnx_ms: float
    threads: int


class Pixels(nn.Module):
    """A network with its normalisation before it: pictures (N, H, W, 3) uint8 RGB in, as Pillow and NumPy have them."""

    def __init__(self, network: Callable[[torch.Tensor], torch.Tensor], mean: Any, std: Any):
        super().__init__()
        self.network = network
        self.mean = nn.Buffer(255 * torch.tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.std = nn.Buffer(255 * torch.tensor(std, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What the network makes of them."""
        return self.network((images.permute(0, 3, 1, 2).float() - self.mean) / self.std)


class Embedding(nn.Module):
    """The part of a network that embeds, as a module."""

    def __init__(self, network: Any):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Embeddings (N, D) of length 1."""
        return self.network.embed(x)


def export(run: str | os.PathLike[str], out: str | os.PathLike[str], what: ExportTarget = "classifier") -> Exported:
    """Write a run's best network as ONNX, and compare it with the run before it takes its place.

    The graph takes "images" (N, H, W, 3), uint8 RGB at the run's size, for any N, and normalises them itself. It gives
    "logits" (N, people) or "embedding" (N, D) of length 1. The file's metadata hold the size, the people by label, and
    what the output is. A run of mytorch goes by its PyTorch twin.

    Raises FacesError where the packages for it are missing, the run has no embedding, or ONNX computes something else.
    """
    out = Path(out)
    _refuse(out)
    trained = TrainedModel.open(run)
    height, width = trained.recipe.data.size
    pictures = np.random.default_rng(0).integers(0, 256, (3, height, width, 3), np.uint8)
    network = _network(trained, what)
    truth = trained.logits(pictures) if what == "classifier" else trained.embed(pictures, flip=False)
    module = Pixels(network, trained.recipe.data.mean, trained.recipe.data.std).cpu().eval()
    program = _traced(module, pictures, _OUTPUT[what])
    program.model.metadata_props.update(
        {"what": what, "size": json.dumps([height, width]), "people": json.dumps(trained.classes, ensure_ascii=False)}
    )
    with atomic_write(out) as temporary:
        program.save(temporary, external_data=False)
        result = _compared(temporary, module, pictures, truth)
        if not result.difference <= TOLERANCE:
            raise FacesError(
                f"{out} is not written: ONNX differs from {trained.run.folder} by {result.difference:.1e} of its "
                f"largest output, expected at most {TOLERANCE:.0e}; try another version of onnxruntime or onnxscript"
            )
    say(f"{out}: images uint8 (N, {height}, {width}, 3) RGB, normalised inside, to {_OUTPUT[what]}")
    say(f"largest difference from the run: {result.difference:.1e} of its largest output, on pictures of noise")
    say(
        f"one picture: onnxruntime {result.onnx_ms:.1f} ms, PyTorch {result.torch_ms:.1f} ms "
        f"(medians of {TIMED}, on the CPU, {result.threads} thread{'s' * (result.threads > 1)})"
    )
    return result


def _refuse(out: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        command = install_command("export")
        raise FacesError(f"export needs {' and '.join(missing)}: in the project's folder, {command}")
    if out.suffix != ".onnx" or out.is_dir():
        raise FacesError(f"{out}: expected the name of a file that ends in .onnx")
    if not out.absolute().parent.is_dir():
        raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")


def _network(trained: TrainedModel, what: ExportTarget) -> nn.Module:
    """What to export, on normalised pixels."""
    network: Any = trained.network
    if isinstance(network, ours.Module):
        if what == "embedding":
            raise FacesError(
                f"{trained.run.folder}: {trained.recipe.model.name} is a network of mytorch and has no embedding: "
                "export --what classifier, or train a recipe with a model.backbone"
            )
        return twin(network)
    return Embedding(network) if what == "embedding" else network


def _traced(module: nn.Module, pictures: np.ndarray, output: str) -> Any:
    program = torch.onnx.export(
        module,
        (torch.from_numpy(pictures),),
        input_names=["images"],
        output_names=[output],
        dynamic_shapes={"images": {0: torch.export.Dim("n")}},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export gave nothing, expected a program")
    return program


def _compared(file: Path, module: nn.Module, pictures: np.ndarray, truth: np.ndarray) -> Exported:
    """Run the file by onnxruntime, with as many threads as PyTorch has. truth: what the run makes of the pictures."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def by_onnx(images: np.ndarray) -> np.ndarray:
        return session.run(None, {"images": images})[0]

    def by_torch(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(images)).numpy()

    found = np.concatenate([by_onnx(pictures[:1]), by_onnx(pictures[1:])])  # two batch sizes
    difference = float(np.abs(found - truth).max() / np.abs(truth).max())
    one = pictures[:1]
    return Exported(difference, _milliseconds(by_torch, one), _milliseconds(by_onnx, one), torch.get_num_threads())


def _milliseconds(function: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    times = []
    for _ in range(WARM_UP + TIMED):
        started = time.perf_counter()
        function(images)
        times.append(1000 * (time.perf_counter() - started))
    return median(times[WARM_UP:])
