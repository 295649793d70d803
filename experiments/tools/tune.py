"""A search for a recipe's settings: which settings, from which range or list, and trials that Optuna proposes.

Unpromising trials are pruned, and a search can be resumed.
"""

import os
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import yaml

from experiments.config.load import load_recipe
from experiments.config.recipe import Recipe
from experiments.data.dataset import CachedSplitReader
from experiments.data.folders import identity_root
from experiments.errors import DivergenceError, FacesError
from experiments.files import locked, refuse_inside, remove_temporary_files, write_text
from experiments.plots.training import plot_importances, plot_search_history
from experiments.progress import format_count, say
from experiments.requirements import install_command
from experiments.run import Run
from experiments.training.trainer import TrainOptions, train
from mytorch.files import atomic_write

EXAMPLE = "such as optimizer.lr=1e-4..1e-2:log, batch_size=16..64 or schedule.name=cosine,step"


class Suggester(Protocol):
    """What suggests values, such as an Optuna trial."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Return a whole number from low to high."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Return a number from low to high."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        """Return one of the choices."""


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
        """The settings to try, to know that the recipe takes all values between them."""
        return tuple(f"{self.key}={value}" for value in self.choices or (self.low, self.high))

    def setting(self, trial: Suggester) -> str:
        """Return the setting that a trial suggests, as for `--set`."""
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
        raise FacesError(f"--space {twice[0]}: given more than once")
    if not space:
        raise FacesError(f"nothing to search: give --space KEY=low..high, {EXAMPLE}")
    return space


def fit_space(space: Iterable[Dimension], recipe: str, settings: Iterable[str]) -> list[Dimension]:
    """Return the space as a recipe takes it: 0..1 is a range of whole numbers only where the recipe takes no others.

    Raises FacesError where the recipe does not take the ends of a range, or a choice.
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


def trial_recipe(recipe: str, settings: Iterable[str], space: Iterable[Dimension], trial: Suggester) -> Recipe:
    """Return the recipe of a trial."""
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
"""Complete trials that are needed before any is pruned, and for importances."""

FIRST_PRUNED_EPOCH = 2
"""A trial may be pruned from this epoch on."""

STUDY_FILE, STUDY_NAME = "study.db", "search"


class Search:
    """A study's folder, and what its trials have in common.

    study.db: every trial, by Optuna. trials.csv, history.png, importances.png: the same to look at. best.yaml: the best
    trial's recipe; best/: its run. The runs of the other trials are removed.
    """

    def __init__(
        self, source: str, settings: Sequence[str], space: Sequence[Dimension], data: Path, out: Path, seed: int
    ):
        self.source, self.settings, self.space = source, list(settings), list(space)
        self.data, self.out, self.seed = data, out, seed
        self.recipe, self.read = load_recipe(source, settings), CachedSplitReader()
        self.study = self._open_study()

    def _open_study(self) -> Any:
        """The study in the folder, new or as it was left. Raises FacesError where it is a search for something else.

        A study without a finished trial commits to nothing: with other settings it begins again.
        """
        import optuna
        import sqlalchemy

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = str(sqlalchemy.URL.create("sqlite", database=str(self.out.absolute() / STUDY_FILE)))
        about = {
            "recipe": self.recipe.dump(),
            "space": [repr(one) for one in self.space],
            "data": str(self.data.absolute()),
        }

        def create() -> Any:
            pruner = optuna.pruners.MedianPruner(TRIALS_TO_COMPARE, n_warmup_steps=FIRST_PRUNED_EPOCH)
            return optuna.create_study(
                storage=storage, study_name=STUDY_NAME, direction="maximize", pruner=pruner, load_if_exists=True
            )

        study = create()
        changed = [name for name, value in about.items() if study.user_attrs.get(name, value) != value]
        if changed and finished_trials(study):
            raise FacesError(f"{self.out} is a search with another {changed[0]}: give the same, or another --out")
        if changed:
            optuna.delete_study(study_name=STUDY_NAME, storage=storage)
            study = create()
        for name, value in about.items():
            study.set_user_attr(name, value)
        return study

    def resume(self) -> None:
        """Clean up after a process that was killed, and queue the trial it was at, with the same settings."""
        import optuna

        for trial in self.study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
            self.study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
            if len(trial.params) == len(self.space):
                self.study.enqueue_trial(trial.params)
        self._keep_best()
        for name in ("trials.csv", "history.png", "importances.png", "best.yaml"):
            remove_temporary_files(self.out / name)

    @property
    def finished(self) -> list[Any]:
        """Trials that are complete, or were pruned."""
        return finished_trials(self.study)

    @property
    def best(self) -> Any | None:
        """The complete trial with the highest top-1, the first of several."""
        complete = [trial for trial in self.finished if trial.state.name == "COMPLETE"]
        return max(complete, key=lambda trial: trial.value, default=None)

    def run_trial(self, trials: int) -> None:
        """Propose settings, train with them, and keep the result. A trial's value is its last epoch's top-1."""
        import optuna

        done = len(self.finished)
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + done)  # the same whenever it is resumed
        trial = self.study.ask()
        recipe = trial_recipe(self.source, self.settings, self.space, trial)
        say(f"trial {done + 1} of {trials}: " + "  ".join(f"{key}={value}" for key, value in trial.params.items()))

        def report(row: dict[str, Any]) -> None:
            trial.report(row["top1"], row["epoch"])
            if row["epoch"] < recipe.epochs and trial.should_prune():
                raise optuna.TrialPruned

        try:
            run = train(
                recipe, self.data, self._folder(trial.number), options=TrainOptions(after_epoch=report, read=self.read)
            )
            value = run.metrics().top1
            self.study.tell(trial, value)
            say(f"  counts with its last epoch's top-1, {value:.1%}; {self._describe_best()}")
        except optuna.TrialPruned:
            say("  pruned: earlier trials were better after as many epochs")
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except DivergenceError as error:
            say(f"  pruned: {error}")
            self.study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        except FacesError:
            self.study.tell(trial, state=optuna.trial.TrialState.FAIL)
            shutil.rmtree(self._folder(trial.number), ignore_errors=True)
            raise
        self._keep_best()
        self._write_results()

    def _describe_best(self) -> str:
        best = self.best
        place = [trial.number for trial in self.finished].index(best.number) + 1 if best else 0
        return f"best so far: trial {place} with {best.value:.1%}" if best else "none is complete"

    def _keep_best(self) -> None:
        """Make the best trial's run best/, if it is not yet, and remove the runs of all other trials."""
        best = self.best
        if best is not None and (folder := self._folder(best.number)).is_dir():
            shutil.rmtree(self.out / "best", ignore_errors=True)
            write_text(self.out / "best.yaml", Run.open(folder).recipe().dump())
            folder.rename(self.out / "best")
        for folder in self.out.glob("trial-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _write_results(self) -> None:
        """Bring the tables and plots up to date."""
        finished = self.finished
        with atomic_write(self.out / "trials.csv") as temporary:
            pd.DataFrame([_row(trial) for trial in finished]).to_csv(temporary, index=False, lineterminator="\n")
        values = [trial.value if trial.state.name == "COMPLETE" else None for trial in finished]
        plot_search_history(values, self.out / "history.png", f"{self.recipe.model.name}, {len(finished)} trials")
        if importances := self._importances():
            plot_importances(importances, self.out / "importances.png")

    def _importances(self) -> dict[str, float]:
        """The fraction of top-1's variance that each setting explains; empty with too few trials."""
        import optuna

        values = [trial.value for trial in self.finished if trial.state.name == "COMPLETE"]
        if len(self.space) < 2 or len(values) < TRIALS_TO_COMPARE or len(set(values)) < 2:
            return {}
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=self.seed)
        return optuna.importance.get_param_importances(self.study, evaluator=evaluator)

    def _folder(self, number: int) -> Path:
        return self.out / f"trial-{number}"


def finished_trials(study: Any) -> list[Any]:
    """Return the trials of an Optuna study that are complete, or were pruned."""
    import optuna

    return study.get_trials(states=[optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED])


def tune(
    recipe: str,
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    trials: int,
    space: Sequence[str],
    settings: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Search until a study has `trials` trials, and return the best one's settings. Call it again to resume.

    A trial's value is its last epoch's validation top-1; it is pruned where that is below the median of earlier trials
    after as many epochs. Raises FacesError for a space that the recipe does not take, for a folder with another search,
    and for what stops a training, except divergence, which only prunes its trial.
    """
    if find_spec("optuna") is None:
        raise FacesError(f"faces tune needs optuna: in the project's folder, {install_command('tune')}")
    folder, images = Path(out), Path(data)
    dimensions = fit_space(read_space(space), recipe, settings)
    if load_recipe(recipe, settings).split.train == "all":
        raise FacesError("split.train=all leaves no images to validate a trial: give --set split.train=0.8")
    refuse_inside(folder, identity_root(images))
    if folder.exists() and not (folder / STUDY_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise FacesError(f"{folder} exists already and is not a search: choose another --out")
    with locked(folder / STUDY_FILE):
        search = Search(recipe, settings, dimensions, images, folder, seed)
        search.resume()
        while len(search.finished) < trials:
            search.run_trial(trials)
    best = search.best
    if best is None:
        raise FacesError(f"{folder}: none of {trials} trials is complete: search lower learning rates")
    found = format_count(len(search.finished), "trial")
    say(f"best of {found}, by the last epoch: top-1 {best.value:.1%} with {_settings(best.params)}")
    say(f"next: faces train {shlex.quote(str(folder / 'best.yaml'))} --data {shlex.quote(str(data))} --out RUN")
    return dict(best.params)


def _row(trial: Any) -> dict[str, Any]:
    seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
    ended = "complete" if trial.state.name == "COMPLETE" else "pruned"
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
