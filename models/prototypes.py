"""A classifier without training: by the mean embedding of each class, and optionally its nearest embedding."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.margins import cosines


class Prototypes(nn.Module):
    """Logits are `scale` x cosine with the mean of each class's normalized embeddings; nothing is trained.

    nearest: weight w, from 0 to 1, of the cosine with the nearest of the class's embeddings; that with the mean has the
    weight 1 - w. An image may be close to one image of a person, such as one of the same moment, but not to all.

    The means (C, D), of length one, and the number of embeddings of each class (C,) are buffers, so they are in the
    state dict; with `nearest` also the embeddings (C, K, D), where K is the largest class's number and smaller classes
    repeat theirs. Source: nearest class mean, Mensink et al. 2013; prototypes, Snell et al. 2017, arXiv 1703.05175.
    """

    means: Tensor
    counts: Tensor
    members: Tensor

    def __init__(self, features: int, classes: int, scale: float = 64.0, nearest: float = 0.0):
        super().__init__()
        if not 0 <= nearest <= 1:
            raise ValueError(f"nearest {nearest}: expected a weight from 0 to 1")
        self.scale, self.nearest = scale, nearest
        self.register_buffer("means", torch.zeros(classes, features))
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.long))
        if nearest:
            self.register_buffer("members", torch.zeros(classes, 0, features))

    @torch.no_grad()
    def fit(self, embeddings: Tensor, labels: Tensor) -> "Prototypes":
        """Compute the means of embeddings (N, D) by labels (N,), replacing earlier ones; return self.

        Raises ValueError where a class has no embedding.
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
        if self.nearest:
            turns = torch.arange(int(counts.max()), device=counts.device) % counts[:, None]
            first = counts.cumsum(0) - counts
            chosen = labels.argsort(stable=True)[first[:, None] + turns]
            self.members = F.normalize(embeddings.to(self.means.dtype))[chosen]
        return self

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N, C) of embeddings (N, D); labels are ignored. Raises ValueError before `fit`."""
        if not torch.compiler.is_compiling() and not self.counts.all():  # a compiled graph cannot branch on values
            raise ValueError("the prototypes are empty: call fit(embeddings, labels), or load a fitted state")
        near = cosines(embeddings, self.means)
        if self.nearest:
            each = cosines(embeddings, self.members.flatten(0, 1)).unflatten(1, self.members.shape[:2])
            near = (1 - self.nearest) * near + self.nearest * each.amax(2)
        return self.scale * near

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Size the buffer of embeddings like the loaded one: its length depends on the data it was fitted to."""
        theirs = state_dict.get(f"{prefix}members")
        if self.nearest and theirs is not None and theirs.ndim == self.members.ndim:
            self.members = self.members.new_zeros(len(self.means), theirs.shape[1], self.means.shape[1])
        super()._load_from_state_dict(state_dict, prefix, *others)
