"""Who is it? `faces gallery`: people enrolled by photos. `faces identify`: name the person on a photo, or nobody."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands import say_next
from experiments.commands.suggest import SuggestingGroup
from experiments.commands.verify import Align, Flip, NetworkFolder, Zooms

gallery = typer.Typer(
    cls=SuggestingGroup, no_args_is_help=True,
    help="Enroll people by photos; list, remove, calibrate, evaluate.",
)  # fmt: skip
app = typer.Typer()

GalleryFile = Annotated[Path, typer.Argument(metavar="GALLERY", help="File that `faces gallery enroll` made.")]
Score = Annotated[float, typer.Option("--min-score", help="Least confidence of the face detector, 0 to 1.")]
Side = Annotated[float, typer.Option("--min-side", help="Least size of a face, in pixels per side.")]
Alone = Annotated[bool, typer.Option("--alone", help="Skip photos with several faces.")]
Strangers = Annotated[float, typer.Option("--far", help="How often a stranger may be given a name.")]
AllowLaxer = Annotated[
    bool, typer.Option("--allow-laxer", help="Where the calibration cannot support --far, take the least that it can.")
]


@gallery.command()
def enroll(
    run: NetworkFolder,
    people: Annotated[Path, typer.Argument(metavar="DIR", help="One folder of photos per person.")],
    out: Annotated[Path, typer.Option("--out", help="The gallery's file.")] = Path("people.gallery"),
    add: Annotated[bool, typer.Option("--add", help="Add to the existing gallery.")] = False,
    align: Align = True,
    flip: Flip = True,
    zoom: Zooms = None,
    score: Score = 0.9,
    side: Side = 32.0,
    alone: Alone = False,
) -> None:
    """Enroll people by several photos each.

    Skips and lists photos without a usable face.

    Example: `faces gallery enroll runs/arc friends --out friends.gallery`
    """
    from experiments.evaluation.embedding import EmbedOptions
    from experiments.evaluation.gallery.enroll import QualityGate
    from experiments.evaluation.gallery.enroll import enroll as run_enrollment

    view = EmbedOptions(align, flip, tuple(zoom or [1.0]))
    run_enrollment(run, people, out, add, view, QualityGate(score, side, alone))
    say_next("faces", "identify", run, out, "PHOTO.jpg")


@gallery.command("list")
def list_people(file: GalleryFile) -> None:
    """List the people of a gallery, with the number of their photos.

    Example: `faces gallery list friends.gallery`
    """
    from collections import Counter

    from experiments.evaluation.gallery.store import read_gallery
    from experiments.progress import say

    found = read_gallery(file)
    counts = Counter(found.people)
    for name in found.names:
        say(f"{counts[name]:5}  {name}")
    say(f"{file}: {len(found.names)} people, {len(found.people)} photos")
    say_next("faces", "identify", "RUN", file, "PHOTO.jpg")


@gallery.command()
def remove(
    file: GalleryFile,
    names: Annotated[list[str], typer.Argument(metavar="NAME ...", help="People to remove.")],
) -> None:
    """Remove people from a gallery, with all that is stored about them.

    Example: `faces gallery remove friends.gallery anna`
    """
    from experiments.evaluation.gallery.enroll import remove_people

    remove_people(file, names)
    say_next("faces", "gallery", "list", file)


@gallery.command()
def calibrate(
    run: NetworkFolder,
    people: Annotated[Path, typer.Argument(metavar="DIR", help="One folder per person, of people in no gallery.")],
    align: Align = True,
    flip: Flip = True,
    zoom: Zooms = None,
    images_per_person: Annotated[
        int,
        typer.Option("--photos", min=1, help="Enroll each person with about this many photos; search with the rest."),
    ] = 5,
) -> None:
    """Calibrate the similarity threshold of `faces identify`.

    Searches for strangers in galleries of different sizes, so that the threshold fits any size.

    Example: `faces gallery calibrate runs/arc strangers --photos 3`
    """
    from experiments.evaluation.embedding import EmbedOptions
    from experiments.evaluation.gallery.calibrate import calibrate_gallery

    calibrate_gallery(run, people, EmbedOptions(align, flip, tuple(zoom or [1.0])), images_per_person)
    say_next("faces", "identify", run, "GALLERY", "PHOTO.jpg")


@gallery.command()
def evaluate(
    run: NetworkFolder,
    people: Annotated[Path, typer.Argument(metavar="DIR", help="One folder of photos per person.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for metrics, answers and plots.")] = None,
    align: Align = True,
    flip: Flip = True,
    zoom: Zooms = None,
    score: Score = 0.9,
    side: Side = 32.0,
    alone: Alone = False,
    far: Strangers = 0.01,
    allow_laxer: AllowLaxer = False,
) -> None:
    """Measure how well a gallery would name its own people.

    Each photo is identified by a gallery of all the others (leave-one-out).

    Example: `faces gallery evaluate runs/arc friends --out friends-evaluation`
    """
    from experiments.evaluation.embedding import EmbedOptions
    from experiments.evaluation.gallery.enroll import QualityGate
    from experiments.evaluation.gallery.leave_one_out import evaluate_gallery

    evaluate_gallery(
        run,
        people,
        out,
        EmbedOptions(align, flip, tuple(zoom or [1.0])),
        QualityGate(score, side, alone),
        far,
        allow_laxer,
    )
    say_next("faces", "gallery", "enroll", run, people, "--out", "people.gallery")


@app.command()
def identify(
    run: NetworkFolder,
    file: GalleryFile,
    images: Annotated[list[Path], typer.Argument(metavar="PHOTO ...", help="Photos.")],
    top: Annotated[int, typer.Option("--top", min=1, help="List this many of the most similar people.")] = 3,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Least similarity; below it the answer is nobody.")
    ] = None,
    far: Strangers = 0.01,
    allow_laxer: AllowLaxer = False,
    faiss: Annotated[bool, typer.Option("--faiss", help="Search with FAISS, for a million people and more.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the answers as a CSV.")] = None,
) -> None:
    """Name the person of the gallery on each photo, or nobody.

    Example: `faces identify runs/arc friends.gallery party.jpg beach.jpg --top 3`
    """
    from experiments.evaluation.gallery.identify import identify as run_identification

    run_identification(run, file, images, top, threshold, far, "faiss" if faiss else "exact", out, allow_laxer)
