"""The heads of a face network as layers of mytorch: the counterparts of `models.heads`, with every gradient by hand."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mytorch import nn
from mytorch.nn.init import parameter, uniform
from mytorch.ops import linear
from mytorch.ops import margin as ops

Margin = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""From cosines and a margin to the cosines with it, and their derivatives."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "prelu": nn.PReLU, "elu": nn.ELU, "gelu": nn.GELU, "silu": nn.SiLU,
    "mish": nn.Mish, "hardswish": nn.Hardswish, "tanh": nn.Tanh, "none": nn.Identity,
}  # fmt: skip
"""The names that `models.heads.ACTIVATIONS` has."""


class DenseHead(nn.Module):
    """Hidden linear layers, each with its activation, then one to the classes. As `models.heads.Dense`."""

    def __init__(
        self,
        features: int,
        classes: int,
        hidden: Sequence[int] = (),
        activation: str | Sequence[str] = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ):
        names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
        if len(names) != len(hidden):
            raise ValueError(
                f"{len(names)} activations for {len(hidden)} hidden layers: expected one name, or one each"
            )
        if unknown := [name for name in names if name not in ACTIVATIONS]:
            raise ValueError(f"no activation is called {unknown[0]!r}: expected one of: {', '.join(ACTIVATIONS)}")
        widths = [features, *hidden]
        layers: list[nn.Module] = [] if hidden or not dropout else [nn.Dropout(dropout)]
        for (inputs, outputs), name in zip(pairwise(widths), names, strict=True):
            layers += [nn.Linear(inputs, outputs)]
            layers += [nn.BatchNorm1d(outputs)] if batch_norm else []
            layers += [ACTIVATIONS[name]()]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    def forward(self, embeddings: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return logits (N, classes); labels are ignored."""
        return self.layers(embeddings)

    def backward(self, grad: np.ndarray) -> np.ndarray:
        """Return the gradient at the embeddings."""
        return self.layers.backward(grad)


class CosineHead(nn.Module):
    """Logits are `scale` x cosine of an embedding and each class's center, the label's less a margin in training.

    As `models.margins.Cosine` and what derives from it. weight: (classes x centers, features), the centers of a class
    in successive rows, of which the nearest counts. An embedding of length zero has the cosine 0 and gets no gradient.
    margin: None for none; `apply_margin` is what it does to the label's cosine.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        scale: float = 64.0,
        margin: float | None = None,
        centers: int = 1,
        apply_margin: Margin = ops.cosine_margin,
    ):
        self.scale, self.margin, self.centers, self.apply_margin = scale, margin, centers, apply_margin
        bound = (6 / (features + classes * centers)) ** 0.5  # Glorot and Bengio 2010, as PyTorch's xavier_uniform_
        self.weight = parameter(uniform((classes * centers, features), bound, None), None, None)

    def forward(self, embeddings: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return logits (N, classes). The margin applies in training, where labels (N,) are given."""
        rows, row_norms = ops.normalize(embeddings)
        directions, direction_norms = ops.normalize(self.weight.data)
        each = linear.linear(rows, directions, None).reshape(len(rows), -1, self.centers)
        nearest = each.argmax(2)[:, :, None]
        cosine = np.take_along_axis(each, nearest, 2)[:, :, 0]
        at_label, slope = None, None
        if self.margin is not None and self.training and labels is not None:
            at_label = np.arange(len(rows)), labels
            cosine[at_label], slope = self.apply_margin(cosine[at_label], self.margin)
        logits = cosine * cosine.dtype.type(self.scale)
        self.save_for_backward(rows, row_norms, directions, direction_norms, nearest, at_label, slope, output=logits)
        return logits

    def backward(self, grad: np.ndarray) -> np.ndarray:
        """Return the gradient at the embeddings, (N, features); accumulates weight.grad."""
        rows, row_norms, directions, direction_norms, nearest, at_label, slope = self.saved(grad)
        grad = grad * grad.dtype.type(self.scale)
        if at_label is not None:
            grad[at_label] *= slope
        each = np.zeros((*grad.shape, self.centers), grad.dtype)
        np.put_along_axis(each, nearest, grad[:, :, None], 2)
        each = each.reshape(len(grad), -1)
        at_directions = linear.linear_weight_grad(each, rows)
        self.weight.accumulate(ops.normalize_grad(at_directions, directions, direction_norms))
        at_rows = ops.normalize_grad(linear.linear_input_grad(each, directions), rows, row_norms)
        at_rows[~rows.any(1)] = 0
        return at_rows


class PrototypesHead(nn.Module):
    """Logits are `scale` x cosine with class means, without training. As `models.prototypes.Prototypes`.

    nearest: weight of the cosine with the nearest of a class's embeddings, the buffer `members` (C, K, D).
    """

    def __init__(self, features: int, classes: int, scale: float = 64.0, nearest: float = 0.0):
        self.scale, self.nearest = scale, nearest
        self.means: np.ndarray
        self.members: np.ndarray
        self.register_buffer("means", np.zeros((classes, features), np.float32))
        self.register_buffer("counts", np.zeros(classes, np.int64))
        if nearest:
            self.register_buffer("members", np.zeros((classes, 0, features), np.float32))

    def forward(self, embeddings: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return logits (N, C) of embeddings (N, D); labels are ignored."""
        rows = ops.normalize(embeddings)[0]
        near = rows @ ops.normalize(self.means)[0].T
        if self.nearest:
            each = rows @ ops.normalize(self.members.reshape(-1, self.members.shape[2]))[0].T
            near = (1 - self.nearest) * near + self.nearest * each.reshape(len(rows), *self.members.shape[:2]).max(2)
        return near * near.dtype.type(self.scale)


class TripletHead(CosineHead):
    """A classifier on top of an embedding that batch-hard triplets train. As `models.triplet.TripletHead`.

    In training, `triplet_loss` is that of the last batch. The gradient at the embeddings is that of the triplets alone,
    times `triplet_grad`, the gradient at their loss; the centers learn by cross entropy.
    """

    def __init__(self, features: int, classes: int, scale: float = 32.0, margin: float | None = 0.2):
        super().__init__(features, classes, scale)
        self.triplet_margin = margin
        self.triplet_loss, self.triplet_grad = 0.0, 1.0
        self._at_embeddings: np.ndarray | None = None

    def forward(self, embeddings: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Return logits (N, C). An image with a label (N,) below 0 joins no triplet."""
        self.triplet_loss, self._at_embeddings = 0.0, None
        if self.training and labels is not None:
            counts = labels >= 0
            self._at_embeddings = np.zeros_like(embeddings)
            self.triplet_loss, found = batch_hard_triplets(embeddings[counts], labels[counts], self.triplet_margin)
            self._at_embeddings[counts] = found
        return super().forward(embeddings)

    def backward(self, grad: np.ndarray) -> np.ndarray:
        """Return the triplets' gradient at the embeddings; accumulates weight.grad from cross entropy."""
        at_rows = super().backward(grad)
        if self._at_embeddings is None:
            return at_rows
        return self._at_embeddings * self._at_embeddings.dtype.type(self.triplet_grad)


def batch_hard_triplets(embeddings: np.ndarray, labels: np.ndarray, margin: float | None) -> tuple[float, np.ndarray]:
    """Return the batch-hard triplet loss of embeddings (N, D) by labels (N,), and its gradient (N, D).

    Mean over the anchors of max(0, margin + farthest of the same class - nearest of another), in Euclidean distances
    between normalized embeddings; margin None is the soft margin log(1 + exp(farthest - nearest)). Anchors without
    another of their class, or without another class, are left out. Hermans et al. 2017, arXiv 1703.07737, equation 5.
    """
    points, norms = ops.normalize(embeddings)
    differences = points[:, None] - points[None]
    distance = np.sqrt((differences**2).sum(2))
    same = labels[:, None] == labels
    others = same & ~np.eye(len(labels), dtype=bool)
    anchors = np.flatnonzero(others.any(1) & ~same.all(1))
    if not len(anchors):
        return 0.0, np.zeros_like(embeddings)
    positive = np.where(others, distance, -np.inf).argmax(1)[anchors]
    negative = np.where(same, np.inf, distance).argmin(1)[anchors]
    gap = distance[anchors, positive] - distance[anchors, negative]
    if margin is None:
        loss, slope = np.logaddexp(0, gap), 1 / (1 + np.exp(-gap))
    else:
        loss, slope = np.maximum(gap + margin, 0), (gap + margin > 0).astype(gap.dtype)
    slope = slope / len(anchors)
    at_points = np.zeros_like(points)
    for chosen, sign in ((positive, 1), (negative, -1)):
        far = distance[anchors, chosen]
        unit = differences[anchors, chosen] / np.where(far > 0, far, 1)[:, None]
        push = (sign * slope)[:, None] * unit
        np.add.at(at_points, anchors, push)
        np.add.at(at_points, chosen, -push)
    return float(loss.mean()), ops.normalize_grad(at_points, points, norms)


def build_mytorch_head(kind: str, features: int, classes: int, **settings: Any) -> Any:
    """Return the head of that name, with the settings of `models.heads.build_head`. Raises ValueError for another."""
    match kind:
        case "linear":
            return DenseHead(features, classes, **settings)
        case "dense":
            return DenseHead(features, classes, **settings)
        case "cosine":
            return CosineHead(features, classes, **settings)
        case "arcface" | "subcenter_arcface":
            return CosineHead(features, classes, apply_margin=ops.angular_margin, **settings)
        case "cosface":
            return CosineHead(features, classes, apply_margin=ops.cosine_margin, **settings)
        case "triplet":
            return TripletHead(features, classes, **settings)
        case "prototypes":
            return PrototypesHead(features, classes, **settings)
    raise ValueError(f"mytorch has no head {kind!r}: expected linear, dense, cosine, arcface, cosface, ...")
