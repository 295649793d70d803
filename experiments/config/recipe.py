"""A recipe: everything that decides a training run, typed and checked.

A recipe checks what it holds and nothing else: constructing one reads no file and imports no network library.
`experiments.config.load` finds recipes and fills in what depends on a network or on another run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from experiments.config.explain import explain_errors
from experiments.config.model_settings import ModelSettings, ScratchModel, TransferModel
from experiments.config.schema import (
    MAX_COUNT,
    AugmentSettings,
    DataSettings,
    LossSettings,
    MixingSettings,
    OptimizerSettings,
    ScheduleSettings,
    Seed,
    Settings,
    SplitSettings,
    StageSettings,
    TrainingSettings,
)
from experiments.config.strict_yaml import describe_yaml_error, dump_yaml, parse_yaml
from experiments.errors import FacesError

DEFAULT_EPOCHS = 30


def _default_epochs(fields: Mapping[str, Any]) -> int:
    """Return the epochs of a recipe that does not set them: the sum over its stages; none where nothing is learned."""
    if not fields["model"].learns:
        return 0
    return sum(stage.epochs for stage in fields["stages"]) or DEFAULT_EPOCHS


def _default_engine(fields: Mapping[str, Any]) -> Literal["mytorch", "torch"]:
    """Return the library that the network is built in."""
    return fields["model"].library if "model" in fields else "torch"


class Recipe(Settings):
    """A training run: its groups of settings, how long it takes, and its seed.

    The model is one of mytorch (`model.name`) or a transfer network of PyTorch (`model.backbone`). engine: the library
    that trains it, by default the one that it is built in. stages are for transfer networks. Without stages, everything
    is trained for `epochs`; with them, `epochs` is their sum. sampling: an epoch is every image once (shuffle), or as
    many images, equally many of each person (balanced).
    """

    about: str = ""
    model: ModelSettings = ScratchModel()
    engine: Annotated[Literal["mytorch", "torch"], Field(default_factory=_default_engine)]
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    augment: AugmentSettings = AugmentSettings()
    mixing: MixingSettings = MixingSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    stages: list[StageSettings] = Field(default_factory=list)
    training: TrainingSettings = TrainingSettings()
    loss: LossSettings = LossSettings()
    sampling: Literal["shuffle", "balanced"] = "shuffle"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Annotated[int, Field(ge=0, le=MAX_COUNT, default_factory=_default_epochs)]
    batch_size: Annotated[int, Field(ge=2, le=MAX_COUNT)] = 64
    identities: Annotated[int, Field(ge=2, le=MAX_COUNT)] | None = None
    seed: Seed = 0

    @field_validator("epochs")
    @classmethod
    def _something_is_learned(cls, epochs: int, info: ValidationInfo) -> int:
        learns = "model" not in info.data or info.data["model"].learns
        if not epochs and learns:
            raise ValueError("expected a number greater than or equal to 1")
        if epochs and not learns:
            raise ValueError("expected 0, as class means (model.head.name=prototypes) are computed, not learned")
        return epochs

    @model_validator(mode="after")
    def _settings_fit_the_network(self) -> Self:
        if (self.mixing.mixup or self.mixing.cutmix) and not self.model.allows_mixing:
            head = self.model.head.name
            raise ValueError(f"mixing: a {head} head has a margin for one person, not for a mixture")
        self._refuse_useless_balancing()
        if self.stages and self.model.library == "mytorch":
            raise ValueError("stages: only for transfer networks (model.backbone), which have parts to freeze")
        if self.engine == "mytorch":
            self._refuse_what_mytorch_lacks()
        return self

    def _refuse_useless_balancing(self) -> None:
        """Raise ValueError where class weights or balanced sampling would have no effect or a harmful one."""
        weighted, sampled = self.loss.class_weights != "none", self.sampling == "balanced"
        setting = f"loss.class_weights={self.loss.class_weights}" if weighted else "sampling=balanced"
        if weighted and sampled:
            raise ValueError(f"{setting} and sampling=balanced: people with few images would count twice; choose one")
        if (weighted or sampled) and not self.model.learns:
            raise ValueError(
                f"{setting}: class means (model.head.name=prototypes) are computed, not learned; leave out"
            )
        if (weighted or sampled) and self.model.head.name == "triplet":
            raise ValueError(
                f"{setting}: a triplet compares images of two people, and its batches have equally many of each; "
                "leave out, or choose another model.head"
            )
        if weighted and (self.mixing.mixup or self.mixing.cutmix):
            raise ValueError(
                f"{setting}: an image mixed of two people has no weight of one; use sampling=balanced, or leave out "
                "mixing.mixup and mixing.cutmix"
            )

    def _refuse_what_mytorch_lacks(self) -> None:
        training = self.training
        lacking = {
            f"training.precision={training.precision}": training.precision != "full",
            "training.compile=true": training.compile,
            "training.channels_last=true": training.channels_last,
        }
        for setting in (name for name, asked in lacking.items() if asked):
            raise ValueError(
                f"{setting}: only PyTorch has it, and this run is mytorch's; leave it out, or train with engine: torch"
            )

    @model_validator(mode="after")
    def _epochs_are_those_of_the_stages(self) -> Self:
        if not self.stages:
            return self
        if not self.model.learns:
            raise ValueError("stages: class means (model.head.name=prototypes) are computed, not learned; leave out")
        if self.epochs != (total := sum(stage.epochs for stage in self.stages)):
            raise ValueError(
                f"epochs={self.epochs}: the stages have {total} together; set theirs, such as stages.0.epochs=3"
            )
        return self

    @model_validator(mode="after")
    def _images_are_large_enough_for_the_pooling(self) -> Self:
        least = self.model.min_side
        if min(self.data.size) < least:
            raise ValueError(
                f"data.size={list(self.data.size)}: the {least.bit_length() - 1} blocks of model.widths halve it each "
                f"time; expected at least {least} pixels a side, or fewer widths"
            )
        return self

    @property
    def planned_stages(self) -> list[StageSettings]:
        """The stages; without any, one that trains everything."""
        return self.stages or ([StageSettings(epochs=self.epochs)] if self.epochs else [])

    @property
    def has_training_accuracy(self) -> bool:
        """Whether accuracy on the training batches is meaningful: not with mixing, nor with a margin."""
        mixed = self.mixing.mixup or self.mixing.cutmix
        return not mixed and self.model.allows_mixing

    @property
    def mytorch_model(self) -> ScratchModel:
        """The network of mytorch. Raises FacesError where the recipe is for PyTorch."""
        if isinstance(self.model, ScratchModel):
            return self.model
        raise FacesError(
            f"{self.model.name} is a network of PyTorch; expected a recipe for mytorch, such as scratch_cnn"
        )

    @property
    def torch_model(self) -> TransferModel:
        """The transfer network. Raises FacesError where the recipe is for mytorch."""
        if isinstance(self.model, TransferModel):
            return self.model
        raise FacesError(
            f"{self.model.name} is a network of mytorch; expected a recipe with a model.backbone, such as mobilenet_v2"
        )

    def replace(self, **groups: Any) -> Self:
        """Return a copy with other values, checked as a whole. Raises FacesError where they do not fit."""
        return type(self).parse({**self.model_dump(), **groups}, "the changed recipe")

    @classmethod
    def parse(cls, tree: Any, source: str) -> Self:
        """Check a tree of settings. Raises FacesError, which names the source and everything that is wrong."""
        try:
            return cls.model_validate(tree)
        except ValidationError as error:
            lines = "".join(f"\n  {line}" for line in explain_errors(error, cls))
            raise FacesError(f"{source}:{lines}") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a stored recipe as it is: a run's recipe.yaml. Raises FacesError for a file that holds none."""
        return cls.parse(read_settings(path), f"recipe {path}")

    def dump(self) -> str:
        """Return all settings as YAML, which `read` reads back."""
        return dump_yaml(self.model_dump(mode="json"))


def read_settings(path: Path) -> dict[str, Any]:
    """Read a tree of settings from a YAML file. Raises FacesError for a file that cannot be read or holds none."""
    try:
        tree = parse_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise FacesError(f"{path}: not a YAML file that can be read: {describe_yaml_error(error)}") from error
    except (UnicodeDecodeError, OSError) as error:
        raise FacesError(f"{path}: not a YAML file that can be read: {error}") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise FacesError(f"{path}: expected settings (key: value), found {type(tree).__name__}")
    return tree
