"""A trained run, ready to use: its network with the best weights, and the people it knows."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch.nn import functional as F

from experiments.config.recipe import Recipe
from experiments.data.loader import normalize_images, normalize_tensor
from experiments.errors import FacesError
from experiments.progress import track
from experiments.run import Run
from experiments.runtime import torch_device
from experiments.training.build_model import build_network, load_network_weights
from experiments.training.build_mytorch import EVALUATION_BATCH, build_mytorch_network, predict_logits
from models.mytorch_face_net import embed
from models.weights import refuse_unusable
from mytorch import CheckpointError, load, no_grad
from mytorch.ops.margin import normalize

EngineName = Literal["mytorch", "torch"]


@dataclass(frozen=True)
class TrainedModel:
    """The network of a run, of mytorch or of PyTorch, with its recipe and its people by label."""

    run: Run
    recipe: Recipe
    classes: list[str]
    network: Any

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str], device: str | None = None, engine: EngineName | None = None
    ) -> "TrainedModel":
        """Open a run with its best weights. Raises FacesError for a folder that is no run, or unusable weights.

        device: "cpu", "cuda" or "cuda:1", for PyTorch; by default the GPU where there is one. engine: the library that
        computes the network, whichever trained it; by default the one that it is built in.
        """
        run = Run.open(folder)
        recipe, classes = run.recipe(), run.classes()
        if (engine or recipe.model.library) == "torch":
            network = build_network(recipe, len(classes), pretrained=False)
            load_network_weights(network, run.best_weights)
            return TrainedFaceNet(run, recipe, classes, network.to(torch_device(device)).eval())
        if engine == "mytorch" and device not in (None, "cpu"):
            raise FacesError(f"--device {device}: mytorch computes this network, on the CPU; leave out --device")
        if recipe.model.library == "torch":
            from experiments.training.convert_model import open_converted

            return cls(run, recipe, classes, open_converted(recipe, len(classes), run.best_weights).eval())
        ours = build_mytorch_network(recipe.mytorch_model, len(classes)).eval()
        try:
            arrays = load(run.best_weights)[0]
            refuse_unusable(_as_tensors(ours.state_dict()), _as_tensors(arrays))
            ours.load_state_dict(arrays)
        except CheckpointError as error:
            raise FacesError(str(error)) from error
        except ValueError as error:
            raise FacesError(
                f"{run.best_weights}: {error}\nwere these weights moved here from another run, or damaged?"
            ) from error
        return cls(run, recipe, classes, ours)

    @property
    def size(self) -> tuple[int, int]:
        """The (height, width) that images must have."""
        return self.recipe.data.size

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Return logits (N, classes) of images (N, H, W, 3) uint8 at the recipe's size.

        Raises FacesError where they are not finite.
        """
        return self._refuse_infinite(self._in_chunks("predicting", images, self._logits), "answers to")

    def embed(self, images: np.ndarray, flip: bool = True) -> np.ndarray:
        """Return embeddings (N, D) of length one, of images (N, H, W, 3) uint8 at the recipe's size.

        flip: each image's is added to its mirror image's, and normalized again. Raises FacesError where they are not
        finite.
        """

        def embed_chunk(chunk: np.ndarray) -> np.ndarray:
            pixels = normalize_images(chunk, self.recipe.data)
            vectors = embed(self.network, pixels)
            if flip:
                vectors = normalize(vectors + embed(self.network, pixels[:, :, :, ::-1]))[0]
            return vectors

        with no_grad():
            return self._refuse_infinite(self._in_chunks("embedding", images, embed_chunk), "embeddings of")

    def _logits(self, chunk: np.ndarray) -> np.ndarray:
        return predict_logits(self.network, normalize_images(chunk, self.recipe.data))

    def _refuse_infinite(self, found: np.ndarray, what: str) -> np.ndarray:
        if bad := int((~np.isfinite(found).all(1)).sum()):
            raise FacesError(
                f"{self.run.folder}: the network's {what} {bad} of {len(found)} images are not finite: its weights "
                "are damaged, or its training diverged; train it again"
            )
        return found

    def _in_chunks(self, label: str, images: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
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
        """Return embeddings (N, D), as described at `TrainedModel.embed`."""

        def embed(chunk: np.ndarray) -> np.ndarray:
            pixels = self._pixels(chunk)
            vectors = self.network.embed(pixels)
            if flip:
                vectors = F.normalize(vectors + self.network.embed(pixels.flip(3)))
            return vectors.cpu().numpy()

        with torch.inference_mode():
            return self._refuse_infinite(self._in_chunks("embedding", images, embed), "embeddings of")

    def _logits(self, chunk: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self.network(self._pixels(chunk)).float().cpu().numpy()

    def _pixels(self, chunk: np.ndarray) -> torch.Tensor:
        images = torch.from_numpy(np.ascontiguousarray(chunk)).permute(0, 3, 1, 2)
        return normalize_tensor(images, self.recipe.data, next(self.network.parameters()).device)


def _as_tensors(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}
