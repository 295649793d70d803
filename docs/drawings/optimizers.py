"""Drawings of mytorch's optimizers and schedules at work; the loss is a valley over two weights."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from docs.drawings.canvas import BLUE, GRAY, GREEN, ORANGE, RED, figure_of, panels
from mytorch import nn, optim
from mytorch.nn import Parameter
from mytorch.optim import Optimizer

STEEP = np.array([1.0, 12.0])
START = (-3.6, 1.1)


def _path(make: Callable[[list[Parameter]], Optimizer], steps: int = 60) -> np.ndarray:
    """Return the path of an optimizer from START down the valley (w1^2 + 12 w2^2) / 2: (steps + 1, 2)."""
    weight = Parameter(np.array(START))
    optimizer = make([weight])
    path = [weight.data.copy()]
    for _ in range(steps):
        weight.grad = STEEP * weight.data
        optimizer.step()
        path.append(weight.data.copy())
    return np.array(path)


def _valley(axes: Axes, paths: dict[str, tuple[str, np.ndarray]], title: str) -> None:
    first, second = np.meshgrid(np.linspace(-4, 1.5, 120), np.linspace(-1.6, 1.6, 90))
    height = (STEEP[0] * first**2 + STEEP[1] * second**2) / 2
    axes.contour(first, second, height, levels=np.geomspace(0.05, 20, 12), colors="#c9ced6", linewidths=0.7)
    for name, (color, path) in paths.items():
        axes.plot(path[:, 0], path[:, 1], ".-", color=color, markersize=3.5, linewidth=1.1, label=name)
    axes.set(title=title, xlabel="$w_1$", ylabel="$w_2$", xlim=(-4, 1.5), ylim=(-1.6, 1.6))
    axes.legend(fontsize=7.5, loc="lower right")


def _losses(axes: Axes, paths: dict[str, tuple[str, np.ndarray]]) -> None:
    for name, (color, path) in paths.items():
        axes.semilogy((STEEP * path**2).sum(1) / 2, color=color, label=name)
    axes.set(title="loss", xlabel="step", ylim=(1e-6, 30))


def sgd() -> Figure:
    """Draw SGD without momentum, with momentum and with Nesterov momentum."""
    paths = {
        "SGD": (BLUE, _path(lambda w: optim.SGD(w, lr=0.12))),
        "momentum 0.8": (ORANGE, _path(lambda w: optim.SGD(w, lr=0.05, momentum=0.8))),
        "Nesterov, 0.8": (GREEN, _path(lambda w: optim.SGD(w, lr=0.05, momentum=0.8, nesterov=True))),
    }
    left, right = panels(2, 8.2, 2.9, (3, 2))
    _valley(left, paths, "60 steps; the valley is 12 times steeper along $w_2$")
    _losses(right, paths)
    return figure_of(left)


def adam() -> Figure:
    """Draw Adam and SGD, and what weight decay does to a weight without gradient."""
    paths = {
        "SGD": (BLUE, _path(lambda w: optim.SGD(w, lr=0.12))),
        "Adam": (ORANGE, _path(lambda w: optim.Adam(w, lr=0.25))),
    }
    left, right = panels(2, 8.2, 2.9, (3, 2))
    _valley(left, paths, "60 steps, lr 0.12 and 0.25")
    for name, kind, color in (("Adam", optim.Adam, ORANGE), ("AdamW", optim.AdamW, RED)):
        weight = Parameter(np.array([1.0]))
        optimizer = kind([weight], lr=0.02, weight_decay=1.0)
        values = []
        for _ in range(60):
            weight.grad = np.zeros(1)
            optimizer.step()
            values.append(weight.data[0])
        right.plot(values, color=color, label=name)
    right.set(title="decay 1, lr 0.02, no gradient", xlabel="step", ylim=(-0.1, 1))
    right.axhline(0, color=GRAY, linewidth=0.6)
    right.legend(fontsize=7.5)
    return figure_of(left)


def schedules() -> Figure:
    """Draw the learning rate of each schedule; for ReduceLROnPlateau together with a loss that stops falling."""
    left, right = panels(2, 8.2, 2.6)
    stairs, cosine = (optim.SGD([Parameter(np.zeros(1))], lr=1.0) for _ in range(2))
    for name, color, optimizer, schedule in (
        ("StepLR(step_size=30)", BLUE, stairs, optim.StepLR(stairs, step_size=30)),
        ("CosineWithWarmup(100, 10)", ORANGE, cosine, optim.CosineWithWarmup(cosine, total_steps=100, warmup_steps=10)),
    ):
        rates = []
        for _ in range(100):
            rates.append(optimizer.param_groups[0]["lr"])
            schedule.step()
        left.plot(rates, color=color, label=name)
    left.set(title="learning rate", xlabel="step")
    left.legend(fontsize=7.5)
    optimizer = optim.SGD([Parameter(np.zeros(1))], lr=1.0)
    plateau = optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=10)
    losses, rates = np.maximum(np.exp(-np.arange(100) / 20), 0.2), []
    for value in losses:
        rates.append(optimizer.param_groups[0]["lr"])
        plateau.step(float(value))
    right.plot(losses, color=GRAY, label="loss")
    right.plot(rates, color=GREEN, label="ReduceLROnPlateau(patience=10)")
    right.set(title="rate after a plateau", xlabel="epoch")
    right.legend(fontsize=7.5)
    return figure_of(left)


def averages() -> Figure:
    """Draw a noisy weight and its average, and the norm of gradients before and after clipping."""
    rng = np.random.default_rng(0)
    network = nn.Linear(1, 1, bias=False, dtype="d")
    average = optim.EMA(network, decay=0.95)
    weights, means = [], []
    for step in range(150):
        network.weight.data[:] = 1 - np.exp(-step / 30) + rng.normal(0, 0.15)
        average.update()
        weights.append(network.weight.data.item())
        means.append(average.averages["weight"].item())
    left, right = panels(2, 8.2, 2.6)
    left.plot(weights, color=GRAY, linewidth=0.9, label="weight")
    left.plot(means, color=ORANGE, label="EMA, decay 0.95")
    left.set(title="an average of weights", xlabel="step")
    left.legend(fontsize=7.5)
    norms = np.linspace(0, 5, 101)
    after = []
    for norm in norms:
        weight = Parameter(np.zeros(1))
        weight.grad = np.array([norm])
        optim.clip_grad_norm_([weight], 2.0)
        after.append(weight.grad[0])
    right.plot(norms, norms, color=GRAY, label="before")
    right.plot(norms, after, color=BLUE, label="clip_grad_norm_, max_norm 2")
    right.set(title="norm of the gradients", xlabel="before", ylabel="after")
    right.legend(fontsize=7.5)
    return figure_of(left)
