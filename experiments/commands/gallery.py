"""Who is it? `faces gallery`: people enrolled by photos. `faces identify`: a name for each face of a photo."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands import Json, json_only, say_next
from experiments.commands.suggest import SuggestingGroup
from experiments.commands.verify import Align, Flip, NetworkFolder, Zooms

gallery = typer.Typer(
    cls=SuggestingGroup, no_args_is_help=True,
    help="Enroll people by photos; list, rename, merge, remove; calibrate, evaluate.",
)  # fmt: skip
app = typer.Typer()

GalleryFile = Annotated[
    str,
    typer.Argument(
        metavar="GALLERY", help="File that `faces gallery enroll` made, or postgresql://user@host/database."
    ),
]
GalleryOut = Annotated[
    str, typer.Option("--out", "--gallery", metavar="GALLERY", help="The gallery's file, or its postgresql:// URL.")
]
Add = Annotated[bool, typer.Option("--add", help="Add to the existing gallery.")]
PersonName = Annotated[str, typer.Argument(metavar="NAME", help="A person of the gallery, by name or id.")]
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
    out: GalleryOut = "people.gallery",
    add: Add = False,
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
    from experiments.evaluation.gallery.database import shown
    from experiments.evaluation.gallery.enroll import QualityGate
    from experiments.evaluation.gallery.enroll import enroll as run_enrollment

    view = EmbedOptions(align, flip, tuple(zoom or [1.0]))
    run_enrollment(run, people, out, add, view, QualityGate(score, side, alone))
    say_next("faces", "identify", run, shown(out), "PHOTO.jpg")


@gallery.command("list")
def list_people(
    file: GalleryFile,
    containing: Annotated[str, typer.Option("--name", metavar="TEXT", help="Only names that contain this.")] = "",
    as_json: Json = False,
) -> None:
    """List the people of a gallery, with the number of their photos.

    Example: `faces gallery list friends.gallery`
    """
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    with json_only(as_json) as answer, GalleryStore.open(file) as store:
        people = store.people(containing)
        answer({"people": [person.as_json() for person in people]})
        for person in people:
            say(f"{person.photos:5}  {person.name}")
        say(f"{store.title}: {store.summary()}")
        say_next("faces", "identify", "RUN", store.title, "PHOTO.jpg")


@gallery.command()
def show(file: GalleryFile, name: PersonName, as_json: Json = False) -> None:
    """Show a person of a gallery: id, photos and their quality, and every change.

    Example: `faces gallery show friends.gallery anna`
    """
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    with json_only(as_json) as answer, GalleryStore.open(file) as store:
        person = store.person(name)
        photos, changes = store.photos(person.id), store.audit(person.id)
        answer(
            {
                **person.as_json(),
                "photos": [photo.as_json() for photo in photos],
                "changes": [change.as_json() for change in changes],
            }
        )
        say(f"{person.name}, id {person.id}, enrolled {person.created:%Y-%m-%d %H:%M} UTC")
        for photo in photos:
            quality = "" if photo.quality is None else f"  quality {photo.quality:.2f}"
            say(f"  {photo.image}  {photo.created:%Y-%m-%d %H:%M}{quality}")
        for change in changes:
            say(f"  {change.time:%Y-%m-%d %H:%M}  {change.action}, {change.photos} photos, by {change.actor}")


@gallery.command()
def stats(file: GalleryFile, as_json: Json = False) -> None:
    """Count the people and photos of a gallery, and list the latest changes.

    Example: `faces gallery stats friends.gallery`
    """
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    with json_only(as_json) as answer, GalleryStore.open(file) as store:
        found, changes = store.stats(), store.audit(limit=10)
        answer({**found.as_json(), "latest_changes": [change.as_json() for change in changes]})
        say(f"{store.title}: {store.summary()}, {found.thumbnails} of them with a thumbnail")
        say(f"embeddings of length {found.dimension} of the network {found.network}")
        if found.oldest and found.newest:
            say(f"enrolled from {found.oldest:%Y-%m-%d %H:%M} to {found.newest:%Y-%m-%d %H:%M} UTC")
        if found.erase_pending:
            say("what was deleted last is not overwritten yet: another command reads the gallery")
        for change in changes:
            say(f"  {change.time:%Y-%m-%d %H:%M}  {change.action}  {change.person or ''}  by {change.actor}")


@gallery.command()
def remove(
    file: GalleryFile,
    names: Annotated[list[str], typer.Argument(metavar="NAME ...", help="People to remove, by name or id.")],
) -> None:
    """Remove people from a gallery, with every trace of them in its files.

    Example: `faces gallery remove friends.gallery anna`
    """
    from experiments.evaluation.gallery.records import command_line_actor
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    with GalleryStore.open(file) as store:
        store.remove(names, command_line_actor())
        say(f"{store.title}: {store.summary()}")
        say_next("faces", "gallery", "list", store.title)


@gallery.command()
def rename(
    file: GalleryFile,
    name: PersonName,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="The new name.")],
) -> None:
    """Give a person of a gallery another name. The old one leaves no trace.

    Example: `faces gallery rename friends.gallery anna "Anna K."`
    """
    from experiments.evaluation.gallery.records import command_line_actor
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    with GalleryStore.open(file) as store:
        person = store.rename(name, new_name, command_line_actor())
        say(f"{store.title}: renamed to {person.name}")


@gallery.command()
def merge(
    file: GalleryFile,
    name: PersonName,
    others: Annotated[list[str], typer.Argument(metavar="OTHER ...", help="The same person, enrolled as others.")],
) -> None:
    """Merge people of a gallery who are one person: the first keeps the name and gets all photos.

    Example: `faces gallery merge friends.gallery anna anna-2`
    """
    from experiments.evaluation.gallery.records import command_line_actor
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    with GalleryStore.open(file) as store:
        person = store.merge(name, others, command_line_actor())
        say(f"{store.title}: {person.name} has {person.photos} photos now")


@gallery.command()
def purge(
    file: GalleryFile,
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="Such as 90d, 12w, 2y, or 36h.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List who would be removed, and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the people of a gallery whose newest photo was enrolled long ago.

    Example: `faces gallery purge friends.gallery --older-than 365d --dry-run`
    """
    from experiments.evaluation.gallery.records import command_line_actor, parse_age
    from experiments.evaluation.gallery.store import GalleryStore
    from experiments.progress import say

    age = parse_age(older_than, "--older-than")
    with json_only(as_json) as answer, GalleryStore.open(file) as store:
        people = store.older_than(age) if dry_run else store.purge(age, command_line_actor())
        answer({"removed": not dry_run, "people": [person.as_json() for person in people]})
        for person in people:
            say(f"{'would be removed' if dry_run else 'removed'}: {person.name}")
        say(f"{store.title}: {store.summary()}")


@gallery.command("export")
def export_people(
    file: GalleryFile,
    out: Annotated[Path, typer.Option("--out", help="File of JSON lines.")] = Path("people.jsonl"),
) -> None:
    """Write a gallery as JSON lines, one person each, for a copy or another program.

    Example: `faces gallery export friends.gallery --out friends.jsonl`
    """
    from experiments.evaluation.gallery.transfer import export_gallery
    from experiments.progress import say

    count = export_gallery(file, out)
    say(f"{out}: {count} {'person' if count == 1 else 'people'}")
    say_next("faces", "gallery", "import", out, "--out", "NEW.gallery")


@gallery.command("import")
def import_people(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Of `faces gallery export`, or an old gallery.")],
    out: GalleryOut = "people.gallery",
    add: Add = False,
) -> None:
    """Make a gallery of a file of `faces gallery export`, or of a gallery of an earlier version.

    Example: `faces gallery import friends.jsonl --out postgresql://me@localhost/friends`
    """
    from experiments.evaluation.gallery.database import shown
    from experiments.evaluation.gallery.transfer import import_gallery

    import_gallery(source, out, add)
    say_next("faces", "gallery", "list", shown(out))


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
        float | None, typer.Option("--threshold", help="Least similarity; below it a face is unknown.")
    ] = None,
    far: Strangers = 0.01,
    allow_laxer: AllowLaxer = False,
    faiss: Annotated[bool, typer.Option("--faiss", help="Search with FAISS, for a million people and more.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the answers as a CSV.")] = None,
    largest: Annotated[
        bool, typer.Option("--largest", help="Name the largest central face of each photo alone.")
    ] = False,
    annotate: Annotated[
        Path | None, typer.Option("--annotate", metavar="DIR", help="Also store the photos with boxes and names here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Name every face of each photo by the gallery, or say that it is unknown.

    Example: `faces identify runs/arc friends.gallery party.jpg beach.jpg --annotate named`
    """
    from experiments.evaluation.gallery.identify import identify as run_identification

    with json_only(as_json) as answer:
        found = run_identification(
            run, file, images, top, threshold, far, True if faiss else None, out, allow_laxer, largest, annotate
        )
        answer(found.as_json())
