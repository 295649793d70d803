"""What each layer of a trained network makes of a picture: its strongest feature maps."""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from experiments.errors import FacesError
from experiments.inference.model import Trained
from experiments.visualize.film import DPI
from experiments.visualize.network import feature_maps
from experiments.visualize.stage import Panel, Shades, Stage

CHANNELS, LAYERS, MAP_SIZE, MAP_GAP = 8, 8, 1.05, 0.08
MAX_CHANNELS = 16


def draw_features(trained: Trained, image: np.ndarray, channels: int = CHANNELS) -> Figure:
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
