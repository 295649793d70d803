"""A search for a recipe's settings: trials proposed by Optuna, cut short where others did better, resumable.

What a search may choose: settings of a recipe, each from a range or a list.
"""

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import yaml

from experiments.config.load import load_recipe
from experiments.config.model_settings import TransferModel
from experiments.config.recipe import Recipe
from experiments.data.dataset import CachedSplitReader, SplitReader
from experiments.data.folders import identity_root
from experiments.errors import DivergenceError, FacesError
from experiments.files import refuse_inside, write_csv, write_text
from experiments.plots.training import plot_importances, plot_search_history
from experiments.progress import say
from experiments.requirements import install_command
from experiments.run import Run

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
                load_recipe(recipe, [*given, end])
            except FacesError as error:
                raise FacesError(f"--space {end}: {error}") from error
        if not dimension.choices and _takes(recipe, [*given, f"{dimension.key}={dimension.low + 0.5}"]):
            dimension = replace(dimension, low=float(dimension.low), high=float(dimension.high))
        found.append(dimension)
    return found


def _takes(recipe: str, settings: Iterable[str]) -> bool:
    try:
        load_recipe(recipe, settings)
    except FacesError:
        return False
    return True


def chosen(recipe: str, settings: Iterable[str], space: Iterable[Dimension], trial: Suggest) -> Recipe:
    """The recipe of a trial."""
    return load_recipe(recipe, [*settings, *(dimension.setting(trial) for dimension in space)])


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


TRIALS_TO_COMPARE = 4
"""Trials that run to their end before any is cut short, and that importances need."""

FORGIVEN = 2
"""The epoch from which on a trial may be cut short."""


class Search:
    """A study's folder, and what its trials have in common.

    study.db: every trial, by Optuna. trials.csv, history.png, importances.png: the same to look at. best.yaml: the best
    trial's recipe; best/: its run. The other trials' runs are removed.
    """

    def __init__(
        self, source: str, settings: Sequence[str], space: Sequence[Dimension], data: Path, out: Path, seed: int
    ):
        self.source, self.settings, self.space = source, list(settings), list(space)
        self.data, self.out, self.seed = data, out, seed
        self.recipe, self.read = load_recipe(source, settings), CachedSplitReader()
        self.study = self._opened()

    def _opened(self) -> Any:
        """The study in the folder, new or as it was left. Raises FacesError where it is a search for something else."""
        import optuna
        import sqlalchemy

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        began = (self.out / "study.db").exists()
        self.out.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            storage=str(sqlalchemy.URL.create("sqlite", database=str(self.out.absolute() / "study.db"))),
            study_name="search",
            direction="maximize",
            pruner=optuna.pruners.MedianPruner(TRIALS_TO_COMPARE, n_warmup_steps=FORGIVEN),
            load_if_exists=True,
        )
        about = {
            "recipe": self.recipe.dump(),
            "space": [repr(one) for one in self.space],
            "data": str(self.data.absolute()),
        }
        for name, value in about.items():
            if began and study.user_attrs.get(name, value) != value:
                raise FacesError(f"{self.out} is a search with another {name}: give the same, or another --out")
            study.set_user_attr(name, value)
        return study

    def go_on(self) -> None:
        """Put trials that a killed process left in the middle back in the queue, with the same settings."""
        import optuna

        for trial in self.study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if len(trial.params) == len(self.space):
                self.study.enqueue_trial(trial.params)
            shutil.rmtree(self._folder(trial.number), ignore_errors=True)

    @property
    def done(self) -> list[Any]:
        """Trials that came to an end, or were cut short."""
        import optuna

        return self.study.get_trials(states=[optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED])

    @property
    def best(self) -> Any | None:
        """The trial with the highest top-1 of those that came to their end, the first of several."""
        complete = [trial for trial in self.done if trial.state.name == "COMPLETE"]
        return max(complete, key=lambda trial: trial.value, default=None)

    def trial(self, trials: int) -> None:
        """Propose settings, train with them, and keep what came of it."""
        import optuna

        done = self.done
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(done))  # the same whenever it is resumed
        trial = self.study.ask()
        recipe = chosen(self.source, self.settings, self.space, trial)
        say(f"trial {len(done) + 1} of {trials}: " + "  ".join(f"{key}={value}" for key, value in trial.params.items()))

        def report(row: dict[str, Any]) -> None:
            trial.report(row["top1"], row["epoch"])
            if row["epoch"] < recipe.epochs and trial.should_prune():
                raise optuna.TrialPruned

        try:
            run = _train(recipe, self.data, self._folder(trial.number), report, self.read)
            self.study.tell(trial, run.metrics().top1)
        except optuna.TrialPruned:
            say("  cut short: earlier trials were better after as many epochs")
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except DivergenceError as error:
            say(f"  cut short: {error}")
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        self._keep(trial.number, recipe)

    def _keep(self, number: int, recipe: Recipe) -> None:
        """Keep the run where it is the best, and bring the tables and plots up to date."""
        if self.best is not None and self.best.number == number:
            shutil.rmtree(self.out / "best", ignore_errors=True)
            self._folder(number).rename(self.out / "best")
            write_text(self.out / "best.yaml", recipe.dump())
        shutil.rmtree(self._folder(number), ignore_errors=True)
        done = self.done
        write_csv(self.out / "trials.csv", [_row(trial) for trial in done])
        values = [trial.value if trial.state.name == "COMPLETE" else None for trial in done]
        plot_search_history(values, self.out / "history.png", f"{self.recipe.model.name}, {len(done)} trials")
        if shares := self._importances():
            plot_importances(shares, self.out / "importances.png")

    def _importances(self) -> dict[str, float]:
        """How much of top-1's variance each setting explains; nothing while too few trials tell."""
        import optuna

        values = [trial.value for trial in self.done if trial.state.name == "COMPLETE"]
        if len(self.space) < 2 or len(values) < TRIALS_TO_COMPARE or len(set(values)) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        return optuna.importance.get_param_importances(self.study, evaluator=evaluator)

    def _folder(self, number: int) -> Path:
        return self.out / f"trial-{number}"


def tune(
    recipe: str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    trials: int,
    space: Sequence[str],
    settings: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Search until a study has `trials` trials, and give the best one's settings. The same call goes on after a stop.

    A trial's worth is its last epoch's validation top-1; it is cut short where that lies below the median of earlier
    trials after as many epochs. Raises FacesError for a space that the recipe does not take, for a folder with
    another search, and for whatever stops a training but divergence, which only cuts its trial short.
    """
    if find_spec("optuna") is None:
        raise FacesError(f"faces tune needs optuna: in the project's folder, {install_command('tune')}")
    folder, pictures = Path(out), Path(data)
    dimensions = fitted(read_space(space), recipe, settings)
    loaded = load_recipe(recipe, settings)
    if loaded.split.train == "all":
        raise FacesError("split.train=all leaves no pictures to judge a trial by: give --set split.train=0.8")
    refuse_inside(folder, identity_root(pictures))
    if folder.exists() and not (folder / "study.db").is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise FacesError(f"{folder} exists already and is no search: choose another --out")
    search = Search(recipe, settings, dimensions, pictures, folder, seed)
    search.go_on()
    while len(search.done) < trials:
        search.trial(trials)
    best = search.best
    if best is None:
        raise FacesError(f"{folder}: none of {trials} trials came to its end: search lower learning rates")
    say(f"best of {len(search.done)} trials: top-1 {best.value:.1%} by {_settings(best.params)}")
    say(f"next: faces train {shlex.quote(str(folder / 'best.yaml'))} --data {shlex.quote(str(data))} --out RUN")
    return dict(best.params)


def _train(recipe: Recipe, data: Path, out: Path, report: Any, read: SplitReader) -> Run:
    """Train by the library that a recipe is for."""
    if isinstance(recipe.model, TransferModel):
        from experiments.training.torch_trainer import TrainOptions, train_torch

        return train_torch(recipe, data, out, options=TrainOptions(after_epoch=report, read=read))
    from experiments.training.mytorch_trainer import train_mytorch

    return train_mytorch(recipe, data, out, after_epoch=report, read=read)


def _row(trial: Any) -> dict[str, Any]:
    seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
    ended = "complete" if trial.state.name == "COMPLETE" else "cut short"
    reached = {
        "trial": trial.number,
        "ended": ended,
        "top1": trial.value,
        "epochs": max(trial.intermediate_values, default=0),
    }
    return {**reached, "seconds": round(seconds, 1), **trial.params}


def _settings(params: dict[str, Any]) -> str:
    return " ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in params.items()
    )
