"""`faces data`: faces in."""

from pathlib import Path
from typing import Annotated

import typer

data = typer.Typer(help="Faces in: draw synthetic ones, check a folder.", no_args_is_help=True)


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

    from experiments.data.synthetic import write_competition
    from experiments.progress import duration, say, track

    started, drawn = monotonic(), identities * images + test_images
    with track("drawing", drawn, "images") as advance:
        write_competition(
            directory, identities=identities, images=images, test_images=test_images,
            size=size, seed=seed, workers=workers, progress=advance,
        )  # fmt: skip
    say(f"{directory}: {identities} people, {identities * images} images to train, {test_images} to test")
    took = monotonic() - started
    say(f"drawn in {duration(took)}: {drawn / took:,.0f} images/s")
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
