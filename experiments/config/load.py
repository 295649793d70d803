"""Load a recipe: find it by name, change its settings, and resolve what its network decides."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

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
    if recipe.model.library == "torch":
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


def override_recipe(
    recipe: Recipe,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
) -> Recipe:
    """Return the recipe with another length, learning rate, batch size or seed, each as the user means it.

    epochs: of the whole run. Stages keep their proportions, at least one epoch each, and a step schedule its shape:
    its steps come after the same fractions of the run. lr: the optimizer's. The rates of stages and parts keep their
    ratio to it. Raises FacesError for values that do not fit the recipe.
    """
    changes: dict[str, Any] = {}
    if (epochs is not None or lr is not None) and not recipe.epochs:
        option = "--epochs" if epochs is not None else "--lr"
        raise FacesError(f"{option}: this recipe computes class means and learns nothing; leave the option out")
    stages = [stage.model_dump() for stage in recipe.stages]
    if epochs is not None:
        if epochs < max(1, len(stages)):
            raise FacesError(
                f"--epochs {epochs}: expected at least {max(1, len(stages))}"
                + (", one for each stage of the recipe" if stages else "")
            )
        for stage, length in zip(stages, scale_epochs([s["epochs"] for s in stages], epochs), strict=True):
            stage["epochs"] = length
        step_size = max(1, round(recipe.schedule.step_size * epochs / recipe.epochs))
        changes |= {"epochs": epochs, "schedule": {**recipe.schedule.model_dump(), "step_size": step_size}}
    if lr is not None:
        for stage in stages:
            stage["lr"] = _scale_rates(stage["lr"], lr / recipe.optimizer.lr)
        changes["optimizer"] = {**recipe.optimizer.model_dump(), "lr": lr}
    if stages:
        changes["stages"] = stages
    changes |= {name: value for name, value in {"batch_size": batch_size, "seed": seed}.items() if value is not None}
    return recipe.replace(**changes) if changes else recipe


def scale_epochs(lengths: Sequence[int], total: int) -> list[int]:
    """Divide `total` epochs in the proportions of `lengths`, at least one each: the method of largest remainders.

    lengths: none, or at most `total` of them, each 1 or more.
    """
    if not lengths:
        return []
    spare, weight = total - len(lengths), sum(lengths)
    exact = [max(0.0, total * length / weight - 1) for length in lengths]
    exact = [spare * share / (sum(exact) or 1) for share in exact]
    scaled = [int(share) for share in exact]
    by_remainder = sorted(range(len(lengths)), key=lambda n: (scaled[n] - exact[n], n))
    for n in by_remainder[: spare - sum(scaled)]:
        scaled[n] += 1
    return [1 + share for share in scaled]


def _scale_rates(rates: float | dict[str, float] | None, factor: float) -> float | dict[str, float] | None:
    """Multiply a stage's learning rates; none remains none, the optimizer's."""
    if isinstance(rates, dict):
        return {name: rate * factor for name, rate in rates.items()}
    return None if rates is None else rates * factor
