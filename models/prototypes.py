"""A classifier without training: the mean embedding of each class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.margins import cosines


class Prototypes(nn.Module):
    """Logits `scale` x cosine with the mean of each class's normalised embeddings; nothing in it is trained.

    The means (C, D), of length one, and the number of embeddings behind each (C,) are buffers, so a state dict holds
    them. Source: nearest class mean, Mensink et al. 2013; prototypes, Snell et al. 2017, arXiv 1703.05175.
    """

    means: Tensor
    counts: Tensor

    def __init__(self, features: int, classes: int, scale: float = 64.0):
        super().__init__()
        self.scale = scale
        self.register_buffer("means", torch.zeros(classes, features))
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.long))

    @torch.no_grad()
    def fit(self, embeddings: Tensor, labels: Tensor) -> "Prototypes":
        """Take the means of embeddings (N, D) by labels (N,), forgetting earlier ones; returns itself.

        Raises ValueError where a class has no embedding at all.
        """
        classes = len(self.means)
        counts = torch.bincount(labels, minlength=classes)
        if len(counts) > classes or not counts.all():
            empty = [n for n, count in enumerate(counts[:classes].tolist()) if not count]
            raise ValueError(
                f"labels name {int((counts > 0).sum())} classes, expected all of {classes}"
                + (
                    f": none has label {', '.join(map(str, empty[:6]))}{', ...' if len(empty) > 6 else ''}"
                    if empty
                    else ""
                )
            )
        sums = torch.zeros_like(self.means, dtype=torch.float64, device=embeddings.device)
        sums.index_add_(0, labels, F.normalize(embeddings.double()))
        self.means.copy_(F.normalize(sums))
        self.counts.copy_(counts)
        return self

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, C) of embeddings (N, D); labels change nothing. Raises ValueError before `fit`."""
        if not self.counts.all():
            raise ValueError("the prototypes are empty: call fit(embeddings, labels), or load a fitted state")
        return self.scale * cosines(embeddings, self.means)
