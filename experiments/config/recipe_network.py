"""The networks that a recipe may name: mytorch's own, or a pretrained backbone with a head."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag

from experiments.config.schema import Part, Positive, Rate, Share


class Model(Part):
    """A network of mytorch. widths: channels of each block; depth: convolutions (or residual blocks) of each width."""

    name: Literal["face_cnn", "small_resnet"] = "face_cnn"
    widths: Annotated[list[Annotated[int, Field(ge=1, le=8192)]], Field(min_length=1)] = Field(
        default_factory=lambda: [32, 64, 128, 256]
    )
    depth: Annotated[int, Field(ge=1, le=64)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class LinearHead(Part):
    """One dense layer to the people."""

    name: Literal["linear"] = "linear"


def _names(value: Any) -> str | list[str]:
    """One activation for all hidden layers, or one for each."""
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError("expected the name of an activation, such as relu, or a list of one for each hidden layer")


class DenseHead(Part):
    """Hidden dense layers, each with batch norm (or not) and an activation, before the layer to the people.

    activation: one for all (models/heads.py has their names), or a list of one for each hidden layer.
    """

    name: Literal["dense"]
    hidden: Annotated[list[Positive], Field(min_length=1)] = Field(default_factory=lambda: [512])
    activation: Annotated[str | list[str], PlainValidator(_names)] = "relu"
    batch_norm: bool = True


class CosineHead(Part):
    """Cosines between the embedding and one direction a person, times `scale`.

    start: directions by lot, or the class means of the embeddings that the network begins with.
    """

    name: Literal["cosine"]
    scale: Rate = 32.0
    start: Literal["random", "prototypes"] = "random"


class MarginHead(Part):
    """ArcFace (arXiv 1801.07698; margin in radians) or CosFace (arXiv 1801.09414; margin of the cosine)."""

    name: Literal["arcface", "cosface"]
    scale: Rate = 32.0
    margin: Annotated[float, Field(ge=0, lt=1.5)] = 0.3
    start: Literal["random", "prototypes"] = "random"


class SubcenterHead(Part):
    """ArcFace with several directions a person, the nearest of which counts (ECCV 2020, Deng et al.)."""

    name: Literal["subcenter"]
    scale: Rate = 32.0
    margin: Annotated[float, Field(ge=0, lt=1.5)] = 0.3
    centers: Positive = 3


class TripletHead(Part):
    """Batch-hard triplets (arXiv 1703.07737) move the embedding; directions of the people learn beside it, by CE.

    margin: of distances from 0 to 2, none for the soft one. each: pictures of a person that a batch shows together.
    """

    name: Literal["triplet"]
    scale: Rate = 32.0
    margin: Annotated[float, Field(gt=0, lt=2)] | None = 0.2
    each: Annotated[int, Field(ge=2)] = 4
    start: Literal["random", "prototypes"] = "random"


class PrototypesHead(Part):
    """Class means of the embeddings, of which nothing is learned.

    trim: share of a person's farthest embeddings left out. nearest: how much the cosine with a person's nearest
    embedding counts, beside that with the mean; all embeddings are kept for it.
    """

    name: Literal["prototypes"]
    scale: Rate = 32.0
    trim: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    nearest: Share = 0.0


_HEADS = {
    "linear": "<linear>",
    "dense": "<dense>",
    "cosine": "<cosine>",
    "arcface": "<margin>",
    "cosface": "<margin>",
    "subcenter": "<subcenter>",
    "triplet": "<triplet>",
    "prototypes": "<prototypes>",
}


def _head_kind(value: Any) -> str:
    name = value.get("name", "linear") if isinstance(value, dict) else getattr(value, "name", "linear")
    return _HEADS.get(name, "<linear>") if isinstance(name, str) else "<linear>"


Head = Annotated[
    Annotated[LinearHead, Tag("<linear>")]
    | Annotated[DenseHead, Tag("<dense>")]
    | Annotated[CosineHead, Tag("<cosine>")]
    | Annotated[MarginHead, Tag("<margin>")]
    | Annotated[SubcenterHead, Tag("<subcenter>")]
    | Annotated[TripletHead, Tag("<triplet>")]
    | Annotated[PrototypesHead, Tag("<prototypes>")],
    Discriminator(_head_kind),
]


class Transfer(Part):
    """A backbone of PyTorch with a head.

    weights: default (the backbone's own, downloaded), none, a file, or a run, whose embedding is taken, too, if it is
    as long. embedding: numbers of a dense layer between backbone and head; none leaves the backbone's features.
    dropout: before the head. drop_block: share of the feature
    map that DropBlock blanks (arXiv 1810.12890). dense: the last stage leaves the feature map as large as it is, twice
    as large as the network is used to, for small pictures. grid: the last feature map is averaged to so many cells a
    side, not to one, so that the features of aligned faces tell the place where they were seen.
    """

    backbone: str
    weights: str = "default"
    embedding: Positive | None = None
    head: Head = LinearHead()
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drop_block: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dense: bool = False
    grid: Annotated[int, Field(ge=2, le=16)] | None = None

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.backbone

    @property
    def mixes(self) -> bool:
        """Whether its loss can be shared between two people: a margin is for one."""
        return self.head.name in ("linear", "dense", "cosine")


def _trained(value: Any) -> str | list[str] | dict[str, int]:
    """What trains in a stage. One function, as a union would complain once for each of its types."""
    parts = isinstance(value, list) and value and all(isinstance(part, str) for part in value)
    last = isinstance(value, dict) and [*value] == ["last_layers"] and type(value["last_layers"]) is int
    if value in ("all", "head") or parts or (last and value["last_layers"] >= 1):
        return value
    raise ValueError("expected all, head, a list of the network's parts, or {last_layers: 15}")


def _rates(value: Any) -> float | dict[str, float] | None:
    """A learning rate, one for each of some parts, or none."""

    try:
        if value is None:
            return None
        rates = {name: float(rate) for name, rate in (value if isinstance(value, dict) else {"": value}).items()}
        if rates and all(0 < rate < float("inf") for rate in rates.values()):
            return rates if isinstance(value, dict) else rates[""]
    except (TypeError, ValueError):
        pass
    raise ValueError("expected a number greater than 0, or one for each of some parts, such as {head: 0.001}")


class Stage(Part):
    """A stretch of a training.

    train: "all"; "head", which includes the embedding's layer; the names of parts; or {last_layers: N}: the backbone's
    last N layers (a convolution, a norm or a dense layer is one each) and what follows the backbone. lr: for all, or by
    part ("backbone" means all parts of it, "head" those that follow); none is the optimiser's. decay: 0.8 means that
    each part before the head learns at 0.8 times the next one's rate.
    """

    epochs: Positive
    train: Annotated[str | list[str] | dict[str, int], PlainValidator(_trained)] = "all"
    lr: Annotated[float | dict[str, float] | None, PlainValidator(_rates)] = None
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0


def _network_kind(value: Any) -> str:
    transfer = "backbone" in value if isinstance(value, dict) else isinstance(value, Transfer)
    return "<transfer>" if transfer else "<scratch>"


Network = Annotated[
    Annotated[Model, Tag("<scratch>")] | Annotated[Transfer, Tag("<transfer>")], Discriminator(_network_kind)
]
