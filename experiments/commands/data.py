"""`faces data`: faces in.

`faces align`: faces found, turned upright and cut out.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.data.align.settings import Choice, Crop, Format, Missing

Fit = Literal["crop", "stretch", "pad"]
OnBad = Literal["stop", "skip"]

data = typer.Typer(
    help="Faces in: draw synthetic ones, get public ones, check a folder, pack it.", no_args_is_help=True
)


@data.command("synth")
def data_synth(
    directory: Annotated[Path, typer.Argument(help="Folder to make.")],
    identities: Annotated[int, typer.Option(help="People.")] = 50,
    images: Annotated[int, typer.Option(help="Training images of each.")] = 20,
    test_images: Annotated[int, typer.Option("--test-images", help="Unlabelled test images in all.")] = 250,
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 160,
    seed: Annotated[int, typer.Option(help="The same seed draws the same faces.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
) -> None:
    """Draw a competition of synthetic faces: train/, test/, sample_submission.csv, and the answers apart.

    Example: `faces data synth faces50 --identities 50 --images 20 --test-images 250 --size 160 --seed 0`
    """
    import shlex
    from time import monotonic

    from experiments.data.synthetic import write_dataset
    from experiments.progress import format_duration, say, track

    started, drawn = monotonic(), identities * images + test_images
    with track("drawing", drawn, "images") as advance:
        write_dataset(
            directory, identities=identities, images=images, test_images=test_images,
            size=size, seed=seed, workers=workers, progress=advance,
        )  # fmt: skip
    say(f"{directory}: {identities} people, {identities * images} images to train, {test_images} to test")
    took = monotonic() - started
    say(f"drawn in {format_duration(took)}: {drawn / took:,.0f} images/s")
    say(f"next: faces train scratch_cnn --data {shlex.quote(str(directory))} --out runs/first")


@data.command("check")
def data_check(directory: Annotated[Path, typer.Argument(help="Folder of identities, or a competition's.")]) -> None:
    """Read every image and report what is wrong; exit status 1 if anything is.

    Example: `faces data check faces50`
    """
    from experiments.data.check import check_folder
    from experiments.progress import say, track

    with track("checking", 1, "images") as advance:
        report = check_folder(directory, progress=advance)
    for line in report.summary():
        say(line)
    raise typer.Exit(1 if report.problems else 0)


@data.command("pack")
def data_pack(
    directory: Annotated[Path, typer.Argument(help="Folder of identities, or a competition's.")],
    out: Annotated[Path, typer.Argument(help="Folder to make.")],
    size: Annotated[int, typer.Option(min=8, max=1024, help="Pixels a side.")] = 160,
    fit: Annotated[Fit, typer.Option(help="How a picture of another shape comes to it.")] = "crop",
    on_bad: Annotated[
        OnBad, typer.Option("--on-bad-image", help="Stop at a picture that cannot be read, or leave it out.")
    ] = "stop",
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")] = None,
) -> None:
    """Decode every picture once, into files that training maps into memory: give OUT for the folder from then on.

    Example: `faces data pack faces50 packed50 --size 112`
    """
    from time import monotonic

    from experiments.data.pack import pack_folder
    from experiments.progress import format_duration, say, track

    started = monotonic()
    with track("packing", 1, "images") as advance:
        counts, bad = pack_folder(directory, out, (size, size), fit, on_bad, workers, progress=advance)
    took, total = monotonic() - started, sum(counts.values())
    held = ", ".join(f"{part} {count:,}" for part, count in counts.items())
    say(f"{out}: {held}, {total * size * size * 3 / 1e9:,.2f} GB")
    for line in bad[:10]:
        say(f"  left out: {line}")
    if len(bad) > 10:
        say(f"  ... and {len(bad) - 10:,} more, listed in {out / 'pack.json'}")
    say(f"packed in {format_duration(took)}: {total / took:,.0f} images/s")


@data.command("get")
def data_get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="olivetti or lfw.")],
    out: Annotated[Path | None, typer.Option(help="Folder to make; named as the set unless told.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where downloads are kept; scikit-learn's place unless told.")
    ] = None,
    least: Annotated[int, typer.Option("--min-images", min=1, help="Of LFW, leave out people with fewer.")] = 1,
) -> None:
    """Download a public set of faces through scikit-learn, as a folder a person.

    Example: `faces data get olivetti --out olivetti`
    """
    from experiments.data.download import download_dataset
    from experiments.progress import say

    folder = Path(name) if out is None else out
    people, pictures = download_dataset(name, folder, cache, least)
    say(f"{folder}: {people:,} people, {pictures:,} pictures")


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
    from experiments.progress import format_duration, say, track

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
        say(f"{fresh:,} pictures in {format_duration(took)}: {fresh / took:,.1f} images/s")
    raise typer.Exit(1 if done.count("unreadable") else 0)
