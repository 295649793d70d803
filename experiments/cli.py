"""The `faces` command: its verbs, which stand in experiments/commands, and how it ends."""

import sys

import typer

from experiments.commands import bench, data, gallery, show
from experiments.commands import data as align
from experiments.commands import evaluate as judging
from experiments.commands import train as training
from experiments.commands import verify as verification
from experiments.errors import FacesError
from experiments.progress import printable
from experiments.requirements import remedy
from experiments.runtime import choose_blas_kernels

app = typer.Typer(
    name="faces",
    help="Train, compare and use face recognition networks: our own, written by hand, and PyTorch's.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(data.data, name="data")
app.add_typer(align.app)
app.add_typer(training.app)
app.add_typer(judging.app)
app.add_typer(bench.app)
app.add_typer(verification.app)
app.add_typer(gallery.app)
app.add_typer(show.show, name="show")


def main() -> None:
    """Run the command. What is wrong with an input is a line on standard error and exit status 2; Ctrl-C is 130."""
    choose_blas_kernels()
    try:
        app(prog_name="faces")
    except FacesError as error:
        sys.exit(_complain(str(error)))
    except ModuleNotFoundError as error:
        if line := remedy(error):
            sys.exit(_complain(f"{line}; `faces doctor` lists what is installed"))
        raise
    except MemoryError as error:
        sys.exit(_complain(f"not enough memory ({error}): try smaller data.size, batch_size or model.widths"))
    except OSError as error:  # a full disk, a folder that may not be written to
        what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        sys.exit(_complain(f"{what}; what stood there before is still whole"))


def _complain(message: str) -> int:
    print(printable(f"faces: {message}"), file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
