"""`faces align`: align a whole folder with several processes; run again, it resumes."""

import multiprocessing
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from experiments.data.align import Face
from experiments.data.align.align import align_images, begin_worker, crop_usual_place
from experiments.data.align.records import (
    FAILURES,
    LOWEST,
    SETTINGS,
    TABLE,
    AlignJob,
    ImageRecord,
    RecordTable,
    copy_tables,
    list_images,
)
from experiments.data.align.warp import template
from experiments.data.folders import existing_folder
from experiments.data.images import Progress, available_processors, read_image
from experiments.data.preparation import PREPARED, AlignSettings, DetectorName, write_preparation
from experiments.errors import FacesError
from experiments.files import file_digest, locked

CHUNK = 32
"""Images that a process aligns at a time, and that a kill can cost it."""

SHOWN = 24
"""Faces on the sheet of the lowest scores."""

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.\w+")
"""Names of the files that `atomic_write` has not finished."""

Jobs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Alignment:
    """A job's result. records: of every image, in natural order of the paths. before: images done by earlier runs."""

    folder: Path
    records: tuple[ImageRecord, ...]
    before: int

    def count(self, how: str) -> int:
        """Return how many images ended as "face", "usual place", "skipped" or "unreadable"."""
        return sum(record.how == how for record in self.records)

    @property
    def lowest(self) -> list[ImageRecord]:
        """The images with a face, those of the lowest scores first, at most SHOWN."""
        return sorted((one for one in self.records if one.how == "face"), key=lambda one: one.score or 0.0)[:SHOWN]


def align_folder(
    source: Path,
    target: Path,
    settings: AlignSettings,
    workers: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Alignment:
    """Align every image below `source` into the same folders below `target`, with tables of what was found.

    Images that an earlier run of the same settings aligned are kept. workers: processes, by default one per processor.
    progress: called with (done, total). Another job of the same target is waited for. Raises FacesError for folders
    that cannot be used.
    """
    source, target = existing_folder(source), Path(target)
    workers = available_processors() if workers is None else workers
    if workers < 1:
        raise FacesError(f"workers is {workers}, expected at least 1: omit it to use all processors")
    _refuse_target(source, target)
    outputs = list_images(source, settings.format)
    with locked(target):
        return _align_into(source, target, settings, outputs, workers, device, progress)


def _align_into(
    source: Path,
    target: Path,
    settings: AlignSettings,
    outputs: dict[str, str],
    workers: int,
    device: str,
    progress: Progress | None,
) -> Alignment:
    job = AlignJob(source=str(source.resolve()), settings=settings)
    table = _open(target, job)
    records = {path: record for path, record in table.read().items() if _is_done(record, outputs.get(path), target)}
    before = len(records)
    left = [(path, output) for path, output in outputs.items() if path not in records]
    for some in _work(partial(align_images, source, target, settings, device), left, workers, settings.detector):
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
    job.model_copy(update={"table": file_digest(table.path)}).write(target / SETTINGS)
    result = Alignment(target, ordered, before)
    _write_lowest(result)
    return result


def _write_lowest(result: Alignment) -> None:
    """Write a sheet of the faces with the lowest scores: the images most likely to show something else."""
    from experiments.plots.sheets import write_captioned_sheet  # workers do not load matplotlib

    lowest = result.lowest
    if not lowest:
        (result.folder / LOWEST).unlink(missing_ok=True)
        return
    images = [read_image(result.folder / record.output) for record in lowest]
    captions = [f"{record.score:.3f}\n{_ellipsis(record.output)}" for record in lowest]
    write_captioned_sheet(images, captions, result.folder / LOWEST, f"The {len(lowest)} lowest detection scores")


def _ellipsis(name: str, length: int = 24) -> str:
    return name if len(name) <= length else f"...{name[3 - length :]}"


def usual_face(record: ImageRecord, records: Iterable[ImageRecord]) -> Face:
    """Return where faces usually are in the images of a record's topmost folder, in that record's pixels.

    The median of each landmark, as fractions of width and height: over the faces of that folder, over all faces where
    it has none, or the template in the image's central square where no image has a face.
    """
    faces = [other for other in records if other.how == "face"]
    part = record.path.split("/")[0]
    neighbors = [other for other in faces if other.path.split("/")[0] == part] or faces
    size = np.array([record.width, record.height])
    if not neighbors:
        side = int(size.min())
        corner = (size - side) / 2
        return Face(np.concatenate([corner, corner + side - 1]), 0.0, template(side) + corner)
    sizes = np.array([(other.width, other.height) for other in neighbors])[:, None]
    points = (np.array([other.points for other in neighbors]) + 0.5) / sizes
    boxes = (np.array([other.box for other in neighbors]).reshape(-1, 2, 2) + 0.5) / sizes
    return Face((np.median(boxes, 0) * size - 0.5).ravel(), 0.0, np.median(points, 0) * size - 0.5)


def _is_done(record: ImageRecord, output: str | None, target: Path) -> bool:
    """Whether an image is done. Those without a face are searched again, and cropped where faces now usually are."""
    return record.how == "face" and record.output == output and (target / record.output).is_file()


def _refuse_target(source: Path, target: Path) -> None:
    a, b = source.resolve(), target.resolve()
    if a == b or a in b.parents or b in a.parents:
        raise FacesError(
            f"{target} and {source} are inside one another, and aligned images would be aligned again: choose another"
        )


def _open(target: Path, job: AlignJob) -> RecordTable:
    """Begin a job, or resume the same one. Raises FacesError where the folder holds anything else."""
    if (target / SETTINGS).is_file():
        had = AlignJob.read(target / SETTINGS, "choose another folder, or remove this one")
        before, wanted = ({"source": one.source, **asdict(one.settings)} for one in (had, job))
        if differing := [name for name in wanted if before[name] != wanted[name]]:
            name = differing[0]
            raise FacesError(
                f"{target} was begun with {name} = {before[name]!r}, not {wanted[name]!r}: "
                "choose another folder, or remove it"
            )
        table = target / TABLE
        if had.table is not None and table.is_file() and file_digest(table) != had.table:
            raise FacesError(
                f"{table}: changed since it was stored; was it edited? Remove it to align all images again"
            )
        for left in (path for path in target.rglob(".*") if _TEMPORARY.fullmatch(path.name) and path.is_file()):
            left.unlink()  # a killed process was writing it
    elif target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FacesError(f"{target} exists and is no folder that `faces align` began: choose another, or remove it")
    else:
        target.mkdir(parents=True, exist_ok=True)
    job.write(target / SETTINGS)  # without a digest, as the table grows
    write_preparation(target, job.settings.preparation)
    return RecordTable(target)


def _work(
    align: partial[list[ImageRecord]], jobs: Jobs, workers: int, detector: DetectorName
) -> Iterator[list[ImageRecord]]:
    """Yield the records of each chunk as it ends, in any order."""
    left = iter(jobs)
    chunks = iter(lambda: list(islice(left, CHUNK)), [])
    if workers == 1 or len(jobs) <= CHUNK:
        yield from map(align, chunks)
        return
    threads = max(1, available_processors() // workers)
    # Spawned: a process forked after PyTorch started its threads can hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), begin_worker, (detector, threads))
    try:
        pending = {pool.submit(align, chunk) for chunk in islice(chunks, 2 * workers)}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            pending |= {pool.submit(align, chunk) for chunk in islice(chunks, len(done))}
            for future in done:
                yield future.result()
    except BrokenProcessPool as error:
        raise FacesError(
            "a process of `faces align` was killed, perhaps for lack of memory: "
            "run the same command with fewer --workers; it resumes where it stopped"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
