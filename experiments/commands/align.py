"""`faces align`: faces found, turned upright and cut out."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.data.align.settings import Choice, Crop, Format, Missing

app = typer.Typer()


@app.command()
def align(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of pictures, with or without folders in it.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the aligned ones; a stopped job goes on.")],
    size: Annotated[int, typer.Option(help="Pixels a side of an aligned picture.")] = 112,
    crop: Annotated[Crop, typer.Option(help="ArcFace's five points, or a square around the face.")] = "five-point",
    margin: Annotated[
        float | None, typer.Option(help="How much wider than that, as a share; 0 for five points, 0.3 for a square.")
    ] = None,
    choice: Annotated[
        Choice, typer.Option(help="Of several faces: large and central, the largest, or the surest.")
    ] = "central",
    missing: Annotated[
        Missing, typer.Option(help="Without a face: crop where the folder's faces usually are, or skip.")
    ] = "crop",
    form: Annotated[
        Format, typer.Option("--format", help="Keep each name (JPEG as JPEG, others as PNG), or store all as one.")
    ] = "same",
    quality: Annotated[int, typer.Option(help="Of JPEG, 1 to 100.")] = 98,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda for a GPU (one process is enough then).")] = "cpu",
) -> None:
    """Find the face in every picture, align it and store it under the same name. Stopped, it goes on when run again.

    OUT/aligned.csv lists what was found in each picture, OUT/failures.csv those without a face or that cannot be
    read. Exit status 1 if any cannot be read.

    Example: `faces align competition competition112 --size 112`
    """
    from time import monotonic

    from experiments.data.align.job import align_folder
    from experiments.data.align.settings import AlignSettings
    from experiments.progress import duration, say, track

    wider = (0.3 if crop == "margin" else 0.0) if margin is None else margin
    settings = AlignSettings(
        size=size, crop=crop, margin=wider, choice=choice,
        missing=missing, format=form, quality=quality,
    )  # fmt: skip
    started = monotonic()
    with track("aligning", 1, "images") as advance:
        done = align_folder(source, target, settings, workers, device, progress=advance)
    took, fresh = monotonic() - started, len(done.records) - done.before
    say(f"{target}: {done.count('face'):,} of {len(done.records):,} pictures with a face")
    for how, what in (
        ("usual place", "without one, cut where their folder's faces are"),
        ("skipped", "without one, left out"),
        ("unreadable", "cannot be read"),
    ):
        if count := done.count(how):
            say(f"  {count:,} {what}: {target / 'failures.csv'}")
    several = sum(record.faces > 1 for record in done.records)
    say(f"  {several:,} with several faces, of which the {choice} one was taken")
    if done.before:
        say(f"  {done.before:,} had been aligned by an earlier run")
    if fresh:
        say(f"{fresh:,} pictures in {duration(took)}: {fresh / took:,.1f} images/s")
    raise typer.Exit(1 if done.count("unreadable") else 0)
