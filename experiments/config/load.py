"""Loading a recipe: finding it by name, changing settings, and resolving what its network decides."""

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from experiments.config.model_settings import TransferModel
from experiments.config.recipe import Recipe, read_settings
from experiments.config.strict_yaml import describe_yaml_error, parse_yaml
from experiments.errors import FacesError, nearest_name

RECIPES_FOLDER = Path(__file__).parents[1] / "recipes"
YAML_SUFFIXES = (".yaml", ".yml")


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES_FOLDER.glob("*.yaml"))


def load_recipe(source: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Load a recipe by name or from a YAML file, with settings such as "optimizer.lr=0.01" in place of its own.

    Raises FacesError for an unknown recipe, a file that is not YAML, unknown or impossible settings, an unknown
    backbone, and a run to start from that cannot be read.
    """
    tree = read_settings(_find_recipe_file(source))
    for setting in settings:
        apply_setting(tree, setting)
    recipe = Recipe.parse(tree, f"recipe {source}")
    if isinstance(recipe.model, TransferModel):
        from experiments.config.pretrained_run import resolve_recipe  # imports PyTorch, which others do not need

        return resolve_recipe(recipe, f"recipe {source}")
    return recipe


def _find_recipe_file(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix.lower() in YAML_SUFFIXES:
        if not path.is_file():
            near = nearest_name(path.stem, recipe_names()) or (path.stem if path.stem in recipe_names() else None)
            hint = f"did you mean the recipe {near}?" if near else f"known recipes: {', '.join(recipe_names())}"
            raise FacesError(f"{path}: no such recipe file; {hint}")
        return path
    if str(source) not in recipe_names():
        raise FacesError(f"no recipe is called {str(source)!r}: {_suggest(str(source))}")
    return RECIPES_FOLDER / f"{source}.yaml"


def _suggest(name: str) -> str:
    """Say which recipe, or which setting, an unknown name may mean. It may be timm's name of a network."""
    if recipe := recipe_of_network(name):
        return f"it is a network's name; did you mean the recipe {recipe!r}?"
    if near := nearest_name(name, recipe_names()):
        return f"did you mean {near!r}? The path of a .yaml file also works."
    network = name.removeprefix("timm:")
    if find_spec("timm") and import_module("timm").is_model(network.partition(".")[0]):
        return f"it is a network of timm: faces train resnet18 --set model.backbone=timm:{network}"
    return f"known recipes: {', '.join(recipe_names())}. The path of a .yaml file also works."


def recipe_of_network(name: str) -> str | None:
    """Return the recipe that trains a network, by the network's name here or in timm; of several, the plainest.

    timm's tag of pretrained weights (".a1_in1k") and prefixes and suffixes of its variants ("tf_", "_100") are ignored.
    """
    wanted = _plain_network(name)
    found = []
    for recipe in recipe_names():
        model = read_settings(RECIPES_FOLDER / f"{recipe}.yaml").get("model", {})
        if wanted in {_plain_network(model[key]) for key in ("name", "backbone") if key in model}:
            found.append(recipe)
    return min(found, key=lambda recipe: (_plain_network(recipe) != wanted, len(recipe)), default=None)


def _plain_network(name: str) -> str:
    plain = name.casefold().removeprefix("timm:").partition(".")[0]
    return plain.removeprefix("tf_").removesuffix("_100").replace("_", "").replace("-", "")


def apply_setting(tree: dict[str, Any], setting: str) -> None:
    """Put "group.name=value" into a tree of settings; the value is read as YAML. Raises FacesError where it cannot."""
    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise FacesError(f"--set {setting}: expected KEY=VALUE, such as --set optimizer.lr=0.01")
    *groups, name = key.strip().split(".")
    place: Any = tree
    for group in groups:
        place = _enter_group(place, group, setting)
    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        raise FacesError(f"--set {setting}: {text!r} is not a YAML value ({describe_yaml_error(error)})") from error
    if isinstance(place, list):
        place[_parse_index(place, name, setting)] = value
    else:
        place[name] = value


def _enter_group(place: Any, group: str, setting: str) -> Any:
    """Return the group of settings, or the list, of that name."""
    inner = place[_parse_index(place, group, setting)] if isinstance(place, list) else place.setdefault(group, {})
    if not isinstance(inner, dict | list):
        raise FacesError(f"--set {setting}: {group!r} is a value, not a group of settings")
    return inner


def _parse_index(items: list[Any], name: str, setting: str) -> int:
    if not (name.isascii() and name.isdigit()) or len(name) > 6 or int(name) >= len(items):
        raise FacesError(f"--set {setting}: {name!r} is none of the list's {len(items)} items, counted from 0")
    return int(name)
