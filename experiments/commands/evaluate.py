"""What a trained run is worth, and what can be made of it: `faces evaluate`, `submit`, `compare`, `export`.

`faces report`: runs as a short paper.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from experiments.commands.options import RunFolder

app = typer.Typer()


class Tta(StrEnum):
    """How each picture is seen: as it is; with its mirror image; enlarged, or by corners, too, and mirrored."""

    NONE = "none"
    FLIP = "flip"
    ZOOMS = "zooms"
    CROPS = "crops"


class What(StrEnum):
    """What an exported network computes."""

    CLASSIFIER = "classifier"
    EMBEDDING = "embedding"


class Written(StrEnum):
    """What stands for a person in a submission."""

    NAME = "name"
    INDEX = "index"


Averaged = Annotated[Tta, typer.Option("--tta", help="Average over mirror images, or over windows and mirror images.")]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, cuda:1, for PyTorch's networks; a GPU where there is one.")
]
Balance = Annotated[
    str | None,
    typer.Option("--balance", metavar="even|DIR", help="Name people equally often, or as in a folder of identities."),
]


@app.command()
def evaluate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Runs; several are averaged.")],
    data: Annotated[
        list[Path], typer.Option("--data", help="Folder of identities, for all runs, or once a run, in their order.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; RUN/evaluation by default.")
    ] = None,
    tta: Averaged = Tta.NONE,
    device: Device = None,
    balance: Balance = None,
) -> None:
    """Top-1 with its interval, top-5, loss and calibration on the validation pictures; who is taken for whom.

    Beside the figures: a table a person, a reliability diagram, and the hardest pictures as a sheet. Several runs are
    judged together, by the mean of their probabilities, if they were split alike; each may have its own --data, of the
    same pictures aligned in another way. With --balance all pictures are judged together, as `faces submit` explains.

    Example: `faces evaluate runs/first --data faces50 --tta flip`
    """
    from experiments.evaluation.evaluate import evaluate as run_evaluation

    run_evaluation(runs, data, out, views=tta.value, device=device, balance=balance)


@app.command()
def submit(
    sample: Annotated[Path, typer.Option("--sample", help="The competition's sample_submission.csv.")],
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN ...", help="Runs; several are averaged.")] = None,
    test: Annotated[
        list[Path] | None, typer.Option("--test", help="Folder of unlabelled images, for all runs, or once a run.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("submission.csv"),
    tta: Averaged = Tta.NONE,
    device: Device = None,
    balance: Balance = None,
    labels: Annotated[
        Written | None, typer.Option("--labels", help="What stands for a person; told from the sample by default.")
    ] = None,
    upload: Annotated[
        str | None, typer.Option("--upload", metavar="COMPETITION", help="Hand it in to Kaggle, as you.")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="FILE", help="Only check a file that is there; 1 if it is wrong.")
    ] = None,
) -> None:
    """Predict the test images and write the competition's file, validated against the sample.

    Several runs, and several views of a picture, are averaged by the mean of their probabilities. Where it is known how
    often the test pictures show each person, --balance shares them all out so: equally, or as the training pictures.

    Example: `faces submit runs/first --test faces50/test --sample faces50/sample_submission.csv --tta flip`
    """
    if check:
        _check(check, sample)
    if not runs or not test:
        raise typer.BadParameter(
            f"Missing {'--test' if runs else 'RUN'}, or --check FILE to check a file that is there"
        )
    from experiments.submission.submit import submit as write_submission

    write_submission(runs, test, sample, out, tta.value, labels.value if labels else None, upload, device, balance)


def _check(file: Path, sample: Path) -> NoReturn:
    """Say what is wrong with a submission, and end: with status 1 if anything is."""
    from experiments.progress import say
    from experiments.submission.format import check_submission

    wrong = check_submission(file, sample)
    for problem in wrong:
        say(f"{file}: {problem}")
    if not wrong:
        say(f"{file}: in order; every id of {sample} once, in its order")
    raise typer.Exit(1 if wrong else 0)


@app.command()
def pseudo_label(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Runs; several are averaged.")],
    test: Annotated[
        list[Path], typer.Option("--test", help="Folder of unlabelled images, for all runs, or once a run.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to make, a folder a person.")],
    least: Annotated[float, typer.Option("--least", help="The probability from which a picture is taken.")] = 0.8,
    tta: Averaged = Tta.NONE,
    device: Device = None,
    balance: Balance = None,
) -> None:
    """Sort the unlabelled pictures that runs are sure of into folders by person, to train on as well.

    A run trained anew with them, by `faces train ... --set data.further=OUT`, has learned from pictures like those it
    is asked about. The pictures that validate are as before, so that what it gained is seen.

    Example: `faces pseudo-label runs/first --test faces50/test --least 0.9 --out more`
    """
    from experiments.submission.pseudo_labels import pseudo_label as sort_pictures

    sort_pictures(runs, test, out, least, tta.value, device, balance)


@app.command()
def agree(
    submissions: Annotated[list[Path], typer.Argument(metavar="SUBMISSION ...", help="Two or more, of the same ids.")],
    test: Annotated[Path | None, typer.Option("--test", help="Folder of the pictures, to sort them by person.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to make, a folder a person.")] = None,
    least: Annotated[
        int | None, typer.Option("--least", help="Submissions that must name the same person; all by default.")
    ] = None,
) -> None:
    """How often submissions name the same person; with --test and --out, the pictures on which they do, by person.

    Where the answers are withheld, how often a file agrees with one that is known to be good says how good it is. And
    pictures that several files name alike are mostly named rightly: a network trained anew with them, by `faces train
    ... --set data.further=OUT`, learns from more pictures. No run is needed, the files are enough.

    Example: `faces agree first.csv second.csv both.csv --least 2 --test faces20/test --out more`
    """
    from experiments.submission.pseudo_labels import compare_submissions as run_comparison

    run_comparison(submissions, test, out, least)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Folders that `faces train` made.")],
    out: Annotated[
        list[Path] | None, typer.Option("--out", help="File to write, .csv, .md or .png (a plot); repeatable.")
    ] = None,
) -> None:
    """Runs side by side: top-1, top-5, loss, parameters, FLOPs, images a second, time, epochs.

    Example: `faces compare runs/first runs/second --out table.md --out plot.png`
    """
    from experiments.tools.compare import compare as run_comparison

    run_comparison(runs, out or ())


@app.command()
def export(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("model.onnx"),
    what: Annotated[What, typer.Option("--what", help="What the file computes.")] = What.CLASSIFIER,
) -> None:
    """Write a run's network as one ONNX file, compared with the run and timed at one picture.

    It takes pictures as they are, uint8 RGB (N, H, W, 3), and normalises them itself.

    Example: `faces export runs/first --out model.onnx`
    """
    from experiments.tools.export import export as write_model

    write_model(run, out, what.value)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Folders that `faces train` made.")],
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="File to write, .pdf or .html; repeatable. report.pdf by default."),
    ] = None,
) -> None:
    """Write a paper about one run or several: data, networks, settings, curves, mistakes, verification, discussion.

    Every figure is read from the runs' folders. What `faces evaluate` and `faces verify` add to a run stands in the
    paper, too; where it is missing, the paper says which command makes it.

    Example: `faces report runs/first runs/second --out report.pdf --out report.html`
    """
    from experiments.report.report import report as write_report

    write_report(runs, out or [Path("report.pdf")])
