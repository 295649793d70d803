"""`faces data check`: read every image of a folder, and report what the other commands would refuse or leave out.

People, validation set and test set are read by the functions with which the commands read them. A problem is what a
command would refuse, or leave out without a word. A warning is what it accepts but the user should know: contradictory
labels, or a test image that is also in training.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from experiments.data.dataset import relabel
from experiments.data.folders import (
    Identities,
    entries_under,
    existing_folder,
    find_identities,
    folders_in,
    identity_root,
    images_in,
    is_image,
    is_listed,
    natural_key,
    other_files,
    require_utf8,
    validation_root,
    why_unusable,
)
from experiments.data.images import ImageError, Progress, decode, map_in_threads
from experiments.data.sources import find_images, is_packed, open_pack, pack_parts
from experiments.errors import FacesError

SAMPLE = "sample_submission.csv"

SampleCheck = Callable[[Path, Sequence[str], Sequence[str]], Sequence[tuple[str, Sequence[str]]]]
"""Given a sample submission, the names of the test images and the people: each problem, and the names it concerns."""


@dataclass(frozen=True)
class Finding:
    """A problem or a warning, and all places where it was found."""

    what: str
    places: tuple[str, ...] = ()

    def lines(self, limit: int) -> Iterator[str]:
        """Yield the finding, then at most `limit` of the places."""
        yield self.what + ":" * bool(self.places)
        yield from (f"  {place}" for place in self.places[:limit])
        if len(self.places) > limit:
            yield f"  ... and {len(self.places) - limit:,} more"


@dataclass
class FolderReport:
    """What a folder holds.

    images: per part (train, test, ...). identities: images of each. sizes: readable images by (width, height). modes:
    by the mode they are stored in. ignored: files that are not images by suffix.
    """

    directory: Path
    images: Counter[str] = field(default_factory=Counter)
    identities: dict[str, int] = field(default_factory=dict)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    ignored: list[Path] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)

    def summary(self, limit: int = 10) -> list[str]:
        """Return the report as lines of plain text, with at most `limit` places per finding."""
        lines = [f"{self.directory}: {self.images.total():,} images"]
        lines += [f"  {title:<11} {text}" for title, text in self._facts()]
        if not self.problems:
            lines += ["", "no command would refuse this folder, but:" if self.warnings else "no problems"]
        for title, findings in (("problem", self.problems), ("warning", self.warnings)):
            if findings:
                lines += ["", f"{_count(len(findings), title)}:"]
                lines += [f"  {line}" for finding in findings for line in finding.lines(limit)]
        return lines

    def _facts(self) -> Iterator[tuple[str, str]]:
        if len(self.images) > 1:
            yield "parts", ", ".join(f"{part} {count:,}" for part, count in self.images.most_common(8))
        if counts := sorted(self.identities.values()):
            spread = f"{counts[0]} to {counts[-1]}, median {median(counts):g}"
            yield "identities", f"{len(counts):,}; images of each: {spread}"
        if self.sizes:
            (common, count), *others = self.sizes.most_common()
            by_area = sorted(self.sizes, key=lambda size: (size[0] * size[1], size))
            spread = f"; smallest {_size(by_area[0])}, largest {_size(by_area[-1])}" if others else ""
            yield "sizes", f"{_size(common)} for {count:,}{spread}"
            yield "modes", ", ".join(f"{mode} {count:,}" for mode, count in self.modes.most_common())
        if self.ignored:
            names = [str(path.relative_to(self.directory)) for path in self.ignored]
            yield "ignored", f"{_count(len(names), 'file')}: {', '.join(names[:5] + ['...'] * (len(names) > 5))}"


def check_folder(
    directory: str | os.PathLike[str],
    workers: int | None = None,
    progress: Progress | None = None,
    check_sample: SampleCheck | None = None,
) -> FolderReport:
    """Read every image under a competition's folder, a folder of identity folders, a pack, or any other folder.

    workers: threads, by default one per processor. progress: called with (done, total). check_sample: the reader of the
    competition's sample submission, where that is to be checked. Problems are in the report; FacesError is raised only
    for a folder that does not exist or cannot be listed.
    """
    folder = existing_folder(directory)
    if is_packed(folder):
        return _check_pack(folder)
    layout = _Layout.of(folder)
    report = FolderReport(folder, identities={name: len(paths) for name, paths in layout.people.items()})
    images = _usable_images(layout, report)
    report.problems += [one for one in _people_problems(layout, images) if not _reported(one, report)]
    report.problems += _test_problems(layout, check_sample)

    unreadable, same = [], defaultdict(list)
    for done, (path, seen) in enumerate(zip(images, map_in_threads(_inspect, images, workers), strict=True), 1):
        if isinstance(seen, ImageError):
            unreadable.append(str(seen))
        else:
            report.sizes[seen.size] += 1
            report.modes[seen.mode] += 1
            same[seen.digest].append(path)
        if progress:
            progress(done, len(images))
    if unreadable:
        report.problems.append(Finding(f"{_count(len(unreadable), 'image')} cannot be read", tuple(unreadable)))
    report.warnings += _duplicates(layout, [paths for paths in same.values() if len(paths) > 1])
    return report


@dataclass(frozen=True)
class _Layout:
    """A folder and its people.

    root: the folder of the people (train/, or the folder itself). people: the images of each person, empty where the
    folder has none or they cannot be read; error: why they cannot. validation: the official validation set.
    """

    folder: Path
    root: Path
    people: dict[str, tuple[Path, ...]]
    found: Identities | None
    error: str
    validation: Path | None

    @classmethod
    def of(cls, folder: Path) -> "_Layout":
        root, found, error, validation = identity_root(folder), None, "", None
        try:
            found, validation = find_identities(folder), validation_root(folder)
        except FacesError as problem:
            error = str(problem)
        people = defaultdict[str, tuple[Path, ...]](tuple)
        if found is not None:
            for path, label in zip(found.paths, found.labels, strict=True):
                people[found.names[label]] += (path,)
        return cls(folder, root, dict(people), found, error, validation)

    def part(self, path: Path) -> str:
        """Return the part of the data that an image belongs to: the topmost folder above it that is not a person's."""
        first, *below = path.relative_to(self.folder).parts
        return first if below and not (self.people and self.root == self.folder) else "."


def _usable_images(layout: _Layout, report: FolderReport) -> list[Path]:
    """Return the images that can be opened and count them; report names and files that are refused."""
    images, names, files = [], [], []
    for path in entries_under(layout.folder):
        try:
            require_utf8(path)
        except FacesError as problem:
            names.append(str(problem))
            continue
        if reason := why_unusable(path, layout.folder):
            files.append(reason)
        elif is_image(path):
            images.append(path)
        elif path not in (layout.folder / SAMPLE, layout.root / "labels.txt"):
            report.ignored.append(path)
    report.images.update(map(layout.part, images))
    if names:
        report.problems.append(Finding(f"{_count(len(names), 'name')} not in UTF-8", tuple(names)))
    if files:
        report.problems.append(Finding(f"{_count(len(files), 'file')} refused or left out", tuple(files)))
    return images


def _people_problems(layout: _Layout, images: list[Path]) -> Iterator[Finding]:
    """Yield why training would refuse the people, and images or people that it would leave out."""
    if not images:
        yield Finding(f"no images at all{other_files(layout.folder)}")
    elif layout.error and _expects_people(layout):
        yield Finding(f"training refuses the folder: {layout.error}")
    if layout.found is None:
        return
    used = {path for paths in layout.people.values() for path in paths}
    stray = [path for path in images if layout.root in path.parents and path not in used]
    if stray:
        what = f"{_count(len(stray), 'image')} not directly in an identity folder, so never used: move or remove"
        yield Finding(what, tuple(str(path.relative_to(layout.folder)) for path in stray))
    folders = () if is_listed(layout.root) else folders_in(layout.root)
    if empty := tuple(folder.name for folder in folders if not images_in(folder, layout.root)):
        yield Finding(f"{_count_identities(empty)} without an image: add some, or remove the folder", empty)
    single = tuple(name for name, paths in layout.people.items() if len(paths) == 1)
    if single and layout.validation is None:
        what = "with one image, which cannot be split: add more, or remove the folder"
        yield Finding(f"{_count_identities(single)} {what}", single)
    if layout.validation is not None:
        try:
            relabel(find_identities(layout.validation), layout.found, layout.found)
        except FacesError as problem:
            yield Finding(f"training refuses the validation set: {problem}")


def _reported(finding: Finding, report: FolderReport) -> bool:
    """Whether a finding repeats a place that is reported already."""
    return any(place in finding.what for known in report.problems for place in known.places)


def _expects_people(layout: _Layout) -> bool:
    """Whether a folder without readable people was meant to hold some: not a flat folder, such as a test set."""
    return layout.root != layout.folder or is_listed(layout.root) or not any(map(is_image, layout.folder.iterdir()))


def _test_problems(layout: _Layout, check_sample: SampleCheck | None) -> Iterator[Finding]:
    """Yield why submitting would refuse the test images or the sample submission."""
    sample, test = layout.folder / SAMPLE, layout.folder / "test"
    tested: tuple[Path, ...] = ()
    if test.is_dir() and any(test.iterdir()):
        try:
            tested = find_images(test)
        except FacesError as problem:
            yield Finding(f"submitting refuses the test set: {problem}")
    if check_sample is None or not sample.is_file():
        return
    for what, names in check_sample(sample, [path.name for path in tested], tuple(layout.people)):
        yield Finding(what, tuple(sorted(names, key=lambda name: natural_key(Path(name)))))


def _check_pack(folder: Path) -> FolderReport:
    """Open every part of a pack."""
    report = FolderReport(folder)
    for part in pack_parts(folder):
        try:
            opened = open_pack(folder, part)
        except FacesError as problem:
            report.problems.append(Finding(str(problem)))
            continue
        report.images[part] = len(opened.paths)
        if part == "train":
            counts = Counter(opened.people.labels.tolist())
            report.identities = {name: counts[label] for label, name in enumerate(opened.people.names)}
        height, width = opened.images.shape[1:3]
        report.sizes[width, height] += len(opened.paths)
        report.modes["RGB"] += len(opened.paths)
    return report


class _Seen(NamedTuple):
    size: tuple[int, int]
    mode: str
    digest: bytes


def _inspect(path: Path) -> _Seen | ImageError:
    try:
        pixels, mode = decode(path)
    except ImageError as error:
        return error
    height, width = pixels.shape[:2]
    return _Seen((width, height), mode, hashlib.blake2b(pixels.data, salt=f"{height}x{width}".encode()).digest())


def _duplicates(layout: _Layout, groups: Sequence[list[Path]]) -> Iterator[Finding]:
    """Yield groups of images whose pixels are all equal."""
    owner = {path: name for name, paths in layout.people.items() for path in paths}
    conflicts, leaks, repeats = [], [], []
    for paths in groups:
        places = " = ".join(str(path.relative_to(layout.folder)) for path in paths)
        parts = {layout.part(path) for path in paths}
        shown = {owner[path] for path in paths if path in owner}
        if len(shown) > 1:
            conflicts.append(places)
        if len(parts) > 1:
            leaks.append(places)
        if len(shown) <= 1 and len(parts) == 1:
            repeats.append(places)
    for what, found in (
        ("under several identities, so that some labels are wrong", conflicts),
        ("in several parts of the data, so that test images may have been trained on", leaks),
        ("repeated within an identity or a part", repeats),
    ):
        if found:
            yield Finding(f"{_count(len(found), 'image')} {what}", tuple(found))


def _count_identities(names: Sequence[str]) -> str:
    return _count(len(names), "identity", "identities")


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}" if count else f"no {many or one + 's'}"
