"""A recipe: everything that decides a training run, typed, checked, and read from a YAML file."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from experiments.errors import FacesError
from experiments.recipe_problems import explain

FOLDER = Path(__file__).parent / "recipes"


def _share_or_number(value: Any) -> float | int:
    """0.8 stays a share, 5 and 5.0 are a number. One function, as a union would complain once for each of its types."""
    number = float(value) if isinstance(value, int | float | str) else 0.0
    if 0 < number < 1:
        return number
    if number >= 1 and number.is_integer():
        return int(number)
    raise ValueError


Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(ge=1)]
ShareOrNumber = Annotated[float | int, PlainValidator(_share_or_number)]


class _Part(BaseModel):
    """A group of settings: unknown names and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML's yes and true would pass for 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("expected a value, not yes or no")
        return value


class Model(_Part):
    """The network. widths: channels of each block; depth: convolutions (or residual blocks) of each width."""

    name: Literal["face_cnn", "small_resnet"] = "face_cnn"
    widths: Annotated[list[Annotated[int, Field(ge=1, le=8192)]], Field(min_length=1)] = [32, 64, 128, 256]
    depth: Annotated[int, Field(ge=1, le=64)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class Data(_Part):
    """The pictures. size: pixels (height, width); fit: how a picture of another shape comes to it."""

    size: tuple[Annotated[int, Field(ge=8, le=1024)], Annotated[int, Field(ge=8, le=1024)]] = (64, 64)
    fit: Literal["crop", "stretch", "pad"] = "crop"
    mean: Share = 0.5
    std: Annotated[float, Field(ge=0.001, le=1)] = 0.25


class Split(_Part):
    """How each person's images part. train: a share below 1, or a number of images a person; the rest validates."""

    train: ShareOrNumber = 0.8
    seed: Annotated[int, Field(ge=0)] = 0


class Augment(_Part):
    """What training changes in a picture, drawn anew each epoch.

    flip: probability of a mirror image; shift: share of the size; zoom: 0.1 means 0.9 to 1.1 times; rotate: degrees;
    brightness, contrast, saturation: 0.2 means 0.8 to 1.2 times; erase: probability of a blanked rectangle.
    """

    flip: Share = 0.5
    shift: Share = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    erase: Share = 0.0


class Optimizer(_Part):
    """The optimiser and its learning rate. momentum and nesterov are SGD's."""

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    lr: Annotated[float, Field(gt=0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.name == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, such as momentum: 0.9")
        return self


class Schedule(_Part):
    """The learning rate's course.

    cosine: warm-up over the share `warmup` of all steps, then down to the share `least`. step: times `gamma` every
    `every` epochs. plateau: times `gamma` once the validation loss has not improved for `patience` epochs.
    """

    name: Literal["constant", "cosine", "step", "plateau"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    least: Share = 0.0
    every: Positive = 10
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=0)] = 2


class Recipe(_Part):
    """A training run: its parts, and how long and with what seed."""

    about: str = ""
    model: Model = Model()
    data: Data = Data()
    split: Split = Split()
    augment: Augment = Augment()
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Positive = 30
    batch_size: Annotated[int, Field(ge=2)] = 64
    identities: Annotated[int, Field(ge=2)] | None = None
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _picture_outlasts_the_pooling(self) -> Self:
        least = 2 ** len(self.model.widths)
        if self.model.name == "face_cnn" and min(self.data.size) < least:
            raise ValueError(
                f"data.size={list(self.data.size)}: the {len(self.model.widths)} blocks of model.widths halve it each "
                f"time; expected at least {least} pixels a side, or fewer widths"
            )
        return self

    def dump(self) -> str:
        """All settings as YAML, which `load` reads back."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def names() -> list[str]:
    """The recipes that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(source: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe by name or from a YAML file, with settings such as "optimizer.lr=0.01" in place of its own.

    Raises FacesError for an unknown recipe, a file that is no YAML, and unknown or impossible settings.
    """
    path = _find(source)
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise FacesError(f"{path}: not a YAML file that can be read: {error}") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise FacesError(f"{path}: expected settings (key: value), found {type(tree).__name__}")
    for setting in settings:
        _set(tree, setting)
    try:
        return Recipe.model_validate(tree)
    except ValidationError as error:
        problems = "".join(f"\n  {explain(problem, _keys())}" for problem in error.errors(include_url=False))
        raise FacesError(f"recipe {source}:{problems}") from None


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise FacesError(f"{path}: no such recipe file; give a YAML file, or one of: {', '.join(names())}")
        return path
    if str(source) not in names():
        near = get_close_matches(str(source), names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known recipes: {', '.join(names())}"
        raise FacesError(f"no recipe is called {str(source)!r}: {hint} A path to a YAML file will do, too.")
    return FOLDER / f"{source}.yaml"


def _set(tree: dict[str, Any], setting: str) -> None:
    """Put "a.b=value" into the tree; the value is read as YAML."""
    key, equals, text = setting.partition("=")
    if not equals or not key:
        raise FacesError(f"--set {setting}: expected KEY=VALUE, such as --set optimizer.lr=0.01")
    *groups, name = key.strip().split(".")
    for group in groups:
        inner = tree.setdefault(group, {})
        if not isinstance(inner, dict):
            raise FacesError(f"--set {setting}: {group!r} is a value, not a group of settings")
        tree = inner
    try:
        tree[name] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FacesError(f"--set {setting}: {text!r} is no YAML value ({getattr(error, 'problem', error)})") from error


def _keys() -> dict[str, list[str]]:
    """The names of the settings of each group, and under "" those at the top."""
    kinds = {name: field.annotation for name, field in Recipe.model_fields.items()}
    parts = {n: kind.model_fields for n, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, _Part)}
    return {"": list(kinds), **{name: list(fields) for name, fields in parts.items()}}
