"""Inside a trained network, mytorch's or PyTorch's: its kernels, what its layers make of a picture, its gradient.

What each layer of a trained network makes of a picture: its strongest feature maps.

The kernels of a trained convolution as pictures.

Which pixels speak for a class: the gradient of its logit, plain and averaged.

Simonyan, Vedaldi and Zisserman, arXiv 1312.6034; the average over noisy copies: Smilkov et al., arXiv 1706.03825.
"""

from difflib import get_close_matches
from math import ceil
from pathlib import Path

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from experiments.data.images import fit_image, read_image
from experiments.data.loader import normalize_images
from experiments.errors import FacesError
from experiments.inference.model import TrainedModel
from experiments.visualize.film import DPI, Panel, Shades, Stage
from models.stages import HEAD, ModuleGroup, named_parts


def load_image_for(trained: TrainedModel, path: Path) -> np.ndarray:
    """A picture as the network takes it, (H, W, 3) uint8. Raises ImageError for one that cannot be read."""
    return fit_image(read_image(path), trained.size, trained.recipe.data.fit)


def convolutions(trained: TrainedModel) -> dict[str, np.ndarray]:
    """The kernels (F, C, KH, KW) of every convolution that sees more than a pixel, by its layer's name, in order."""
    if isinstance(trained.network, nn.Module):
        weights = {
            name: module.weight.detach().float().cpu().numpy()
            for name, module in trained.network.named_modules()
            if isinstance(module, nn.Conv2d)
        }
    else:
        weights = {
            name.removesuffix(".weight"): parameter.data for name, parameter in trained.network.named_parameters()
        }
    return {name: weight for name, weight in weights.items() if weight.ndim == 4 and max(weight.shape[2:]) > 1}


def feature_maps(trained: TrainedModel, image: np.ndarray) -> dict[str, np.ndarray]:
    """What the layers make of a picture (H, W, 3) uint8: (C, h, w) by name, from the input on.

    Of mytorch's networks after each ReLU; of PyTorch's after each stage.
    """
    pixels = _pixels(trained, image)
    if isinstance(trained.network, nn.Module):
        return _outputs_of_stages(trained.network, torch.from_numpy(pixels))
    found, x = {}, pixels
    for number, layer in enumerate(trained.network):
        x = layer(x)
        if type(layer).__name__ == "ReLU" and x.ndim == 4:
            found[f"layer {number}, ReLU"] = x[0]
    return found


def logits_of(trained: TrainedModel, image: np.ndarray) -> np.ndarray:
    """Logits (classes,) of one picture (H, W, 3) uint8."""
    return trained.logits(image[None])[0]


def pixel_gradient(trained: TrainedModel, image: np.ndarray, label: int, noise: np.ndarray | None = None) -> np.ndarray:
    """Gradient of a class's logit at the pixels, (H, W, 3): of pixels from 0 to 1, whatever the network's scale.

    noise: added to the pixels first, (H, W, 3), for an average over several gradients.
    """
    scale = np.broadcast_to(np.asarray(trained.recipe.data.std, np.float32), (3,))
    pixels = _pixels(trained, image)
    if noise is not None:
        pixels = pixels + np.moveaxis(noise.astype(np.float32) / scale, -1, 0)[None]
    network = trained.network
    if isinstance(network, nn.Module):
        x = torch.from_numpy(pixels).to(next(network.parameters()).device).requires_grad_()
        (found,) = torch.autograd.grad(network(x)[0, label], x)
        grad = found.cpu().numpy()
    else:
        chosen = np.zeros_like(network(pixels))
        chosen[0, label] = 1
        grad = network.backward(chosen)
        network.zero_grad()
    return np.moveaxis(grad[0], 0, -1) / scale


def _pixels(trained: TrainedModel, image: np.ndarray) -> np.ndarray:
    """The picture as the network's input, (1, 3, H, W)."""
    return normalize_images(image[None], trained.recipe.data)


def _outputs_of_stages(network: nn.Module, pixels: torch.Tensor) -> dict[str, np.ndarray]:
    """Outputs (C, h, w) of a network's stages, as they pass by."""
    found: dict[str, np.ndarray] = {}
    hooks = []
    for name, part in named_parts(network).items():
        last = (
            list(part.children())[-1] if isinstance(part, ModuleGroup) and any(True for _ in part.children()) else part
        )

        def keep(module: nn.Module, inputs: object, output: object, name: str = name) -> None:
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                found[name] = output[0].float().cpu().numpy()

        if name != HEAD:
            hooks.append(last.register_forward_hook(keep))
    try:
        with torch.inference_mode():
            network(pixels.to(next(network.parameters()).device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


CHANNELS, LAYERS, MAP_SIZE, MAP_GAP = 8, 8, 1.05, 0.08
MAX_CHANNELS = 16


def draw_features(trained: TrainedModel, image: np.ndarray, channels: int = CHANNELS) -> Figure:
    """A row a layer, a column a channel: the channels in which the picture (H, W, 3) uint8 differs most by place.

    Raises FacesError for a number of channels that does not fit, or a network that keeps no maps.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise FacesError(f"--channels {channels}: expected 1 to {MAX_CHANNELS}")
    maps = evenly(feature_maps(trained, image), LAYERS)
    if not maps:
        raise FacesError(f"{trained.run.folder}: no layer of its network has a map of more than a pixel")
    width = 0.6 + 1.45 + MAP_SIZE + 0.25 + channels * (MAP_SIZE + MAP_GAP)
    height = 1.0 + len(maps) * (MAP_SIZE + MAP_GAP) + 0.15
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    stage.heading(
        f"What {trained.run.folder.name} makes of a face, layer by layer",
        "Of each layer the channels that differ most by place; black is a channel's least value, white its largest.",
    )
    axis = stage.axes((0.3, 0.95, MAP_SIZE, MAP_SIZE))
    axis.imshow(image)
    axis.axis("off")
    for row, (name, values) in enumerate(maps.items()):
        top = 0.95 + row * (MAP_SIZE + MAP_GAP)
        count, high, wide = values.shape
        stage.words(0.3 + MAP_SIZE + 0.2, top + 0.25, name, 10, weight="bold")
        stage.words(0.3 + MAP_SIZE + 0.2, top + 0.48, f"{count} channels\n{high} x {wide}", 9)
        for column, channel in enumerate(strongest(values, channels)):
            left = 0.3 + 1.45 + MAP_SIZE + 0.25 + column * (MAP_SIZE + MAP_GAP)
            shown = values[channel] - values[channel].min()
            stage.column((left, top, MAP_SIZE, MAP_SIZE), Panel("", shown, Shades.of(shown)))
    return drawing


def strongest(values: np.ndarray, count: int) -> list[int]:
    """The channels of (C, h, w) that differ most by place, the first the most."""
    order = np.argsort(-values.std((1, 2)), kind="stable")
    return [int(channel) for channel in order[:count]]


def evenly(maps: dict[str, np.ndarray], most: int) -> dict[str, np.ndarray]:
    """At most so many of the layers, evenly from the first to the last."""
    names = list(maps)
    chosen = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))
    return {names[index]: maps[names[index]] for index in chosen}


COLUMNS, MAX_FILTERS, FILTER_SIZE, FILTER_GAP = 12, 96, 0.72, 0.12
INPUTS = 8
"""Of a deeper layer's kernels: so many filters are shown, each with so many of the channels that it sees."""


def draw_filters(trained: TrainedModel, layer: str | None = None) -> Figure:
    """The kernels of a layer, the first convolution unless told: in colour where they see colours.

    Raises FacesError for a layer that is none, or a network without convolutions.
    """
    name, weight = choose(convolutions(trained), layer, str(trained.run.folder))
    filters, channels, *size = weight.shape
    headline = f"Kernels of layer {name}: {filters} of {size[0]} x {size[1]}, over {channels} channels each"
    if channels == 3:
        return _in_colour(weight, headline)
    return _by_channel(weight, headline)


def choose(known: dict[str, np.ndarray], layer: str | None, run: str) -> tuple[str, np.ndarray]:
    """A convolution by its name, the first unless told. Raises FacesError where there is none of that name."""
    if not known:
        raise FacesError(f"{run}: its network has no convolution that sees more than a pixel")
    name = next(iter(known)) if layer is None else layer
    if name not in known:
        near = get_close_matches(name, known, 1, 0.4)
        names = list(known)
        shown = ", ".join(names[:12]) + (f", ... {names[-1]}" if len(names) > 12 else "")
        hint = f"did you mean {near[0]}? " if near else ""
        raise FacesError(f"--layer {name}: {hint}the convolutions are {shown}")
    return name, known[name]


def in_colour(weight: np.ndarray) -> np.ndarray:
    """Kernels (F, 3, KH, KW) as pictures (F, KH, KW, 3): grey for zero, each as strong as its largest weight."""
    most = np.abs(weight).max((1, 2, 3), keepdims=True)
    return np.moveaxis(0.5 + 0.5 * weight / np.where(most == 0, 1, most), 1, -1)


def _in_colour(weight: np.ndarray, headline: str) -> Figure:
    shown = in_colour(weight[:MAX_FILTERS])
    rows = ceil(len(shown) / COLUMNS)
    caption = "Of red, green and blue; grey is zero." + (
        f" The first {MAX_FILTERS}." if len(weight) > MAX_FILTERS else ""
    )
    stage = _stage(rows, COLUMNS, 0.0, headline, caption)
    for number, picture in enumerate(shown):
        row, column = divmod(number, COLUMNS)
        axis = stage.axes(
            (
                0.3 + column * (FILTER_SIZE + FILTER_GAP),
                0.95 + row * (FILTER_SIZE + FILTER_GAP),
                FILTER_SIZE,
                FILTER_SIZE,
            )
        )
        axis.imshow(picture, interpolation="nearest")
        axis.axis("off")
    return _figure(stage)


def _by_channel(weight: np.ndarray, headline: str) -> Figure:
    """Filters as rows, the channels they see as columns; one kernel a channel fills rows one after the other."""
    if weight.shape[1] == 1:
        shown = weight[:MAX_FILTERS, 0]
        shown = np.pad(shown, [(0, -len(shown) % COLUMNS), (0, 0), (0, 0)], constant_values=np.nan)
        grid, names = shown.reshape(-1, COLUMNS, *shown.shape[1:]), None
        caption = "One kernel a channel. Blue is negative, red positive."
    else:
        grid = weight[:INPUTS, :INPUTS]
        names = [f"filter {number + 1}" for number in range(len(grid))]
        caption = (
            f"The first {len(grid)}, with the first {grid.shape[1]} channels they see. Blue is negative, red positive."
        )
    stage = _stage(len(grid), max(grid.shape[1], 9), 0.0 if names is None else 0.8, headline, caption)
    for row, kernels in enumerate(grid):
        left = 0.3
        if names:
            stage.words(left, 0.95 + row * (FILTER_SIZE + FILTER_GAP) + 0.27, names[row], 9.5)
            left += 0.8
        shades = Shades.of(weight, -np.abs(weight))
        for column, values in enumerate(kernels):
            if np.isfinite(values).all():
                area = (
                    left + column * (FILTER_SIZE + FILTER_GAP),
                    0.95 + row * (FILTER_SIZE + FILTER_GAP),
                    FILTER_SIZE,
                    FILTER_SIZE,
                )
                stage.column(area, Panel("", values, shades))
    return _figure(stage)


def _stage(rows: int, columns: int, names: float, headline: str, caption: str) -> Stage:
    width, height = 0.6 + names + columns * (FILTER_SIZE + FILTER_GAP), 1.1 + rows * (FILTER_SIZE + FILTER_GAP)
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    stage.heading(headline, caption)
    return stage


def _figure(stage: Stage) -> Figure:
    assert isinstance(stage.canvas, Figure)
    return stage.canvas


SALIENCY_SIZE, SALIENCY_GAP = 2.5, 0.25
NOISE = 0.12
"""Standard deviation of the noise, of pixels from 0 to 1."""

BATCH = 256


def draw_gradient(
    trained: TrainedModel, image: np.ndarray, name: str | None = None, copies: int = 24, seed: int = 0
) -> Figure:
    """A picture (H, W, 3) uint8 beside its gradient maps.

    name: of whom, the likeliest person unless told. copies: how many noisy ones the average is of. Raises FacesError
    for a person that the run does not know.
    """
    if not 1 <= copies <= BATCH:
        raise FacesError(f"--copies {copies}: expected 1 to {BATCH} noisy copies")
    logits = logits_of(trained, image)
    label = label_of(trained, name, logits)
    plain = pixel_gradient(trained, image, label)
    smooth = smoothed(trained, image, label, copies, seed)
    width, height = 0.6 + 4 * SALIENCY_SIZE + 3 * SALIENCY_GAP, 4.15
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    share = np.exp(logits - logits.max())
    stage.heading(
        f"Which pixels speak for {trained.classes[label]}? ({share[label] / share.sum():.0%} sure)",
        f"The gradient of the logit, {logits[label]:.2f}, at the pixels: where a little change would change it most.",
    )
    grey = np.asarray(Image.fromarray(image).convert("L"))
    signed = smooth.sum(2)
    reach = float(np.quantile(np.abs(signed), 0.995)) or 1.0
    for number, title in enumerate(
        (
            "picture",
            "gradient, magnitude",
            f"mean magnitude, {copies} noisy copies",
            "brighter helps (red) or harms (blue)",
        )
    ):
        axis = stage.axes((0.3 + number * (SALIENCY_SIZE + SALIENCY_GAP), 1.15, SALIENCY_SIZE, SALIENCY_SIZE))
        stage.words(0.3 + number * (SALIENCY_SIZE + SALIENCY_GAP) + SALIENCY_SIZE / 2, 0.93, title, 9.5, "center")
        match number:
            case 0:
                axis.imshow(image)
            case 1 | 2:
                shown = magnitude(plain if number == 1 else smooth)
                axis.imshow(shown, cmap="inferno", vmin=0, vmax=float(np.quantile(shown, 0.995)) or 1.0)
            case 3:
                axis.imshow(grey, cmap="gray")
                axis.imshow(signed, cmap="RdBu_r", vmin=-reach, vmax=reach, alpha=0.6)
        axis.axis("off")
    stage.words(0.3, 3.78, "The strongest half per cent of the pixels look alike.", 9, color="#4a5568")
    return drawing


def label_of(trained: TrainedModel, name: str | None, logits: np.ndarray) -> int:
    """A person's label, the likeliest's unless told. Raises FacesError for a name that the run does not know."""
    if name is None:
        return int(np.argmax(logits))
    if name not in trained.classes:
        near = get_close_matches(name, trained.classes, 1)
        hint = f"did you mean {near[0]}?" if near else f"it knows {len(trained.classes)}, listed in classes.json"
        raise FacesError(f"--class {name}: nobody whom {trained.run.folder} knows; {hint}")
    return trained.classes.index(name)


def smoothed(trained: TrainedModel, image: np.ndarray, label: int, copies: int, seed: int) -> np.ndarray:
    """The mean of the gradients (H, W, 3) at noisy copies of a picture."""
    rng = np.random.default_rng(seed)
    total = np.zeros(image.shape)
    for _ in range(copies):
        total += pixel_gradient(trained, image, label, rng.normal(0, NOISE, image.shape))
    return total / copies


def magnitude(grad: np.ndarray) -> np.ndarray:
    """Of (H, W, 3) the largest of the three colours, (H, W), without sign."""
    return np.abs(grad).max(2)
