"""Arguments and options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe's name, or a YAML file.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder of identities, or a competition's with train/ in it.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `faces train` made.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; repeatable.")]
People = Annotated[int | None, typer.Option("--identities", min=2, help="Use that many people, drawn by seed.")]


def all_settings(settings: list[str] | None, identities: int | None) -> list[str]:
    """What --set and --identities say, as settings of a recipe."""
    return [*(settings or []), *([f"identities={identities}"] if identities else [])]
