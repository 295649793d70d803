"""A data set of synthetic faces, laid out as a Kaggle competition.

DIRECTORY/train/n000001/0001_01.jpg ...   one folder per identity
DIRECTORY/test/1.jpg ... K.jpg            shuffled: the number tells nothing
DIRECTORY/sample_submission.csv           image_name,label in string order (1, 10, 100, ...), a constant label
DIRECTORY/answers/test.csv                the same rows with the true labels
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from experiments.data.images import available_processors
from experiments.data.synthetic.identity import draw_identity
from experiments.data.synthetic.render import MAX_SIZE, MIN_SIZE, draw_jpeg
from experiments.errors import FacesError
from experiments.files import locked, new_folder

FIRST_TEST_IMAGE = 1_000_000
"""Number of a person's first test image; a person's test images do not depend on the number of training images."""

Progress = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class SyntheticDataset:
    """Paths and counts of a data set."""

    directory: Path
    train: Path
    test: Path
    sample_submission: Path
    answers: Path
    identities: int
    train_images: int
    test_images: int
    size: int
    seed: int


@dataclass(frozen=True, slots=True)
class _PersonJob:
    """All images of one identity: `train` training images, and test images with these numbers."""

    identity: int
    train: int
    test_numbers: tuple[int, ...]


def write_dataset(
    directory: Path,
    *,
    identities: int,
    images: int,
    test_images: int,
    size: int,
    seed: int,
    workers: int | None = None,
    progress: Progress | None = None,
) -> SyntheticDataset:
    """Draw `identities` people with `images` training images each, and `test_images` in all, `size` pixels a side.

    The same numbers and `seed` give the same bytes for any number of `workers` (default: one per processor). progress:
    called in this process with (images done, total). Raises FacesError for numbers out of range and for a directory
    that is not empty or cannot be written. Nothing half-written is left behind.
    """
    directory = Path(directory)
    workers = available_processors() if workers is None else workers
    _check_numbers(identities, images, test_images, size, seed, workers)
    jobs = _assign_test_numbers(identities, images, test_images, seed)
    total = identities * images + test_images
    with _appearing(directory) as staging:
        (staging / "train").mkdir()
        (staging / "test").mkdir()
        done = 0
        for count in _draw_all(partial(_draw_person, staging, size, seed), jobs, min(workers, identities)):
            done += count
            if progress:
                progress(done, total)
        _write_tables(staging, jobs)
    return SyntheticDataset(
        directory=directory,
        train=directory / "train",
        test=directory / "test",
        sample_submission=directory / "sample_submission.csv",
        answers=directory / "answers" / "test.csv",
        identities=identities,
        train_images=identities * images,
        test_images=test_images,
        size=size,
        seed=seed,
    )


def label(identity: int) -> str:
    """Return the name of identity number `identity`, counted from 0: the first is n000001."""
    return f"n{identity + 1:06d}"


def _check_numbers(identities: int, images: int, test_images: int, size: int, seed: int, workers: int) -> None:
    for name, value, low, high, remedy in (
        ("identities", identities, 2, 999_999, "a classifier needs at least two people to tell apart"),
        ("images", images, 1, 9_999, "each identity needs at least one image to train on"),
        ("test images", test_images, 0, 9_999_999, "use 0 for a competition without a test set"),
        ("size", size, MIN_SIZE, MAX_SIZE, "images are drawn at that size, in pixels: resize them afterwards"),
        ("seed", seed, 0, 2**63 - 1, "use any whole number from 0 on"),
        ("workers", workers, 1, 1024, "use 1 to draw everything in this process"),
    ):
        if not low <= value <= high:
            raise FacesError(f"{name} = {value}: expected {low} to {high}; {remedy}")


def _assign_test_numbers(identities: int, images: int, test_images: int, seed: int) -> list[_PersonJob]:
    """Assign the test numbers to the identities evenly, in random order."""
    numbers = np.random.default_rng([seed, 2]).permutation(test_images) + 1
    return [_PersonJob(k, images, tuple(numbers[k::identities].tolist())) for k in range(identities)]


def _draw_person(staging: Path, size: int, seed: int, job: _PersonJob) -> int:
    """Write all images of one identity; return how many."""
    identity = draw_identity(seed, job.identity)
    folder = staging / "train" / label(job.identity)
    folder.mkdir()
    for k in range(job.train):
        (folder / f"{k + 1:04d}_01.jpg").write_bytes(draw_jpeg(identity, seed, k, size))
    for k, number in enumerate(job.test_numbers):
        (staging / "test" / f"{number}.jpg").write_bytes(draw_jpeg(identity, seed, FIRST_TEST_IMAGE + k, size))
    return job.train + len(job.test_numbers)


def _draw_all(draw: Callable[[_PersonJob], int], jobs: list[_PersonJob], workers: int) -> Iterator[int]:
    """Yield the number of images written as each job ends, in any order."""
    if workers == 1:
        yield from map(draw, jobs)
        return
    # Spawned, because a forked child of a process with threads (PyTorch's, say) can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_interrupts_to_parent)
    try:
        queue = iter(jobs)
        pending = {pool.submit(draw, job) for job in islice(queue, 4 * workers)}
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {pool.submit(draw, job) for job in islice(queue, len(finished))}
            yield from (future.result() for future in finished)
    except BrokenProcessPool as error:
        raise FacesError(
            f"one of {workers} worker processes ended early, perhaps for lack of memory; "
            "try again with fewer workers, or with workers = 1"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    """Ignore Ctrl-C in a worker: the parent reports it and cleans up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _write_tables(staging: Path, jobs: list[_PersonJob]) -> None:
    """Write the sample submission and the answers, rows in string order as on Kaggle."""
    answers = {f"{number}.jpg": label(job.identity) for job in jobs for number in job.test_numbers}
    names = sorted(answers)
    _write_table(staging / "sample_submission.csv", [(name, label(0)) for name in names])
    (staging / "answers").mkdir()
    _write_table(staging / "answers" / "test.csv", [(name, answers[name]) for name in names])


def _write_table(path: Path, rows: list[tuple[str, str]]) -> None:
    lines = ["image_name,label", *(f"{name},{value}" for name, value in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


@contextmanager
def _appearing(directory: Path) -> Iterator[Path]:
    """Yield an empty folder next to `directory`, and move it there when the block succeeds; otherwise remove it."""
    directory = Path(os.path.abspath(directory))  # so that "." has a name and a parent
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise FacesError(f"{directory}: expected a folder, or nothing, but a file or a link is there; choose another")
    try:
        if directory.is_dir() and any(directory.iterdir()):
            raise FacesError(f"{directory}: expected a new or an empty folder, but it holds files; choose another one")
    except OSError as error:
        raise FacesError(f"{directory}: cannot be written ({error.strerror}); choose a folder that is yours") from error
    if not directory.parent.is_dir():
        raise FacesError(f"{directory.parent}: expected the folder to write into, but there is none; make it")
    if not os.access(directory.parent, os.W_OK):
        raise FacesError(f"{directory}: cannot be written (Permission denied); choose a folder that is yours")
    try:
        with locked(directory), new_folder(directory) as staging:
            yield staging
    except OSError as error:
        raise FacesError(
            f"{directory}: could not be written ({error.strerror or error}); make room, or choose another folder"
        ) from error
