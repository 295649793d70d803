"""`faces bench`: how fast. `faces doctor`: is everything installed, and does everything run?"""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands import Settings, check_png

app = typer.Typer()


@app.command()
def bench(
    device: Annotated[str, typer.Option(help="cpu, or cuda for an NVIDIA GPU, against cuDNN.")] = "cpu",
    json_file: Annotated[Path | None, typer.Option("--json", help="File for all results.")] = None,
    chart: Annotated[Path | None, typer.Option(help="PNG to write: a plot of the ratios.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of each library; all processors by default.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Fewest rounds, in which the libraries take turns.")] = 4,
    seconds: Annotated[float, typer.Option(min=0, help="Least time that each library computes.")] = 0.1,
    memory_steps: Annotated[
        int, typer.Option("--memory-steps", min=0, help="Steps over which memory is watched; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same numbers.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny batches, one round: does everything run?")] = False,
    loader: Annotated[
        str | None,
        typer.Option("--loader", metavar="RECIPE", help="Time this recipe's data loading and training instead."),
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="With --loader: its images.")] = None,
    settings: Settings = None,
    workers: Annotated[int, typer.Option(min=0, help="With --loader: processes that load and augment.")] = 1,
    batches: Annotated[int, typer.Option(min=1, help="With --loader: batches per round.")] = 8,
) -> None:
    """Time mytorch against PyTorch.

    Convolutions, every other layer, whole training steps, and their memory. Ratios are mytorch's time over PyTorch's,
    in PyTorch's default layout and in channels_last, its fastest. Six minutes on two processors; leave the machine
    alone meanwhile. With --loader, images/s of loading alone (augmented, normalized and mixed), of training on tensors
    that are ready, and of both together.

    Example: `faces bench --json bench.json --chart bench.png`
    """
    if loader is not None:
        if data is None:
            raise typer.BadParameter("--loader needs a folder of people", param_hint="--data")
        from experiments.bench.throughput import run_throughput
        from experiments.config.load import load_recipe
        from experiments.runtime import keep_freed_memory

        keep_freed_memory()
        run_throughput(load_recipe(loader, settings or []), data, workers, repeats, batches, json_file)
        return
    if data is not None or settings:
        raise typer.BadParameter("only with --loader RECIPE", param_hint="--set" if settings else "--data")
    if chart is not None:
        check_png(chart)
    from experiments.bench.bench import run_bench
    from experiments.bench.timing import Plan, available_processors

    if quick:
        repeats, seconds, memory_steps = 1, 0.0, min(memory_steps, 50)
    plan = Plan(device, threads or available_processors(), repeats, seconds, quick, seed, memory_steps)
    run_bench(plan, json_file, chart)


@app.command()
def doctor(
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Also take every recipe from a few synthetic people to a submission.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="With --smoke: folder for the runs. Run again to resume.")] = Path(
        "runs/smoke"
    ),
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", help="With --smoke: only this recipe; repeatable.")
    ] = None,
    size: Annotated[
        int, typer.Option(min=32, max=224, help="With --smoke: pixels per side, where the network allows it.")
    ] = 64,
    epochs: Annotated[int, typer.Option(min=1, help="With --smoke: epochs per stage.")] = 1,
    clean: Annotated[
        Path | None,
        typer.Option("--clean", metavar="DIR", help="Remove temporary files that killed commands left in DIR."),
    ] = None,
) -> None:
    """Report what is installed, what is missing, and how to get it.

    Also what computes (BLAS, threads, GPU), and the temporary files that killed commands left in this folder. Exit
    status 1 where something that every command needs is missing; what only some need is advice.

    Example: `faces doctor`
    """
    from experiments.doctor import examine, remove_leftovers
    from experiments.progress import say

    if clean is not None:
        for one in (removed := remove_leftovers(clean)):
            say(f"removed {one.path}, {one.size / 1e6:,.1f} MB")
        say(f"{clean}: {len(removed)} temporary files and folders removed")
        return
    report = examine()
    for line in report.lines():
        say(line)
    if report.missing:
        raise typer.Exit(1)
    if smoke:
        from experiments.smoke import run_smoke_test

        run_smoke_test(out, recipe or (), size, epochs)
