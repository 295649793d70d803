"""The `faces` command: a verb a stage. Thin: each verb imports what it needs, and calls it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from experiments.errors import FacesError

app = typer.Typer(
    name="faces",
    help="Train, compare and use face recognition networks: our own, written by hand, and PyTorch's.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
data = typer.Typer(help="Faces in: draw synthetic ones, check a folder.", no_args_is_help=True)
app.add_typer(data, name="data")

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a YAML file.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of identities, or a competition's with train/ in it.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `faces train` made.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")]
People = Annotated[int | None, typer.Option("--identities", min=2, help="Use that many people, drawn by seed.")]


@data.command("synth")
def data_synth(
    directory: Annotated[Path, typer.Argument(help="Folder to make.")],
    identities: Annotated[int, typer.Option(help="People.")] = 50,
    images: Annotated[int, typer.Option(help="Training images of each.")] = 20,
    test_images: Annotated[int, typer.Option("--test-images", help="Unlabelled test images in all.")] = 250,
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 160,
    seed: Annotated[int, typer.Option(help="The same seed draws the same faces.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; all cores by default.")] = None,
) -> None:
    """Draw a competition of synthetic faces: train/, test/, sample_submission.csv, and the answers apart.

    Example: `faces data synth faces50 --identities 50 --images 20 --test-images 250 --size 160 --seed 0`
    """
    import shlex
    from time import monotonic

    from experiments.data.synthetic import write_competition
    from experiments.progress import duration, say, track

    started, drawn = monotonic(), identities * images + test_images
    with track("drawing", drawn, "images") as advance:
        write_competition(
            directory, identities=identities, images=images, test_images=test_images,
            size=size, seed=seed, workers=workers, progress=advance,
        )  # fmt: skip
    say(f"{directory}: {identities} people, {identities * images} images to train, {test_images} to test")
    took = monotonic() - started
    say(f"drawn in {duration(took)}: {drawn / took:,.0f} images/s")
    say(f"next: faces train scratch_cnn --data {shlex.quote(str(directory))} --out runs/first")


@data.command("check")
def data_check(directory: Annotated[Path, typer.Argument(help="Folder of identities, or a competition's.")]) -> None:
    """Read every image and report what is wrong; exit status 1 if anything is.

    Example: `faces data check faces50`
    """
    from experiments.data.check import check_folder
    from experiments.progress import say, track

    with track("checking", 1, "images") as advance:
        report = check_folder(directory, progress=advance)
    for line in report.summary():
        say(line)
    raise typer.Exit(1 if report.problems else 0)


@app.command()
def train(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the run.")],
    settings: Settings = None,
    identities: People = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out where it stopped.")] = False,
) -> None:
    """Train a network. Ctrl-C leaves a usable run; --resume goes on to the same numbers.

    Example: `faces train scratch_cnn --data faces50 --out runs/first --set epochs=20`
    """
    from experiments import recipe as recipes
    from experiments.training.trainer import train as run_training

    loaded = recipes.load(recipe, _settings(settings, identities))
    run_training(loaded, data, out, resume)


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


@app.command()
def twin(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many steps; all epochs by default.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    settings: Settings = None,
    identities: People = None,
) -> None:
    """Train mytorch's network and its PyTorch twin from the same weights over the same batches, dropout off.

    Example: `faces twin scratch_cnn --data faces50 --out runs/twin --steps 100 --dtype float64`
    """
    from experiments import recipe as recipes
    from experiments.twin import run_twin

    run_twin(recipes.load(recipe, _settings(settings, identities)), data, out, steps, dtype)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; an earlier demo's is replaced.")] = Path("demo"),
) -> None:
    """The whole way on synthetic faces, in a few minutes: data, our CNN, its twin, evaluation, submission.

    Example: `faces demo`
    """
    from experiments.demo import run_demo

    run_demo(out)


def _settings(settings: list[str] | None, identities: int | None) -> list[str]:
    return [*(settings or []), *([f"identities={identities}"] if identities else [])]


def main() -> None:
    """Run the command. What is wrong with an input is a line on standard error and exit status 2; Ctrl-C is 130."""
    try:
        app(prog_name="faces")
    except FacesError as error:
        sys.exit(_complain(str(error)))
    except MemoryError as error:
        sys.exit(_complain(f"not enough memory ({error}): try smaller data.size, batch_size or model.widths"))
    except OSError as error:  # a full disk, a folder that may not be written to
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.exit(_complain(f"{what}; what stood there before is still whole"))


def _complain(message: str) -> int:
    print(f"faces: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
