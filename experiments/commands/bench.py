"""`faces bench`: mytorch against PyTorch, timed; `faces throughput`: pictures a second of loading and learning.

`faces doctor`: what is here, what is missing, how to get it.
"""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import DataFolder, RecipeName, Settings

app = typer.Typer()


@app.command()
def bench(
    device: Annotated[str, typer.Option(help="cpu, or cuda for an NVIDIA GPU, against cuDNN.")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
    chart: Annotated[Path | None, typer.Option(help="Picture of the ratios, PNG.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of each library; all processors by default.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Fewest rounds, in each of which every side has its turn.")] = 4,
    seconds: Annotated[float, typer.Option(min=0, help="Least time that each side computes.")] = 0.1,
    memory_steps: Annotated[
        int, typer.Option("--memory-steps", min=0, help="Steps over which memory should stay flat; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same numbers.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny batches, one round: does everything run?")] = False,
) -> None:
    """Time mytorch and PyTorch in turn: convolutions, every other layer, whole steps of training, and their memory.

    Ratios are mytorch's time over PyTorch's, in its default layout and in channels_last, its best. Six minutes on two
    processors, which should have nothing else to do.

    Example: `faces bench --json bench.json --chart bench.png`
    """
    from experiments.bench.bench import run_bench
    from experiments.bench.timing import Plan, available_processors

    if quick:
        repeats, seconds, memory_steps = 1, 0.0, min(memory_steps, 50)
    plan = Plan(device, threads or available_processors(), repeats, seconds, quick, seed, memory_steps)
    run_bench(plan, json_file, chart)


@app.command()
def throughput(
    recipe: RecipeName,
    data: DataFolder,
    settings: Settings = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read and augment.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Turns that each side has.")] = 5,
    batches: Annotated[int, typer.Option(min=1, help="Batches a turn.")] = 8,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Time a transfer network's loader alone, its training on tensors that are ready, and both together, in turn.

    The loader's pictures are augmented, normalised and mixed. Medians, of a machine with nothing else to do.

    Example: `faces throughput resnet18 --data packed50 --workers 2 --json throughput.json`
    """
    from experiments.bench.throughput import run_throughput
    from experiments.config import recipe as recipes
    from experiments.runtime import keep_freed_memory

    keep_freed_memory()
    run_throughput(recipes.load_recipe(recipe, settings or []), data, workers, rounds, batches, json_file)


@app.command()
def doctor() -> None:
    """What is installed, what computes (BLAS and its kernels, threads, GPU), what is missing and how to get it.

    Exit status 1 where something that every command needs is missing; what only some need is advice.

    Example: `faces doctor`
    """
    from experiments.doctor import examine
    from experiments.progress import say

    report = examine()
    for line in report.lines():
        say(line)
    raise typer.Exit(1 if report.missing else 0)
