"""A recipe in words: what it does, without the settings that have no effect in it."""

from collections.abc import Sequence

from experiments.config.model_settings import DenseHeadSettings, HeadSettings
from experiments.config.recipe import Recipe
from experiments.config.schema import AugmentSettings, StageSettings
from experiments.report.phrases import SPACE, counted, enumerated, setting

Aspects = dict[str, str]
"""What a recipe does, by topic."""

_FIT = {"crop": "cropped to shape", "stretch": "stretched", "pad": "padded"}
_OPTIMIZERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}


def describe_data(recipe: Recipe) -> Aspects:
    """Describe which images train, and how they are prepared and augmented."""
    data, split = recipe.data, recipe.split
    found = {
        "images": f"{data.size[0]} × {data.size[1]} pixels, {_FIT[data.fit]}",
        "normalization": f"mean {_channels(data.mean)}, standard deviation {_channels(data.std)}",
    }
    if split.train == "all":
        found["split"] = "all images train"
    elif isinstance(split.train, int):
        found["split"] = f"{counted(split.train, 'image')} of each person train, drawn with seed {split.seed}"
    else:
        found["split"] = f"{_percent(float(split.train))} of each person’s images train, seed {split.seed}"
    if data.extra_images:
        found["additional images"] = f"those of {data.extra_images}, for training only"
    found["augmentation"] = describe_augmentation(recipe.augment)
    found["mixing"] = _mixing(recipe)
    return found


def describe_augmentation(augment: AugmentSettings) -> str:
    """Describe the random changes of training images."""
    ranges = {
        "flip": augment.flip and f"flip {setting(augment.flip)}",
        "crop": augment.crop < 1 and f"random crops of at least {_percent(augment.crop)} of the area",
        "shift": augment.shift and f"shift by up to {_percent(augment.shift)}",
        "zoom": augment.zoom and f"zoom by up to {_percent(augment.zoom)}",
        "rotate": augment.rotate and f"rotation by up to {setting(augment.rotate)}°",
        "perspective": augment.perspective and f"perspective {setting(augment.perspective)}",
        "gray": augment.gray and f"grayscale {setting(augment.gray)}",
        "blur": augment.blur and f"blur {setting(augment.blur)}",
        "erase": augment.erase and f"erased rectangles {setting(augment.erase)}",
    }
    found = [text for text in ranges.values() if text]
    for name in ("brightness", "contrast", "saturation", "hue"):
        if value := getattr(augment, name):
            found.append(f"{name} {setting(value)}")
    if augment.policy == "randaugment":
        found.append(f"RandAugment ({augment.operations} operations of magnitude {augment.magnitude})")
    elif augment.policy == "trivial":
        found.append("TrivialAugment")
    return ", ".join(found) or "none"


def describe_network(recipe: Recipe) -> Aspects:
    """Describe the network, and where its weights come from."""
    if recipe.model.library == "mytorch":
        ours = recipe.mytorch_model
        found = {
            "network": f"{ours.name}, by mytorch",
            "widths": f"{', '.join(map(str, ours.widths))} channels, depth {ours.depth}",
            "starting weights": "random",
            "dropout": setting(ours.dropout),
        }
    else:
        model = recipe.torch_model
        found = {
            "network": f"{model.backbone}, by PyTorch",
            "starting weights": _WEIGHTS.get(model.weights, model.weights),
            "embedding": f"{model.embedding} dimensions" if model.embedding else "the backbone’s features",
            "head": describe_head(model.head),
            "dropout": setting(model.dropout),
        }
        if model.drop_block:
            found["DropBlock"] = setting(model.drop_block)
        if model.dense:
            found["last feature maps"] = "at twice the usual resolution"
        if model.grid:
            found["features"] = f"of {model.grid} by {model.grid} positions in the image"
    return found


_WEIGHTS = {"none": "random", "default": "pretrained, the backbone’s own"}


def describe_head(settings: HeadSettings) -> str:
    """Describe the classification head."""
    if isinstance(settings, DenseHeadSettings):
        norm = " with batch norm" if settings.batch_norm else ""
        return f"dense {', '.join(map(str, settings.hidden))}{norm}, then linear"
    if settings.name == "linear":
        return "linear"
    more = [
        f"{name} {setting(value)}"
        for name in ("scale", "margin", "centers", "trim", "nearest")
        if (value := getattr(settings, name, 0))
    ]
    title = {"cosine": "cosine", "arcface": "ArcFace", "cosface": "CosFace", "subcenter": "sub-center ArcFace"}
    return f"{title.get(settings.name, 'class means')}, {', '.join(more)}"


def describe_training(recipe: Recipe) -> Aspects:
    """Describe how the network is trained."""
    if not recipe.epochs:
        return {"training": "none: class means of the embeddings"}
    optimizer, training = recipe.optimizer, recipe.training
    name = _OPTIMIZERS[optimizer.name]
    if optimizer.name == "sgd":
        name += f", {'Nesterov ' if optimizer.nesterov else ''}momentum {setting(optimizer.momentum)}"
    found = {
        "optimizer": name,
        "learning rate": setting(optimizer.lr),
        "schedule": _schedule(recipe),
        "weight decay": (
            setting(optimizer.weight_decay) + ("" if optimizer.decay_norms else ", not for biases and normalization")
        ),
        "label smoothing": setting(recipe.label_smoothing),
        "epochs": str(recipe.epochs),
        "batch size": str(recipe.batch_size),
    }
    if recipe.stages:
        found["stages"] = "; then ".join(map(_stage, recipe.stages))
    extras = {
        "class weights": _class_weights(recipe),
        "sampling": recipe.sampling != "shuffle" and "equally many images of each person",
        "accumulation": training.accumulate > 1 and f"each batch in {training.accumulate} parts",
        "gradient clipping": training.clip and f"norm {setting(training.clip)}",
        "averaged weights": training.ema and f"decay {setting(training.ema)}",
        "early stopping": training.early_stopping
        and f"after {counted(training.early_stopping, 'epoch')} without improvement",
        "precision": training.precision != "full" and training.precision,
        "best epoch by": training.select == "eer" and "EER of validation pairs",
    }
    return found | {key: text for key, text in extras.items() if text}


def _class_weights(recipe: Recipe) -> str:
    loss = recipe.loss
    words = {"none": "", "effective": f"effective numbers, beta {setting(loss.beta)}"}
    return words.get(loss.class_weights, loss.class_weights)


def _schedule(recipe: Recipe) -> str:
    schedule = recipe.schedule
    warmup = f"warm-up over {_percent(schedule.warmup)}"
    match schedule.name:
        case "cosine":
            parts = ["cosine", warmup] if schedule.warmup else ["cosine"]
            return ", ".join(
                [*parts, f"down to {setting(schedule.min_factor)} of the rate"] if schedule.min_factor else parts
            )
        case "one_cycle":
            return f"one cycle, {warmup}"
        case "step":
            return f"times {setting(schedule.gamma)} every {counted(schedule.step_size, 'epoch')}"
        case "plateau":
            return f"times {setting(schedule.gamma)} on a plateau, patience {schedule.patience}"
    return "constant"


def _stage(stage: StageSettings) -> str:
    match stage.train:
        case str():
            what = "all" if stage.train == "all" else "the head only"
        case dict():
            what = f"the last {stage.train['last_layers']} layers"
        case _:
            what = enumerated(stage.train)
    text = f"{what} for {counted(stage.epochs, 'epoch')}"
    if isinstance(stage.lr, dict):
        text += " at " + enumerated([f"{setting(rate)} ({part})" for part, rate in stage.lr.items()])
    elif stage.lr is not None:
        text += f" at {setting(stage.lr)}"
    return text + (f", decaying by {setting(stage.decay)} per part" if stage.decay < 1 else "")


def _mixing(recipe: Recipe) -> str:
    mixing = recipe.mixing
    kinds = [
        f"{title} {setting(value)}" for title, value in (("MixUp", mixing.mixup), ("CutMix", mixing.cutmix)) if value
    ]
    found = []
    if kinds and mixing.prob:
        found.append(enumerated(kinds) + (f", of {_percent(mixing.prob)} of batches" if mixing.prob < 1 else ""))
    if mixing.same_person:
        found.append(f"another image of the same person, for {_percent(mixing.same_person)} of images")
    return "; ".join(found) or "none"


def _percent(share: float) -> str:
    return f"{setting(100 * share)}{SPACE}%"


def _channels(value: float | Sequence[float]) -> str:
    values = [value] if isinstance(value, int | float) else list(value)
    shown = [f"{v:.3g}" for v in values]
    return shown[0] if len(set(shown)) == 1 else ", ".join(shown)
