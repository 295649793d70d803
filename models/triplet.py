"""Triplet loss on the hardest triplets of a batch."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BatchHardTriplet(nn.Module):
    """Mean over the batch of max(0, margin + farthest of its own - nearest of others). Hermans et al. 2017, equation 5.

    Distances are Euclidean between normalised embeddings (0 to 2). margin None is the paper's soft margin,
    log(1 + exp(farthest - nearest)). An embedding that is alone of its class, or meets no other class, counts for
    nothing; a batch of nothing else has loss 0. arXiv 1703.07737.
    """

    def __init__(self, margin: float | None = 0.2):
        super().__init__()
        if margin is not None and not margin > 0:
            raise ValueError(f"margin {margin}: expected a distance above 0, such as 0.2, or None for the soft margin")
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """A scalar, float32 or better, for embeddings (N, D) and labels (N,)."""
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
