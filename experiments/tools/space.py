"""What a search may choose: settings of a recipe, each from a range or a list."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import yaml

from experiments.config import recipe as recipes
from experiments.config.recipe import Recipe
from experiments.errors import FacesError

EXAMPLE = "such as optimizer.lr=1e-4..1e-2:log, batch_size=16..64 or schedule.name=cosine,step"


class Suggest(Protocol):
    """What suggests values: an Optuna trial."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number from low to high."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number from low to high."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        """One of the choices."""


@dataclass(frozen=True)
class Dimension:
    """A setting and its values: from `low` to `high` (whole numbers if both are int), or one of `choices`, as YAML."""

    key: str
    low: float | int = 0
    high: float | int = 0
    log: bool = False
    choices: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[str, ...]:
        """Settings at which every value's being allowed can be tried."""
        return tuple(f"{self.key}={value}" for value in self.choices or (self.low, self.high))

    def setting(self, trial: Suggest) -> str:
        """The setting that a trial suggests, as `--set` has it."""
        if self.choices:
            return f"{self.key}={trial.suggest_categorical(self.key, list(self.choices))}"
        if isinstance(self.low, int) and isinstance(self.high, int):
            return f"{self.key}={trial.suggest_int(self.key, self.low, self.high, log=self.log)}"
        return f"{self.key}={trial.suggest_float(self.key, self.low, self.high, log=self.log)!r}"


def read_space(texts: Iterable[str]) -> list[Dimension]:
    """Read dimensions, "KEY=low..high", "KEY=low..high:log" or "KEY=a,b,c". Raises FacesError for another form."""
    space = [_dimension(text) for text in texts]
    keys = [dimension.key for dimension in space]
    if twice := [key for key in keys if keys.count(key) > 1]:
        raise FacesError(f"--space {twice[0]}: stands there more than once")
    if not space:
        raise FacesError(f"nothing to search: give --space KEY=low..high, {EXAMPLE}")
    return space


def fitted(space: Iterable[Dimension], recipe: str, settings: Iterable[str]) -> list[Dimension]:
    """The space as a recipe takes it: 0..1 is a range of whole numbers only where the recipe takes no others.

    Raises FacesError where the ends of a range, or a choice, are none that the recipe takes.
    """
    given, found = list(settings), []
    for dimension in space:
        for end in dimension.ends:
            try:
                recipes.load(recipe, [*given, end])
            except FacesError as error:
                raise FacesError(f"--space {end}: {error}") from error
        if not dimension.choices and _takes(recipe, [*given, f"{dimension.key}={dimension.low + 0.5}"]):
            dimension = replace(dimension, low=float(dimension.low), high=float(dimension.high))
        found.append(dimension)
    return found


def _takes(recipe: str, settings: Iterable[str]) -> bool:
    try:
        recipes.load(recipe, settings)
    except FacesError:
        return False
    return True


def chosen(recipe: str, settings: Iterable[str], space: Iterable[Dimension], trial: Suggest) -> Recipe:
    """The recipe of a trial."""
    return recipes.load(recipe, [*settings, *(dimension.setting(trial) for dimension in space)])


def _dimension(text: str) -> Dimension:
    key, equals, values = text.partition("=")
    wrong = FacesError(f"--space {text}: expected KEY=low..high, KEY=low..high:log or KEY=a,b,c, {EXAMPLE}")
    if not equals or not key.strip() or not values.strip():
        raise wrong
    key = key.strip()
    if ".." not in values:
        choices = _choices(values)
        if len(choices) < 2:
            raise wrong
        return Dimension(key, choices=choices)
    values, _, scale = values.partition(":")
    first, _, last = values.partition("..")
    try:
        low, high = _number(first), _number(last)
    except ValueError:
        raise wrong from None
    if scale not in ("", "log"):
        raise wrong
    if not low < high:
        raise FacesError(f"--space {text}: {first} is not below {last}; expected KEY=low..high")
    if scale and low <= 0:
        raise FacesError(f"--space {text}: a logarithmic range begins above 0, such as 1e-4..1e-2:log")
    return Dimension(key, low, high, bool(scale))


def _choices(values: str) -> tuple[str, ...]:
    """a,b,c, of which each may be a YAML list with commas of its own."""
    try:
        items = yaml.safe_load(f"[{values}]") if "[" in values else values.split(",")
    except yaml.YAMLError:
        return ()
    listed = [
        item.strip() if isinstance(item, str) else yaml.safe_dump(item, default_flow_style=True) for item in items
    ]
    return tuple(dict.fromkeys(item.removesuffix("\n").removesuffix("\n...") for item in listed if item))


def _number(text: str) -> float | int:
    try:
        return int(text)
    except ValueError:
        return float(text)
