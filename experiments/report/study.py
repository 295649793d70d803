"""The runs of a report together: numbered, named, and grouped by recipe."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from statistics import stdev

from experiments.errors import FacesError
from experiments.report.document import SPACE, Code, Words, listed
from experiments.report.facts import RunFacts, read_run


@dataclass(frozen=True)
class Family:
    """Runs of one recipe on the same pictures, which differ in the seed alone."""

    runs: list[RunFacts]

    @property
    def first(self) -> RunFacts:
        """The run that stands for its recipe."""
        return self.runs[0]

    @property
    def name(self) -> str:
        """The run's name; of several, what their names begin with, and how many they are."""
        if len(self.runs) == 1:
            return self.first.name
        alike = takewhile(lambda letters: len(set(letters)) == 1, zip(*(run.name for run in self.runs), strict=False))
        shared = "".join(letters[0] for letters in alike).rstrip("-_. ").removesuffix("seed").rstrip("-_. ")
        return f"{shared or self.first.name} ({len(self.runs)} seeds)"

    @property
    def numbers(self) -> str:
        """Its runs' numbers: 3; 3–5."""
        first, last = self.runs[0].number, self.runs[-1].number
        return f"{first}" if first == last else f"{first}\N{EN DASH}{last}"

    @property
    def called(self) -> Words:
        """How the text speaks of it."""
        return (f"run{'s' if len(self.runs) > 1 else ''}{SPACE}{self.numbers} (", Code(self.name), ")")

    def top1s(self) -> list[float]:
        """The last epoch's top-1 of each run that validated."""
        return [run.metrics["top1"] for run in self.runs if run.metrics.get("top1") is not None]

    def top1(self) -> float | None:
        """Their mean."""
        found = self.top1s()
        return sum(found) / len(found) if found else None

    def spread(self) -> float | None:
        """Their standard deviation, of two or more."""
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
        places: dict[Path, str | os.PathLike[str]] = {}
        for folder in folders:
            if (place := Path(folder).resolve()) in places:
                raise FacesError(f"{folder}: given twice; give each run once")
            places[place] = folder
        runs = [read_run(folder) for folder in folders]
        names = _names([*places])
        groups = _families([replace(run, name=name) for run, name in zip(runs, names, strict=True)])
        numbers = iter(range(1, len(runs) + 1))
        return cls([Family([replace(run, number=next(numbers)) for run in group.runs]) for group in groups])

    @property
    def runs(self) -> list[RunFacts]:
        """All runs, by number."""
        return [run for family in self.families for run in family.runs]

    @property
    def single(self) -> bool:
        """Whether it is about one run."""
        return len(self.runs) == 1

    @property
    def best(self) -> Family | None:
        """The recipe of the highest mean top-1 in the last epoch; none where nothing validated."""
        return self.families[0] if self.families[0].top1() is not None else None

    @property
    def evaluated(self) -> list[RunFacts]:
        """The runs that were evaluated."""
        return [run for run in self.runs if run.evaluation]

    @property
    def verified(self) -> list[RunFacts]:
        """The runs that were verified, the lowest EER first."""
        found = [run for run in self.runs if run.verification]
        return sorted(found, key=lambda run: run.verification.figures["eer"] if run.verification else 1.0)

    @property
    def same_pictures(self) -> bool:
        """Whether all learned from, and so validated on, the same pictures."""
        return len({run.pictures for run in self.runs}) == 1

    def family_of(self, run: RunFacts) -> int:
        """The place of a run's recipe, from 0: its colour."""
        return next(place for place, family in enumerate(self.families) if run in family.runs)

    @staticmethod
    def listed(runs: Sequence[RunFacts]) -> str:
        """run 3; runs 1, 4 and 5."""
        return f"run{'s' if len(runs) > 1 else ''}{SPACE}{listed([str(run.number) for run in runs])}"

    def call(self, run: RunFacts) -> Words:
        """How the text speaks of a run."""
        if self.single:
            return ("the run",)
        return (f"run{SPACE}{run.number} (", Code(run.name), ")")


def _families(runs: Sequence[RunFacts]) -> list[Family]:
    """Runs grouped by recipe and pictures, the best mean top-1 first; in a family, by seed."""
    found: dict[tuple[str, str], list[RunFacts]] = {}
    for run in runs:
        key = repr(run.recipe.model_dump(exclude={"seed", "about"})), run.pictures
        found.setdefault(key, []).append(run)
    groups = [Family(sorted(group, key=lambda run: (run.recipe.seed, run.name))) for group in found.values()]
    return sorted(groups, key=lambda group: -1.0 if (top1 := group.top1()) is None else top1, reverse=True)


def _names(places: Sequence[Path]) -> list[str]:
    """The end of each path, as long as it takes to tell it from the others."""
    names = []
    for place in places:
        others = [other.parts for other in places if other != place]
        length = next(
            (n for n in range(1, len(place.parts)) if all(place.parts[-n:] != other[-n:] for other in others)), 1
        )
        names.append("/".join(place.parts[-length:]))
    return names
