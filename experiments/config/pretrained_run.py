"""What a recipe takes from its network, or from the run that it starts from: image size, statistics, the variant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.recipe import Recipe
from experiments.errors import FacesError
from experiments.files import read_names, require_unchanged
from models import backbones
from models.backbones import Backbone

RUN_WEIGHTS = ("best.safetensors", "last.safetensors")
"""The files of a run that hold its network."""


@dataclass(frozen=True)
class PretrainedRun:
    """folder: the run's. file: its weights. recipe: as stored. num_people: how many people it was trained on."""

    folder: Path
    file: Path
    recipe: Recipe
    num_people: int

    def find_backbone(self, wanted: str) -> Backbone:
        """Return the run's backbone. Raises ValueError where it is not the wanted one or its variant."""
        known, model = backbones.find_backbone(wanted), self.recipe.model
        own = getattr(model, "backbone", None)
        if own is None:
            raise ValueError(f"{self.folder}: a run of mytorch's {model.name}; expected a run of {known.name}")
        if own not in (known.name, known.sibling):
            raise ValueError(f"{self.folder}: a run of {own}; expected a run of {known.name} to start from")
        return backbones.find_backbone(own)


def find_pretrained_run(weights: str) -> PretrainedRun | None:
    """Return the run that a value of `model.weights` names; None for all other weights.

    weights: a run's folder, or the best.safetensors or last.safetensors in one. Raises ValueError for a folder that is
    not a run, and for a run that cannot be read.
    """
    path = Path(weights)
    folder = path if path.is_dir() else path.parent
    if weights in ("none", "default") or not (path.is_dir() or (path.name in RUN_WEIGHTS and path.is_file())):
        return None
    recipe, classes = folder / "recipe.yaml", folder / "classes.json"
    if not (recipe.is_file() and classes.is_file()):
        if path.is_dir():
            raise ValueError(f"{weights}: not a run; expected a run's folder, a file of weights, none or default")
        return None
    try:
        for signed in (recipe, classes):
            require_unchanged(folder, signed.name)
        file = folder / RUN_WEIGHTS[0] if path.is_dir() else path
        return PretrainedRun(folder, file, Recipe.read(recipe), len(read_names(classes)))
    except FacesError as error:
        raise ValueError(f"{folder}: the run cannot be read ({error}); was it edited?") from error


def resolve_recipe(recipe: Recipe, source: str = "recipe") -> Recipe:
    """Fill in what a transfer network's recipe leaves open.

    Image size, mean and standard deviation are those of the run that it starts from, or else of the backbone, wherever
    the recipe sets none. The backbone becomes the variant that the weights are of. A recipe for mytorch, and one that
    was resolved before, come back as they are. Raises FacesError for an unknown backbone or a run that does not fit.
    """
    if recipe.model.library == "mytorch":
        return recipe
    model = recipe.torch_model
    try:
        start = find_pretrained_run(model.weights)
        backbone = (
            start.find_backbone(model.backbone) if start else backbones.find_backbone(model.backbone, model.weights)
        )
    except ValueError as error:
        raise FacesError(f"{source}:\n  model: {error}") from error
    data: dict[str, Any] = {"size": (backbone.size, backbone.size), "mean": backbone.mean, "std": backbone.std}
    if start:
        data = {name: getattr(start.recipe.data, name) for name in data}
    unset = {name: value for name, value in data.items() if name not in recipe.data.model_fields_set}
    return recipe.model_copy(
        update={
            "model": model.model_copy(update={"backbone": backbone.name}),
            "data": recipe.data.model_copy(update=unset),
        }
    )
