"""Triplet loss on the hardest triplets of a batch, and a head that trains with it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.margins import Cosine


class BatchHardTriplet(nn.Module):
    """Mean over the batch of max(0, margin + farthest of the same class - nearest of another class).

    Distances are Euclidean between normalized embeddings (0 to 2). margin None is the paper's soft margin,
    log(1 + exp(farthest - nearest)). Embeddings without another one of their class, or without another class, are left
    out; a batch of only such embeddings has loss 0. Hermans et al. 2017, arXiv 1703.07737, equation 5.
    """

    def __init__(self, margin: float | None = 0.2):
        super().__init__()
        if margin is not None and not margin > 0:
            raise ValueError(f"margin {margin}: expected a distance above 0, such as 0.2, or None for the soft margin")
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return a scalar, float32 or better, for embeddings (N, D) and labels (N,)."""
        with torch.autocast(embeddings.device.type, enabled=False):
            wide = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
            points = F.normalize(wide)
            distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
            same = labels[:, None] == labels
            itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
            counts = (same & ~itself).any(1) & ~same.all(1)
            farthest = distance.masked_fill(~same | itself, -torch.inf).amax(1)[counts]
            nearest = distance.masked_fill(same, torch.inf).amin(1)[counts]
            if not len(nearest):
                return wide.sum() * 0
            gap = farthest - nearest
            return (F.softplus(gap) if self.margin is None else F.relu(gap + self.margin)).mean()


class TripletHead(Cosine):
    """A classifier on top of an embedding that is trained by triplets only.

    In training, `triplet_loss` is that of the last batch, and the logits are computed from detached embeddings: cross
    entropy trains the centers (C, D) of the classes, and nothing below. So the accuracy is known at any time, and a run
    is evaluated and used like any other.
    """

    def __init__(self, features: int, classes: int, scale: float = 32.0, margin: float | None = 0.2):
        super().__init__(features, classes, scale)
        self.triplets = BatchHardTriplet(margin)
        self.triplet_loss: Tensor | None = None

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N, C), float32 or better. An image with a label (N,) below 0 joins no triplet."""
        self.triplet_loss = None
        if self.training and labels is not None:
            counts = labels >= 0
            self.triplet_loss = self.triplets(embeddings[counts], labels[counts])
            embeddings = embeddings.detach()
        return self.scale * self.cosine(embeddings)
