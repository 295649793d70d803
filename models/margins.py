"""Cosine heads: logits are cosines between an embedding and each class's center, the label's less a margin."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def cosines(embeddings: Tensor, weight: Tensor) -> Tensor:
    """Return the cosine of each embedding (N, D) with each row of weight (M, D): (N, M), in float32 or better.

    Autocast is switched off inside: in bfloat16 a cosine of 0.9 has two exact digits, and times 64 the logit is off by
    a quarter. An embedding of length zero has no direction: its cosines are 0, and it gets no gradient.
    """
    with torch.autocast(embeddings.device.type, enabled=False):
        wide = torch.promote_types(torch.promote_types(embeddings.dtype, weight.dtype), torch.float32)
        lost = (embeddings == 0).all(1, keepdim=True)
        return F.linear(F.normalize(embeddings.to(wide).masked_fill(lost, 0)), F.normalize(weight.to(wide)))


class Cosine(nn.Module):
    """Logits are `scale` x cosine: a linear layer without bias whose weights and inputs both have length one.

    features: D; classes: C. Its weight is (C, D), one center per class.
    Source: NormFace, Wang et al. 2017, arXiv 1704.06369.
    """

    def __init__(self, features: int, classes: int, scale: float = 64.0):
        super().__init__()
        if not scale > 0:
            raise ValueError(f"scale {scale}: expected a number above 0, such as 64")
        self.scale = scale
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(classes, features)))

    def cosine(self, embeddings: Tensor) -> Tensor:
        """Return cosines (N, C) of embeddings (N, D) with the centers of the classes."""
        return cosines(embeddings, self.weight)

    def with_margin(self, cosine: Tensor) -> Tensor:
        """Return what the label's cosine, of any shape, becomes in training."""
        return cosine

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N, C), float32 or better. The margin applies in training, where labels (N,) are given."""
        cosine = self.cosine(embeddings)
        if self.training and labels is not None:
            own = labels[:, None]
            cosine = cosine.scatter(1, own, self.with_margin(cosine.gather(1, own)))
        return self.scale * cosine

    def extra_repr(self) -> str:
        """Sizes and settings."""
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, scale={self.scale}"


class CosFace(Cosine):
    """The margin is subtracted from the cosine: s (cos(theta) - m). Wang et al. 2018, arXiv 1801.09414, equation 4."""

    def __init__(self, features: int, classes: int, scale: float = 64.0, margin: float = 0.35):
        super().__init__(features, classes, scale)
        if not 0 <= margin < 1:
            raise ValueError(
                f"margin {margin}: CosFace's is subtracted from the cosine, from 0 to below 1: 0.35 in the paper"
            )
        self.margin = margin

    def with_margin(self, cosine: Tensor) -> Tensor:
        """cos(theta) - m."""
        return cosine - self.margin


class ArcFace(Cosine):
    """The margin is added to the angle: s cos(theta + m), m in radians. Deng et al. 2019, arXiv 1801.07698, equation 3.

    cos(theta + m) decreases only up to theta = pi - m; beyond, an embedding would be rewarded for being farther from
    its center. There the authors' code, and this, uses cos(theta) - m sin(m), which decreases everywhere and is at most
    -1 there. `easy_margin` is their alternative: the margin applies only where theta < pi / 2, and cos(theta) is used
    elsewhere, which makes it easier to train from random weights.
    """

    def __init__(
        self, features: int, classes: int, scale: float = 64.0, margin: float = 0.5, easy_margin: bool = False
    ):
        super().__init__(features, classes, scale)
        if not 0 <= margin < math.pi / 2:
            raise ValueError(
                f"margin {margin}: ArcFace's is an angle in radians, from 0 to below pi / 2: 0.5 in the paper, "
                f"{math.radians(margin):.3f} if degrees were meant"
            )
        self.margin, self.easy_margin = margin, easy_margin

    def with_margin(self, cosine: Tensor) -> Tensor:
        """cos(theta + m) = cos(theta) cos(m) - sin(theta) sin(m): no arc cosine, whose gradient is infinite at 0.

        sin(theta)^2 is clamped to the number format's epsilon, because the root's gradient is infinite at 0 as well.
        """
        m, step = self.margin, torch.finfo(cosine.dtype).eps
        sine = ((1 - cosine) * (1 + cosine)).clamp(min=step).sqrt()
        added = cosine * math.cos(m) - sine * math.sin(m)
        if self.easy_margin:
            return torch.where(cosine > 0, added, cosine)
        return torch.where(cosine > -math.cos(m), added, cosine - m * math.sin(m))


class SubCenterArcFace(ArcFace):
    """ArcFace with several centers per class, of which the nearest counts. Deng et al. 2020, ECCV, equation 3.

    Mislabeled and unusual images of a person gather at a center of their own instead of moving the main one. The weight
    is (C x K, D), the centers of a class in successive rows.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        scale: float = 64.0,
        margin: float = 0.5,
        centers: int = 3,
        easy_margin: bool = False,
    ):
        if centers < 1:
            raise ValueError(f"centers {centers}: expected 1 or more centers per class, 3 in the paper")
        super().__init__(features, classes * centers, scale, margin, easy_margin)
        self.centers = centers

    def cosine(self, embeddings: Tensor) -> Tensor:
        """Return cosines (N, C) with the nearest center of each class."""
        return cosines(embeddings, self.weight).unflatten(1, (-1, self.centers)).amax(2)
