"""Drawings of functions of one number, each next to its gradient: activations, softmax, losses, margins."""

import numpy as np
from matplotlib.figure import Figure

from docs.drawings.canvas import BLUE, COLORS, GRAY, GREEN, ORANGE, RED, figure_of, panels
from mytorch import nn


def activations() -> Figure:
    """Draw each activation and its slope."""
    x = np.linspace(-4, 4, 401)
    layers = [nn.ReLU(), nn.LeakyReLU(0.1), nn.Sigmoid(), nn.Tanh(), nn.SiLU(), nn.GELU()]
    left, right = panels(2, 8.0, 3.0)
    for color, layer in zip(COLORS, layers, strict=False):
        left.plot(x, layer(x), color=color, label=type(layer).__name__)
        right.plot(x, layer.backward(np.ones_like(x)), color=color)
    left.set(title="y", ylim=(-1.3, 3), xlabel="x")
    right.set(title="slope", xlabel="x")
    left.legend(fontsize=8)
    return figure_of(left)


def softmax() -> Figure:
    """Draw the probabilities of three logits as one of them grows, and their derivatives with respect to it."""
    x = np.linspace(-4, 4, 201)
    logits = np.stack([x, np.zeros_like(x), np.ones_like(x)], 1)
    layer = nn.Softmax()
    y = layer(logits)
    left, right = panels(2, 8.0, 2.7)
    for index, color in enumerate((BLUE, ORANGE, GREEN)):
        name = ("logit x", "logit 0", "logit 1")[index]
        left.plot(x, y[:, index], color=color, label=name)
        layer(logits)
        right.plot(x, layer.backward(np.eye(3)[index] * np.ones_like(logits))[:, 0], color=color)
    left.set(title="softmax of (x, 0, 1)", xlabel="x", ylim=(0, 1))
    right.set(title="derivative of each with respect to x", xlabel="x")
    left.legend(fontsize=8)
    return figure_of(left)


def class_losses() -> Figure:
    """Draw the cross entropy of two classes against the lead of the correct logit, with and without smoothing."""
    margin = np.linspace(-5, 5, 201)
    logits = np.stack([margin, np.zeros_like(margin)], 1)
    left, right = panels(2, 8.0, 2.7)
    for smoothing, color in ((0.0, BLUE), (0.1, ORANGE)):
        loss = nn.CrossEntropyLoss(label_smoothing=smoothing, reduction="sum")
        values = [loss(row[None], np.zeros(1, int)) for row in logits]
        loss(logits, np.zeros(len(logits), int))
        left.plot(margin, values, color=color, label=f"label_smoothing={smoothing:g}")
        right.plot(margin, loss.backward()[:, 0], color=color)
    left.set(title="CrossEntropyLoss", xlabel="correct logit minus wrong logit")
    right.set(title="gradient of the correct logit", xlabel="correct logit minus wrong logit")
    left.legend(fontsize=8)
    return figure_of(left)


def value_losses() -> Figure:
    """Draw losses of one prediction against its distance from the target 0, and their slopes."""
    x = np.linspace(-3, 3, 301)
    left, right = panels(2, 8.0, 2.8)
    losses = [kind(reduction="sum") for kind in (nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.BCEWithLogitsLoss)]
    for loss, color in zip(losses, (BLUE, ORANGE, GREEN, RED), strict=True):
        target = np.zeros_like(x)
        left.plot(x, [loss(x[i : i + 1], target[:1]) for i in range(len(x))], color=color, label=type(loss).__name__)
        loss(x, target)
        right.plot(x, loss.backward(), color=color)
    left.set(title="loss, target 0", xlabel="prediction", ylim=(0, 4))
    right.set(title="slope", xlabel="prediction", ylim=(-3, 3))
    left.legend(fontsize=8)
    return figure_of(left)


def margins() -> Figure:
    """Draw the logit of the correct class against the angle between embedding and class at scale 1, and its slope."""
    degrees = np.linspace(0, 180, 361)
    angles = np.radians(degrees)
    left, right = panels(2, 8.0, 2.9)
    for head, color in ((nn.ArcFace(2, 1, scale=1, dtype="d"), ORANGE), (nn.CosFace(2, 1, scale=1, dtype="d"), GREEN)):
        head.weight.data[:] = [[1.0, 0.0]]
        x = np.stack([np.cos(angles), np.sin(angles)], 1)
        y = head(x, np.zeros(len(x), int))[:, 0]
        left.plot(degrees, y, color=color, label=f"{type(head).__name__}, m={head.margin:g}")
        slope = np.gradient(y, angles)
        right.plot(degrees, np.where(abs(slope) > 1.5, np.nan, slope), color=color)  # ArcFace's jump has none
    left.plot(degrees, np.cos(angles), "--", color=GRAY, label="no margin")
    right.plot(degrees, -np.sin(angles), "--", color=GRAY)  # on top of CosFace, which has the same slope
    left.set(title="logit of the correct class, scale 1", xlabel="angle in degrees", xticks=range(0, 181, 45))
    right.set(title="its slope", xlabel="angle in degrees", xticks=range(0, 181, 45), ylim=(-1.2, 0.6))
    left.legend(fontsize=8)
    return figure_of(left)
