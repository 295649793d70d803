"""The networks that from_torch has to convert, with random weights and without dropout."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import timm
import torch
import torchvision.models as tv
from torch import nn

from models.mobilefacenet import MobileFaceNet

CLASSES = 10


@dataclass(frozen=True)
class Network:
    """How a network is built, and the height and width of its images: not square, except where only squares fit.

    training_size, batch: those for training. Too few values per batch norm make training chaotic: PyTorch itself goes
    another way if a pixel changes by one rounding.
    """

    build: Callable[[], nn.Module]
    size: tuple[int, int] = (64, 80)
    training_size: tuple[int, int] = (48, 64)
    batch: int = 4


def _facenet() -> nn.Module:
    from facenet_pytorch import InceptionResnetV1

    return InceptionResnetV1(num_classes=CLASSES, classify=True, dropout_prob=0.0)


def _timm(name: str) -> Callable[[], nn.Module]:
    return lambda: timm.create_model(name, num_classes=CLASSES)


def _torchvision(name: str, **arguments: object) -> Callable[[], nn.Module]:
    return lambda: getattr(tv, name)(num_classes=CLASSES, **arguments)


NETWORKS = {
    "ShuffleNetV2 (torchvision)": Network(_torchvision("shufflenet_v2_x1_0")),
    "MobileNetV2 (torchvision)": Network(_torchvision("mobilenet_v2")),
    "MobileNetV3 large (torchvision)": Network(_torchvision("mobilenet_v3_large")),
    "EfficientNet-B0 (timm)": Network(_timm("efficientnet_b0")),
    "GoogLeNet, auxiliary heads (torchvision)": Network(_torchvision("googlenet", init_weights=False)),
    "ResNet-18 (torchvision)": Network(_torchvision("resnet18")),
    "MobileFaceNet (models)": Network(MobileFaceNet, (112, 112), (112, 112), 8),
    "DenseNet-121 (torchvision)": Network(_torchvision("densenet121")),
    "ResNet-50 (timm)": Network(_timm("resnet50")),
    "SE-ResNet-50 (timm)": Network(_timm("seresnet50")),
    "ConvNeXt-Tiny (timm)": Network(_timm("convnext_tiny")),
    "InceptionResNetV1 (facenet-pytorch)": Network(_facenet, (80, 96), (80, 96), 8),
    "VGG-11 (torchvision)": Network(_torchvision("vgg11")),
    "GoogLeNet (torchvision)": Network(_torchvision("googlenet", aux_logits=False, init_weights=False)),
    "MobileNetV3 large (timm)": Network(_timm("mobilenetv3_large_100")),
    "EfficientNet-B0, TensorFlow's padding (timm)": Network(_timm("tf_efficientnet_b0")),
    "ConvNeXt-Tiny (torchvision)": Network(_torchvision("convnext_tiny")),
}
"""By name, with the library in brackets. Where libraries build a network differently, it is taken from several."""


def without_randomness(module: nn.Module) -> nn.Module:
    """Set the probability of every dropout and of every stochastic depth to zero."""
    for layer in module.modules():
        for name in ("p", "drop_prob", "drop_rate"):
            if isinstance(getattr(layer, name, None), float):
                setattr(layer, name, 0.0)
    return module


def build(name: str, seed: int, perturbed: bool = True) -> nn.Module:
    """Return a network in float64 with random weights.

    perturbed: statistics and affine maps of batch norms are random, too. A new one in evaluation mode divides by one,
    which would hide mistakes.
    """
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = without_randomness(NETWORKS[name].build()).double()
    for layer in module.modules():
        if perturbed and isinstance(layer, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.2, 0.2)
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return module
