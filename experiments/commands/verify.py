"""Do two images show the same person? `faces match`, `verify`, `stress`, `explain` and `networks`."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands import Json, check_png, json_only, say_next
from experiments.commands.suggest import SuggestingGroup

app = typer.Typer()
networks = typer.Typer(
    invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}, cls=SuggestingGroup
)

NetworkName = Annotated[
    str | None,
    typer.Option(
        "--network", help="A run, a known network (`faces networks`), or an exported embedding. Default: sface."
    ),
]
NetworkFolder = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run, a known network (`faces networks`), or the folder that `faces verify --backbone` made.",
    ),
]
Photos = Annotated[
    list[str], typer.Argument(metavar="[NETWORK] A.jpg B.jpg", help="Two photos, and before them a network if any.")
]
Align = Annotated[bool, typer.Option("--align/--no-align", help="Detect and align the faces first.")]
Flip = Annotated[bool, typer.Option("--flip/--no-flip", help="Add the mirror image's embedding.")]
Zooms = Annotated[
    list[float] | None,
    typer.Option("--zoom", help="Add the embedding of the center, enlarged by this factor; repeatable. Default: 1."),
]
Pairs = Annotated[Path | None, typer.Option("--pairs", help="The pairs: LFW's pairs.txt, a list, or a CSV.")]
Images = Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder that the paths in --pairs start from.")]
Results = Annotated[Path | None, typer.Option("--out", help="Folder for the results; by default inside RUN.")]


@app.command()
def match(
    photos: Photos,
    network: NetworkName = None,
    align: Align = True,
    far: Annotated[
        float | None, typer.Option("--far", help="Use the threshold of this false-match rate (FAR), not the EER's.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Image to write: both photos with their faces.")] = Path(
        "match.png"
    ),
    largest: Annotated[
        bool, typer.Option("--largest", help="Compare only the largest central face of each photo.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Is one person on two photos?

    Compares every face of one with every face of the other; the most similar pair decides. Prints the answer, the
    similarity, the threshold, its measured error rates, and how the number of pairs raises them.

    Example: `faces match anna1.jpg anna2.jpg --far 0.01`
    """
    check_png(out)
    name, first, second = _network_and_photos(photos, network)
    from experiments.evaluation.match import match_images

    with json_only(as_json) as answer:
        answer(match_images(name, first, second, align, far, out, largest).as_json())


def _network_and_photos(photos: list[str], network: str | None) -> tuple[str, Path, Path]:
    """The network and the two photos of `[NETWORK] A.jpg B.jpg`."""
    from experiments.data.folders import is_image

    if len(photos) == 3 and network is None and not is_image(Path(photos[0])):
        network, *photos = photos
    if len(photos) != 2:
        raise typer.BadParameter(
            f"expected two photos, got {len(photos)}: {' '.join(photos)}", param_hint="A.jpg B.jpg"
        )
    from experiments.inference.networks import DEFAULT

    return network or DEFAULT, Path(photos[0]), Path(photos[1])


@app.command()
def verify(
    images: Images,
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A run or a known network; or give --backbone and --weights.")
    ] = None,
    pairs: Pairs = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Instead of --pairs: compare every image in --images with every other.")
    ] = False,
    out: Results = None,
    align: Align = False,
    flip: Flip = True,
    zoom: Zooms = None,
    far: Annotated[
        list[float] | None, typer.Option("--far", help="False-match rate (FAR) to report and calibrate; repeatable.")
    ] = None,
    backbone: Annotated[str | None, typer.Option("--backbone", help="A pretrained network instead of a run.")] = None,
    weights: Annotated[Path | None, typer.Option("--weights", help="The file of its weights.")] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(
            "--cohort",
            metavar="DIR",
            help="A folder of images of other people: subtract their mean embedding and whiten by their covariance.",
        ),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for the intervals; 0 for none.")] = 1000,
    replace_thresholds: Annotated[
        bool, typer.Option("--replace-thresholds", help="Replace thresholds that RUN has already.")
    ] = False,
) -> None:
    """Measure error rates on pairs of images, and calibrate the thresholds.

    EER, AUC, TAR at FAR and accuracy, with 95 % intervals. `faces match` uses the thresholds. Where the answers are
    withheld, writes a file of similarities. With --backbone, --out becomes a folder that other commands take as RUN.
    With --cohort, the mean and the covariance of other people's embeddings are taken out of all embeddings. With
    --all-pairs, TAR down to a FAR of 1e-6, in memory that does not grow with the number of pairs.

    Example: `faces verify runs/arc --pairs lfw/pairs.txt --images lfw/aligned_112`
    """
    from experiments.evaluation import verification
    from experiments.evaluation.embedding import EmbedOptions

    if all_pairs == (pairs is not None):
        raise typer.BadParameter("give one of --pairs FILE and --all-pairs", param_hint="--pairs")
    if all_pairs:
        _verify_all(run, images, out, flip, zoom, align=align, far=far, backbone=backbone, cohort=cohort)
        return
    from experiments.evaluation.gallery.open_set import evaluate_known_unknown, is_known_unknown
    from experiments.metrics.roc import FARS

    assert pairs is not None
    view = EmbedOptions(align, flip, tuple(zoom or [1.0]))
    embedder, folder = verification.open_network(run, backbone, weights, out)
    if is_known_unknown(pairs, images):
        evaluate_known_unknown(embedder, pairs, images, folder, view)
        return
    result = verification.verify(
        embedder, pairs, images, folder, view, far or FARS, bootstrap, cohort, replace_thresholds
    )
    if "eer" in result and not cohort:
        say_next("faces", "match", run or folder, "A.jpg", "B.jpg", *([] if align else ["--no-align"]))


def _verify_all(
    run: Path | None, images: Path, out: Path | None, flip: bool, zoom: list[float] | None, **unused: object
) -> None:
    from experiments.evaluation.embedding import EmbedOptions
    from experiments.evaluation.verification import verify_all_pairs

    if run is None:
        raise typer.BadParameter("--all-pairs needs a RUN", param_hint="RUN")
    for name, value in unused.items():
        if value:
            raise typer.BadParameter("not with --all-pairs, whose --images are aligned faces", param_hint=f"--{name}")
    verify_all_pairs(run, images, out, EmbedOptions(False, flip, tuple(zoom or [1.0])))


@app.command()
def stress(
    run: NetworkFolder,
    pairs: Annotated[Path, typer.Option("--pairs", help="Pairs with answers.")],
    images: Images,
    out: Results = None,
    damage: Annotated[
        list[str] | None, typer.Option("--damage", help="Kind of damage; repeatable. All by default.")
    ] = None,
    attributes: Annotated[Path | None, typer.Option("--attributes", help="A CSV of groups of people.")] = None,
    align: Align = False,
    flip: Flip = True,
    zoom: Zooms = None,
    max_pairs: Annotated[int | None, typer.Option("--max-pairs", min=2, help="Use this many random pairs.")] = None,
) -> None:
    """Measure robustness: error rates on damaged images, or by group of people.

    The EER under blur, noise, JPEG, occlusion, darkness, low resolution and rotation.

    With --attributes, error rates by group of people instead, with intervals.

    Example: `faces stress runs/arc --pairs lfw/pairs.txt --images lfw/aligned_112 --damage blur --damage jpeg`
    """
    from experiments.evaluation.embedding import EmbedOptions
    from experiments.evaluation.robustness import run_robustness

    run_robustness(
        run, pairs, images, out, EmbedOptions(align, flip, tuple(zoom or [1.0])), damage, attributes, max_pairs
    )


@app.command()
def explain(
    photos: Photos,
    network: NetworkName = None,
    align: Align = True,
    out: Annotated[Path, typer.Option("--out", help="Image to write.")] = Path("explain.png"),
) -> None:
    """Draw which regions of two faces make them similar.

    Shows how much the similarity falls when each region is covered.

    Example: `faces explain anna1.jpg anna2.jpg --out why.png`
    """
    check_png(out)
    name, first, second = _network_and_photos(photos, network)
    from experiments.evaluation.match import explain_pair

    explain_pair(name, first, second, align, out)


@networks.callback()
def list_networks(context: typer.Context) -> None:
    """List the known networks, which need no training: size, license, training data, and whether they are here.

    `faces networks get NAME` downloads one. The environment variable FACES_HOME sets the folder.

    Example: `faces networks`
    """
    if context.invoked_subcommand is not None:
        return
    from experiments.progress import say
    from experiments.weights import KNOWN, has_weights, weights_folder

    for known in KNOWN.values():
        here = "on this machine" if has_weights(known.name) else f"not here: faces networks get {known.name}"
        say(f"{known.name}: {known.task}; {known.size / 1e6:.1f} MB, {here}")
        say(f"  {known.paper}; license {known.license}; learned from: {known.learned_from}")
    say(f"downloads are stored in {weights_folder()}")


@networks.command()
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A known network.")],
    url: Annotated[str | None, typer.Option("--url", help="Another address of the same file.")] = None,
) -> None:
    """Download a known network's weights, and check their SHA-256. An interrupted download resumes.

    Example: `faces networks get sface`
    """
    from experiments.progress import say
    from experiments.weights import download_weights

    say(f"{name}: {download_weights(name, url)}")
