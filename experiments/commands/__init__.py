"""The verbs of `faces`. Here: arguments and options that several share, and the line that says what to type next."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A recipe's name (`faces recipes` lists them), or a YAML file.")
]
DataFolder = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="One folder per person, a folder with train/ in it, or a pack.")
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `faces train` made.")]
RunFolders = Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Folders that `faces train` made.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe; repeatable."),
]
People = Annotated[
    int | None, typer.Option("--identities", min=2, help="Use this many people, chosen at random by the recipe's seed.")
]
Device = Annotated[
    str | None, typer.Option("--device", help="cpu, cuda, cuda:1, ... By default a GPU where there is one.")
]

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, and all else on standard error.")]


@contextmanager
def json_only(wanted: bool) -> Iterator[Callable[[Any], None]]:
    """Inside the block, messages go to standard error where JSON is wanted. Yields what prints the answer then."""
    from experiments.progress import messages_on_stderr, print_json

    answers: list[Any] = []
    if not wanted:
        yield answers.append
        return
    with messages_on_stderr():
        yield answers.append
    for answer in answers:
        print_json(answer)


class EngineName(StrEnum):
    """The two libraries that can compute a network."""

    MYTORCH = "mytorch"
    TORCH = "torch"


Engine = Annotated[
    EngineName | None,
    typer.Option("--engine", help="The library that computes the network; by default the one that it is built in."),
]


def all_settings(settings: list[str] | None, identities: int | None) -> list[str]:
    """What --set and --identities say, as settings of a recipe."""
    return [*(settings or []), *([f"identities={identities}"] if identities else [])]


def check_png(out: Path) -> None:
    """Raise FacesError for another file type or a missing folder, before anything is computed."""
    from experiments.visualize.film import check_output_path

    check_output_path(out, (".png",))


def say_next(*words: Any, why: str = "") -> None:
    """Print the command to type next, quoted as a shell needs it. Words of capitals stand for what the user has."""
    from experiments.progress import say

    typed = " ".join(word if str(word).isupper() else shlex.quote(str(word)) for word in words)
    say(f"next: {typed}" + (f"   # {why}" if why else ""))
