"""Judge a run and use its answers: `faces evaluate`, `compare`, `submit`, `pseudo-label`, `report` and `export`."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from experiments.commands import Device, Engine, EngineName, RunFolder, RunFolders, say_next

app = typer.Typer()


class Tta(StrEnum):
    """Test-time augmentation: none; the mirror image; enlarged centers or corners as well, each mirrored."""

    NONE = "none"
    FLIP = "flip"
    ZOOMS = "zooms"
    CROPS = "crops"


class ExportTarget(StrEnum):
    """What an exported network computes."""

    CLASSIFIER = "classifier"
    EMBEDDING = "embedding"


class LabelStyle(StrEnum):
    """How a submission names a person: by the folder's name, or by its index among the sorted names."""

    NAME = "name"
    INDEX = "index"


Runs = Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Runs; several are averaged.")]
TestFolders = Annotated[
    list[Path] | None,
    typer.Option("--test", metavar="DIR", help="Folder of unlabeled images; one for all runs, or one per run."),
]
Averaged = Annotated[
    Tta, typer.Option("--tta", help="Test-time augmentation: average over mirror images, or over crops of each image.")
]
Balance = Annotated[
    str | None,
    typer.Option(
        "--balance", metavar="even|DIR", help="Predict each person equally often, or as often as in a folder."
    ),
]


@app.command()
def evaluate(
    runs: Runs,
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="Folder of people; one for all runs, or one per run, in order."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the results; default: RUN/evaluation.")] = None,
    tta: Averaged = Tta.NONE,
    device: Device = None,
    engine: Engine = None,
    balance: Balance = None,
) -> None:
    """Measure accuracy and calibration on the validation images; list the confusions.

    Prints top-1 with its 95 % interval, top-5, loss and calibration error. Also writes a table per person, a
    reliability diagram, and a sheet of the hardest images. Several runs are judged by the mean of their probabilities,
    if they share their split; each may have its own --data, with the same images aligned in another way. With --balance
    all images are judged together, as `faces submit` explains.

    Example: `faces evaluate runs/first --data faces50 --tta flip`
    """
    from experiments.evaluation.evaluate import evaluate as run_evaluation

    library: Literal["mytorch", "torch"] | None = None
    if engine is not None:
        library = "torch" if engine is EngineName.TORCH else "mytorch"
    run_evaluation(runs, data, out, views=tta.value, device=device, balance=balance, engine=library)
    sample = data[0] / "sample_submission.csv"
    if sample.is_file() and (data[0] / "test").is_dir():
        say_next("faces", "submit", *runs, "--test", data[0] / "test", "--sample", sample)
    else:
        say_next("faces", "report", *runs, "--out", "report.html")


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN ...", help="Runs; or two or more submissions, as .csv files.")
    ],
    out: Annotated[
        list[Path] | None, typer.Option("--out", help="File to write: .csv, .md or .png (a plot); repeatable.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", metavar="DIR", help="Test whether the difference is real, on the validation images."),
    ] = None,
) -> None:
    """Compare runs, or submissions.

    Of runs: accuracy, loss, parameters, FLOPs, images/s and time. With --data, the first run is tested against each
    other one on the validation images that they share: McNemar's exact test, and the 95 % interval of the difference
    from resampling people; of runs verified on the same pairs also the difference of the EERs. A sentence says whether
    the difference is real. Runs on differently aligned images take a --data each.

    Of submissions: how often they agree. Where a competition withholds the answers, the agreement with a file that is
    known to be good is the best estimate.

    Example: `faces compare runs/first runs/second --data faces50 --out table.md`
    """
    if _are_submissions(runs):
        from experiments.submission.pseudo_labels import compare_submissions

        if out:
            raise typer.BadParameter("runs only; submissions are compared on the screen", param_hint="--out")
        if data:
            raise typer.BadParameter("runs only; of submissions the answers are not known", param_hint="--data")
        compare_submissions(runs)
        return
    from experiments.tools.compare import compare as run_comparison

    run_comparison(runs, out or ())
    if data:
        from experiments.tools.compare import name_runs
        from experiments.tools.significance import print_significance

        print_significance(runs, name_runs(runs), data)


@app.command()
def submit(
    sample: Annotated[Path, typer.Option("--sample", metavar="CSV", help="The competition's sample_submission.csv.")],
    runs: Annotated[list[Path] | None, typer.Argument(metavar="RUN ...", help="Runs; several are averaged.")] = None,
    test: TestFolders = None,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("submission.csv"),
    tta: Averaged = Tta.NONE,
    device: Device = None,
    balance: Balance = None,
    labels: Annotated[
        LabelStyle | None, typer.Option("--labels", help="How to write a person; by default as in the sample.")
    ] = None,
    upload: Annotated[
        str | None, typer.Option("--upload", metavar="COMPETITION", help="Upload it to Kaggle with your account.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Only check an existing file; exit status 1 if wrong."),
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", help="With --check: a run that knows the labels.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="With --check: training data with the labels.")] = None,
) -> None:
    """Predict the test images and write the competition's file.

    The file is validated against the sample. Several runs, and several views of an image, are averaged by their
    probabilities. The test set's class frequencies are often known; --balance makes the predictions match them: all
    equal, or as in a folder of people.

    Example: `faces submit runs/first --test faces50/test --sample faces50/sample_submission.csv --tta flip`
    """
    if check:
        _check(check, sample, run or (runs[0] if runs else None), data, labels.value if labels else None)
    if run or data:
        raise typer.BadParameter("goes with --check", param_hint="--run" if run else "--data")
    if not runs or not test:
        raise typer.BadParameter(f"Missing {'--test' if runs else 'RUN'}, or --check FILE to check an existing file")
    from experiments.submission.submit import submit as write_submission

    write_submission(runs, test, sample, out, tta.value, labels.value if labels else None, upload, device, balance)


def _check(
    file: Path, sample: Path, run: Path | None, data: Path | None, labels: Literal["name", "index"] | None
) -> NoReturn:
    """Print what is wrong with a submission, and exit: with status 1 if anything is."""
    from experiments.progress import say
    from experiments.submission.format import check_submission, known_people

    people = known_people(run, data)
    wrong = check_submission(file, sample, people, labels)
    for problem in wrong:
        say(f"{file}: {problem}")
    if not wrong:
        checked = f", with labels of {len(people)} people" if people else ""
        say(f"{file}: valid; every id of {sample} once, in its order{checked}")
        if not people:
            say("note: whether its labels exist was not checked: give --run RUN or --data DIR")
        say_next("kaggle", "competitions", "submit", "-c", "COMPETITION", "-f", file, "-m", file.stem)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def pseudo_label(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN ...", help="Runs, which are averaged; or submissions, as .csv files.")
    ],
    test: Annotated[
        list[Path],
        typer.Option("--test", metavar="DIR", help="Folder of unlabeled images; one for all runs, or one per run."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Folder to make, one folder per person.")],
    min_probability: Annotated[
        float | None, typer.Option("--min-probability", help="Runs: take an image from this on. Default: 0.8.")
    ] = None,
    min_votes: Annotated[
        int | None,
        typer.Option("--min-votes", help="Submissions: take an image that this many label alike. Default: all."),
    ] = None,
    tta: Averaged = Tta.NONE,
    device: Device = None,
    balance: Balance = None,
) -> None:
    """Sort unlabeled images with confident predictions by person, to train on them.

    Runs are confident by their mean probability, submissions by agreeing with each other. Train again with `faces train
    ... --set data.extra_images=OUT`. The validation images stay the same, so the gain can be measured.

    Example: `faces pseudo-label runs/first --test faces50/test --min-probability 0.9 --out more`
    """
    submissions = _are_submissions(runs)
    for option, value, unused in (
        ("--min-probability", min_probability, submissions),
        ("--min-votes", min_votes, not submissions),
        ("--tta", None if tta == Tta.NONE else tta, submissions),
        ("--device", device, submissions),
        ("--balance", balance, submissions),
    ):
        if unused and value is not None:
            what = "runs, but these are submissions" if submissions else "submissions, but these are runs"
            raise typer.BadParameter(f"for {what}", param_hint=option)
    if submissions:
        from experiments.submission.pseudo_labels import compare_submissions

        if len(test) != 1:
            raise typer.BadParameter("one folder, as the submissions name the same images", param_hint="--test")
        compare_submissions(runs, test[0], out, min_votes)
        return
    from experiments.submission.pseudo_labels import pseudo_label as sort_images

    sort_images(runs, test, out, 0.8 if min_probability is None else min_probability, tta.value, device, balance)


def _are_submissions(paths: Sequence[Path]) -> bool:
    """Whether these are .csv files. Some of each is refused."""
    found = [path.suffix.lower() == ".csv" and not path.is_dir() for path in paths]
    if any(found) and not all(found):
        raise typer.BadParameter(
            f"{paths[found.index(False)]} is no .csv file, {paths[found.index(True)]} is one: give runs or submissions",
            param_hint="RUN ...",
        )
    return all(found)


@app.command()
def report(
    runs: RunFolders,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="File to write, .pdf or .html; repeatable. Default: report.pdf."),
    ] = None,
) -> None:
    """Write a paper about runs, as PDF or HTML.

    Data, networks, settings, curves, mistakes, verification, discussion. Every number is read from the runs' folders.
    What `faces evaluate` and `faces verify` add to a run is in the paper as well; where it is missing, the paper says
    which command makes it.

    Example: `faces report runs/first runs/second --out report.pdf --out report.html`
    """
    from experiments.report.report import report as write_report

    write_report(runs, out or [Path("report.pdf")])


@app.command()
def export(
    run: RunFolder,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("model.onnx"),
    what: Annotated[ExportTarget, typer.Option("--what", help="What the file computes.")] = ExportTarget.CLASSIFIER,
    people: Annotated[
        bool | None,
        typer.Option("--people/--no-people", help="Name all training people in the file. Default: in classifiers."),
    ] = None,
) -> None:
    """Write the network of a run, or a frozen one, as an ONNX file.

    The file is compared with the network, and timed on one image. Its input is images as they are, uint8 RGB
    (N, H, W, 3); the normalization is inside.

    Example: `faces export runs/first --out model.onnx`
    """
    from experiments.tools.export import export as write_model

    write_model(run, out, what.value, people)
