"""The `faces` command: its verbs in the order of its help, and how it ends."""

import sys
from typing import Annotated, Any

import typer

from experiments.commands import bench, data, embed, evaluate, gallery, photos, serve, show, train, verify
from experiments.commands.suggest import SuggestingGroup
from experiments.errors import FacesError
from experiments.requirements import remedy
from experiments.runtime import choose_blas_kernels

PANELS = {
    "Data": ("data", "align", "detect"),
    "Train": ("recipes", "train", "tune"),
    "Evaluate and submit": ("evaluate", "compare", "submit", "pseudo-label", "report", "export"),
    "Same person?": ("match", "verify", "stress", "explain", "embed", "networks"),
    "Who is it?": ("gallery", "identify", "cluster", "serve"),
    "Understand": ("show", "twin", "bench"),
    "Tools": ("demo", "doctor"),
}
"""The panels of `faces --help`, and the verbs in each."""


class Verbs(SuggestingGroup):
    """All verbs, in their panels."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        for panel, names in PANELS.items():
            for name in names:
                self.commands[name].rich_help_panel = panel  # type: ignore[attr-defined]

    def list_commands(self, ctx: Any) -> list[str]:
        """Every verb, panel by panel."""
        return [name for names in PANELS.values() for name in names]


app = typer.Typer(
    name="faces",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (data.app, photos.app, train.app, evaluate.app, verify.app, gallery.app, embed.app, serve.app, bench.app):
    app.add_typer(group)
app.add_typer(data.data, name="data")
app.add_typer(verify.networks, name="networks")
app.add_typer(gallery.gallery, name="gallery")
app.add_typer(show.show, name="show")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"faces {version('mytorch-faces')}")
        except PackageNotFoundError:
            typer.echo("faces, run from its folder and not installed")
        raise typer.Exit


@app.callback()
def faces(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Train, evaluate and use face recognition networks, in mytorch (written from scratch) and in PyTorch.

    New here? `faces demo` runs everything on synthetic faces. `faces COMMAND -h` explains a command, with an example.
    """


def main() -> None:
    """Run the command. A wrong input is one line on standard error and exit status 2; Ctrl-C is status 130."""
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
        sys.exit(_complain(f"{what}; what was there before is unchanged"))


def _complain(message: str) -> int:
    from experiments.progress import printable

    print(printable(f"faces: {message}"), file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
