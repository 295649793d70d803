"""`faces enroll`, `faces identify`, `faces calibrate` and `faces leave-one-out`: who is this, or nobody?"""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.verify import Align, Flip, NetworkFolder, Zooms

app = typer.Typer()

Score = Annotated[float, typer.Option("--min-score", help="How sure the detector must be of a face, 0 to 1.")]
Side = Annotated[float, typer.Option("--min-side", help="Pixels that a face must have a side.")]
Alone = Annotated[bool, typer.Option("--alone", help="Leave out photographs with several faces.")]
Strangers = Annotated[float, typer.Option("--far", help="How often a stranger may be given a name.")]


@app.command()
def enroll(
    run: NetworkFolder,
    people: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="One folder of photographs a person.")] = None,
    out: Annotated[Path, typer.Option("--out", help="The gallery's file.")] = Path("people.gallery"),
    add: Annotated[bool, typer.Option("--add", help="Add to the gallery that is there.")] = False,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="Take a person out; repeatable.")] = None,
    align: Align = True,
    flip: Flip = True,
    zoom: Zooms = None,
    score: Score = 0.9,
    side: Side = 32.0,
    alone: Alone = False,
) -> None:
    """Enroll people by several photographs each. Photographs without a good face are left out, and said.

    Example: `faces enroll runs/arc friends --out friends.gallery`
    """
    from experiments.evaluation.gallery.enroll import QualityGate
    from experiments.evaluation.gallery.enroll import enroll as run_enrolment
    from experiments.evaluation.scoring import EmbedOptions

    view = EmbedOptions(align, flip, tuple(zoom or [1.0]))
    run_enrolment(run, people, out, add, tuple(remove or ()), view, QualityGate(score, side, alone))


@app.command()
def identify(
    run: NetworkFolder,
    gallery: Annotated[Path, typer.Argument(metavar="GALLERY", help="What `faces enroll` made.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Photographs.")],
    top: Annotated[int, typer.Option("--top", min=1, help="So many of the likest, with similarities.")] = 3,
    threshold: Annotated[float | None, typer.Option("--threshold", help="Below it, nobody.")] = None,
    far: Strangers = 0.01,
    faiss: Annotated[bool, typer.Option("--faiss", help="Search by FAISS, for a million people and more.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The answers as a CSV, too.")] = None,
) -> None:
    """Say who of the gallery is on each photograph, or nobody.

    Example: `faces identify runs/arc friends.gallery party.jpg beach.jpg --top 3`
    """
    from experiments.evaluation.gallery.identify import identify as run_identification

    run_identification(run, gallery, images, top, threshold, far, "faiss" if faiss else "exact", out)


@app.command()
def calibrate(
    run: NetworkFolder,
    people: Annotated[Path, typer.Argument(metavar="DIR", help="One folder a person, of people in no gallery.")],
    align: Align = True,
    flip: Flip = True,
    zoom: Zooms = None,
    each: Annotated[int, typer.Option("--each", min=1, help="Pictures that a person is enrolled by, about.")] = 5,
) -> None:
    """Find how alike is alike enough for a gallery of any size, by searching for strangers; for `identify`.

    Example: `faces calibrate runs/arc strangers --each 3`
    """
    from experiments.evaluation.gallery.calibrate import calibrate_gallery
    from experiments.evaluation.scoring import EmbedOptions

    calibrate_gallery(run, people, EmbedOptions(align, flip, tuple(zoom or [1.0])), each)


@app.command("leave-one-out")
def leave_one_out(
    run: NetworkFolder,
    people: Annotated[Path, typer.Argument(metavar="DIR", help="One folder of photographs a person.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for figures, answers and plots.")] = None,
    align: Align = True,
    flip: Flip = True,
    zoom: Zooms = None,
    score: Score = 0.9,
    side: Side = 32.0,
    alone: Alone = False,
    far: Strangers = 0.01,
) -> None:
    """From photographs to names: enroll people, but for one picture each, and ask after that; each takes its turn.

    Example: `faces leave-one-out runs/arc friends --out tried`
    """
    from experiments.evaluation.gallery.enroll import QualityGate
    from experiments.evaluation.gallery.leave_one_out import evaluate_gallery
    from experiments.evaluation.scoring import EmbedOptions

    evaluate_gallery(
        run, people, out, EmbedOptions(align, flip, tuple(zoom or [1.0])), QualityGate(score, side, alone), far
    )
