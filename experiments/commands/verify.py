"""`faces verify` and `faces match`: is this the same person?"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

NetworkFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run, or the folder that `faces verify --backbone` made.")
]
Align = Annotated[bool, typer.Option("--align/--no-align", help="Find, turn and cut out the faces first.")]
Flip = Annotated[bool, typer.Option("--flip/--no-flip", help="Add the mirror image's embedding.")]
Zooms = Annotated[
    list[float] | None, typer.Option("--zoom", help="Add the middle, enlarged so many times; repeatable. 1 alone.")
]


@app.command()
def verify(
    pairs: Annotated[Path, typer.Option("--pairs", help="The pairs: LFW's pairs.txt, a list, or a CSV.")],
    images: Annotated[Path, typer.Option("--images", help="Folder that the paths in it start from.")],
    run: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="A run; or give --backbone and --weights.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results, by default in RUN.")] = None,
    align: Align = False,
    flip: Flip = True,
    zoom: Zooms = None,
    far: Annotated[list[float] | None, typer.Option("--far", help="FAR to report and calibrate; repeatable.")] = None,
    backbone: Annotated[str | None, typer.Option("--backbone", help="A frozen network instead of a run.")] = None,
    weights: Annotated[Path | None, typer.Option("--weights", help="Its weights.")] = None,
    cohort: Annotated[Path | None, typer.Option("--cohort", help="Other people's pictures, to whiten by.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Draws of people for the intervals; 0 for none.")] = 1000,
) -> None:
    """EER, AUC, TAR at FAR, accuracy by folds, with intervals; thresholds for `match`; the worst pairs as a sheet.

    Where the answers are withheld, a file of similarities. With --backbone, --out becomes a folder that takes RUN's
    place in the other commands. With --cohort, embeddings are centred and whitened by pictures of other
    people of the same collection.

    Example: `faces verify runs/arc --pairs lfw/pairs.txt --images lfw/aligned_112`
    """
    from experiments.evaluation import verification
    from experiments.evaluation.gallery.open_set import evaluate_known_unknown, is_known_unknown
    from experiments.evaluation.scoring import EmbedOptions
    from experiments.metrics.roc import FARS

    view = EmbedOptions(align, flip, tuple(zoom or [1.0]))
    embedder, folder = verification.open_network(run, backbone, weights, out)
    if is_known_unknown(pairs, images):
        evaluate_known_unknown(embedder, pairs, images, folder, view)
        return
    verification.verify(embedder, pairs, images, folder, view, far or FARS, bootstrap, cohort)


@app.command()
def match(
    run: NetworkFolder,
    first: Annotated[Path, typer.Argument(metavar="A.jpg", help="A photograph.")],
    second: Annotated[Path, typer.Argument(metavar="B.jpg", help="Another.")],
    align: Align = True,
    far: Annotated[float | None, typer.Option("--far", help="Use the threshold of this FAR, not of the EER.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Picture of the two faces to write.")] = Path("match.png"),
) -> None:
    """One person or two? In words, with the similarity, the threshold, and how often strangers are taken for one.

    Example: `faces match runs/arc anna1.jpg anna2.jpg --far 0.001`
    """
    from experiments.evaluation.match import match_images

    match_images(run, first, second, align, far, out)


@app.command("verify-all")
def verify_all(
    run: NetworkFolder,
    images: Annotated[Path, typer.Option("--images", help="Folder of identities, of aligned faces.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results, by default in RUN.")] = None,
    flip: Flip = True,
    zoom: Zooms = None,
) -> None:
    """Score every picture against every other, all pairs counted and none kept: TAR down to a FAR of 1e-6.

    Example: `faces verify-all runs/arc --images faces50`
    """
    from experiments.evaluation.scoring import EmbedOptions
    from experiments.evaluation.verification import verify_all_pairs

    verify_all_pairs(run, images, out, EmbedOptions(False, flip, tuple(zoom or [1.0])))


@app.command()
def stress(
    run: NetworkFolder,
    pairs: Annotated[Path, typer.Option("--pairs", help="Pairs with answers.")],
    images: Annotated[Path, typer.Option("--images", help="Folder that the paths in it start from.")],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results, by default in RUN.")] = None,
    damage: Annotated[list[str] | None, typer.Option("--damage", help="A kind; repeatable. All by default.")] = None,
    attributes: Annotated[Path | None, typer.Option("--attributes", help="A CSV of groups.")] = None,
    align: Align = False,
    flip: Flip = True,
    zoom: Zooms = None,
    most: Annotated[int | None, typer.Option("--most", min=2, help="So many pairs, drawn by lot.")] = None,
) -> None:
    """What the network bears: the EER under blur, noise, JPEG, occlusion, darkness, low resolution and rotation.

    With --attributes, its error rates by group of people instead, with intervals.

    Example: `faces stress runs/arc --pairs lfw/pairs.txt --images lfw/aligned_112 --damage blur --damage jpeg`
    """
    from experiments.evaluation.robustness import run_robustness
    from experiments.evaluation.scoring import EmbedOptions

    run_robustness(run, pairs, images, out, EmbedOptions(align, flip, tuple(zoom or [1.0])), damage, attributes, most)


@app.command()
def explain(
    run: NetworkFolder,
    first: Annotated[Path, typer.Argument(metavar="A.jpg", help="A photograph.")],
    second: Annotated[Path, typer.Argument(metavar="B.jpg", help="Another.")],
    align: Align = True,
    out: Annotated[Path, typer.Option("--out", help="Picture to write.")] = Path("explain.png"),
) -> None:
    """Draw what the similarity of two faces rests on: how much it falls where each place is covered.

    Example: `faces explain runs/arc anna1.jpg anna2.jpg --out why.png`
    """
    from experiments.evaluation.match import explain_pair, load_faces
    from experiments.inference.embedder import open_embedder

    embedder = open_embedder(run)
    faces = load_faces([first, second], embedder, align)
    explain_pair(embedder, faces[0], faces[1], out)
