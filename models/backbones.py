"""Every backbone in one table: its builder, features, input size, statistics, and where its weights come from."""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path

import torch
from torch import nn

from models.weights import load_weights, read_weights

ChannelValues = tuple[float, float, float]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF_RGB = (0.5, 0.5, 0.5)
"""(x / 255 - 0.5) / 0.5 is x / 127.5 - 1."""
FACE_STD = (128 / 255,) * 3
"""(x / 255 - 0.5) / (128 / 255) is (x - 127.5) / 128."""

TIMM_URL = "https://huggingface.co/timm/{}/resolve/main/model.safetensors"
FACENET_URL = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/"


@dataclass(frozen=True)
class Backbone:
    """What is known about a backbone before it is built.

    features: length of its output. size: side in pixels of the square input that it was made for. mean, std: per
    channel, RGB, of pixels scaled to 0..1. source: where its weights come from, for people. weights: URLs by name; the
    first is "default". classifier: prefixes of its own classifier's weights. classes: number of classes of that
    classifier, where it distinguishes two variants; `sibling` is the other one.
    """

    name: str
    builder: Callable[[], nn.Module]
    features: int
    size: int
    mean: ChannelValues
    std: ChannelValues
    source: str
    weights: dict[str, str]
    classifier: tuple[str, ...] = ()
    classes: int | None = None
    sibling: str | None = None


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: importlib.import_module("timm").create_model(name, num_classes=0)


def _mobilenet_v2(tensorflow: bool) -> Callable[[], nn.Module]:
    return lambda: importlib.import_module("models.mobilenet").mobilenet_v2(tensorflow)


def _mobilefacenet() -> nn.Module:
    return importlib.import_module("models.mobilefacenet").MobileFaceNet()


def _inception(pooled: bool) -> Callable[[], nn.Module]:
    return lambda: importlib.import_module("models.inception").inception_resnet_v1(pooled)


def _imagenet(name: str, tag: str, features: int, classifier: str) -> Backbone:
    """Return a network of timm with ImageNet's statistics at 224 px."""
    full = f"{name}.{tag}"
    source = f"timm's {full}, trained on ImageNet"
    url = {tag: TIMM_URL.format(full)}
    return Backbone(name, _timm(name), features, 224, IMAGENET_MEAN, IMAGENET_STD, source, url, (classifier,))


_VGGFACE2 = {
    "vggface2": f"{FACENET_URL}20180402-114759-vggface2.pt",
    "casia-webface": f"{FACENET_URL}20180408-102900-casia-webface.pt",
}
_MOBILENET = Backbone(
    "mobilenet_v2",
    _mobilenet_v2(tensorflow=False),
    1280,
    224,
    IMAGENET_MEAN,
    IMAGENET_STD,
    "torchvision's MobileNet_V2_Weights, trained on ImageNet's 1,000 classes",
    {
        "imagenet1k_v2": "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth",
        "imagenet1k_v1": "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
    },
    ("classifier.",),
    1000,
    "mobilenet_v2_tf",
)
_INCEPTION = Backbone(
    "inception_resnet_v1",
    _inception(pooled=False),
    512,
    160,
    HALF_RGB,
    FACE_STD,
    "facenet-pytorch, trained on VGGFace2 (or CASIA-WebFace) faces: its embedding before normalization",
    _VGGFACE2,
    ("logits.",),
)

BACKBONES: dict[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        _imagenet("resnet18", "a1_in1k", 512, "fc."),
        _imagenet("resnet50", "a1_in1k", 2048, "fc."),
        _MOBILENET,
        replace(
            _MOBILENET,
            name="mobilenet_v2_tf",
            builder=_mobilenet_v2(tensorflow=True),
            mean=HALF_RGB,
            std=HALF_RGB,
            source="a file of TensorFlow's weights under torchvision's names: 1,001 classes, the first is background",
            weights={},
            classes=1001,
            sibling="mobilenet_v2",
        ),
        _imagenet("efficientnet_b0", "ra_in1k", 1280, "classifier."),
        _imagenet("seresnet50", "a1_in1k", 2048, "fc."),
        _imagenet("convnext_tiny", "in12k_ft_in1k", 768, "head.fc."),
        _INCEPTION,
        replace(
            _INCEPTION,
            name="inception_resnet_v1_pooled",
            builder=_inception(pooled=True),
            features=1792,
            source="facenet-pytorch, trained on VGGFace2 (or CASIA-WebFace) faces: averages of its last feature map",
            classifier=("logits.", "last_linear.", "last_bn."),
        ),
        Backbone(
            "mobilefacenet",
            _mobilefacenet,
            128,
            112,
            HALF_RGB,
            FACE_STD,
            "a file of weights under the names of models/mobilefacenet.py",
            {},
        ),
    )
}


def find_backbone(name: str, weights: str | Path = "none") -> Backbone:
    """Return the backbone of that name: one of the table, or any of timm's, as `timm:NAME` or `NAME`.

    MobileNetV2 has two variants, with different statistics and padding. Where `weights` is a file with a classifier,
    the number of its classes decides which variant is returned; so a run stores the name of what was found. Raises
    ValueError for an unknown name.
    """
    backbone = BACKBONES.get(name) or _of_timm(name.removeprefix("timm:"))
    if backbone.sibling and Path(weights).is_file():
        state = read_weights(weights)
        classes = {len(value) for key, value in state.items() if key.startswith(backbone.classifier)}
        sibling = BACKBONES[backbone.sibling]
        if sibling.classes in classes:
            return sibling
    return backbone


@cache
def _of_timm(name: str) -> Backbone:
    """Return a network of timm; its features are counted without allocating its weights."""
    timm = importlib.import_module("timm")
    if not timm.is_model(name):
        near = get_close_matches(name, {*BACKBONES, *timm.list_models()}, n=3)
        remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else f"expected {', '.join(BACKBONES)}"
        raise ValueError(f"no backbone is called {name!r}: {remedy} (any name from timm.list_models() works)")
    settings = timm.get_pretrained_cfg(name)
    with torch.device("meta"):
        network = timm.create_model(name, num_classes=0)
    features = getattr(network, "head_hidden_size", None) or network.num_features
    full = f"{name.partition('.')[0]}.{settings.tag}" if settings.tag else name
    classifier = settings.classifier or ()
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier)
    return Backbone(
        name,
        _timm(name),
        features,
        settings.input_size[-1],
        settings.mean,
        settings.std,
        f"timm's {full}" if settings.hf_hub_id else "timm, which has no weights for it",
        {settings.tag or "default": TIMM_URL.replace("timm/{}", settings.hf_hub_id)} if settings.hf_hub_id else {},
        tuple(f"{head}." for head in heads),
    )


def build_backbone(name: str, weights: str | Path = "none", say: Callable[[str], None] | None = None) -> nn.Module:
    """Return the network of that name: normalized float images (N, 3, H, W) to features (N, `Backbone.features`).

    weights: "none"; "default" or another name of the backbone's weights, downloaded once and kept in PyTorch's cache;
    or a file (see `models.weights.read_weights`). say: called with a sentence about everything that is left out of a
    file on purpose, such as the classifier of another task. Raises ValueError where the name is unknown, or the weights
    cannot be downloaded or read, or belong to another network.
    """
    backbone = find_backbone(name, weights)
    known = "default" if str(weights) == "default" else str(weights) if str(weights) in backbone.weights else None
    file = None
    if str(weights) != "none":
        file = fetch_weights(backbone, str(weights)) if known else _file(backbone, weights)
    network = backbone.builder()
    if file is not None:
        try:
            notes = load_weights(network, read_weights(file), backbone.name, backbone.classifier)
        except ValueError as error:
            raise ValueError(str(error) if str(error).startswith(str(file)) else f"{file}: {error}") from error
        for note in notes if say else ():
            say(f"{Path(file).name}: {note}")  # type: ignore[misc]
    return network


def _file(backbone: Backbone, weights: str | Path) -> Path:
    if not Path(weights).is_file():
        names = ", ".join(("none", *(["default"] if backbone.weights else []), *backbone.weights))
        raise ValueError(f"weights {str(weights)!r} of {backbone.name}: neither a file nor one of these names: {names}")
    return Path(weights)


def fetch_weights(backbone: Backbone, weights: str = "default") -> Path:
    """Return the file of a backbone's named weights; it is downloaded unless it is in PyTorch's cache.

    Raises ValueError, which says what to download and where to put it, where that fails.
    """
    if not backbone.weights:
        raise ValueError(
            f"{backbone.name} has no weights to download: give --weights FILE, or --weights none "
            f"(source: {backbone.source})"
        )
    url = backbone.weights[next(iter(backbone.weights)) if weights == "default" else weights]
    name = f"{url.split('/')[-4]}.safetensors" if url.endswith("/model.safetensors") else url.rpartition("/")[2]
    file = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not file.is_file():
        os.makedirs(file.parent, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(file))
        except (OSError, RuntimeError) as error:
            raise ValueError(
                f"the weights of {backbone.name} could not be downloaded ({error}): fetch {url} where there is "
                f"a network and put it at {file}, or pass the file itself as the weights (--weights FILE)"
            ) from error
    return file
