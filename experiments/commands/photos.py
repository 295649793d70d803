"""Every face of photos: `faces detect`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from experiments.commands import Json, json_only

app = typer.Typer()

Photos = Annotated[
    list[Path], typer.Argument(metavar="PHOTO ...", help="Photos, folders of photos, or patterns such as '*.jpg'.")
]


@app.command()
def detect(
    photos: Photos,
    out: Annotated[Path | None, typer.Option("--out", help="Also write a CSV with a row for each face.")] = None,
    annotate: Annotated[
        Path | None, typer.Option("--annotate", metavar="DIR", help="Store the photos with boxes in this folder.")
    ] = None,
    min_score: Annotated[
        float, typer.Option("--min-score", min=0, max=1, help="Leave out faces with a lower score of the detector.")
    ] = 0.0,
    detector: Annotated[Literal["yunet", "mtcnn"], typer.Option("--detector", help="What finds the faces.")] = "yunet",
    as_json: Json = False,
) -> None:
    """Find every face of photos: box, score and quality.

    The quality, from 0 to 1, is the geometric mean of size, sharpness, pose, exposure and the detector's score.

    Example: `faces detect party.jpg holidays --annotate found --out faces.csv`
    """
    from experiments.evaluation.detect import detect as run_detection
    from experiments.evaluation.detect import require_readable

    with json_only(as_json) as answer:
        records = run_detection(photos, out, annotate, detector, min_score)
        answer({"photos": [record.as_json() for record in records]})
    require_readable(records)
