"""Finds hand-ins that share code, by winnowing: fingerprints of runs of tokens, chosen so that no long run is missed.

Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting", SIGMOD 2003.
"""

import dataclasses
import functools
import itertools
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from autograder import bounded, handout
from autograder.roster import identify
from autograder.rubric import load, names
from autograder.submission import SubmissionError, staged
from autograder.text import line
from autograder.tokens import Source, read

RUN, WINDOW = 20, 12  # tokens in a fingerprinted run; every common run of RUN + WINDOW - 1 tokens is found
_FEW = 30  # fingerprints, below which a part of them says little: shares are then of this many
_REPEATS = 4  # places of one fingerprint in a hand-in that are shown
_BASE = np.uint64(0x9E3779B97F4A7C15)
Codes = npt.NDArray[np.uint64]


@dataclasses.dataclass(frozen=True)
class Work:
    """One hand-in: its files, and its fingerprints that count, each with the places (file, token) it begins at."""

    name: str
    student: str
    sources: list[Source]
    prints: dict[int, list[tuple[int, int]]]
    reason: str = ""  # why it could not be read

    @property
    def tokens(self) -> int:
        """How many it has."""
        return sum(len(source.codes) for source in self.sources)


@dataclasses.dataclass(frozen=True)
class Block:
    """The same tokens in both: files, first and last line from 0, and how many tokens."""

    left: tuple[int, int, int]
    right: tuple[int, int, int]
    tokens: int


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two hand-ins; the parts of the fingerprints of each that the other has as well."""

    left: Work
    right: Work
    shared: int
    of_left: float
    of_right: float

    @property
    def share(self) -> float:
        """The larger part: a short hand-in that is contained in a long one is a find."""
        return max(self.of_left, self.of_right)


def compare(
    sources: Sequence[Path],
    given: Sequence[Path] = (),
    common: float = 0.5,
    tell: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> tuple[list[Work], list[Pair]]:
    """All hand-ins, and each pair of two students' that share anything, most similar first.

    Code of the handout and below the folders `given` does not count, nor does what more than the part `common` of the
    hand-ins (and at least five) have: it says nothing about any two of them.
    """
    known = set(itertools.chain(_given(), *(_prints(read(folder)) for folder in given)))
    works = []
    for done, path in enumerate(sources, 1):
        works.append(_work(path, known))
        tell(works[-1].name, done, len(sources))
    having = Counter(itertools.chain.from_iterable(work.prints for work in works))
    limit = max(5, common * len(works))
    works = [
        dataclasses.replace(work, prints={value: p for value, p in work.prints.items() if having[value] <= limit})
        for work in works
    ]
    return works, _pairs(works)


def blocks(pair: Pair) -> list[Block]:
    """The runs of tokens that two hand-ins share, each as long as possible; the longest first, none inside another."""
    found: list[Block] = []
    ends: dict[tuple[int, int, int], int] = {}  # where the last run of these files and this distance ends
    shared = [
        (a, i, b, j)
        for value in pair.left.prints.keys() & pair.right.prints.keys()
        for a, i in pair.left.prints[value][:_REPEATS]
        for b, j in pair.right.prints[value][:_REPEATS]
    ]
    for a, i, b, j in sorted(shared):
        if i < ends.get((a, b, i - j), 0):
            continue
        left, right = pair.left.sources[a], pair.right.sources[b]
        before = _common(left.codes[:i][::-1], right.codes[:j][::-1])
        after = _common(left.codes[i:], right.codes[j:])
        if after < RUN:
            continue  # two runs that have the same hash by chance
        ends[a, b, i - j] = i + after
        found.append(
            Block(
                (a, left.places[i - before], left.places[i + after - 1]),
                (b, right.places[j - before], right.places[j + after - 1]),
                before + after,
            )
        )
    kept: list[Block] = []
    for block in sorted(set(found), key=lambda block: (-block.tokens, block.left, block.right)):
        if not any(_within(block.left, other.left) or _within(block.right, other.right) for other in kept):
            kept.append(block)
    return kept


def fingerprints(codes: Sequence[int]) -> dict[int, list[int]]:
    """The hashes that winnowing picks, of each window the smallest, with the tokens they begin at."""
    if len(codes) < RUN:
        return {}
    values = np.asarray(codes, dtype=np.uint64) + np.uint64(1)
    hashes: Codes = np.zeros(len(values) - RUN + 1, dtype=np.uint64)
    for place in range(RUN):
        hashes = (hashes * _BASE) + values[place : place + len(hashes)]
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(32)
    width = min(WINDOW, len(hashes))
    windows = np.lib.stride_tricks.sliding_window_view(hashes, width)[:, ::-1]
    picked = np.unique(np.arange(len(windows)) + width - 1 - windows.argmin(axis=1))
    found: dict[int, list[int]] = {}
    for place in picked.tolist():
        found.setdefault(int(hashes[place]), []).append(place)
    return found


def _work(path: Path, known: set[int]) -> Work:
    """One hand-in, read in a process with limits; whatever is wrong with it, the others are compared."""
    name, student = line(path.name), identify(path.name).student
    try:
        if path.is_symlink():
            raise SubmissionError("a link, which is not followed")
        with staged(path) as folder:
            sources = bounded.call(read, folder)
    except (SubmissionError, bounded.BoundedError) as error:
        return Work(name, student, [], {}, line(str(error)))
    prints = {value: places for value, places in _prints(sources).items() if value not in known}
    return Work(name, student, sources, prints, "" if sources else "no Python file")


def _prints(sources: Iterable[Source]) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for number, source in enumerate(sources):
        for value, places in fingerprints(source.codes).items():
            found.setdefault(value, []).extend((number, place) for place in places)
    return found


@functools.cache
def _given() -> frozenset[int]:
    """The fingerprints of the students' copy, which every hand-in may hold."""
    with tempfile.TemporaryDirectory() as room:
        handout.write(Path(room, "given"), *map(load, names()))
        return frozenset(_prints(read(Path(room, "given"))))


def _pairs(works: Sequence[Work]) -> list[Pair]:
    having: dict[int, list[int]] = defaultdict(list)
    for number, work in enumerate(works):
        for value in work.prints:
            having[value].append(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in having.values():
        shared.update(itertools.combinations(numbers, 2))
    found = []
    for (i, j), count in shared.items():
        left, right = works[i], works[j]
        if left.student != right.student:
            of_left, of_right = (count / max(len(work.prints), _FEW) for work in (left, right))
            found.append(Pair(left, right, count, of_left, of_right))
    return sorted(found, key=lambda pair: (-pair.share, -pair.shared, pair.left.name, pair.right.name))


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    """How many first entries are the same."""
    return next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right)))


def _within(inner: tuple[int, int, int], outer: tuple[int, int, int]) -> bool:
    return inner[0] == outer[0] and outer[1] <= inner[1] and inner[2] <= outer[2]
