"""`faces evaluate` and `faces submit`: what a trained run is worth."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import DataFolder, RunFolder

app = typer.Typer()


@app.command()
def evaluate(
    run: RunFolder,
    data: DataFolder,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; RUN/evaluation by default.")
    ] = None,
) -> None:
    """Top-1, top-5 and loss on the validation pictures; who is taken for whom; the hardest pictures as a sheet.

    Example: `faces evaluate runs/first --data faces50`
    """
    from experiments.evaluation.evaluate import evaluate as run_evaluation

    run_evaluation(run, data, out)


@app.command()
def submit(
    run: RunFolder,
    test: Annotated[Path, typer.Option("--test", help="Folder of unlabelled images.")],
    sample: Annotated[Path, typer.Option("--sample", help="The competition's sample_submission.csv.")],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("submission.csv"),
) -> None:
    """Predict the test images and write the competition's file, validated against the sample.

    Example: `faces submit runs/first --test faces50/test --sample faces50/sample_submission.csv`
    """
    from experiments.outputs.submission import submit as write_submission

    write_submission(run, test, sample, out)
