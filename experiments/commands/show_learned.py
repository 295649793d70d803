"""`faces show filters`, `features` and `gradient`: what a trained network has learned, as pictures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.options import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Face = Annotated[Path, typer.Argument(metavar="PICTURE", help="A face, aligned if those of the run were.")]
Sheet = Annotated[Path, typer.Option("--out", help="The PNG to write.")]


@show.command("filters")
def show_filters(
    run: RunFolder,
    out: Sheet = Path("filters.png"),
    layer: Annotated[
        str | None, typer.Option("--layer", help="A convolution by its name; the first by default.")
    ] = None,
) -> None:
    """The kernels that a run's convolution has learned.

    Example: `faces show filters runs/first --out filters.png`
    """
    _expect_png(out)
    from experiments.inference.model import Trained
    from experiments.visualize.filters import draw_filters

    _save(draw_filters(Trained.open(run), layer), out)


@show.command("features")
def show_features(
    run: RunFolder,
    picture: Face,
    out: Sheet = Path("features.png"),
    channels: Annotated[int, typer.Option("--channels", help="Of each layer, 1 to 16.")] = 8,
) -> None:
    """What the layers of a run's network make of a face: feature maps, layer by layer.

    Example: `faces show features runs/first face.jpg --out features.png`
    """
    _expect_png(out)
    from experiments.inference.model import Trained
    from experiments.visualize.features import draw_features
    from experiments.visualize.network import picture_for

    trained = Trained.open(run)
    _save(draw_features(trained, picture_for(trained, picture), channels), out)


@show.command("gradient")
def show_gradient(
    run: RunFolder,
    picture: Face,
    out: Sheet = Path("gradient.png"),
    person: Annotated[str | None, typer.Option("--class", help="Of whom; the likeliest by default.")] = None,
    copies: Annotated[int, typer.Option("--copies", help="Noisy copies to average over, 1 to 256.")] = 24,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the noise.")] = 0,
) -> None:
    """Which pixels speak for a person: the gradient of the logit at the pixels.

    Example: `faces show gradient runs/first face.jpg --class anna --out gradient.png`
    """
    _expect_png(out)
    from experiments.inference.model import Trained
    from experiments.visualize.network import picture_for
    from experiments.visualize.saliency import draw_gradient

    trained = Trained.open(run)
    _save(draw_gradient(trained, picture_for(trained, picture), person, copies, seed), out)


def _expect_png(out: Path) -> None:
    """Raise FacesError for a file of another kind, or in no folder, before anything is computed."""
    from experiments.visualize.film import expect_place

    expect_place(out, (".png",))


def _save(drawing: "Figure", out: Path) -> None:
    from experiments.plots.training import write_figure
    from experiments.progress import say
    from experiments.visualize.film import DPI

    write_figure(drawing, out, DPI)
    say(f"{out}: drawn")
