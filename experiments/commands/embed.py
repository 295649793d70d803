"""The faces of many images: `faces embed` stores their embeddings, `faces cluster` groups unknown people."""

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.commands import say_next
from experiments.commands.verify import NetworkName

app = typer.Typer()

Align = Annotated[
    bool | None,
    typer.Option(
        "--align/--no-align",
        help="Detect and align faces, or take images as they are. Default: as they are if recorded as prepared for "
        "the network.",
        show_default=False,
    ),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Add the mirror image's embedding. Default: as the network was calibrated.",
        show_default=False,
    ),
]
Largest = Annotated[bool, typer.Option("--largest", help="Only the largest central face of each image.")]
Score = Annotated[float, typer.Option("--min-score", help="Least confidence of the face detector, 0 to 1.")]
Side = Annotated[float, typer.Option("--min-side", help="Least size of a face, in pixels per side.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON; messages are printed on standard error.")]


@app.command()
def embed(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTOS ...", help="Images, or folders of images.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write: .npz, or .parquet, which needs pyarrow.")],
    network: NetworkName = None,
    align: Align = None,
    flip: Flip = None,
    largest: Largest = False,
    score: Score = 0.0,
    side: Side = 0.0,
    as_json: Json = False,
) -> None:
    """Store the embedding of every face of images.

    The file holds embeddings of length 1, paths, boxes, landmarks, detection scores, and the network with its
    fingerprint.

    Example: `faces embed photos --out photos.npz`
    """
    from experiments.data.photo_files import expand_photos
    from experiments.evaluation.face_table import (
        FaceFilter,
        check_table_path,
        embed_faces,
        embed_options,
        iterate_json,
        write_face_table,
    )
    from experiments.inference.networks import DEFAULT, open_embedder
    from experiments.progress import format_count, say

    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        paths = expand_photos(photos)
        check_table_path(out, paths)
        chosen = FaceFilter(largest, score, side)
        embedder = open_embedder(network or DEFAULT)
        table = embed_faces(embedder, photos, embed_options(embedder, paths, align, flip), chosen)
        write_face_table(table, out)
        counted = f"{format_count(len(table), 'face')} of {format_count(table.images, 'image')}"
        say(f"{out}: {counted}, embeddings of length {table.embeddings.shape[1]}")
        say_next("faces", "cluster", out, "--out", "clusters")
    if as_json:
        about = {"out": str(out), "network": table.network, "fingerprint": table.fingerprint}
        print(json.dumps({**about, "faces": list(iterate_json(table))}))


@app.command()
def cluster(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of images, or the .npz of `faces embed`.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder for the results.")],
    network: NetworkName = None,
    far: Annotated[
        float | None,
        typer.Option("--far", help="Use the threshold of this false-match rate. Default: the smallest calibrated."),
    ] = None,
    folders: Annotated[
        Literal["faces", "photos"] | None,
        typer.Option("--folders", help="Also write a folder per person: aligned faces to train on, or the photos."),
    ] = None,
    min_faces: Annotated[
        int, typer.Option("--min-faces", min=1, help="Sheets and folders are written for groups of at least so many.")
    ] = 2,
    truth: Annotated[
        bool, typer.Option("--truth", help="Each folder of images is one person: measure pairwise F1.")
    ] = False,
    align: Align = None,
    largest: Largest = False,
    score: Score = 0.0,
    side: Side = 0.0,
    as_json: Json = False,
) -> None:
    """Group the faces of unknown people, at the network's calibrated threshold.

    Writes a table of faces (clusters.csv), a sheet of each group, and suggestions of groups to join and to split.

    Example: `faces cluster photos --out clusters --folders faces`
    """
    from experiments.evaluation.cluster import cluster_folder, describe
    from experiments.evaluation.face_table import FaceFilter
    from experiments.inference.networks import DEFAULT
    from experiments.progress import say

    with redirect_stdout(sys.stderr if as_json else sys.stdout):
        chosen = FaceFilter(largest, score, side)
        clusters, summary = cluster_folder(
            source, out, network or DEFAULT, far, chosen, align, folders, truth, min_faces
        )
        for line in describe(clusters, summary, out):
            say(line)
        if folders == "faces" and (out / "people").is_dir():
            say_next("faces", "gallery", "enroll", network or DEFAULT, out / "people", "--no-align")
    if as_json:
        print(json.dumps(summary))
