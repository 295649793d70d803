"""`faces recipes`, `train` and `tune`; `faces twin` and `faces demo`, which train as well."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands import DataFolder, Device, Engine, People, RecipeName, Settings, all_settings, say_next

if TYPE_CHECKING:
    from experiments.config.recipe import Recipe
    from experiments.training.trainer import TrainOptions

app = typer.Typer()


@app.command()
def recipes(
    recipe: Annotated[
        str | None, typer.Argument(metavar="[RECIPE]", help="Print the settings of this one, as YAML.")
    ] = None,
) -> None:
    """List the recipes: network, size, weights, measured accuracy and time.

    With a name, print that recipe's settings: the beginning of a YAML file of your own.

    Example: `faces recipes resnet18`
    """
    from experiments.progress import say

    if recipe is not None:
        from experiments.config.load import load_recipe

        say(load_recipe(recipe).dump().rstrip())
        return
    from experiments.tools.recipes import recipe_table

    recipe_table()
    say("measured: top-1 on validation images and training time, with data and hardware in results/README.md")
    say_next("faces", "train", "RECIPE", "--data", "DIR", "--out", "runs/first")


@app.command()
def train(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the run; not with --show-batch or --find-lr.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="Train this long; a recipe's stages keep their proportions.")
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate of the optimizer; rates that stages set are scaled alike."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", min=2, help="Images per step.")] = None,
    device: Device = None,
    engine: Engine = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of weights, order and augmentation.")] = None,
    settings: Settings = None,
    identities: People = None,
    weights: Annotated[
        str | None,
        typer.Option("--weights", help="Pretrained weights: a file, a run, none, default, or another known name."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out where it stopped.")] = False,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that load and augment images.")] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write the metrics for TensorBoard.")] = False,
    show_batch: Annotated[
        Path | None, typer.Option("--show-batch", metavar="PNG", help="Save what the network will see, and stop.")
    ] = None,
    find_lr: Annotated[
        Path | None,
        typer.Option(
            "--find-lr", metavar="PNG", help="Plot the loss over rising learning rates, suggest one, and stop."
        ),
    ] = None,
) -> None:
    """Train a network, in mytorch or in PyTorch.

    Every recipe trains with either: --engine says which, and the run opens in both. By default networks from random
    weights of mytorch train in mytorch, transfer networks in PyTorch. Several processes, bf16, compile and GPUs are
    PyTorch's alone.

    Ctrl-C leaves a usable run, and --resume continues it to exactly the same numbers.

    Several GPUs or machines: `accelerate launch -m experiments.cli train ...`, or torchrun in its place.

    Example: `faces train scratch_cnn --data faces50 --out runs/first --epochs 20`
    """
    from experiments.config.load import load_recipe, override_recipe
    from experiments.training.trainer import TrainOptions
    from experiments.training.trainer import train as train_recipe

    chosen = [f"model.weights={weights}"] if weights else []
    chosen += [f"engine={engine.value}"] if engine else []
    plain = load_recipe(recipe, [*all_settings(settings, identities), *chosen])
    loaded = override_recipe(plain, epochs, lr, batch_size, seed)
    if show_batch is not None:
        from experiments.tools.recipes import show_batch as show

        return show(loaded, data, show_batch)
    if find_lr is not None:
        _find_lr(recipe, loaded, data, find_lr, TrainOptions(workers, device=device), out, resume)
        return
    if out is None:
        raise typer.BadParameter(
            "expected a folder for the run (or --show-batch FILE.png, or --find-lr FILE.png)", param_hint="--out"
        )
    train_recipe(loaded, data, out, resume, TrainOptions(workers, tensorboard, device=device))
    if os.environ.get("RANK", "0") == "0":  # of several processes, one speaks
        say_next("faces", "evaluate", out, "--data", data)


def _find_lr(
    name: str, recipe: "Recipe", data: Path, path: Path, options: "TrainOptions", out: Path | None, resume: bool
) -> None:
    """Suggest a learning rate, and the command that uses it."""
    from experiments.training.lr_finder import find_lr

    if out is not None or resume:
        unused = "--resume" if resume else "--out"
        raise typer.BadParameter("--find-lr writes a plot and a table, and no run; leave out", param_hint=unused)
    found = find_lr(recipe, data, path, options)
    rate = [] if found.suggestion is None else ["--lr", f"{found.suggestion:.2g}"]
    say_next("faces", "train", name, "--data", data, "--out", "RUN", *rate)


@app.command()
def tune(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the search. Run again to resume.")],
    space: Annotated[
        list[str],
        typer.Option("--space", metavar="KEY=VALUES", help="low..high, low..high:log, or a,b,c; repeatable."),
    ],
    trials: Annotated[int, typer.Option("--trials", min=1, help="Trials in total, with those of earlier calls.")] = 20,
    settings: Settings = None,
    identities: People = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed proposes the same settings.")] = 0,
) -> None:
    """Search for a recipe's best settings.

    The best have the highest top-1 on the validation images. Unpromising trials are stopped early.

    Example: `faces tune scratch_cnn --data faces50 --out runs/search --trials 20 --space optimizer.lr=1e-4..1e-2:log`
    """
    from experiments.tools.tune import tune as run_search

    run_search(recipe, data, out, trials, space, all_settings(settings, identities), seed)


@app.command()
def twin(
    recipe: RecipeName,
    data: DataFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder for the results.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after this many steps; all epochs by default.")] = None,
    dtype: Annotated[str, typer.Option(help="float32 or float64.")] = "float32",
    settings: Settings = None,
    identities: People = None,
) -> None:
    """Train a network in mytorch and in PyTorch side by side, and compare them.

    Both start from the same weights and see the same batches. Dropout is off, as the two libraries draw different
    masks.

    Example: `faces twin scratch_cnn --data faces50 --out runs/twin --steps 100 --dtype float64`
    """
    from experiments.config.load import load_recipe
    from experiments.twin import run_twin

    run_twin(load_recipe(recipe, all_settings(settings, identities)), data, out, steps, dtype)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to make; an earlier demo there is replaced.")] = Path(
        "demo"
    ),
) -> None:
    """Run the whole pipeline on synthetic faces, in a few minutes.

    Draws faces, trains our CNN, its PyTorch twin and a small ResNet, and writes a submission.

    Example: `faces demo`
    """
    from experiments.demo import run_demo

    run_demo(out)
