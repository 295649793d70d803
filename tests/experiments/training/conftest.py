"""A transfer recipe so small that an epoch takes a fraction of a second."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from experiments.config.load import load_recipe
from experiments.config.recipe import Recipe

SMALL = {
    "model": {"backbone": "test_resnet", "weights": "none", "dropout": 0.2},
    "data": {"size": [32, 32]},
    "augment": {"flip": 0.5, "crop": 0.8, "brightness": 0.1},
    "optimizer": {"name": "adamw", "lr": 0.003, "weight_decay": 0.01},
    "epochs": 2,
    "batch_size": 4,
}


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small transfer recipe as a YAML file."""
    path = tmp_path_factory.mktemp("recipes") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return path


@pytest.fixture(scope="session")
def small(small_file: Path) -> Callable[..., Recipe]:
    """small("epochs=3", ...): the small transfer recipe with settings changed."""
    return lambda *settings: load_recipe(small_file, settings)
