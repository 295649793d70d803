"""`faces data`: draw, download, check and pack folders of faces. `faces align`: find, rotate and crop the faces."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.commands import say_next
from experiments.commands.suggest import SuggestingGroup

# as experiments/data/preparation.py and experiments/data/sources.py have them; imported, they would bring NumPy
Crop = Literal["five-point", "margin"]
Detector = Literal["mtcnn", "yunet"]
Choice = Literal["central", "largest", "score"]
Missing = Literal["crop", "skip"]
Format = Literal["same", "jpeg", "png"]
Fit = Literal["crop", "stretch", "pad"]
OnBad = Literal["stop", "skip"]

data = typer.Typer(
    cls=SuggestingGroup, no_args_is_help=True, help="Get faces: draw, download, check or pack a folder of images."
)
app = typer.Typer()


@data.command("synth")
def data_synth(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make.")],
    identities: Annotated[int, typer.Option(help="Number of people.")] = 50,
    images: Annotated[int, typer.Option(help="Training images per person.")] = 20,
    test_images: Annotated[int, typer.Option("--test-images", help="Unlabeled test images in total.")] = 250,
    size: Annotated[int, typer.Option(help="Pixels per side.")] = 160,
    seed: Annotated[int, typer.Option(help="The same seed draws the same faces.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
) -> None:
    """Draw synthetic faces as a competition.

    Makes train/, test/, sample_submission.csv, and the answers in a folder of their own.

    Example: `faces data synth faces50 --identities 50 --images 20 --test-images 250 --size 160 --seed 0`
    """
    from time import monotonic

    from experiments.data.synthetic import write_dataset
    from experiments.progress import format_duration, say, track

    started, drawn = monotonic(), identities * images + test_images
    with track("drawing", drawn, "images") as advance:
        write_dataset(
            directory, identities=identities, images=images, test_images=test_images,
            size=size, seed=seed, workers=workers, progress=advance,
        )  # fmt: skip
    say(f"{directory}: {identities} people, {identities * images} training images, {test_images} test images")
    took = monotonic() - started
    say(f"drawn in {format_duration(took)}: {drawn / took:,.0f} images/s")
    say_next("faces", "train", "scratch_cnn", "--data", directory, "--out", "runs/first")


@data.command("get")
def data_get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="olivetti or lfw.")],
    out: Annotated[Path | None, typer.Option(help="Folder to make; by default the name of the data set.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where downloads are kept; by default scikit-learn's data folder.")
    ] = None,
    least: Annotated[int, typer.Option("--min-images", min=1, help="LFW: leave out people with fewer images.")] = 1,
) -> None:
    """Download a public face data set through scikit-learn, as one folder per person.

    Example: `faces data get olivetti --out olivetti`
    """
    from experiments.data.download import download_dataset
    from experiments.progress import say

    folder = Path(name) if out is None else out
    people, images = download_dataset(name, folder, cache, least)
    say(f"{folder}: {people:,} people, {images:,} images")
    say_next("faces", "train", "scratch_cnn", "--data", folder, "--out", "runs/first")


@data.command("check")
def data_check(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of people, or a competition's folder.")],
) -> None:
    """Read every image and report what is wrong.

    Exit status 1 if anything is.

    Example: `faces data check faces50`
    """
    from experiments.data.check import check_folder
    from experiments.progress import say, track
    from experiments.submission.format import check_sample

    with track("checking", 1, "images") as advance:
        report = check_folder(directory, progress=advance, check_sample=check_sample)
    for line in report.summary():
        say(line)
    if report.problems:
        raise typer.Exit(1)
    say_next("faces", "train", "scratch_cnn", "--data", directory, "--out", "runs/first")


@data.command("pack")
def data_pack(
    directory: Annotated[Path, typer.Argument(metavar="IN", help="Folder of people, or a competition's folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make.")],
    size: Annotated[
        int | None, typer.Option(min=8, max=1024, help="Pixels per side. Default: that of the images, or 160.")
    ] = None,
    fit: Annotated[Fit, typer.Option(help="How an image that is not square is made square.")] = "crop",
    on_bad: Annotated[
        OnBad, typer.Option("--on-bad-image", help="At an image that cannot be read: stop, or leave it out.")
    ] = "stop",
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; all cores by default.")] = None,
) -> None:
    """Decode every image once, into files that training maps into memory.

    Give OUT as --data from then on.

    Example: `faces data pack faces50 packed50 --size 112`
    """
    from time import monotonic

    from experiments.data.pack import pack_folder
    from experiments.progress import format_duration, say, track

    started = monotonic()
    with track("packing", 1, "images") as advance:
        wanted = None if size is None else (size, size)
        info = pack_folder(directory, out, wanted, fit, on_bad, workers, progress=advance)
    took, total = monotonic() - started, sum(info.counts.values())
    held = ", ".join(f"{part} {count:,}" for part, count in info.counts.items())
    height, width = info.size
    say(f"{out}: {held}, at {height} x {width} pixels, {total * height * width * 3 / 1e9:,.2f} GB")
    for line in info.left_out[:10]:
        say(f"  left out: {line}")
    if len(info.left_out) > 10:
        say(f"  ... and {len(info.left_out) - 10:,} more, listed in {out / 'pack.json'}")
    say(f"packed in {format_duration(took)}: {total / took:,.0f} images/s")
    settings = ["--set", f"data.size=[{height},{width}]", "--set", f"data.fit={fit}"]
    say_next("faces", "train", "resnet18_scratch", "--data", out, "--out", "runs/first", *settings)


@app.command()
def align(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of images, with or without subfolders.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the aligned images.")],
    size: Annotated[int, typer.Option(help="Pixels per side of an aligned image.")] = 112,
    crop: Annotated[Crop, typer.Option(help="ArcFace's five points, or a square around the face.")] = "five-point",
    margin: Annotated[
        float | None,
        typer.Option(help="Widen the crop by this fraction. Default: 0 for five-point, 0.3 for margin."),
    ] = None,
    choice: Annotated[
        Choice, typer.Option(help="Which of several faces: large and central, the largest, or the most certain.")
    ] = "central",
    missing: Annotated[
        Missing, typer.Option(help="Without a face: crop where the folder's faces usually are, or skip the image.")
    ] = "crop",
    min_score: Annotated[
        float, typer.Option("--min-score", min=0, max=1, help="Faces with a lower detection score count as not found.")
    ] = 0.0,
    form: Annotated[
        Format, typer.Option("--format", help="Keep each file name (JPEG as JPEG, others as PNG), or store all as one.")
    ] = "same",
    quality: Annotated[int, typer.Option(help="JPEG quality, 1 to 100.")] = 98,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda for a GPU (one process is enough then).")] = "cpu",
    detector: Annotated[
        Detector, typer.Option(help="mtcnn, or yunet: 10 times faster on a CPU, needs its weights.")
    ] = "mtcnn",
) -> None:
    """Find the face in every image, align it and store it under the same name.

    Run again to resume.

    OUT/aligned.csv lists what was found in each image, with scores; OUT/lowest_scores.pdf shows the lowest scores,
    which may be no faces; OUT/failures.csv lists the images without a face and those that cannot be read. Exit status 1
    if any cannot be read.

    Example: `faces align competition competition112 --size 112`
    """
    from time import monotonic

    from experiments.data.align.job import align_folder
    from experiments.data.preparation import AlignSettings
    from experiments.progress import format_duration, say, track
    from experiments.runtime import torch_device

    torch_device(device)  # before the folder is made
    wider = (0.3 if crop == "margin" else 0.0) if margin is None else margin
    settings = AlignSettings(
        size=size, crop=crop, margin=wider, choice=choice,
        missing=missing, min_score=min_score, format=form, quality=quality, detector=detector,
    )  # fmt: skip
    started = monotonic()
    with track("aligning", 1, "images") as advance:
        done = align_folder(source, target, settings, workers, device, progress=advance)
    took, fresh = monotonic() - started, len(done.records) - done.before
    say(f"{target}: {done.count('face'):,} of {len(done.records):,} images with a face")
    for how, what in (
        ("usual place", "without a face, cropped where their folder's faces are"),
        ("skipped", "without a face, left out"),
        ("unreadable", "cannot be read"),
    ):
        if count := done.count(how):
            say(f"  {count:,} {what}: {target / 'failures.csv'}")
    if several := sum(record.faces > 1 for record in done.records):
        say(f"  {several:,} with several faces, of which the {choice} one was taken")
    if lowest := done.lowest:
        sheet = target / "lowest_scores.pdf"
        say(f"  lowest score {lowest[0].score:.3f}: look at {sheet}; --min-score leaves out faces below a score")
    if done.before:
        say(f"  {done.before:,} had been aligned by an earlier run")
    if fresh:
        say(f"{fresh:,} images in {format_duration(took)}: {fresh / took:,.1f} images/s")
    say_next("faces", "data", "pack", target, f"{target}-packed", "--size", size)
    raise typer.Exit(1 if done.count("unreadable") else 0)
