"""A network as one ONNX file: images in, logits or embeddings out, checked against the network itself."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from experiments.data.preparation import Preparation
from experiments.errors import FacesError
from experiments.inference.frozen_backbone import NETWORK_FILE
from experiments.inference.model import TrainedModel
from experiments.inference.networks import open_embedder
from experiments.progress import say
from experiments.requirements import install_command
from models.backbones import build_backbone, find_backbone
from models.twin import twin
from mytorch import nn as ours
from mytorch.files import atomic_write

ExportTarget = Literal["classifier", "embedding"]

TOLERANCE = 1e-4
"""Largest difference from the original, as a fraction of its largest output: float32 in another order of summation."""

WARM_UP_CALLS, TIMED_CALLS = 5, 30
_OUTPUTS = {"classifier": "logits", "embedding": "embedding"}


@dataclass(frozen=True)
class ExportResult:
    """difference: the largest, as a fraction of the largest output. Medians of milliseconds for one image; threads."""

    difference: float
    torch_ms: float
    onnx_ms: float
    threads: int


class Pixels(nn.Module):
    """A network and its normalization: it takes images (N, H, W, 3) uint8 RGB, as Pillow and NumPy have them."""

    def __init__(self, network: Callable[[torch.Tensor], torch.Tensor], mean: Any, std: Any):
        super().__init__()
        self.network = network
        self.mean = nn.Buffer(255 * torch.tensor(mean, dtype=torch.float32).reshape(1, -1, 1, 1))
        self.std = nn.Buffer(255 * torch.tensor(std, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the network's output for these images."""
        return self.network((images.permute(0, 3, 1, 2).float() - self.mean) / self.std)


class Embedding(nn.Module):
    """The embedding of a network, as a module."""

    def __init__(self, network: Any):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return embeddings (N, D) of length 1."""
        return self.network.embed(x)


class NormalizedOutput(nn.Module):
    """A network whose outputs are scaled to length 1."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return embeddings (N, D) of length 1."""
        return F.normalize(self.network(x))


def export(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    target: ExportTarget = "classifier",
    people: bool | None = None,
) -> ExportResult:
    """Write the best network of a run, or a frozen network, as ONNX, after comparing it with the original.

    The graph takes "images" (N, H, W, 3), uint8 RGB at the network's size, for any N, and normalizes them itself. It
    gives "logits" (N, people) or "embedding" (N, D) of length 1. The file's metadata hold the size and what the output
    is. people: whether they hold the names of all people that the network was trained on, by label; by default only
    those of a classifier do, whose logits mean nothing without them. A run of mytorch is exported as its PyTorch twin.

    Raises FacesError where the packages for it are missing, there is no such output, or ONNX computes something else.
    """
    out = Path(out)
    _check_output(out)
    source = _open_source(folder, target)
    height, width = source.size
    images = np.random.default_rng(0).integers(0, 256, (3, height, width, 3), np.uint8)
    truth = source.compute(images)
    module = Pixels(source.network, source.mean, source.std).cpu().eval()
    program = _trace(module, images, _OUTPUTS[target])
    about = {"what": target, "size": json.dumps([height, width])}
    if source.preparation is not None:
        about["preparation"] = source.preparation.model_dump_json()
    if people or (people is None and target == "classifier"):
        about["people"] = json.dumps(source.people, ensure_ascii=False)
    program.model.metadata_props.update(about)
    with atomic_write(out) as temporary:
        program.save(temporary, external_data=False)
        result = _compare(temporary, module, images, truth)
        if not result.difference <= TOLERANCE:  # this refuses NaN as well
            raise FacesError(
                f"{out} is not written: ONNX differs from {os.fspath(folder)} by {result.difference:.1e} of its "
                f"largest output, expected at most {TOLERANCE:.0e}; try another version of onnxruntime or onnxscript"
            )
    say(f"{out}: images uint8 (N, {height}, {width}, 3) RGB, normalized inside, to {_OUTPUTS[target]}")
    if "people" in about:
        say(f"its metadata hold the names of all {len(source.people)} people; leave them out with --no-people")
    say(f"largest difference from the original: {result.difference:.1e} of its largest output, on random images")
    say(
        f"one image: onnxruntime {result.onnx_ms:.1f} ms, PyTorch {result.torch_ms:.1f} ms "
        f"(medians of {TIMED_CALLS}, on the CPU, {result.threads} thread{'s' * (result.threads > 1)})"
    )
    return result


@dataclass(frozen=True)
class _Source:
    """What to export. network: on normalized pixels; compute: the original's output for images (N, H, W, 3) uint8."""

    network: nn.Module
    compute: Callable[[np.ndarray], np.ndarray]
    size: tuple[int, int]
    mean: Any
    std: Any
    people: list[str]
    preparation: Preparation | None = None


def _open_source(folder: str | os.PathLike[str], target: ExportTarget) -> _Source:
    """Open a run, or a folder with a frozen network. Raises FacesError where it has no such output."""
    if (Path(folder) / NETWORK_FILE).is_file():
        return _open_frozen(Path(folder), target)
    trained = TrainedModel.open(folder)
    data, plain = trained.recipe.data, isinstance(trained.network, ours.Sequential)
    if plain and target == "classifier":
        return _Source(twin(trained.network), trained.logits, trained.size, data.mean, data.std, trained.classes)
    if isinstance(trained.network, ours.Module):
        trained = TrainedModel.open(folder, "cpu", engine="torch")
    network = trained.network
    if target == "embedding":
        compute = partial(trained.embed, flip=False)
        preparation = trained.run.preparation()
        return _Source(Embedding(network), compute, trained.size, data.mean, data.std, trained.classes, preparation)
    return _Source(network, trained.logits, trained.size, data.mean, data.std, trained.classes)


def _open_frozen(folder: Path, target: ExportTarget) -> _Source:
    embedder = open_embedder(folder)
    if target != "embedding" or embedder.source is None:
        raise FacesError(f"{folder}: a frozen network gives embeddings and no classes: export --what embedding")
    name, weights = embedder.source
    known = find_backbone(name, weights)
    network = NormalizedOutput(build_backbone(name, weights).eval())
    return _Source(network, lambda images: embedder.vectors(images, False), embedder.size, known.mean, known.std, [])


def _check_output(out: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        command = install_command("export")
        raise FacesError(f"export needs {' and '.join(missing)}: in the project's folder, {command}")
    if out.suffix != ".onnx" or out.is_dir():
        raise FacesError(f"{out}: expected the name of a file that ends in .onnx")
    if not out.absolute().parent.is_dir():
        raise FacesError(f"{out}: there is no folder {out.parent} to write it to; make it first")


def _trace(module: nn.Module, images: np.ndarray, output: str) -> Any:
    program = torch.onnx.export(
        module,
        (torch.from_numpy(images),),
        input_names=["images"],
        output_names=[output],
        dynamic_shapes={"images": {0: torch.export.Dim("n")}},
        dynamo=True,
        verbose=False,
    )
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing, expected a program")
    return program


def _compare(file: Path, module: nn.Module, images: np.ndarray, truth: np.ndarray) -> ExportResult:
    """Run the file with onnxruntime and as many threads as PyTorch has. truth: the original's output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def by_onnx(images: np.ndarray) -> np.ndarray:
        return session.run(None, {"images": images})[0]

    def by_torch(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(images)).numpy()

    found = np.concatenate([by_onnx(images[:1]), by_onnx(images[1:])])  # two batch sizes
    difference = float(np.abs(found - truth).max() / np.abs(truth).max())
    one = images[:1]
    return ExportResult(difference, _milliseconds(by_torch, one), _milliseconds(by_onnx, one), torch.get_num_threads())


def _milliseconds(function: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> float:
    times = []
    for _ in range(WARM_UP_CALLS + TIMED_CALLS):
        started = time.perf_counter()
        function(images)
        times.append(1000 * (time.perf_counter() - started))
    return median(times[WARM_UP_CALLS:])
