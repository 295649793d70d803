"""`faces show`: what an operation does to a face, step by step; what a trained network has learned, as images."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.commands import RunFolder, check_png
from experiments.commands.suggest import SuggestingGroup

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from experiments.visualize.film import Film

show = typer.Typer(
    cls=SuggestingGroup, no_args_is_help=True,
    help="Watch what a layer does to a face, and see what a network has learned.",
)  # fmt: skip

KERNEL = "edges, lines, outline, blur, sharpen, or rows of numbers: 1,0,-1/2,0,-2/1,0,-1."
SOFT = "0.25,0.5,0.25/0.5,1,0.5/0.25,0.5,0.25"

Image = Annotated[Path | None, typer.Argument(metavar="[IMAGE]", help="A face; a synthetic one by default.")]
Out = Annotated[Path, typer.Option("--out", help="A .gif of all steps, or a .png of the important ones.")]
Kernel = Annotated[str, typer.Option("--kernel", help=KERNEL)]
Stride = Annotated[int, typer.Option("--stride", min=1, max=8, help="Pixels from one window to the next.")]
Padding = Annotated[int, typer.Option("--padding", min=0, max=8, help="Zeros around the image.")]
Size = Annotated[int, typer.Option("--size", help="Pixels per side, 6 to 96.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Draws the face, where no image is given.")]
Frames = Annotated[int, typer.Option("--frames", min=1, max=400, help="Steps of a GIF, about.")]
Speed = Annotated[float, typer.Option("--fps", min=0.1, max=25, help="Steps per second.")]


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
    image: Image = None, out: Out = Path("conv.gif"), kernel: Kernel = "edges", stride: Stride = 1,
    padding: Padding = 0, size: Size = 24, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Convolution: the window slides, products, their sum, the output grows; both gradients.

    Example: `faces show conv --kernel edges --stride 2 --out conv.gif`
    """
    from experiments.visualize import convolution, inputs

    _expect(out)
    _write(
        convolution.make_film(_face(size, image, seed), inputs.read_kernel(kernel), stride, padding, frames), out, fps
    )


@show.command("im2col")
def show_im2col(
    image: Image = None, out: Out = Path("im2col.gif"), stride: Stride = 1, padding: Padding = 0,
    size: Size = 16, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Convolution as one matrix product: windows become rows; the gradient folds them back (col2im).

    Example: `faces show im2col --size 16 --out im2col.png`
    """
    from experiments.visualize import im2col

    _expect(out)
    _write(im2col.make_film(_face(size, image, seed), stride=stride, padding=padding, frames=frames), out, fps)


@show.command("winograd")
def show_winograd(
    image: Image = None, out: Out = Path("winograd.gif"), kernel: Kernel = "edges", padding: Padding = 0,
    size: Size = 26, seed: Seed = 1, frames: Frames = 48, fps: Speed = 2.0,
) -> None:  # fmt: skip
    """Winograd's convolution: tiles are transformed, multiplied and transformed back, with fewer multiplications.

    Example: `faces show winograd --kernel outline --out winograd.gif`
    """
    from experiments.visualize import inputs, winograd

    _expect(out)
    _write(winograd.make_film(_face(size, image, seed), inputs.read_kernel(kernel), padding, frames), out, fps)


@show.command("pool")
def show_pool(
    image: Image = None, out: Out = Path("pool.gif"),
    mode: Annotated[PoolMode, typer.Option("--mode", help="The largest pixel of a window, or the mean.")] = (
        PoolMode.MAX
    ),
    kernel: Annotated[int, typer.Option("--kernel", help="Pixels per side of a window.")] = 2,
    stride: Annotated[
        int | None, typer.Option("--stride", min=1, max=8, help="Pixels between windows; default: the window's size.")
    ] = None,
    padding: Padding = 0, size: Size = 24, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Pooling: which pixel wins, and where its gradient goes.

    Example: `faces show pool --mode max --kernel 3 --stride 2 --out pool.gif`
    """
    from experiments.visualize import resampling

    _expect(out)
    _write(
        resampling.make_pooling_film(_face(size, image, seed), mode.value, kernel, stride, padding, frames), out, fps
    )


@show.command("transposed")
def show_transposed(
    image: Image = None, out: Out = Path("transposed.gif"), kernel: Kernel = SOFT, stride: Stride = 2,
    padding: Annotated[int, typer.Option("--padding", min=0, max=8, help="Pixels cut off the output's edges.")] = 0,
    size: Size = 12, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Transposed convolution: every pixel adds a scaled kernel to a larger image; its gradient is a convolution.

    Example: `faces show transposed --stride 2 --out transposed.gif`
    """
    from experiments.visualize import convolution, inputs

    _expect(out)
    numbers = inputs.read_kernel(kernel)
    film = convolution.make_transposed_film(_face(size, image, seed), numbers, stride, padding, frames)
    _write(film, out, fps)


@show.command("upsample")
def show_upsample(
    image: Image = None, out: Out = Path("upsample.gif"),
    mode: Annotated[UpMode, typer.Option("--mode", help="Repeat a pixel, or interpolate four.")] = UpMode.BILINEAR,
    scale: Annotated[float, typer.Option("--scale", help="Output pixels per input pixel and axis, at most 8.")] = 2.0,
    corners: Annotated[bool, typer.Option("--align-corners", help="Keep the corner pixels in place.")] = False,
    size: Size = 12, seed: Seed = 1, frames: Frames = 48, fps: Speed = 3.0,
) -> None:  # fmt: skip
    """Upsampling: which pixels an output reads, with which weights, and how the gradient flows back.

    Example: `faces show upsample --mode nearest --scale 3 --out upsample.gif`
    """
    from experiments.visualize import resampling

    _expect(out)
    _write(resampling.make_upsampling_film(_face(size, image, seed), mode.value, scale, corners, frames), out, fps)


@show.command("dropout")
def show_dropout(
    image: Image = None, out: Out = Path("dropout.gif"),
    p: Annotated[float, typer.Option("--p", help="Probability of dropping a value, from 0 to below 1.")] = 0.4,
    size: Size = 24, seed: Seed = 1, frames: Frames = 24, fps: Speed = 2.0,
) -> None:  # fmt: skip
    """Dropout: a new mask at each training step, the mean that stays the same, the gradient, evaluation mode.

    Example: `faces show dropout --p 0.5 --out dropout.gif`
    """
    from experiments.visualize import dropout

    _expect(out)
    _write(dropout.make_film(_face(size, image, seed), p, seed, frames), out, fps)


@show.command("batchnorm")
def show_batchnorm(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[IMAGE ...]", help="Two or more faces; synthetic ones by default.")
    ] = None,
    out: Out = Path("batchnorm.gif"),
    images: Annotated[int, typer.Option("--images", min=2, max=12, help="Number of synthetic faces.")] = 6,
    size: Size = 32, seed: Seed = 1, fps: Speed = 0.4,
) -> None:  # fmt: skip
    """Batch normalization: center and scale by the batch, weight and bias, the gradient, evaluation mode.

    Example: `faces show batchnorm --images 6 --out batchnorm.png`
    """
    import numpy as np

    from experiments.visualize import batch_norm
    from experiments.visualize.inputs import load_color_face

    _expect(out)
    if paths:
        faces = [load_color_face(size, path) for path in paths]
    else:
        faces = [load_color_face(size, seed=seed, number=number) for number in range(images)]
    _write(batch_norm.make_film(np.stack(faces)), out, fps)


def _face(size: int, image: Path | None, seed: int) -> "np.ndarray":
    from experiments.visualize.inputs import load_gray_face

    return load_gray_face(size, image, seed)


def _expect(out: Path) -> None:
    """Raise FacesError for another file type or a missing folder, before anything is computed."""
    from experiments.visualize.film import SUFFIXES, check_output_path

    check_output_path(out, SUFFIXES)


def _write(film: "Film", out: Path, fps: float) -> None:
    from experiments.progress import say, track
    from experiments.visualize.film import write_film

    with track("drawing", len(film), "steps") as advance:
        write_film(film, out, fps, advance)
    steps = len(film) if out.suffix.lower() == ".gif" else len(film.story)
    say(f"{out}: {steps} steps")


@show.command("failed-case")
def show_failed_case(
    case: Annotated[Path, typer.Argument(metavar="CASE.json", help="A failed case, as `grade --draw` writes it.")],
    out: Annotated[Path, typer.Option("--out", help="The SVG to write.")] = Path("case.svg"),
) -> None:
    """Draw a failed case of the autograder: expected and got, what differs, and the windows of one element.

    Example: `faces show failed-case cases/Conv2d-forward.json --out case.svg`
    """
    from experiments.errors import FacesError
    from experiments.progress import say
    from experiments.visualize.film import check_output_path
    from mytorch.explain.case import read_case
    from mytorch.explain.svg import draw
    from mytorch.files import atomic_write

    check_output_path(out, (".svg",))
    try:
        drawing = draw(read_case(case))
    except OSError as error:
        raise FacesError(f"{case}: {error.strerror or error}; expected a file that `grade --draw` wrote") from error
    except ValueError as error:
        raise FacesError(str(error)) from error
    with atomic_write(out) as temporary:
        temporary.write_text(drawing, encoding="utf-8")
    say(f"{out}: drawn")


Face = Annotated[Path, typer.Argument(metavar="IMAGE", help="A face, aligned if the run's images were.")]
Sheet = Annotated[Path, typer.Option("--out", help="The PNG to write.")]


@show.command("filters")
def show_filters(
    run: RunFolder,
    out: Sheet = Path("filters.png"),
    layer: Annotated[str | None, typer.Option("--layer", help="Name of a convolution; the first by default.")] = None,
) -> None:
    """Draw the kernels that a convolution of a run has learned.

    Example: `faces show filters runs/first --out filters.png`
    """
    check_png(out)
    from experiments.inference.model import TrainedModel
    from experiments.visualize.network import draw_filters

    _save(draw_filters(TrainedModel.open(run), layer), out)


@show.command("features")
def show_features(
    run: RunFolder,
    image: Face,
    out: Sheet = Path("features.png"),
    channels: Annotated[int, typer.Option("--channels", help="Channels per layer, 1 to 16.")] = 8,
) -> None:
    """Draw the feature maps of a face, layer by layer.

    Example: `faces show features runs/first face.jpg --out features.png`
    """
    check_png(out)
    from experiments.inference.model import TrainedModel
    from experiments.visualize.network import draw_features, load_image_for

    trained = TrainedModel.open(run)
    _save(draw_features(trained, load_image_for(trained, image), channels), out)


@show.command("gradient")
def show_gradient(
    run: RunFolder,
    image: Face,
    out: Sheet = Path("gradient.png"),
    person: Annotated[
        str | None, typer.Option("--class", help="Name of the person; the most probable one by default.")
    ] = None,
    copies: Annotated[int, typer.Option("--copies", help="Noisy copies to average over, 1 to 256.")] = 24,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the noise.")] = 0,
) -> None:
    """Draw which pixels matter for a person: the gradient of the logit with respect to the pixels.

    Example: `faces show gradient runs/first face.jpg --class anna --out gradient.png`
    """
    check_png(out)
    from experiments.inference.model import TrainedModel
    from experiments.visualize.network import draw_gradient, load_image_for

    trained = TrainedModel.open(run)
    _save(draw_gradient(trained, load_image_for(trained, image), person, copies, seed), out)


@show.command("explore")
def show_explore(
    run: RunFolder,
    image: Annotated[Path, typer.Option("--image", help="A face, aligned if the run's images were.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML page to write.")] = Path("explore.html"),
    person: Annotated[
        str | None, typer.Option("--class", help="Name of the person; the most probable one by default.")
    ] = None,
    channels: Annotated[int, typer.Option("--channels", help="Maps stored of each layer, 1 to 16.")] = 6,
) -> None:
    """Write a page to explore a run of mytorch: click a layer, point at a pixel, see its window, products and gradient.

    Example: `faces show explore runs/first --image face.jpg --out explore.html`
    """
    from experiments.errors import FacesError
    from experiments.inference.model import TrainedModel
    from experiments.progress import say
    from experiments.visualize import explore
    from experiments.visualize.film import check_output_path
    from experiments.visualize.network import load_image_for, pixels_for
    from mytorch.files import atomic_write

    check_output_path(out, (".html",))
    trained = TrainedModel.open(run)
    if trained.recipe.model.library == "torch":
        raise FacesError(f"{run}: a network of PyTorch; explore takes one of mytorch, such as scratch_cnn's")
    if person is not None and person not in trained.classes:
        raise FacesError(f"--class {person}: expected a person of {run}, such as {trained.classes[0]}")
    label = None if person is None else trained.classes.index(person)
    pixels = pixels_for(trained, load_image_for(trained, image))
    data = explore.describe(trained.network, pixels, trained.classes, label, channels)
    page = explore.page(data, f"{trained.run.folder.name}: {image.name}")
    with atomic_write(out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    say(f"{out}: {len(data['nodes']) - 1} layers, {len(page) / 1e6:.1f} MB")


def _save(drawing: "Figure", out: Path) -> None:
    from experiments.plots.style import write_plot
    from experiments.progress import say
    from experiments.visualize.film import DPI

    write_plot(drawing, out, DPI)
    say(f"{out}: drawn")
