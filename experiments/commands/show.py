"""`faces show`: what an operation does to a face, step by step.

`faces show filters`, `features` and `gradient`: what a trained network has learned, as pictures.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands.options import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from experiments.visualize.film import Film

show = typer.Typer(
    help="Layers explained by looking: an operation on a face, step by step, as GIF or PNG; a trained network's "
    "kernels, feature maps and gradients.",
    no_args_is_help=True,
)

KERNEL = "edges, lines, outline, blur, sharpen, or rows of numbers: 1,0,-1/2,0,-2/1,0,-1."
SOFT = "0.25,0.5,0.25/0.5,1,0.5/0.25,0.5,0.25"

Picture = Annotated[Path | None, typer.Argument(metavar="[PICTURE]", help="A face; a drawn one by default.")]
Out = Annotated[Path, typer.Option("--out", help="A .gif of all steps, or a .png of those that tell the story.")]
Kernel = Annotated[str, typer.Option("--kernel", help=KERNEL)]
Stride = Annotated[int, typer.Option("--stride", min=1, max=8, help="Pixels from window to window.")]
Padding = Annotated[int, typer.Option("--padding", min=0, max=8, help="Zeros around the picture.")]
Size = Annotated[int, typer.Option("--size", help="Pixels a side, 6 to 96.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Draws the face, where no picture is given.")]
Frames = Annotated[int, typer.Option("--frames", min=1, max=400, help="Steps of a GIF, about so many.")]
Speed = Annotated[float, typer.Option("--fps", min=0.1, max=25, help="Steps a second.")]


class PoolMode(StrEnum):
    """Kinds of pooling."""

    MAX = "max"
    AVERAGE = "average"


class UpMode(StrEnum):
    """Kinds of upsampling."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"


@show.command("conv")
def show_conv(
    picture: Picture = None, out: Out = Path("conv.gif"), kernel: Kernel = "edges", stride: Stride = 1,
    padding: Padding = 0, size: Size = 24, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Convolution: the window slides, products, their sum, the output grows; both gradients.

    Example: `faces show conv --kernel edges --stride 2 --out conv.gif`
    """
    from experiments.visualize import convolution, inputs

    _expect(out)
    _write(
        convolution.make_film(_face(size, picture, seed), inputs.read_kernel(kernel), stride, padding, frames), out, fps
    )


@show.command("im2col")
def show_im2col(
    picture: Picture = None, out: Out = Path("im2col.gif"), stride: Stride = 1, padding: Padding = 0,
    size: Size = 16, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Convolution as one matrix product: windows become rows; the gradient folds them back (col2im).

    Example: `faces show im2col --size 16 --out im2col.png`
    """
    from experiments.visualize import im2col

    _expect(out)
    _write(im2col.make_film(_face(size, picture, seed), stride=stride, padding=padding, frames=frames), out, fps)


@show.command("winograd")
def show_winograd(
    picture: Picture = None, out: Out = Path("winograd.gif"), kernel: Kernel = "edges", padding: Padding = 0,
    size: Size = 26, seed: Seed = 1, frames: Frames = 48, fps: Speed = 2.0,
) -> None:  # fmt: skip
    """Winograd's convolution: tiles transformed, multiplied, transformed back, a quarter of the multiplications.

    Example: `faces show winograd --kernel outline --out winograd.gif`
    """
    from experiments.visualize import inputs, winograd

    _expect(out)
    _write(winograd.make_film(_face(size, picture, seed), inputs.read_kernel(kernel), padding, frames), out, fps)


@show.command("pool")
def show_pool(
    picture: Picture = None, out: Out = Path("pool.gif"),
    mode: Annotated[PoolMode, typer.Option("--mode", help="The largest pixel of a window, or their mean.")] = (
        PoolMode.MAX
    ),
    kernel: Annotated[int, typer.Option("--kernel", help="Pixels a side of a window.")] = 2,
    stride: Annotated[
        int | None, typer.Option("--stride", min=1, max=8, help="Pixels from window to window; as the window is wide.")
    ] = None,
    padding: Padding = 0, size: Size = 24, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Pooling: which pixel wins, and where the gradient goes.

    Example: `faces show pool --mode max --kernel 3 --stride 2 --out pool.gif`
    """
    from experiments.visualize import pooling

    _expect(out)
    _write(pooling.make_film(_face(size, picture, seed), mode.value, kernel, stride, padding, frames), out, fps)


@show.command("transposed")
def show_transposed(
    picture: Picture = None, out: Out = Path("transposed.gif"), kernel: Kernel = SOFT, stride: Stride = 2,
    padding: Annotated[int, typer.Option("--padding", min=0, max=8, help="Cut off the output's edges.")] = 0,
    size: Size = 12, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Transposed convolution: every pixel stamps the kernel onto a larger picture; its gradient is a convolution.

    Example: `faces show transposed --stride 2 --out transposed.gif`
    """
    from experiments.visualize import inputs, transposed

    _expect(out)
    _write(
        transposed.make_film(_face(size, picture, seed), inputs.read_kernel(kernel), stride, padding, frames), out, fps
    )


@show.command("upsample")
def show_upsample(
    picture: Picture = None, out: Out = Path("upsample.gif"),
    mode: Annotated[UpMode, typer.Option("--mode", help="Repeat the nearest pixel, or mix four.")] = UpMode.BILINEAR,
    scale: Annotated[float, typer.Option("--scale", help="Outputs a pixel, at most 8.")] = 2.0,
    corners: Annotated[bool, typer.Option("--align-corners", help="Corner pixels' centres keep their places.")] = False,
    size: Size = 12, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Upsampling: which pixels an output takes, with which weights, and the gradient's way back.

    Example: `faces show upsample --mode nearest --scale 3 --out upsample.gif`
    """
    from experiments.visualize import upsampling

    _expect(out)
    _write(upsampling.make_film(_face(size, picture, seed), mode.value, scale, corners, frames), out, fps)


@show.command("dropout")
def show_dropout(
    picture: Picture = None, out: Out = Path("dropout.gif"),
    p: Annotated[float, typer.Option("--p", help="Share that is dropped, from 0 to below 1.")] = 0.4,
    size: Size = 24, seed: Seed = 1, frames: Frames = 24, fps: Speed = 2.0,
) -> None:  # fmt: skip
    """Dropout: another draw at each step of training, the mean that stays, the gradient, evaluation.

    Example: `faces show dropout --p 0.5 --out dropout.gif`
    """
    from experiments.visualize import dropout

    _expect(out)
    _write(dropout.make_film(_face(size, picture, seed), p, seed, frames), out, fps)


@show.command("batchnorm")
def show_batchnorm(
    pictures: Annotated[
        list[Path] | None, typer.Argument(metavar="[PICTURE ...]", help="Faces, two or more; drawn ones by default.")
    ] = None,
    out: Out = Path("batchnorm.gif"),
    images: Annotated[int, typer.Option("--images", min=2, max=12, help="Faces to draw.")] = 6,
    size: Size = 32, seed: Seed = 1, fps: Speed = 0.4,
) -> None:  # fmt: skip
    """Batch normalisation: centring and scaling by the batch, weight and bias, the gradient, evaluation.

    Example: `faces show batchnorm --images 6 --out batchnorm.png`
    """
    import numpy as np

    from experiments.visualize import batch_norm
    from experiments.visualize.inputs import load_color_face

    _expect(out)
    if pictures:
        faces = [load_color_face(size, picture) for picture in pictures]
    else:
        faces = [load_color_face(size, seed=seed, number=number) for number in range(images)]
    _write(batch_norm.make_film(np.stack(faces)), out, fps)


def _face(size: int, picture: Path | None, seed: int) -> "np.ndarray":
    from experiments.visualize.inputs import load_gray_face

    return load_gray_face(size, picture, seed)


def _expect(out: Path) -> None:
    """Raise FacesError for a file of another kind, or in no folder, before anything is computed."""
    from experiments.visualize.film import SUFFIXES, check_output_path

    check_output_path(out, SUFFIXES)


def _write(film: "Film", out: Path, fps: float) -> None:
    from experiments.progress import say, track
    from experiments.visualize.film import write_film

    with track("drawing", len(film), "steps") as advance:
        write_film(film, out, fps, advance)
    steps = len(film) if out.suffix.lower() == ".gif" else len(film.story)
    say(f"{out}: {steps} steps")


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
    from experiments.inference.model import TrainedModel
    from experiments.visualize.network import draw_filters

    _save(draw_filters(TrainedModel.open(run), layer), out)


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
    from experiments.inference.model import TrainedModel
    from experiments.visualize.network import draw_features, load_image_for

    trained = TrainedModel.open(run)
    _save(draw_features(trained, load_image_for(trained, picture), channels), out)


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
    from experiments.inference.model import TrainedModel
    from experiments.visualize.network import draw_gradient, load_image_for

    trained = TrainedModel.open(run)
    _save(draw_gradient(trained, load_image_for(trained, picture), person, copies, seed), out)


def _expect_png(out: Path) -> None:
    """Raise FacesError for a file of another kind, or in no folder, before anything is computed."""
    from experiments.visualize.film import check_output_path

    check_output_path(out, (".png",))


def _save(drawing: "Figure", out: Path) -> None:
    from experiments.plots.style import write_plot
    from experiments.progress import say
    from experiments.visualize.film import DPI

    write_plot(drawing, out, DPI)
    say(f"{out}: drawn")
