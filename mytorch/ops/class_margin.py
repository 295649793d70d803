"""Margin losses on the classes of each row of x (N, C): they return the rows' terms, (N,), and gradients, (N, C)."""

from mytorch.device import Array, get_array_module


def multi_margin(x: Array, target: Array, p: int, margin: float, weight: Array | None) -> tuple[Array, Array]:
    """Return the mean over classes of max(0, margin - x[target] + x[class])^p, without the target's own class.

    target: class indices (N,). weight: (C,), a factor for the rows of each class.
    """
    xp = get_array_module(x)
    rows = xp.arange(len(x))
    excess = margin + x - x[rows, target][:, None]
    excess[rows, target] = 0
    factor = xp.full(len(x), 1 / x.shape[1], x.dtype) if weight is None else weight[target] / x.shape[1]
    positive = xp.maximum(excess, 0)
    slopes = (excess > 0) if p == 1 else 2 * positive
    slopes = slopes * factor[:, None]
    slopes[rows, target] = -slopes.sum(1)
    return (positive**p).sum(1) * factor, slopes


def count_labels(labels: Array) -> Array:
    """Return how often each class is a label, (N, C), for rows of class indices that end at the first -1."""
    xp = get_array_module(labels)
    used = xp.cumsum(labels < 0, axis=1) == 0
    one_hot = labels[:, :, None] == xp.arange(labels.shape[1])
    return (one_hot & used[:, :, None]).sum(1)


def multi_label_margin(x: Array, label_counts: Array) -> tuple[Array, Array]:
    """Return the sum of max(0, 1 - (x[label] - x[other])) over a row's labels and its other classes, divided by C."""
    pairs = label_counts[:, :, None] * (label_counts == 0)[:, None, :]
    excess = 1 - (x[:, :, None] - x[:, None, :])
    active = (excess > 0) * pairs / x.dtype.type(x.shape[1])
    active = active.astype(x.dtype, copy=False)
    return (excess * active).sum((1, 2)), active.sum(1) - active.sum(2)
