"""`faces train`, and the twin and the demo that train, too."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import DataFolder, People, RecipeName, Settings, all_settings

app = typer.Typer()


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

    loaded = recipes.load(recipe, all_settings(settings, identities))
    run_training(loaded, data, out, resume)


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

    run_twin(recipes.load(recipe, all_settings(settings, identities)), data, out, steps, dtype)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; an earlier demo's is replaced.")] = Path("demo"),
) -> None:
    """The whole way on synthetic faces, in a few minutes: data, our CNN, its twin, evaluation, submission.

    Example: `faces demo`
    """
    from experiments.demo import run_demo

    run_demo(out)
