"""`faces train`, and the twin, the demo and the rehearsal that train, too.

`faces tune`: which settings of a recipe do best.
"""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import DataFolder, People, RecipeName, Settings, all_settings

app = typer.Typer()


@app.command()
def train(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the run.")] = None,
    settings: Settings = None,
    identities: People = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out where it stopped.")] = False,
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Of a transfer network: a file, a run, none, default, or another name."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes that read and augment for a transfer network.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write the figures for TensorBoard, too.")] = False,
    show_batch: Annotated[
        Path | None, typer.Option("--show-batch", help="Save what the network will see as a PNG, and stop.")
    ] = None,
) -> None:
    """Train a network, mytorch's or PyTorch's. Ctrl-C leaves a usable run; --resume goes on to the same numbers.

    Several GPUs or machines: `accelerate launch -m experiments.cli train ...`, or torchrun in its place.

    Example: `faces train scratch_cnn --data faces50 --out runs/first --set epochs=20`
    """
    from experiments.config import recipe as recipes

    chosen = [f"model.weights={weights}"] if weights else []
    loaded = recipes.load_recipe(recipe, [*all_settings(settings, identities), *chosen])
    if show_batch is not None:
        from experiments.tools.preview import show_batch as show

        return show(loaded, data, show_batch)
    if out is None:
        raise typer.BadParameter("expected a folder for the run (or --show-batch FILE.png)", param_hint="--out")
    if isinstance(loaded.model, recipes.TransferModel):
        from experiments.training.torch_trainer import TrainOptions, train_torch

        train_torch(loaded, data, out, resume, TrainOptions(workers, tensorboard))
    else:
        from experiments.training.mytorch_trainer import train_mytorch

        train_mytorch(loaded, data, out, resume)


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
    from experiments.config import recipe as recipes
    from experiments.twin import run_twin

    run_twin(recipes.load_recipe(recipe, all_settings(settings, identities)), data, out, steps, dtype)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; an earlier demo's is replaced.")] = Path("demo"),
) -> None:
    """The whole way on synthetic faces, in a few minutes: data, our CNN, its twin, a small ResNet, submission by both.

    Example: `faces demo`
    """
    from experiments.demo import run_demo

    run_demo(out)


@app.command()
def rehearse(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; one that stopped goes on.")],
    chosen: Annotated[list[str] | None, typer.Argument(metavar="RECIPE ...", help="Recipes; all by default.")] = None,
    side: Annotated[int, typer.Option(min=32, max=224, help="Pixels a side, where the network allows it.")] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs a stage.")] = 1,
) -> None:
    """Take every recipe from a few drawn people to a checked submission, in short: does all of it run?

    Example: `faces rehearse --out runs/rehearsal`
    """
    from experiments.smoke import rehearse as run_rehearsal

    run_rehearsal(out, chosen or (), side, epochs)


@app.command()
def tune(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the search; one that stopped goes on.")],
    space: Annotated[
        list[str],
        typer.Option("--space", metavar="KEY=VALUES", help="low..high, low..high:log or a,b,c; repeatable."),
    ],
    trials: Annotated[int, typer.Option("--trials", min=1, help="Trials in all, earlier ones counted.")] = 20,
    settings: Settings = None,
    identities: People = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed proposes the same settings.")] = 0,
) -> None:
    """Search for a recipe's best settings by validation top-1, hopeless trials being cut short.

    Example: `faces tune scratch_cnn --data faces50 --out runs/search --trials 20 --space optimizer.lr=1e-4..1e-2:log`
    """
    from experiments.tools.tune import tune as run_search

    run_search(recipe, data, out, trials, space, all_settings(settings, identities), seed)
