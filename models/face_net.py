"""A face network: a backbone for features, a neck for the embedding, a head for the classes."""

from torch import Tensor, nn
from torch.nn import functional as F

from models.stages import eval_frozen_modules, named_layers, named_parts, set_trainable

__all__ = ["FaceNet", "SequentialFaceNet", "embedding_neck", "named_layers", "named_parts", "set_trainable"]


def embedding_neck(features: int, length: int, dropout: float = 0.0) -> nn.Sequential:
    """Return a neck from features (N, features) to embeddings (N, length): dropout, a linear layer, batch norm.

    Batch norm gives every coordinate of the embedding the same spread, as in ArcFace's option E (Deng et al. 2019,
    arXiv 1801.07698, section 3.1). Raises ValueError for an impossible length or dropout.
    """
    if length < 1 or not 0 <= dropout < 1:
        raise ValueError(f"embedding of length {length} with dropout {dropout}: expected 1 or more, and 0 to below 1")
    dense = nn.Linear(features, length, bias=False)
    return nn.Sequential(*([nn.Dropout(dropout)] if dropout else []), dense, nn.BatchNorm1d(length))


class FaceNet(nn.Module):
    """Images to embeddings and to logits.

    backbone: (N, 3, H, W), normalized with the backbone's own statistics, to features (N, F). neck: features to
    embeddings (N, D); without one the features are the embeddings. head: embeddings and labels or None to logits
    (N, classes), as `models.heads` builds it.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, neck: nn.Module | None = None):
        super().__init__()
        self.backbone = backbone
        self.neck = nn.Identity() if neck is None else neck
        self.head = head

    def features(self, x: Tensor) -> Tensor:
        """Return embeddings (N, D), not normalized: the input of the head."""
        return self.neck(self.backbone(x))

    def embed(self, x: Tensor) -> Tensor:
        """Return embeddings (N, D) of length one, float32, whose products are cosines. Call `eval()` first."""
        return F.normalize(self.features(x).float())

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N, classes). labels (N,): for the margin of margin heads, in training only."""
        return self.head(self.features(x), labels)

    def train(self, mode: bool = True) -> "FaceNet":
        """Set training mode for all but the frozen parts, which stay in evaluation mode."""
        super().train(mode)
        eval_frozen_modules(self)
        return self


class SequentialFaceNet(nn.Sequential):
    """The PyTorch copy of a classifier of mytorch: layers one after another, the last two dropout and a linear layer.

    The input of these two is the embedding. It is used like a `FaceNet`; its parts are its layers.
    """

    @property
    def head(self) -> nn.Sequential:
        """The last two layers: embeddings (N, D) to logits (N, classes)."""
        return nn.Sequential(*list(self)[-2:])

    def features(self, x: Tensor) -> Tensor:
        """Return embeddings (N, D), not normalized."""
        for layer in list(self)[:-2]:
            x = layer(x)
        return x

    def embed(self, x: Tensor) -> Tensor:
        """Return embeddings (N, D) of length one, float32. Call `eval()` first."""
        return F.normalize(self.features(x).float())

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N, classes); labels are ignored."""
        return super().forward(x)
