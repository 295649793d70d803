"""A whole folder aligned, by several processes, from where it stopped."""

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from experiments.data.align.detector import Face
from experiments.data.align.records import FAILURES, SETTINGS, TABLE, Record, Table, copy_tables, list_images
from experiments.data.align.settings import AlignSettings
from experiments.data.align.warp import align_images, begin_worker, crop_usual_place, template
from experiments.data.folders import existing_folder
from experiments.data.images import Progress, available_processors
from experiments.data.preparation import PREPARED, write_preparation
from experiments.errors import FacesError
from experiments.files import read_json, write_json

CHUNK = 32
"""Images of one errand to a process: what a kill can cost each of them."""

Jobs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Alignment:
    """A job's outcome. records: every image, in natural order of the paths. before: how many an earlier run did."""

    folder: Path
    records: tuple[Record, ...]
    before: int

    def count(self, how: str) -> int:
        """How many images ended so: "face", "usual place", "skipped" or "unreadable"."""
        return sum(record.how == how for record in self.records)


def align_folder(
    source: Path,
    target: Path,
    settings: AlignSettings,
    workers: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Alignment:
    """Align every image below `source` into the same folders below `target`, whose tables say what was found.

    What an earlier run of the same settings has done is left as it is. `workers` processes, one a processor unless
    told; `progress` is called with (done, total). Raises FacesError for folders that cannot be used.
    """
    source, target = existing_folder(source), Path(target)
    workers = available_processors() if workers is None else workers
    if workers < 1:
        raise FacesError(f"workers is {workers}, expected at least 1: leave it out to use all processors")
    _refuse_target(source, target)
    outputs = list_images(source, settings.format)
    table = _open(target, settings, source)
    records = {path: record for path, record in table.read().items() if _is_done(record, outputs.get(path), target)}
    before = len(records)
    left = [(path, output) for path, output in outputs.items() if path not in records]
    for some in _work(partial(align_images, source, target, settings, device), left, workers):
        table.add(some)
        records.update((record.path, record) for record in some)
        if progress:
            progress(len(records) - before, len(outputs) - before)
    if settings.missing == "crop":
        for record in [record for record in records.values() if record.how == "skipped"]:
            face = usual_face(record, records.values())
            records[record.path] = crop_usual_place(source, target, outputs[record.path], record, face, settings)
    copy_tables(source, target, (TABLE, FAILURES, SETTINGS, PREPARED))
    ordered = tuple(records[path] for path in outputs)
    table.write(ordered)
    table.write_failures(ordered)
    return Alignment(target, ordered, before)


def usual_face(record: Record, records: Iterable[Record]) -> Face:
    """Where faces usually are in the images of a record's topmost folder, in that record's pixels.

    The median, landmark by landmark, in shares of width and height; over all folders where that one has no face, and
    the template over the image's central square where none has.
    """
    faces = [other for other in records if other.how == "face"]
    part = record.path.split("/")[0]
    alike = [other for other in faces if other.path.split("/")[0] == part] or faces
    size = np.array([record.width, record.height])
    if not alike:
        side = int(size.min())
        corner = (size - side) / 2
        return Face(np.concatenate([corner, corner + side - 1]), 0.0, template(side) + corner)
    sizes = np.array([(other.width, other.height) for other in alike])[:, None]
    points = (np.array([other.points for other in alike]) + 0.5) / sizes
    boxes = (np.array([other.box for other in alike]).reshape(-1, 2, 2) + 0.5) / sizes
    return Face((np.median(boxes, 0) * size - 0.5).ravel(), 0.0, np.median(points, 0) * size - 0.5)


def _is_done(record: Record, output: str | None, target: Path) -> bool:
    """Whether a record's image need not be looked at again: those without a face are, as more may be known now."""
    return record.how == "face" and record.output == output and (target / record.output).is_file()


def _refuse_target(source: Path, target: Path) -> None:
    a, b = source.resolve(), target.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise FacesError(f"{target} and {source} lie in one another: the images made would be taken for new ones")


def _open(target: Path, settings: AlignSettings, source: Path) -> Table:
    """The table of a new job, or of the one to go on with. Raises FacesError where something else stands there."""
    wanted = {**asdict(settings), "source": str(source.resolve())}
    if (target / SETTINGS).is_file():
        had = read_json(target / SETTINGS)
        differing = [name for name in wanted if not isinstance(had, dict) or had.get(name) != wanted[name]]
        if differing:
            name = differing[0]
            was = had.get(name) if isinstance(had, dict) else None
            raise FacesError(
                f"{target} was begun with {name} = {was!r}, not {wanted[name]!r}: choose another folder, or remove it"
            )
        write_preparation(target, settings.preparation)
        return Table(target)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FacesError(f"{target} exists and is no folder that `faces align` began: choose another, or remove it")
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / SETTINGS, wanted)
    write_preparation(target, settings.preparation)
    return Table(target)


def _work(align: partial[list[Record]], jobs: Jobs, workers: int) -> Iterator[list[Record]]:
    """The records of each errand, as it ends, in whatever order they do."""
    left = iter(jobs)
    errands = iter(lambda: list(islice(left, CHUNK)), [])
    if workers == 1 or len(jobs) <= CHUNK:
        yield from map(align, errands)
        return
    threads = max(1, available_processors() // workers)
    # Spawned, as a process forked after PyTorch's threads began can hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), begin_worker, (threads,))
    try:
        pending = {pool.submit(align, errand) for errand in islice(errands, 2 * workers)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {pool.submit(align, errand) for errand in islice(errands, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise FacesError(
            "a process of `faces align` was killed, perhaps for want of memory: "
            "run the same command with fewer --workers; it goes on where it stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
