"""The runs of a report together: named, and grouped by recipe."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from statistics import stdev

from experiments.errors import FacesError
from experiments.report.document import Code, Words, enumerate_words
from experiments.report.facts import RunFacts, read_run
from experiments.report.phrases import percent
from experiments.tools.compare import name_runs


@dataclass(frozen=True)
class Family:
    """Runs of one recipe on the same images, which differ in the seed alone."""

    runs: list[RunFacts]

    @property
    def first(self) -> RunFacts:
        """The run that represents its recipe."""
        return self.runs[0]

    @property
    def name(self) -> str:
        """The run's name; of several, what their names begin with, and how many they are."""
        base = self._base
        return base if len(self.runs) == 1 else f"{base} ({len(self.runs)} seeds)"

    @property
    def called(self) -> Words:
        """How the text names it."""
        base = Code(self._base)
        return (base,) if len(self.runs) == 1 else (base, f" ({len(self.runs)} seeds)")

    @property
    def _base(self) -> str:
        if len(self.runs) == 1:
            return self.first.name
        equal = takewhile(lambda letters: len(set(letters)) == 1, zip(*(run.name for run in self.runs), strict=False))
        shared = "".join(letters[0] for letters in equal).rstrip("-_. ").removesuffix("seed").rstrip("-_. ")
        return shared or self.first.name

    def top1s(self) -> list[float]:
        """Return the last epoch's top-1 of each run that validated."""
        return [run.metrics.top1 for run in self.runs if run.metrics.top1 is not None]

    def top1(self) -> float | None:
        """Return their mean."""
        found = self.top1s()
        return sum(found) / len(found) if found else None

    def spread(self) -> float | None:
        """Return their standard deviation, of two or more."""
        found = self.top1s()
        return stdev(found) if len(found) > 1 else None


@dataclass(frozen=True)
class Study:
    """What a report is about: recipes, the best mean top-1 first, each with its runs by seed."""

    families: list[Family]

    @classmethod
    def of(cls, folders: Sequence[str | os.PathLike[str]]) -> "Study":
        """Read run folders. Raises FacesError for none, one that is no run or has no epoch, and one given twice."""
        if not folders:
            raise FacesError("no runs: give one or more folders that `faces train ... --out RUN` made")
        names = name_runs(folders)
        runs = [read_run(folder) for folder in folders]
        return cls(_group([replace(run, name=name) for run, name in zip(runs, names, strict=True)]))

    @property
    def runs(self) -> list[RunFacts]:
        """All runs, those of the best recipe first."""
        return [run for family in self.families for run in family.runs]

    @property
    def single(self) -> bool:
        """Whether it is about one run."""
        return len(self.runs) == 1

    @property
    def ranked(self) -> list[Family]:
        """The recipes that validated, the best mean top-1 first."""
        return [family for family in self.families if family.top1() is not None]

    @property
    def best(self) -> Family | None:
        """The recipe of the highest mean top-1 in the last epoch; None where nothing validated."""
        return self.ranked[0] if self.ranked else None

    @property
    def evaluated(self) -> list[RunFacts]:
        """The runs that were evaluated."""
        return [run for run in self.runs if run.evaluation]

    @property
    def verified(self) -> list[RunFacts]:
        """The runs that were verified, the lowest EER first."""
        found = [run for run in self.runs if run.verification]
        return sorted(found, key=lambda run: run.verification.metrics.eer if run.verification else 1.0)

    @property
    def lowest_eer(self) -> list[RunFacts]:
        """The verified runs whose EER, as it is shown, is the lowest: several where they are level."""
        rates = [percent(run.verification.metrics.eer, 2) for run in self.verified if run.verification]
        return [run for run, rate in zip(self.verified, rates, strict=True) if rate == rates[0]]

    @property
    def same_images(self) -> bool:
        """Whether all learned from the same images, and so validated on the same."""
        return len({run.environment.images for run in self.runs}) == 1

    def family_index(self, run: RunFacts) -> int:
        """Return the place of a run's recipe, from 0, which decides its color."""
        return next(place for place, family in enumerate(self.families) if run in family.runs)

    def call(self, run: RunFacts) -> Words:
        """Return how the text names a run."""
        return ("the run",) if self.single else (Code(run.name),)

    def call_all(self, runs: Sequence[RunFacts]) -> Words:
        """Return how the text names several runs."""
        return ("the run",) if self.single else enumerate_words([self.call(run) for run in runs])


def _group(runs: Sequence[RunFacts]) -> list[Family]:
    """Group runs by recipe and images, the best mean top-1 first; in a family, by seed."""
    found: dict[tuple[str, str], list[RunFacts]] = {}
    for run in runs:
        key = repr(run.recipe.model_dump(exclude={"seed", "about"})), run.environment.images
        found.setdefault(key, []).append(run)
    groups = [Family(sorted(group, key=lambda run: (run.recipe.seed, run.name))) for group in found.values()]
    return sorted(groups, key=lambda group: -1.0 if (top1 := group.top1()) is None else top1, reverse=True)
