"""Batch normalization: a batch of faces, the values of each color, and how they are centered and scaled."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.errors import FacesError
from experiments.plots.style import GRAY
from experiments.visualize.film import Film, Stage, format_number
from mytorch import nn
from mytorch.ops.batch_norm import batch_norm, batch_norm_grad, moments

SIZE = (11.4, 5.0)
COLORS = ("#c53030", "#2f855a", "#2b6cb0")
NAMES = ("red", "green", "blue")
EPS = 1e-5
MAX_FACES = 12


class BatchStatistics:
    """A batch x (N, 3, H, W), from 0 to 1, and the stages of y = weight (x - mean) / sqrt(var + eps) + bias.

    weight, bias: (3,). The gradient is that of the loss sum(y^2) / 2 of the first image alone.
    """

    def __init__(self, x: np.ndarray, weight: np.ndarray, bias: np.ndarray):
        self.x, self.weight, self.bias = x, weight, bias
        self.mean, self.var = moments(x)
        one, zero = np.ones_like(self.mean), np.zeros_like(self.mean)
        self.centered = batch_norm(x, self.mean, one, None, None, 0.0)
        self.normalized = batch_norm(x, self.mean, self.var, one, zero, EPS)
        self.y = batch_norm(x, self.mean, self.var, weight, bias, EPS)
        self.grad = np.concatenate([self.y[:1], np.zeros_like(self.y[1:])])
        self.x_grad, self.weight_grad, self.bias_grad = batch_norm_grad(
            self.grad, x, self.mean, self.var, weight, EPS, batch_statistics=True
        )


@dataclass(frozen=True)
class Spread:
    """A step: the batch as images, and histograms of each color.

    span: the values that are drawn from black to white.
    """

    headline: str
    caption: str
    batch: np.ndarray
    span: tuple[float, float]
    facts: Sequence[str]

    def draw(self, stage: Stage) -> None:
        """Draw the images left, and the histograms with their numbers right."""
        stage.write_heading(self.headline, self.caption)
        columns = -(-len(self.batch) // 2)
        side = min(1.65, 5.0 / columns - 0.1)
        low, high = self.span
        shown = np.clip((self.batch.transpose(0, 2, 3, 1) - low) / (high - low), 0, 1)
        for number, image in enumerate(shown):
            row, column = divmod(number, columns)
            axis = stage.add_axes((0.3 + column * (side + 0.1), 1.0 + row * (side + 0.1), side, side))
            axis.imshow(image, interpolation="nearest")
            axis.axis("off")
        stage.write(
            0.3, 1.05 + 2 * (side + 0.1), f"drawn from {format_number(low)} (black) to {format_number(high)} (white)", 9
        )
        self._histograms(stage)

    def _histograms(self, stage: Stage) -> None:
        low, high = self.span
        edges = np.linspace(low, high, 41).tolist()
        for channel, (name, color) in enumerate(zip(NAMES, COLORS, strict=True)):
            axis = stage.add_axes((5.9, 1.0 + channel * 1.15, 3.4, 0.85))
            values = np.clip(self.batch[:, channel].ravel(), low, high)
            axis.hist(values, edges, color=color, alpha=0.85)
            axis.axvline(0, color=GRAY, linewidth=1, linestyle=":")
            mean = float(self.batch[:, channel].mean())
            axis.axvline(mean, color="black", linewidth=1.5)
            axis.set(yticks=[], xlim=(low, high))
            axis.spines[["top", "right", "left"]].set_visible(False)
            axis.tick_params(labelsize=8.5)
            deviation = float(self.batch[:, channel].std())
            stage.write(9.5, 1.05 + channel * 1.15, f"{name}", 10, color=color, weight="bold")
            stage.write(
                9.5, 1.27 + channel * 1.15, f"mean {format_number(mean)}, deviation {format_number(deviation)}", 9.5
            )
            stage.write(9.5, 1.49 + channel * 1.15, self.facts[channel], 9.5, color=color)


def make_film(
    faces: np.ndarray, weight: Sequence[float] = (0.5, 1.0, 1.5), bias: Sequence[float] = (0.0, 0.5, -0.5)
) -> Film:
    """Return the film of faces (N, H, W, 3) uint8: normalized color by color, the gradient, and evaluation.

    Raises FacesError for fewer than two faces, or more than can be shown, and unless there are three of each parameter.
    """
    if not 2 <= len(faces) <= MAX_FACES:
        raise FacesError(f"--images {len(faces)}: expected a batch of 2 to {MAX_FACES} faces")
    if len(weight) != 3 or len(bias) != 3:
        raise FacesError(f"--weight {len(weight)} numbers, --bias {len(bias)}: expected three, for red, green and blue")
    x = np.moveaxis((faces / 255).astype(np.float32), -1, 1)
    shown = BatchStatistics(x, np.array(weight, np.float32), np.array(bias, np.float32))
    steps = [_given(shown), _centered(shown), _normalized(shown), _scaled(shown), _gradient(shown), _running(shown)]
    return Film(steps, SIZE, (0, 1, 2, 3, 4))


def _each(name: str, values: np.ndarray) -> list[str]:
    return [f"{name} {format_number(float(value))}" for value in values]


def _given(shown: BatchStatistics) -> Spread:
    caption = "A batch of faces, and how the values of each channel, here a color, are distributed over all pixels."
    return Spread("Batch normalization: the input", caption, shown.x, (0.0, 1.0), ("",) * 3)


def _centered(shown: BatchStatistics) -> Spread:
    caption = "Each channel's mean over the batch and all positions is subtracted: the distribution moves to zero."
    return Spread("1. Center", caption, shown.centered, (-1.0, 1.0), _each("subtracted:", shown.mean))


def _normalized(shown: BatchStatistics) -> Spread:
    caption = "Divided by its standard deviation, sqrt(var + eps), every channel has the standard deviation 1."
    facts = _each("divided by", np.sqrt(shown.var + EPS))
    return Spread("2. Scale", caption, shown.normalized, (-3.5, 3.5), facts)


def _scaled(shown: BatchStatistics) -> Spread:
    caption = "Two learned numbers per channel, weight and bias, set the distribution that the next layer gets."
    pairs = zip(shown.weight, shown.bias, strict=True)
    facts = [f"times {format_number(float(w))}, plus {format_number(float(b))}" for w, b in pairs]
    return Spread("3. Weight and bias", caption, shown.y, (-3.5, 3.5), facts)


def _gradient(shown: BatchStatistics) -> Spread:
    caption = "Of ½ Σ y² of the first face alone: mean and deviation involve all faces. Each channel sums to 0."
    reach = float(np.abs(shown.x_grad).max())
    facts = [
        f"of weight {format_number(float(w))}, of bias {format_number(float(b))}"
        for w, b in zip(shown.weight_grad, shown.bias_grad, strict=True)
    ]
    return Spread("The gradient of the batch", caption, shown.x_grad, (-reach, reach), facts)


def _running(shown: BatchStatistics) -> Spread:
    """The first face in evaluation, after the layer has seen the batch."""
    layer = nn.BatchNorm2d(3, eps=EPS, momentum=None)
    layer(shown.x)
    caption = "One face alone has other statistics: evaluation uses the averages from training."
    y = layer.eval()(shown.x[:1])
    return Spread("In evaluation", caption, y, (-3.5, 3.5), _each("running mean", np.asarray(layer.running_mean)))
