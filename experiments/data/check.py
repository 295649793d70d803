"""Reading every image of a folder, and saying what is wrong with it.

A problem is what a later command would stop at, or leave out without a word. Whatever it would work with, but its user
should know (false labels, a test image that is also in training), is a note.
"""

import csv
import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import NamedTuple

from experiments.data.folders import (
    PARTS,
    existing_folder,
    files_under,
    folders_in,
    identity_root,
    images_in,
    is_image,
    natural_key,
)
from experiments.data.images import ImageError, Progress, decode, in_threads

SAMPLE = "sample_submission.csv"


@dataclass(frozen=True)
class Finding:
    """Something found, and every place where it was."""

    what: str
    where: tuple[str, ...] = ()

    def lines(self, limit: int) -> Iterator[str]:
        """Yield the finding, then at most `limit` of the places."""
        yield self.what + ":" * bool(self.where)
        yield from (f"  {place}" for place in self.where[:limit])
        if len(self.where) > limit:
            yield f"  ... and {len(self.where) - limit:,} more"


@dataclass
class FolderReport:
    """What a folder holds.

    images: per part (train, test, ...). identities: images of each. sizes: readable images by (width, height).
    modes: by the mode they are stored in. ignored: files that are not images by suffix.
    """

    directory: Path
    images: Counter[str] = field(default_factory=Counter)
    identities: dict[str, int] = field(default_factory=dict)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    ignored: list[Path] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def summary(self, limit: int = 10) -> list[str]:
        """Give the report as lines of plain text, with at most `limit` places a finding."""
        lines = [f"{self.directory}: {self.images.total():,} images"]
        lines += [f"  {title:<11} {text}" for title, text in self._facts()]
        for title, findings in (("problem", self.problems), ("note", self.notes)):
            lines += ["", f"{_count(len(findings), title)}{':' if findings else ''}"]
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
    directory: str | os.PathLike[str], workers: int | None = None, progress: Progress | None = None
) -> FolderReport:
    """Read every image under a competition's folder, a folder of identity folders, or any other.

    `workers` threads, all processors unless told; `progress` is called with (done, total). What is wrong is in the
    report's `problems`; FacesError is raised only where there is no such folder, or where it cannot be listed.
    """
    folder = existing_folder(directory)
    layout = _Layout.of(folder)
    files = list(files_under(folder))
    images = [path for path in files if is_image(path)]
    report = FolderReport(folder, identities={name: len(paths) for name, paths in layout.people.items()})
    report.images.update(layout.part(path) for path in images)
    report.ignored = [path for path in files if not is_image(path) and path != folder / SAMPLE]
    report.problems += [*_misplaced(layout, images), *_submission(layout)]

    unreadable, same = [], defaultdict(list)
    for done, (path, seen) in enumerate(zip(images, in_threads(_inspect, images, workers), strict=True), 1):
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
    report.notes += _duplicates(layout, [paths for paths in same.values() if len(paths) > 1])
    return report


@dataclass(frozen=True)
class _Layout:
    """A folder, where its identity folders lie (in train/, or in itself), and the images of each person, if any."""

    folder: Path
    root: Path
    people: dict[str, tuple[Path, ...]]

    @classmethod
    def of(cls, folder: Path) -> "_Layout":
        root = identity_root(folder)
        people = {inner.name: images_in(inner) for inner in folders_in(root)}
        with_images = {name for name, images in people.items() if images}
        return cls(folder, root, people if len(with_images) > 1 and not with_images <= PARTS else {})

    def part(self, path: Path) -> str:
        """The part of a data set that an image belongs to: the topmost folder above it that is not a person's."""
        first, *below = path.relative_to(self.folder).parts
        return first if below and not (self.people and self.root == self.folder) else "."


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


def _misplaced(layout: _Layout, images: list[Path]) -> Iterator[Finding]:
    """Images that no command would find, and identities that have too few."""
    if not images:
        yield Finding("no images at all")
    elif layout.root != layout.folder and not layout.people:
        yield Finding("fewer than two identities in train/: put the images of each person into a folder of their own")
    if not layout.people:
        return
    used = {path for paths in layout.people.values() for path in paths}
    stray = [path for path in images if layout.root in path.parents and path not in used]
    if stray:
        what = f"{_count(len(stray), 'image')} not directly in an identity folder, so never used: move or remove"
        yield Finding(what, tuple(str(path.relative_to(layout.folder)) for path in stray))
    for count, what in (
        (0, "without an image: add some, or remove the folder"),
        (1, "with one image, which cannot be split: add more, or remove the folder"),
    ):
        if few := tuple(name for name, paths in layout.people.items() if len(paths) == count):
            yield Finding(f"{_count(len(few), 'identity', 'identities')} {what}", few)


def _submission(layout: _Layout) -> Iterator[Finding]:
    """Where sample_submission.csv does not agree with test/ and train/."""
    sample, test, people = layout.folder / SAMPLE, layout.folder / "test", layout.people
    if not sample.is_file():
        return
    try:
        with sample.open(newline="", encoding="utf-8-sig") as file:
            _, *rows = (row for row in csv.reader(file) if row)
    except (OSError, ValueError, csv.Error) as error:
        yield Finding(f"{sample} cannot be read as a table with a header ({error}): get it again or remove it")
        return
    names = [row[0] for row in rows]
    if not any(is_image(Path(name)) for name in names):
        return  # a verification task's sample numbers its pairs
    labels = {row[1] for row in rows if len(row) > 1 and row[1]}
    known = people.keys() | {str(label) for label in range(len(people))}
    tested = {path.name for path in images_in(test)} if test.is_dir() else set()
    for what, found in (
        (f"{SAMPLE} lacks images of test/", tested - set(names)),
        (f"{SAMPLE} names images that are not in test/", set(names) - tested),
        (f"{SAMPLE} names images more than once", {name for name, count in Counter(names).items() if count > 1}),
        (f"{SAMPLE} holds labels that are no identity's", labels - known if people else set()),
    ):
        if found:
            yield Finding(f"{what} ({len(found):,})", tuple(sorted(found, key=lambda name: natural_key(Path(name)))))


def _duplicates(layout: _Layout, groups: Sequence[list[Path]]) -> Iterator[Finding]:
    """Images of which every pixel is the same."""
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
        ("under several identities, so that labels are false", conflicts),
        ("in several parts of the data, so that a test may be of what was trained on", leaks),
        ("repeated within an identity or a part", repeats),
    ):
        if found:
            yield Finding(f"{_count(len(found), 'image')} {what}", tuple(found))


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


def _count(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}" if count else f"no {many or one + 's'}"
