"""A recipe: everything that decides a training run, typed, checked, and read from a YAML file.

What is wrong with a recipe, in words: the key, what was given, what was expected.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, ValidationInfo, field_validator, model_validator

from experiments.config.schema import (
    AugmentSettings,
    DataSettings,
    MixingSettings,
    ModelSettings,
    OptimizerSettings,
    ScheduleSettings,
    ScratchModel,
    Settings,
    SplitSettings,
    StageSettings,
    TrainingSettings,
    TransferModel,
)
from experiments.errors import FacesError

SettingNames = Mapping[str, Sequence[str]]
"""The names of the settings of each group, and under "" those at the top."""

_SIZE = "expected two whole numbers from 8 to 1024, [height, width], such as [64, 64]"
_EXPECTED = {
    "split.train": "expected a share below 1 (0.8), or a whole number of images a person (5), or all",
    "data.size": _SIZE,
    "data.size[0]": _SIZE,
    "data.size[1]": _SIZE,
    "model.head.name": "expected linear, dense, cosine, arcface, cosface, subcenter, triplet or prototypes",
    "model.widths": "expected a list of one or more whole numbers, such as [32, 64, 128]",
}


def setting_names(group: type[BaseModel]) -> dict[str, list[str]]:
    """The names of the settings of each group in `group`; of alternatives, all that any has."""
    found: dict[str, list[str]] = {"": []}

    def collect(kind: type[BaseModel], path: str) -> None:
        for name, field in kind.model_fields.items():
            if name not in found.setdefault(path, []):
                found[path].append(name)
            for inner in _groups_in(field.annotation):
                collect(inner, f"{path}.{name}".removeprefix("."))

    collect(group, "")
    return found


def _groups_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The groups of settings that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _groups_in(inner)


def explain_problem(problem: Any, keys: SettingNames) -> str:
    """One of pydantic's problems. An unknown key comes with the nearest known one.

    <model> in a problem's place says which alternative it is about, and is left out.
    """
    place = [part for part in problem["loc"] if not str(part).startswith("<")]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).removeprefix(".")
    own_words = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else ""
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown; {_nearest(key, keys)}"
    if own_words and isinstance(problem["input"], dict):  # said of a group, which is too long to show
        return f"{key}: {own_words}".removeprefix(": ")
    given = "nothing" if problem["type"] == "missing" else repr(problem["input"])
    return f"{key}={given}: {_EXPECTED.get(key) or own_words or _expected(key, problem['msg'], keys)}"


def _expected(key: str, message: str, keys: SettingNames) -> str:
    if key in keys:
        return "expected settings such as " + ", ".join(f"{key}.{name}=..." for name in keys[key][:2])
    words = {"Input should be greater": "expected a number greater", "Input should be less": "expected a number less"}
    for theirs, ours in {**words, "Input should be": "expected", "unable to": "cannot"}.items():
        message = message.replace(theirs, ours)
    return message


def _nearest(key: str, keys: SettingNames) -> str:
    """What an unknown key may have been meant to be; else all that its group has."""
    group, _, name = key.rpartition(".")
    full = {name: f"{part}.{name}" if part else name for part in reversed(list(keys)) for name in keys[part]}
    full |= {name: f"{group}.{name}" for name in keys.get(group, ()) if group}
    if near := get_close_matches(name, full, n=1):
        return f"did you mean {full[near[0]]!r}?"
    return f"expected one of: {', '.join(keys.get(group, keys['']))}"


__all__ = [
    "AugmentSettings",
    "DataSettings",
    "MixingSettings",
    "OptimizerSettings",
    "Recipe",
    "ScheduleSettings",
    "ScratchModel",
    "SplitSettings",
    "StageSettings",
    "TrainingSettings",
    "TransferModel",
    "load_recipe",
    "recipe_names",
]  # fmt: skip

RECIPES_FOLDER = Path(__file__).parents[1] / "recipes"


class Recipe(Settings):
    """A training run: its parts, and how long and with what seed.

    A recipe's model is mytorch's own (`model.name`) or a transfer network of PyTorch (`model.backbone`). stages, mixing
    and training are the latter's. Without stages, all of it trains for `epochs`; with them, `epochs` is their sum.
    """

    about: str = ""
    model: ModelSettings = ScratchModel()
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    augment: AugmentSettings = AugmentSettings()
    mixing: MixingSettings = MixingSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    stages: list[StageSettings] = Field(default_factory=list)
    training: TrainingSettings = TrainingSettings()
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Annotated[int, Field(ge=0)] = 30
    batch_size: Annotated[int, Field(ge=2)] = 64
    identities: Annotated[int, Field(ge=2)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("epochs")
    @classmethod
    def _something_is_learned(cls, epochs: int, info: ValidationInfo) -> int:
        model = info.data.get("model")
        prototypes = isinstance(model, TransferModel) and model.head.name == "prototypes"
        if not epochs and not prototypes:
            raise ValueError("expected a number greater than or equal to 1")
        if epochs and prototypes:
            raise ValueError("expected 0, as class means (model.head.name=prototypes) are computed, not learned")
        return epochs

    @model_validator(mode="after")
    def _picture_outlasts_the_pooling(self) -> Self:
        if isinstance(self.model, TransferModel) or self.model.name != "face_cnn":
            return self
        least = 2 ** len(self.model.widths)
        if min(self.data.size) < least:
            raise ValueError(
                f"data.size={list(self.data.size)}: the {len(self.model.widths)} blocks of model.widths halve it each "
                f"time; expected at least {least} pixels a side, or fewer widths"
            )
        return self

    @model_validator(mode="after")
    def _settings_fit_the_network(self) -> Self:
        if isinstance(self.model, TransferModel):
            if (self.mixing.mixup or self.mixing.cutmix) and not self.model.allows_mixing:
                raise ValueError(
                    f"mixing: a {self.model.head.name} head has a margin for one person, not for a mixture"
                )
            return self
        for name, plain in (("stages", []), ("mixing", MixingSettings()), ("training", TrainingSettings())):
            if getattr(self, name) != plain:
                raise ValueError(f"{name}: for transfer networks (model.backbone) alone, not for mytorch's")
        if self.schedule.name == "one_cycle":
            raise ValueError("schedule.name=one_cycle: for transfer networks (model.backbone) alone, not for mytorch's")
        if self.split.train == "all" or self.data.on_bad_image == "skip" or not self.optimizer.decay_norms:
            raise ValueError(
                "split.train=all, data.on_bad_image=skip and optimizer.decay_norms=no: for transfer networks "
                "(model.backbone) alone, not for mytorch's"
            )
        return self

    @model_validator(mode="after")
    def _epochs_are_the_stages(self) -> Self:
        """Written past the lock, as this is still the recipe's making."""
        if isinstance(self.model, TransferModel) and self.model.head.name == "prototypes":
            if self.stages:
                raise ValueError(
                    "stages: class means (model.head.name=prototypes) are computed, not learned; leave out"
                )
            self.__dict__["epochs"] = 0
        elif self.stages:
            total = sum(stage.epochs for stage in self.stages)
            if "epochs" in self.model_fields_set and self.epochs != total:
                raise ValueError(
                    f"epochs={self.epochs}: the stages have {total} together; set theirs, such as stages.0.epochs=3"
                )
            self.__dict__["epochs"] = total
        return self

    @model_validator(mode="after")
    def _data_is_as_the_backbone_has_it(self) -> Self:
        """The size and statistics of the network, or of the run it starts from, wherever the recipe has none."""
        if isinstance(self.model, TransferModel):
            from experiments.config.pretrained_run import find_pretrained_run
            from models.backbones import find_backbone

            start = find_pretrained_run(self.model.weights)
            name, weights = self.model.backbone, self.model.weights
            own = start.backbone(name) if start else find_backbone(name, weights)
            self.__dict__["model"] = self.model.model_copy(update={"backbone": own.name})
            unset = {"size", "mean", "std"} - self.data.model_fields_set
            values: dict[str, Any] = {"size": _pair(own.size), "mean": tuple(own.mean), "std": tuple(own.std)}
            if start:
                then = DataSettings.model_validate(start.recipe["data"])
                values = {"size": then.size, "mean": then.mean, "std": then.std}
            self.__dict__["data"] = self.data.model_copy(update={name: values[name] for name in unset})
        return self

    @property
    def planned_stages(self) -> list[StageSettings]:
        """The stages; one of everything where the recipe has none."""
        return self.stages or ([StageSettings(epochs=self.epochs)] if self.epochs else [])

    @property
    def has_training_accuracy(self) -> bool:
        """Whether accuracy on the training batches means what it says: not under mixing, nor with a margin."""
        mixed = self.mixing.mixup or self.mixing.cutmix
        return not mixed and (isinstance(self.model, ScratchModel) or self.model.allows_mixing)

    @property
    def mytorch_model(self) -> ScratchModel:
        """The network of mytorch. Raises FacesError for a recipe of another."""
        if isinstance(self.model, ScratchModel):
            return self.model
        raise FacesError(f"{self.model.name} is PyTorch's; expected a recipe of mytorch's, such as scratch_cnn")

    @property
    def torch_model(self) -> TransferModel:
        """The transfer network. Raises FacesError for a recipe of another."""
        if isinstance(self.model, TransferModel):
            return self.model
        raise FacesError(
            f"{self.model.name} is a network of mytorch; expected a recipe with a model.backbone, such as mobilenet_v2"
        )

    def dump(self) -> str:
        """All settings as YAML, which `load` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def recipe_names() -> list[str]:
    """The recipes that come with the project."""
    return sorted(path.stem for path in RECIPES_FOLDER.glob("*.yaml"))


def load_recipe(source: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe by name or from a YAML file, with settings such as "optimizer.lr=0.01" in place of its own.

    Raises FacesError for an unknown recipe, a file that is no YAML, and unknown or impossible settings.
    """
    path = _find_recipe_file(source)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise FacesError(f"{path}: not a YAML file that can be read: {error}") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise FacesError(f"{path}: expected settings (key: value), found {type(tree).__name__}")
    for setting in settings:
        _apply_setting(tree, setting)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        problems = "".join(
            f"\n  {explain_problem(problem, setting_names(Recipe))}" for problem in error.errors(include_url=False)
        )
        raise FacesError(f"recipe {source}:{problems}") from None


def _find_recipe_file(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise FacesError(f"{path}: no such recipe file; give a YAML file, or one of: {', '.join(recipe_names())}")
        return path
    if str(source) not in recipe_names():
        near = get_close_matches(str(source), recipe_names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known recipes: {', '.join(recipe_names())}"
        raise FacesError(f"no recipe is called {str(source)!r}: {hint} A path to a YAML file will do, too.")
    return RECIPES_FOLDER / f"{source}.yaml"


def _apply_setting(tree: dict[str, Any], setting: str) -> None:
    """Put "a.b=value" into the tree; the value is read as YAML."""
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise FacesError(f"--set {setting}: expected KEY=VALUE, such as --set optimizer.lr=0.01")
    *groups, name = key.strip().split(".")
    place: Any = tree
    for group in groups:
        place = _enter_group(place, group, setting)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FacesError(f"--set {setting}: {text!r} is no YAML value ({getattr(error, 'problem', error)})") from error
    if isinstance(place, list):
        place[_parse_index(place, name, setting)] = value
    else:
        place[name] = value


def _enter_group(place: Any, group: str, setting: str) -> Any:
    """The group of settings, or the list, of that name."""
    inner = place[_parse_index(place, group, setting)] if isinstance(place, list) else place.setdefault(group, {})
    if not isinstance(inner, dict | list):
        raise FacesError(f"--set {setting}: {group!r} is a value, not a group of settings")
    return inner


def _parse_index(items: list[Any], name: str, setting: str) -> int:
    if not name.isdigit() or int(name) >= len(items):
        raise FacesError(f"--set {setting}: {name!r} is none of the list's {len(items)} items, which count from 0")
    return int(name)


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
