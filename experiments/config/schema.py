"""The groups of settings that every recipe has, whatever its network.

The networks that a recipe may name: mytorch's own, or a pretrained backbone with a head.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)


def _parse_fraction_or_count(value: Any) -> float | int | str:
    """0.8 stays a share, 5 and 5.0 are a number. One function, as a union would complain once for each of its types."""
    if value == "all":
        return "all"
    number = float(value) if isinstance(value, int | float | str) else 0.0
    if 0 < number < 1:
        return number
    if number >= 1 and number.is_integer():
        return int(number)
    raise ValueError


def _parse_channels(value: Any, least: float, name: str) -> float | tuple[float, ...]:
    """A number from `least` to 1 for all channels, or one for each."""
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) in (1, 3) and all(isinstance(v, int | float) and least <= v <= 1 for v in values):
        return tuple(map(float, values)) if len(values) == 3 else float(values[0])
    raise ValueError(f"expected a number from {least:g} to 1, or a list of three, such as {name}: [0.5, 0.5, 0.5]")


Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1)]
FractionOrCount = Annotated[float | int | Literal["all"], PlainValidator(_parse_fraction_or_count)]
PerChannel = float | tuple[float, float, float]
_AS_LIST = PlainSerializer(lambda v: list(v) if isinstance(v, tuple) else v, return_type=Any)
Mean = Annotated[PerChannel, PlainValidator(lambda v: _parse_channels(v, 0.0, "mean")), _AS_LIST]
Std = Annotated[PerChannel, PlainValidator(lambda v: _parse_channels(v, 0.001, "std")), _AS_LIST]
PositiveFloat = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """A group of settings: unknown names and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML's yes and true would pass for 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("expected a value, not yes or no")
        return value


class DataSettings(Settings):
    """The pictures. size: pixels (height, width); fit: how a picture of another shape comes to it.

    mean, std: of pixels from 0 to 1, for all channels or each. A transfer network's own size, mean and std stand where
    the recipe sets none. on_bad_image: whether a picture that cannot be read ends the run, or is named, counted and
    left out. further: a folder of more pictures of the same people, a folder a person, that only train.
    """

    size: tuple[Annotated[int, Field(ge=8, le=1024)], Annotated[int, Field(ge=8, le=1024)]] = (64, 64)
    fit: Literal["crop", "stretch", "pad"] = "crop"
    mean: Mean = 0.5
    std: Std = 0.25
    on_bad_image: Literal["stop", "skip"] = "stop"
    further: str | None = None


class SplitSettings(Settings):
    """How each person's images part.

    train: a share below 1, or a number of images a person, and the rest validates; "all": every picture trains, none
    validates, for a last run before a submission.
    """

    train: FractionOrCount = 0.8
    seed: Annotated[int, Field(ge=0)] = 0


class AugmentSettings(Settings):
    """What training changes in a picture, drawn anew each epoch.

    flip: probability of a mirror image; crop: the least share of the picture's area that a random crop keeps, 1 for no
    crops; shift: share of the size; zoom: 0.1 means 0.9 to 1.1 times; rotate: degrees; perspective: distortion, share
    of half the size; brightness, contrast, saturation: 0.2 means 0.8 to 1.2 times; hue: share of the colour circle;
    grey, blur: probabilities; policy: randaugment (of so many operations and that magnitude) or trivial
    (TrivialAugmentWide); erase: probability of a blanked rectangle.
    """

    flip: Fraction = 0.5
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    shift: Fraction = 0.0
    zoom: Annotated[float, Field(ge=0, lt=1)] = 0.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    perspective: Fraction = 0.0
    brightness: Fraction = 0.0
    contrast: Fraction = 0.0
    saturation: Fraction = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    grey: Fraction = 0.0
    blur: Fraction = 0.0
    policy: Literal["none", "randaugment", "trivial"] = "none"
    operations: PositiveInt = 2
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    erase: Fraction = 0.0


class OptimizerSettings(Settings):
    """The optimiser and its learning rate. momentum and nesterov are SGD's.

    decay_norms: whether weight decay pulls at biases and norms too, as in PyTorch's optimisers; no leaves them out.
    """

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    lr: PositiveFloat = 1e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    decay_norms: bool = True

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.name == "sgd" and self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, such as momentum: 0.9")
        return self


class ScheduleSettings(Settings):
    """The learning rate's course.

    cosine: warm-up over the share `warmup` of all steps, then down to the share `least`. step: times `gamma` every
    `every` epochs. plateau: times `gamma` once the validation loss has not improved for `patience` epochs. one_cycle
    (transfer networks): from 1/25 up over the share `warmup` and down to 1/10,000, both along a cosine. over: whether
    each stage has a course of its own, or all stages share one; a plateau's is always a stage's own.
    """

    name: Literal["constant", "cosine", "step", "plateau", "one_cycle"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    least: Fraction = 0.0
    every: PositiveInt = 10
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=0)] = 2
    over: Literal["stage", "run"] = "stage"


class MixingSettings(Settings):
    """Pictures mixed in pairs, of transfer networks.

    mixup, cutmix: the parameter of the Beta distribution that the share is drawn from, 0 for none; with both, each
    batch draws which. share: of the batches that are mixed so. MixUp: arXiv 1710.09412; CutMix: arXiv 1905.04899.
    same: of the pictures, the share that is combined with another of the same person first, for aligned pictures.
    """

    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    cutmix: Annotated[float, Field(ge=0, le=10)] = 0.0
    share: Fraction = 1.0
    same: Fraction = 0.0


class TrainingSettings(Settings):
    """How a step of a transfer network is taken.

    accumulate: parts that a batch goes through the network in, to save memory; clip: largest norm of all gradients;
    ema: decay of an average of the weights, which validates and is kept in their place; early_stopping: epochs without
    a better validation loss after which a stage ends; precision: of the forward and its gradient; channels_last:
    the pixels' order in memory; compile: torch.compile; select: what says which epoch is best: top1, or eer, the lowest
    of pairs of validation pictures.
    """

    accumulate: PositiveInt = 1
    clip: PositiveFloat | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    early_stopping: PositiveInt | None = None
    precision: Literal["full", "bf16", "fp16"] = "full"
    channels_last: bool = False
    compile: bool = False
    select: Literal["top1", "eer"] = "top1"


class ScratchModel(Settings):
    """A network of mytorch. widths: channels of each block; depth: convolutions (or residual blocks) of each width."""

    name: Literal["face_cnn", "small_resnet"] = "face_cnn"
    widths: Annotated[list[Annotated[int, Field(ge=1, le=8192)]], Field(min_length=1)] = Field(
        default_factory=lambda: [32, 64, 128, 256]
    )
    depth: Annotated[int, Field(ge=1, le=64)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3


class LinearHeadSettings(Settings):
    """One dense layer to the people."""

    name: Literal["linear"] = "linear"


def _parse_activations(value: Any) -> str | list[str]:
    """One activation for all hidden layers, or one for each."""
    if isinstance(value, str) or (isinstance(value, list) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError("expected the name of an activation, such as relu, or a list of one for each hidden layer")


class DenseHeadSettings(Settings):
    """Hidden dense layers, each with batch norm (or not) and an activation, before the layer to the people.

    activation: one for all (models/heads.py has their names), or a list of one for each hidden layer.
    """

    name: Literal["dense"]
    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = Field(default_factory=lambda: [512])
    activation: Annotated[str | list[str], PlainValidator(_parse_activations)] = "relu"
    batch_norm: bool = True


class CosineHeadSettings(Settings):
    """Cosines between the embedding and one direction a person, times `scale`.

    start: directions by lot, or the class means of the embeddings that the network begins with.
    """

    name: Literal["cosine"]
    scale: PositiveFloat = 32.0
    start: Literal["random", "prototypes"] = "random"


class MarginHeadSettings(Settings):
    """ArcFace (arXiv 1801.07698; margin in radians) or CosFace (arXiv 1801.09414; margin of the cosine)."""

    name: Literal["arcface", "cosface"]
    scale: PositiveFloat = 32.0
    margin: Annotated[float, Field(ge=0, lt=1.5)] = 0.3
    start: Literal["random", "prototypes"] = "random"


class SubcenterHeadSettings(Settings):
    """ArcFace with several directions a person, the nearest of which counts (ECCV 2020, Deng et al.)."""

    name: Literal["subcenter"]
    scale: PositiveFloat = 32.0
    margin: Annotated[float, Field(ge=0, lt=1.5)] = 0.3
    centers: PositiveInt = 3


class TripletHeadSettings(Settings):
    """Batch-hard triplets (arXiv 1703.07737) move the embedding; directions of the people learn beside it, by CE.

    margin: of distances from 0 to 2, none for the soft one. each: pictures of a person that a batch shows together.
    """

    name: Literal["triplet"]
    scale: PositiveFloat = 32.0
    margin: Annotated[float, Field(gt=0, lt=2)] | None = 0.2
    each: Annotated[int, Field(ge=2)] = 4
    start: Literal["random", "prototypes"] = "random"


class PrototypesHeadSettings(Settings):
    """Class means of the embeddings, of which nothing is learned.

    trim: share of a person's farthest embeddings left out. nearest: how much the cosine with a person's nearest
    embedding counts, beside that with the mean; all embeddings are kept for it.
    """

    name: Literal["prototypes"]
    scale: PositiveFloat = 32.0
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


class TransferModel(Settings):
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
    embedding: PositiveInt | None = None
    head: HeadSettings = LinearHeadSettings()
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drop_block: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dense: bool = False
    grid: Annotated[int, Field(ge=2, le=16)] | None = None

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.backbone

    @property
    def allows_mixing(self) -> bool:
        """Whether its loss can be shared between two people: a margin is for one."""
        return self.head.name in ("linear", "dense", "cosine")


def _parse_trained_parts(value: Any) -> str | list[str] | dict[str, int]:
    """What trains in a stage. One function, as a union would complain once for each of its types."""
    parts = isinstance(value, list) and value and all(isinstance(part, str) for part in value)
    last = isinstance(value, dict) and [*value] == ["last_layers"] and type(value["last_layers"]) is int
    if value in ("all", "head") or parts or (last and value["last_layers"] >= 1):
        return value
    raise ValueError("expected all, head, a list of the network's parts, or {last_layers: 15}")


def _parse_rates(value: Any) -> float | dict[str, float] | None:
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


class StageSettings(Settings):
    """A stretch of a training.

    train: "all"; "head", which includes the embedding's layer; the names of parts; or {last_layers: N}: the backbone's
    last N layers (a convolution, a norm or a dense layer is one each) and what follows the backbone. lr: for all, or by
    part ("backbone" means all parts of it, "head" those that follow); none is the optimiser's. decay: 0.8 means that
    each part before the head learns at 0.8 times the next one's rate.
    """

    epochs: PositiveInt
    train: Annotated[str | list[str] | dict[str, int], PlainValidator(_parse_trained_parts)] = "all"
    lr: Annotated[float | dict[str, float] | None, PlainValidator(_parse_rates)] = None
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0


def _network_kind(value: Any) -> str:
    transfer = "backbone" in value if isinstance(value, dict) else isinstance(value, TransferModel)
    return "<transfer>" if transfer else "<scratch>"


ModelSettings = Annotated[
    Annotated[ScratchModel, Tag("<scratch>")] | Annotated[TransferModel, Tag("<transfer>")],
    Discriminator(_network_kind),
]
