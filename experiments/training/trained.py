"""A trained run, ready to use: its network with the best weights, and the people it knows."""

import os
from dataclasses import dataclass

import numpy as np

from experiments.data.batches import normalised
from experiments.errors import FacesError
from experiments.progress import track
from experiments.recipe import Recipe
from experiments.run import Run
from experiments.training.learner import EVALUATION_BATCH, build_network, predict
from mytorch import CheckpointError, load
from mytorch.nn import Sequential


@dataclass(frozen=True)
class Trained:
    """The network of a run, its recipe, and its people by label."""

    run: Run
    recipe: Recipe
    classes: list[str]
    network: Sequential

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Trained":
        """The best network of a run. Raises FacesError where the folder is no run, or its weights cannot be read."""
        run = Run.open(folder)
        recipe, classes = run.recipe(), run.classes()
        network = build_network(recipe.model, len(classes)).eval()
        try:
            network.load_state_dict(load(run.best)[0])
        except CheckpointError as error:
            raise FacesError(str(error)) from error
        except ValueError as error:
            raise FacesError(f"{run.best}: {error}\nwere these weights moved here from another run?") from error
        return cls(run, recipe, classes, network)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits (N, classes) of pictures (N, H, W, 3) uint8 at the recipe's size."""
        parts = []
        with track("predicting", len(images), "images") as advance:
            for start in range(0, len(images), EVALUATION_BATCH):
                chunk = images[start : start + EVALUATION_BATCH]
                parts.append(predict(self.network, normalised(chunk, self.recipe.data)))
                advance(start + len(chunk), len(images))
        return np.concatenate(parts)
