"""The networks that a recipe may name: one of mytorch, or a pretrained backbone of PyTorch with a head."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag, field_validator

from experiments.config.schema import MAX_COUNT, Fraction, Settings

Width = Annotated[int, Field(ge=1, le=65_536)]
Scale = Annotated[float, Field(gt=0)]
Start = Literal["random", "prototypes"]


class LinearHeadSettings(Settings):
    """One linear layer to the people."""

    name: Literal["linear"] = "linear"


def _parse_activations(value: Any) -> str | list[str]:
    """Return one activation for all hidden layers, or one for each."""
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError("expected the name of an activation, such as relu, or a list of one for each hidden layer")


class DenseHeadSettings(Settings):
    """Hidden linear layers, each with an activation and, optionally, batch norm, before the layer to the people.

    activation: one for all (named in models/heads.py), or a list of one for each hidden layer.
    """

    name: Literal["dense"]
    hidden: Annotated[list[Width], Field(min_length=1, max_length=16)] = Field(default_factory=lambda: [512])
    activation: Annotated[str | list[str], PlainValidator(_parse_activations)] = "relu"
    batch_norm: bool = True


class CosineHeadSettings(Settings):
    """Cosines between the embedding and one center per person, times `scale`.

    start: random centers, or the class means of the embeddings before training.
    """

    name: Literal["cosine"]
    scale: Scale = 32.0
    start: Start = "random"


class MarginHeadSettings(Settings):
    """ArcFace (arXiv 1801.07698; margin in radians) or CosFace (arXiv 1801.09414; margin of the cosine)."""

    name: Literal["arcface", "cosface"]
    scale: Scale = 32.0
    margin: Annotated[float, Field(ge=0, lt=1.5)] = 0.3
    start: Start = "random"


class SubcenterHeadSettings(Settings):
    """ArcFace with several centers per person, of which the nearest counts (ECCV 2020, Deng et al.)."""

    name: Literal["subcenter"]
    scale: Scale = 32.0
    margin: Annotated[float, Field(ge=0, lt=1.5)] = 0.3
    centers: Annotated[int, Field(ge=1, le=100)] = 3


class TripletHeadSettings(Settings):
    """Batch-hard triplets (arXiv 1703.07737) train the embedding; a classifier on top of it learns by cross-entropy.

    margin: of distances from 0 to 2; none for the soft margin. images_per_person: in a batch.
    """

    name: Literal["triplet"]
    scale: Scale = 32.0
    margin: Annotated[float, Field(gt=0, lt=2)] | None = 0.2
    images_per_person: Annotated[int, Field(ge=2, le=MAX_COUNT)] = 4
    start: Start = "random"


class PrototypesHeadSettings(Settings):
    """Class means of the embeddings, without training.

    trim: fraction of a person's embeddings to leave out, those farthest from the mean. nearest: weight of the cosine
    with a person's nearest embedding, next to that with the mean; all embeddings are stored for it.
    """

    name: Literal["prototypes"]
    scale: Scale = 32.0
    trim: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    nearest: Fraction = 0.0


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


HeadSettings = Annotated[
    Annotated[LinearHeadSettings, Tag("<linear>")]
    | Annotated[DenseHeadSettings, Tag("<dense>")]
    | Annotated[CosineHeadSettings, Tag("<cosine>")]
    | Annotated[MarginHeadSettings, Tag("<margin>")]
    | Annotated[SubcenterHeadSettings, Tag("<subcenter>")]
    | Annotated[TripletHeadSettings, Tag("<triplet>")]
    | Annotated[PrototypesHeadSettings, Tag("<prototypes>")],
    Discriminator(_head_kind),
]


class NetworkSettings(Settings):
    """What both kinds of networks have.

    embedding: length of a linear layer before the head; without it the features are the embedding. dropout: before the
    head.
    """

    embedding: Width | None = None
    head: HeadSettings = LinearHeadSettings()
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def allows_mixing(self) -> bool:
        """Whether the loss can be divided between two people. A margin is for one."""
        return self.head.name in ("linear", "dense", "cosine")

    @property
    def learns(self) -> bool:
        """Whether it is trained at all: class means are computed."""
        return self.head.name != "prototypes"

    @property
    def head_arguments(self) -> dict[str, Any]:
        """The head's settings under the names of `models.heads`; `kind` is the name of the head."""
        settings = self.head.model_dump(exclude={"name", "start", "trim", "images_per_person"})
        if self.head.name == "subcenter":
            return {"kind": "subcenter_arcface", **settings}
        if self.head.name == "dense" or (self.head.name == "linear" and not self.embedding):
            settings["dropout"] = self.dropout
        return {"kind": self.head.name, **settings}


class ScratchModel(NetworkSettings):
    """A network of mytorch. widths: channels of each block. depth: convolutions (or residual blocks) per width."""

    name: Literal["face_cnn", "small_resnet"] = "face_cnn"
    widths: Annotated[list[Annotated[int, Field(ge=1, le=8192)]], Field(min_length=1, max_length=16)] = Field(
        default_factory=lambda: [32, 64, 128, 256]
    )
    depth: Annotated[int, Field(ge=1, le=64)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3

    @field_validator("head")
    @classmethod
    def _no_class_means(cls, head: Any) -> Any:
        if "prototypes" in (head.name, getattr(head, "start", "")):
            raise ValueError("class means need a trained network; expected a model.backbone, or another head")
        return head

    @property
    def library(self) -> Literal["mytorch"]:
        """The library that it is built in; the other one trains a converted copy."""
        return "mytorch"

    @property
    def has_parts(self) -> bool:
        """Whether it has an embedding layer or a head of its own, not only a linear classifier at its end."""
        return self.embedding is not None or self.head.name != "linear"

    @property
    def min_side(self) -> int:
        """Pixels per side below which nothing would be left of an image: each block of a face_cnn halves it."""
        return 2 ** len(self.widths) if self.name == "face_cnn" else 1


class TransferModel(NetworkSettings):
    """A backbone of PyTorch with a head.

    weights: default (the backbone's own, downloaded), none, a file, or a run, whose embedding is also taken if it has
    the same length. embedding: length of a linear layer between backbone and head; without it the backbone's features
    are the embedding. dropout: before the head. drop_block: fraction of the feature map that DropBlock blanks (arXiv
    1810.12890). dense: the last stage keeps the size of the feature map instead of halving it, for small images. grid:
    the last feature map is averaged to `grid` cells per side instead of one, so that the features of aligned faces
    know their place.
    """

    backbone: Annotated[str, Field(min_length=1)]
    weights: Annotated[str, Field(min_length=1)] = "default"
    drop_block: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dense: bool = False
    grid: Annotated[int, Field(ge=2, le=16)] | None = None

    @property
    def name(self) -> str:
        """The backbone's name."""
        return self.backbone

    @property
    def library(self) -> Literal["torch"]:
        """The library that it is built in; the other one trains a converted copy."""
        return "torch"

    @property
    def min_side(self) -> int:
        """Pixels per side below which nothing would be left of an image: not known here."""
        return 1


def _network_kind(value: Any) -> str:
    transfer = "backbone" in value if isinstance(value, dict) else hasattr(value, "backbone")
    return "<transfer>" if transfer else "<scratch>"


ModelSettings = Annotated[
    Annotated[ScratchModel, Tag("<scratch>")] | Annotated[TransferModel, Tag("<transfer>")],
    Discriminator(_network_kind),
]
