"""`faces tune`: which settings of a recipe do best."""

from pathlib import Path
from typing import Annotated

import typer

from experiments.commands.options import DataFolder, People, RecipeName, Settings, all_settings



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
