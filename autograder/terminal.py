"""What the commands share: exit statuses, options, messages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from autograder.text import plain

if TYPE_CHECKING:
    from autograder.rubric import Rubric

FULL, LESS, UNGRADED, FAILED, INTERRUPTED = 0, 1, 2, 3, 130

NEEDS_PYTORCH = "PyTorch is not installed: in the project's folder, pip install '.[faces]'"

RubricOption = Annotated[str, typer.Option(help="A name from `rubrics`, or the path of a YAML file.")]
SeedOption = Annotated[
    int | None,
    typer.Option(min=0, max=2**32 - 1, help="Of the tests' numbers; by default the rubric's, or a drawn one."),
]


def load_rubric(name: str) -> "Rubric":
    """The rubric of this name or path; ends with a message where there is none."""
    from autograder.rubric import RubricError, load

    try:
        return load(name)
    except RubricError as error:
        stop(str(error))


def write(text: str, out: Path | None) -> None:
    """To a file, whole or not at all, or to standard output."""
    from mytorch.files import atomic_write

    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with atomic_write(out) as path:
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        stop(str(error))


def stop(message: str, status: int = UNGRADED) -> NoReturn:
    """End with a message; the status is by default that for "could not be graded"."""
    typer.echo(f"autograder: {plain(message)}", err=True)
    raise typer.Exit(status)


def one_thread() -> None:
    """Let PyTorch compute in one thread: the arrays are small, and more would only wait for each other.

    Raises ModuleNotFoundError where it is not installed.
    """
    import torch

    torch.set_num_threads(1)
