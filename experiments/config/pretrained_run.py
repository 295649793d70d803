"""The run that a run starts from: what `model.weights` names, where that is a run's folder or its weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.backbones import Backbone, find_backbone

RUN_WEIGHTS = ("best.safetensors", "last.safetensors")
"""The files of a run that hold its network."""


@dataclass(frozen=True)
class PretrainedRun:
    """folder: the run's; file: its weights; recipe: its model, data and split as in recipe.yaml; people: how many."""

    folder: Path
    file: Path
    recipe: dict[str, Any]
    people: int

    def backbone(self, wanted: str) -> Backbone:
        """The run's backbone. Raises ValueError where it is not the wanted one, nor the same with other statistics."""
        known, own = find_backbone(wanted), self.recipe["model"].get("backbone")
        if own is None:
            name = self.recipe["model"].get("name")
            raise ValueError(f"{self.folder}: this run is of mytorch's {name}; expected a run of {known.name}")
        if own not in (known.name, known.sibling):
            raise ValueError(f"{self.folder}: this run is of {own}; expected a run of {known.name} to start from")
        return find_backbone(own)


def find_pretrained_run(weights: str) -> PretrainedRun | None:
    """The run whose folder, best.safetensors or last.safetensors this is; none for all other weights.

    Raises ValueError for a folder that is no run's, and for a run that cannot be read.
    """
    path = Path(weights)
    folder = path if path.is_dir() else path.parent
    if weights in ("none", "default") or not (path.is_dir() or (path.name in RUN_WEIGHTS and path.is_file())):
        return None
    recipe, classes = folder / "recipe.yaml", folder / "classes.json"
    if not (recipe.is_file() and classes.is_file()):
        if path.is_dir():
            raise ValueError(f"{weights}: this folder is no run; expected a run, a file of weights, none or default")
        return None
    file = folder / RUN_WEIGHTS[0] if path.is_dir() else path
    try:
        tree = yaml.safe_load(recipe.read_text(encoding="utf-8"))
        parts = {name: dict(tree[name]) for name in ("model", "data", "split")}
        return PretrainedRun(folder, file, parts, len(yaml.safe_load(classes.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, ValueError, KeyError) as error:
        raise ValueError(f"{folder}: the run cannot be read ({error}); was its recipe edited?") from error
