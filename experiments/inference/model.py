"""A trained run, ready to use: its network with the best weights, and the people it knows."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from experiments.config.model_settings import TransferModel
from experiments.config.recipe import Recipe
from experiments.data.loader import normalize_images, normalize_tensor
from experiments.errors import FacesError
from experiments.progress import track
from experiments.run import Run
from experiments.training.build_model import build_face_net
from experiments.training.mytorch_learner import EVALUATION_BATCH, build_mytorch_network, predict_logits
from experiments.training.torch_checkpoint import load_network_weights
from mytorch import CheckpointError, load


@dataclass(frozen=True)
class TrainedModel:
    """The network of a run, mytorch's or PyTorch's, its recipe, and its people by label."""

    run: Run
    recipe: Recipe
    classes: list[str]
    network: Any

    @classmethod
    def open(cls, folder: str | os.PathLike[str], device: str | None = None) -> "TrainedModel":
        """The best network of a run. Raises FacesError where the folder is no run, or its weights cannot be read.

        device: "cpu", "cuda" or "cuda:1", of a network of PyTorch; the GPU where there is one, unless told.
        """
        run = Run.open(folder)
        recipe, classes = run.recipe(), run.classes()
        if isinstance(recipe.model, TransferModel):
            network = build_face_net(recipe.model, len(classes), pretrained=False)
            load_network_weights(network, run.best_weights)
            return TrainedFaceNet(run, recipe, classes, network.to(choose_device(device)).eval())
        ours = build_mytorch_network(recipe.model, len(classes)).eval()
        try:
            ours.load_state_dict(load(run.best_weights)[0])
        except CheckpointError as error:
            raise FacesError(str(error)) from error
        except ValueError as error:
            raise FacesError(f"{run.best_weights}: {error}\nwere these weights moved here from another run?") from error
        return cls(run, recipe, classes, ours)

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) that pictures must have."""
        return self.recipe.data.size

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits (N, classes) of images (N, H, W, 3) uint8 at the recipe's size.

        Raises FacesError where they are not finite.
        """
        found = self._in_chunks("predicting", images, self._logits)
        if bad := int((~np.isfinite(found).all(1)).sum()):
            raise FacesError(
                f"{self.run.folder}: the network's answers to {bad} of {len(found)} images are not finite: its weights "
                "are damaged, or its training diverged; train it again"
            )
        return found

    def embed(self, images: np.ndarray, flip: bool = True) -> np.ndarray:
        """Embeddings (N, D) of length one, of pictures (N, H, W, 3) uint8 at the recipe's size.

        flip: each picture's is added to its mirror image's, and brought to length one again. Raises FacesError for a
        network of mytorch, which has none.
        """
        raise FacesError(
            f"{self.run.folder}: {self.recipe.model.name} is a classifier of mytorch without embeddings; expected "
            "a run of a transfer network, such as mobilefacenet's"
        )

    def _logits(self, chunk: np.ndarray) -> np.ndarray:
        return predict_logits(self.network, normalize_images(chunk, self.recipe.data))

    def _in_chunks(self, label: str, images: np.ndarray, function: Any) -> np.ndarray:
        parts = []
        with track(label, len(images), "images") as advance:
            for start in range(0, len(images), EVALUATION_BATCH):
                chunk = np.asarray(images[start : start + EVALUATION_BATCH])
                parts.append(function(chunk))
                advance(start + len(chunk), len(images))
        return np.concatenate(parts)


class TrainedFaceNet(TrainedModel):
    """A run's network of PyTorch."""

    def embed(self, images: np.ndarray, flip: bool = True) -> np.ndarray:
        """Embeddings (N, D), as `Trained.embed` says."""

        def embed(chunk: np.ndarray) -> np.ndarray:
            pixels = self._pixels(chunk)
            vectors = self.network.embed(pixels)
            if flip:
                vectors = F.normalize(vectors + self.network.embed(pixels.flip(3)))
            return vectors.cpu().numpy()

        with torch.inference_mode():
            return self._in_chunks("embedding", images, embed)

    def _logits(self, chunk: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.network(self._pixels(chunk)).float().cpu().numpy()

    def _pixels(self, chunk: np.ndarray) -> torch.Tensor:
        images = torch.from_numpy(np.ascontiguousarray(chunk)).permute(0, 3, 1, 2)
        return normalize_tensor(images, self.recipe.data, next(self.network.parameters()).device)


def choose_device(name: str | None) -> torch.device:
    """That device, or the GPU where there is one. Raises FacesError for one that is not there."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise FacesError(f"--device {name}: {reason}; expected cpu, or a GPU that is there: cuda, cuda:1") from error
    return device
