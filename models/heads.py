"""Heads, which turn an embedding into the logits of the classes: one table, from a linear layer to margins."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from inspect import signature
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from models.margins import ArcFace, CosFace, Cosine, SubCenterArcFace
from models.prototypes import Prototypes
from models.triplet import TripletHead

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}


class Dense(nn.Module):
    """Hidden linear layers, then one to the classes: (N, features) to logits (N, classes).

    hidden: width of each; without any it is a plain linear head. Each is followed by batch norm (if `batch_norm`), its
    activation, and dropout. activation: one name for all, or a list of one for each. Without hidden layers, dropout
    comes before the only layer. Raises ValueError for a setting that does not fit.
    """

    def __init__(
        self,
        features: int,
        classes: int,
        hidden: Sequence[int] = (),
        activation: str | Sequence[str] = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
    ):
        super().__init__()
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout {dropout}: expected a probability from 0 to below 1")
        if any(width < 1 for width in hidden):
            raise ValueError(f"hidden {list(hidden)}: expected widths of 1 or more")
        names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
        if len(names) != len(hidden):
            raise ValueError(
                f"{len(names)} activations for {len(hidden)} hidden layers: expected one name, or one each"
            )
        widths = [features, *hidden]
        layers: list[nn.Module] = [] if hidden or not dropout else [nn.Dropout(dropout)]
        for (inputs, outputs), name in zip(pairwise(widths), names, strict=True):
            layers += [nn.Linear(inputs, outputs)]
            layers += [nn.BatchNorm1d(outputs)] if batch_norm else []
            layers += [_named(ACTIVATIONS, name, "activation")()]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    def forward(self, embeddings: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits (N, classes); labels are ignored."""
        return self.layers(embeddings)


def build_linear_head(features: int, classes: int, dropout: float = 0.0) -> Dense:
    """Return one linear layer, after dropout if any."""
    return Dense(features, classes, dropout=dropout)


HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear": build_linear_head,
    "dense": Dense,
    "cosine": Cosine,
    "arcface": ArcFace,
    "cosface": CosFace,
    "subcenter_arcface": SubCenterArcFace,
    "triplet": TripletHead,
    "prototypes": Prototypes,
}
"""Every head by name, built from (features, classes, settings) and called with (embeddings, labels or None)."""


def build_head(kind: str, features: int, classes: int, **settings: Any) -> nn.Module:
    """Return the head of that name. Raises ValueError for an unknown name or setting, or an impossible value."""
    build = _named(HEADS, kind, "head")
    known = [name for name in signature(build).parameters if name not in ("features", "classes")]
    for name in settings:
        if name not in known:
            raise ValueError(f"head {kind!r} has no setting {name!r}: it has {', '.join(known)}")
    return build(features, classes, **settings)


def _named(table: dict[str, Callable[..., nn.Module]], name: str, what: str) -> Callable[..., nn.Module]:
    if name in table:
        return table[name]
    near = get_close_matches(str(name), table, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(table)}"
    raise ValueError(f"no {what} is called {name!r}: {remedy}")
