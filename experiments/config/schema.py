"""The groups of settings in a recipe: their names, types, ranges and defaults.

Nothing here reads a file or asks a library: what depends on the world is resolved by `experiments.config.load`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_validator,
)

MAX_SEED = 2**63 - 1
"""PyTorch, NumPy and Python all accept seeds up to here."""

MAX_COUNT = 1_000_000
"""Largest number of epochs, images in a batch and the like."""


def _parse_fraction_or_count(value: Any) -> float | int | str:
    """0.8 is a fraction, 5 and 5.0 are counts. One function, because a union would complain once for each type.

    1.0 is refused: it may mean "one image" or "all of them".
    """
    if value == "all":
        return "all"
    if isinstance(value, float) and value == 1:
        raise ValueError("1.0 is ambiguous: expected 1 for one image of each person, or all for every image")
    try:
        number = float(value) if isinstance(value, int | float | str) else 0.0
    except (ValueError, OverflowError):
        raise ValueError from None
    if 0 < number < 1:
        return number
    if 1 <= number <= MAX_COUNT and number.is_integer():
        return int(number)
    raise ValueError


def _parse_channels(value: Any, least: float, name: str) -> float | tuple[float, ...]:
    """Return one number from `least` to 1 for all channels, or three."""
    values = value if isinstance(value, list | tuple) else [value]
    if len(values) in (1, 3) and all(isinstance(v, int | float) and least <= v <= 1 for v in values):
        return tuple(map(float, values)) if len(values) == 3 else float(values[0])
    raise ValueError(f"expected a number from {least:g} to 1, or a list of three, such as {name}: [0.5, 0.5, 0.5]")


Fraction = Annotated[float, Field(ge=0, le=1)]
PositiveInt = Annotated[int, Field(ge=1, le=MAX_COUNT)]
PositiveFloat = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
FractionOrCount = Annotated[float | int | Literal["all"], PlainValidator(_parse_fraction_or_count)]
PerChannel = float | tuple[float, float, float]
_AS_LIST = PlainSerializer(lambda v: list(v) if isinstance(v, tuple) else v, return_type=Any)
Mean = Annotated[PerChannel, PlainValidator(lambda v: _parse_channels(v, 0.0, "mean")), _AS_LIST]
Std = Annotated[PerChannel, PlainValidator(lambda v: _parse_channels(v, 0.001, "std")), _AS_LIST]


class Settings(BaseModel):
    """A group of settings. Unknown names and values out of range are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_wrong_kinds(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML's yes and true would pass for 1. Some characters cannot be part of a file's name."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("expected a value, not yes or no")
        if isinstance(value, str) and ("\0" in value or any("\ud800" <= c <= "\udfff" for c in value)):
            raise ValueError("expected text in UTF-8 without zero bytes; rename the file or folder")
        return value


class DataSettings(Settings):
    """The images.

    size: pixels (height, width). fit: how an image of another shape is brought to it. mean, std: of pixel values from 0
    to 1, for all channels or each. Where the recipe sets no size, mean or std, those of the transfer network apply.
    on_bad_image: an image that cannot be read ends the run, or is listed, counted and skipped. extra_images: a folder
    of additional images of the same people, one folder per person, used for training only.
    """

    size: tuple[Annotated[int, Field(ge=8, le=1024)], Annotated[int, Field(ge=8, le=1024)]] = (64, 64)
    fit: Literal["crop", "stretch", "pad"] = "crop"
    mean: Mean = 0.5
    std: Std = 0.25
    on_bad_image: Literal["stop", "skip"] = "stop"
    extra_images: str | None = None


class SplitSettings(Settings):
    """How each person's images are divided into a training and a validation set.

    train: a fraction below 1, or a number of images per person; the rest is the validation set. "all": every image is
    for training and there is no validation set, for a last run before a submission.
    """

    train: FractionOrCount = 0.8
    seed: Seed = 0


class AugmentSettings(Settings):
    """Random changes of the training images, drawn again in every epoch.

    flip: probability of a mirror image. crop: smallest fraction of the area that a random crop keeps; 1 for no crops.
    shift: fraction of the size. zoom: 0.1 means 0.9 to 1.1 times. rotate: degrees. perspective: distortion, as a
    fraction of half the size. brightness, contrast, saturation: 0.2 means 0.8 to 1.2 times. hue: fraction of the color
    circle. gray, blur: probabilities. policy: randaugment (`operations` of them, of that `magnitude`) or trivial
    (TrivialAugmentWide). erase: probability of a blanked rectangle.
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
    gray: Annotated[Fraction, Field(validation_alias=AliasChoices("gray", "grey"))] = 0.0
    blur: Fraction = 0.0
    policy: Literal["none", "randaugment", "trivial"] = "none"
    operations: Annotated[int, Field(ge=1, le=20)] = 2
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9
    erase: Fraction = 0.0


class OptimizerSettings(Settings):
    """The optimizer and its learning rate. momentum and nesterov are SGD's.

    decay_norms: whether weight decay also applies to biases and normalization layers, as PyTorch's optimizers do.
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
    """How the learning rate changes.

    cosine: warm-up during the fraction `warmup` of all steps, then down to `min_factor` times the learning rate. step:
    times `gamma` after every `step_size` epochs. plateau: times `gamma` whenever the validation loss has not improved
    for `patience` epochs, but never below `min_factor` times the learning rate. one_cycle: from 1/25 up during
    `warmup`, then down to 1/10,000 of the start, both along a cosine. span: one schedule for each stage, or one for the
    whole run; a plateau's is always a stage's own.
    """

    name: Literal["constant", "cosine", "step", "plateau", "one_cycle"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    min_factor: Fraction = 0.0
    step_size: PositiveInt = 10
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=0, le=MAX_COUNT)] = 2
    span: Literal["stage", "run"] = "stage"


class MixingSettings(Settings):
    """Mixing pairs of images.

    mixup, cutmix: parameter of the Beta distribution of the mixing weight, 0 for none; with both, each batch draws one.
    prob: probability that a batch is mixed. MixUp: arXiv 1710.09412. CutMix: arXiv 1905.04899. same_person: probability
    that an image is first combined with another one of the same person; for aligned images.
    """

    mixup: Annotated[float, Field(ge=0, le=10)] = 0.0
    cutmix: Annotated[float, Field(ge=0, le=10)] = 0.0
    prob: Fraction = 1.0
    same_person: Fraction = 0.0


class LossSettings(Settings):
    """How much each person's images count in the training loss.

    class_weights: none; balanced, a person's weight is proportional to 1 / n for n training images (King and Zeng
    2001); or effective, to (1 - beta) / (1 - beta ** n), which gives less to people with very few (Cui et al. 2019,
    arXiv 1901.05555). The mean weight over all training images is 1. The validation loss has no weights.
    """

    class_weights: Literal["none", "balanced", "effective"] = "none"
    beta: Annotated[float, Field(gt=0, lt=1)] = 0.999


class TrainingSettings(Settings):
    """How a network is trained.

    accumulate: number of parts in which a batch goes through the network, to save memory. clip: largest norm of all
    gradients. ema: decay of an exponential moving average of the weights, which is validated and saved in their place.
    early_stopping: a stage ends after this many epochs without a better validation loss. precision: of the forward pass
    and its gradient. channels_last: memory order of the pixels. compile: torch.compile. select: which metric decides
    the best epoch: top1, or eer, the lowest on pairs of validation images.
    """

    accumulate: PositiveInt = 1
    clip: PositiveFloat | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    early_stopping: PositiveInt | None = None
    precision: Literal["full", "bf16", "fp16"] = "full"
    channels_last: bool = False
    compile: bool = False
    select: Literal["top1", "eer"] = "top1"


def _parse_trained_parts(value: Any) -> str | list[str] | dict[str, int]:
    """Return what is trained in a stage. One function, because a union would complain once for each type."""
    parts = isinstance(value, list) and value and all(isinstance(part, str) for part in value)
    last = isinstance(value, dict) and [*value] == ["last_layers"] and type(value["last_layers"]) is int
    if value in ("all", "head") or parts or (last and value["last_layers"] >= 1):
        return value
    raise ValueError("expected all, head, a list of the network's parts, or {last_layers: 15}")


def _parse_rates(value: Any) -> float | dict[str, float] | None:
    """Return a learning rate, one for each of some parts, or none."""
    try:
        if value is None:
            return None
        rates = {name: float(rate) for name, rate in (value if isinstance(value, dict) else {"": value}).items()}
        if rates and all(0 < rate < float("inf") for rate in rates.values()):
            return rates if isinstance(value, dict) else rates[""]
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError("expected a number greater than 0, or one for each of some parts, such as {head: 0.001}")


class StageSettings(Settings):
    """A stage of training.

    train: "all"; "head", which includes the embedding layer; the names of parts; or {last_layers: N}: the backbone's
    last N layers (a convolution, normalization or linear layer counts as one) and everything after the backbone. lr:
    for all, or by part ("backbone" means all of its parts, "head" those after it); without it the optimizer's. decay:
    0.8 means that each part before the head learns at 0.8 times the next part's rate.
    """

    epochs: PositiveInt
    train: Annotated[str | list[str] | dict[str, int], PlainValidator(_parse_trained_parts)] = "all"
    lr: Annotated[float | dict[str, float] | None, PlainValidator(_parse_rates)] = None
    decay: Annotated[float, Field(gt=0, le=1)] = 1.0
