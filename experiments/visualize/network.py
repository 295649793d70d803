"""Inside a trained network, of mytorch or PyTorch: feature maps, kernels, and the gradient of a logit at the pixels.

Gradients: Simonyan, Vedaldi and Zisserman, arXiv 1312.6034; averaged over noisy copies (SmoothGrad): Smilkov et al.,
arXiv 1706.03825.
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
    """Read an image as the network takes it, (H, W, 3) uint8. Raises ImageError for one that cannot be read."""
    return fit_image(read_image(path), trained.size, trained.recipe.data.fit)


def convolutions(trained: TrainedModel) -> dict[str, np.ndarray]:
    """Return the kernels (F, C, KH, KW) of every convolution larger than 1x1, by the layer's name, in order."""
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
    """Return the feature maps (C, h, w) of an image (H, W, 3) uint8 by layer, from the input on.

    They are taken after each ReLU in networks of mytorch, after each stage in those of PyTorch.
    """
    pixels = pixels_for(trained, image)
    if isinstance(trained.network, nn.Module):
        return _outputs_of_stages(trained.network, torch.from_numpy(pixels))
    found, x = {}, pixels
    for number, layer in enumerate(trained.network):
        x = layer(x)
        if type(layer).__name__ == "ReLU" and x.ndim == 4:
            found[f"layer {number}, ReLU"] = x[0]
    return found


def logits_of(trained: TrainedModel, image: np.ndarray) -> np.ndarray:
    """Return the logits (classes,) of one image (H, W, 3) uint8."""
    return trained.logits(image[None])[0]


def pixel_gradient(trained: TrainedModel, image: np.ndarray, label: int, noise: np.ndarray | None = None) -> np.ndarray:
    """Return the gradient of a class's logit with respect to pixels from 0 to 1, (H, W, 3).

    noise: (H, W, 3), added to the pixels before.
    """
    scale = np.broadcast_to(np.asarray(trained.recipe.data.std, np.float32), (3,))
    pixels = pixels_for(trained, image)
    if noise is not None:
        pixels = pixels + np.moveaxis(noise.astype(np.float32) / scale, -1, 0)[None]
    network = trained.network
    if isinstance(network, nn.Module):
        x = torch.from_numpy(pixels).to(next(network.parameters()).device).requires_grad_()
        (found,) = torch.autograd.grad(network(x)[0, label], x)
        grad = found.cpu().numpy()
    else:
        skipping = [layer for layer in network.modules() if not layer.needs_input_grad]  # as training does
        for layer in skipping:
            layer.needs_input_grad = True
        chosen = np.zeros_like(network(pixels))
        chosen[0, label] = 1
        grad = network.backward(chosen)
        network.zero_grad()
        for layer in skipping:
            layer.needs_input_grad = False
    return np.moveaxis(grad[0], 0, -1) / scale


def pixels_for(trained: TrainedModel, image: np.ndarray) -> np.ndarray:
    """The image as the network's input, (1, 3, H, W)."""
    return normalize_images(image[None], trained.recipe.data)


def _outputs_of_stages(network: nn.Module, pixels: torch.Tensor) -> dict[str, np.ndarray]:
    """The outputs (C, h, w) of a network's stages, recorded by hooks."""
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
    """Draw the feature maps of an image (H, W, 3) uint8: a row for each layer, its channels that vary most.

    Raises FacesError for a number of channels that does not fit, or a network without feature maps.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise FacesError(f"--channels {channels}: expected 1 to {MAX_CHANNELS}")
    maps = spread_evenly(feature_maps(trained, image), LAYERS)
    if not maps:
        raise FacesError(f"{trained.run.folder}: its network has no layer with a feature map of more than a pixel")
    width = 0.6 + 1.45 + MAP_SIZE + 0.25 + channels * (MAP_SIZE + MAP_GAP)
    height = 1.0 + len(maps) * (MAP_SIZE + MAP_GAP) + 0.15
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    stage.write_heading(
        f"Feature maps of {trained.run.folder.name}, layer by layer",
        "The channels of each layer that vary most over the image; black is a channel's minimum, white its maximum.",
    )
    axis = stage.add_axes((0.3, 0.95, MAP_SIZE, MAP_SIZE))
    axis.imshow(image)
    axis.axis("off")
    for row, (name, values) in enumerate(maps.items()):
        top = 0.95 + row * (MAP_SIZE + MAP_GAP)
        count, high, wide = values.shape
        stage.write(0.3 + MAP_SIZE + 0.2, top + 0.25, name, 10, weight="bold")
        stage.write(0.3 + MAP_SIZE + 0.2, top + 0.48, f"{count} channels\n{high} x {wide}", 9)
        for column, channel in enumerate(strongest(values, channels)):
            left = 0.3 + 1.45 + MAP_SIZE + 0.25 + column * (MAP_SIZE + MAP_GAP)
            shown = values[channel] - values[channel].min()
            stage.draw_stretched((left, top, MAP_SIZE, MAP_SIZE), Panel("", shown, Shades.of(shown)))
    return drawing


def strongest(values: np.ndarray, count: int) -> list[int]:
    """Return the channels of (C, h, w) that vary most over the image, in falling order."""
    order = np.argsort(-values.std((1, 2)), kind="stable")
    return [int(channel) for channel in order[:count]]


def spread_evenly(maps: dict[str, np.ndarray], most: int) -> dict[str, np.ndarray]:
    """Return at most `most` of the layers, evenly spaced from the first to the last."""
    names = list(maps)
    chosen = np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))
    return {names[index]: maps[names[index]] for index in chosen}


COLUMNS, MAX_FILTERS, FILTER_SIZE, FILTER_GAP = 12, 96, 0.72, 0.12
MAX_DEEP_FILTERS = 8
"""Filters that are shown of a deeper layer, and channels of each."""


def draw_filters(trained: TrainedModel, layer: str | None = None) -> Figure:
    """Draw the kernels of a layer, by default the first convolution; in color where its input is an image.

    Raises FacesError for an unknown layer, or a network without convolutions.
    """
    name, weight = choose_layer(convolutions(trained), layer, str(trained.run.folder))
    filters, channels, *size = weight.shape
    headline = f"Kernels of layer {name}: {filters} of {size[0]} x {size[1]}, with {channels} channels each"
    if channels == 3:
        return _draw_in_color(weight, headline)
    return _draw_by_channel(weight, headline)


def choose_layer(known: dict[str, np.ndarray], layer: str | None, run: str) -> tuple[str, np.ndarray]:
    """Return a convolution by its name, by default the first. Raises FacesError where there is none of that name."""
    if not known:
        raise FacesError(f"{run}: its network has no convolution larger than 1x1")
    name = next(iter(known)) if layer is None else layer
    if name not in known:
        near = get_close_matches(name, known, 1, 0.4)
        names = list(known)
        shown = ", ".join(names[:12]) + (f", ... {names[-1]}" if len(names) > 12 else "")
        hint = f"did you mean {near[0]}? " if near else ""
        raise FacesError(f"--layer {name}: {hint}the convolutions are {shown}")
    return name, known[name]


def normalize_kernels(weight: np.ndarray) -> np.ndarray:
    """Return kernels (F, 3, KH, KW) as images (F, KH, KW, 3): gray for 0, each scaled by its largest weight."""
    most = np.abs(weight).max((1, 2, 3), keepdims=True)
    return np.moveaxis(0.5 + 0.5 * weight / np.where(most == 0, 1, most), 1, -1)


def _draw_in_color(weight: np.ndarray, headline: str) -> Figure:
    shown = normalize_kernels(weight[:MAX_FILTERS])
    rows = ceil(len(shown) / COLUMNS)
    caption = "Weights of red, green and blue; gray is zero." + (
        f" The first {MAX_FILTERS}." if len(weight) > MAX_FILTERS else ""
    )
    stage = _stage(rows, COLUMNS, 0.0, headline, caption)
    for number, image in enumerate(shown):
        row, column = divmod(number, COLUMNS)
        axis = stage.add_axes(
            (
                0.3 + column * (FILTER_SIZE + FILTER_GAP),
                0.95 + row * (FILTER_SIZE + FILTER_GAP),
                FILTER_SIZE,
                FILTER_SIZE,
            )
        )
        axis.imshow(image, interpolation="nearest")
        axis.axis("off")
    return _figure_of(stage)


def _draw_by_channel(weight: np.ndarray, headline: str) -> Figure:
    """Draw filters as rows and their channels as columns; depthwise kernels fill the rows one after the other."""
    if weight.shape[1] == 1:
        shown = weight[:MAX_FILTERS, 0]
        shown = np.pad(shown, [(0, -len(shown) % COLUMNS), (0, 0), (0, 0)], constant_values=np.nan)
        grid, names = shown.reshape(-1, COLUMNS, *shown.shape[1:]), None
        caption = "One kernel per channel. Blue is negative, red positive."
    else:
        grid = weight[:MAX_DEEP_FILTERS, :MAX_DEEP_FILTERS]
        names = [f"filter {number + 1}" for number in range(len(grid))]
        caption = (
            f"The first {len(grid)}, with the first {grid.shape[1]} channels of each. Blue is negative, red positive."
        )
    stage = _stage(len(grid), max(grid.shape[1], 9), 0.0 if names is None else 0.8, headline, caption)
    for row, kernels in enumerate(grid):
        left = 0.3
        if names:
            stage.write(left, 0.95 + row * (FILTER_SIZE + FILTER_GAP) + 0.27, names[row], 9.5)
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
                stage.draw_stretched(area, Panel("", values, shades))
    return _figure_of(stage)


def _stage(rows: int, columns: int, names: float, headline: str, caption: str) -> Stage:
    width, height = 0.6 + names + columns * (FILTER_SIZE + FILTER_GAP), 1.1 + rows * (FILTER_SIZE + FILTER_GAP)
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    stage.write_heading(headline, caption)
    return stage


def _figure_of(stage: Stage) -> Figure:
    assert isinstance(stage.canvas, Figure)
    return stage.canvas


SALIENCY_SIZE, SALIENCY_GAP = 2.5, 0.25
NOISE = 0.12
"""Standard deviation of SmoothGrad's noise, for pixels from 0 to 1."""

MAX_COPIES = 256


def draw_gradient(
    trained: TrainedModel, image: np.ndarray, name: str | None = None, copies: int = 24, seed: int = 0
) -> Figure:
    """Draw an image (H, W, 3) uint8 next to its gradient maps.

    name: of which person, by default the most probable. copies: how many noisy ones are averaged. Raises FacesError for
    a person that the run does not know.
    """
    if not 1 <= copies <= MAX_COPIES:
        raise FacesError(f"--copies {copies}: expected 1 to {MAX_COPIES} noisy copies")
    logits = logits_of(trained, image)
    label = label_of(trained, name, logits)
    plain = pixel_gradient(trained, image, label)
    smooth = smooth_gradient(trained, image, label, copies, seed)
    width, height = 0.6 + 4 * SALIENCY_SIZE + 3 * SALIENCY_GAP, 4.15
    drawing = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(drawing)
    stage = Stage(drawing, width, height)
    odds = np.exp(logits - logits.max())
    stage.write_heading(
        f"Which pixels count for {trained.classes[label]}? (confidence {odds[label] / odds.sum():.0%})",
        f"The gradient of the logit, {logits[label]:.2f}, at the pixels: where a small change changes it most.",
    )
    gray = np.asarray(Image.fromarray(image).convert("L"))
    signed = smooth.sum(2)
    reach = float(np.quantile(np.abs(signed), 0.995)) or 1.0
    for number, title in enumerate(
        (
            "image",
            "gradient, magnitude",
            f"mean magnitude, {copies} noisy copies",
            "brighter raises (red) or lowers (blue) it",
        )
    ):
        axis = stage.add_axes((0.3 + number * (SALIENCY_SIZE + SALIENCY_GAP), 1.15, SALIENCY_SIZE, SALIENCY_SIZE))
        stage.write(0.3 + number * (SALIENCY_SIZE + SALIENCY_GAP) + SALIENCY_SIZE / 2, 0.93, title, 9.5, "center")
        match number:
            case 0:
                axis.imshow(image)
            case 1 | 2:
                shown = magnitude(plain if number == 1 else smooth)
                axis.imshow(shown, cmap="inferno", vmin=0, vmax=float(np.quantile(shown, 0.995)) or 1.0)
            case 3:
                axis.imshow(gray, cmap="gray")
                axis.imshow(signed, cmap="RdBu_r", vmin=-reach, vmax=reach, alpha=0.6)
        axis.axis("off")
    stage.write(0.3, 3.78, "The strongest 0.5 % of the pixels have the same color.", 9, color="#4a5568")
    return drawing


def label_of(trained: TrainedModel, name: str | None, logits: np.ndarray) -> int:
    """Return a person's label, by default the most probable. Raises FacesError for an unknown name."""
    if name is None:
        return int(np.argmax(logits))
    if name not in trained.classes:
        near = get_close_matches(name, trained.classes, 1)
        hint = f"did you mean {near[0]}?" if near else f"it knows {len(trained.classes)}, listed in classes.json"
        raise FacesError(f"--class {name}: not among the people of {trained.run.folder}; {hint}")
    return trained.classes.index(name)


def smooth_gradient(trained: TrainedModel, image: np.ndarray, label: int, copies: int, seed: int) -> np.ndarray:
    """Return the mean of the gradients (H, W, 3) at noisy copies of an image (SmoothGrad)."""
    rng = np.random.default_rng(seed)
    total = np.zeros(image.shape)
    for _ in range(copies):
        total += pixel_gradient(trained, image, label, rng.normal(0, NOISE, image.shape))
    return total / copies


def magnitude(grad: np.ndarray) -> np.ndarray:
    """Return the largest magnitude of the three colors of (H, W, 3), (H, W)."""
    return np.abs(grad).max(2)
