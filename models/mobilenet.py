"""MobileNetV2 of torchvision without its classifier, and the same with TensorFlow's padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import MobileNetV2 as TorchvisionMobileNetV2


class SameConv2d(nn.Conv2d):
    """A convolution that pads as TensorFlow's "SAME" does: an odd pixel goes to the right and the bottom.

    With stride 2 on an even map, PyTorch's padding of one on each side puts every window a pixel further up and left
    than TensorFlow does. Weights that were trained with the one see everything shifted under the other.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, outputs, H / stride, W / stride), rounded up."""
        pads = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            both = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [both // 2, both - both // 2]
        if x.device.type != "cpu" or self.groups == 1:
            return self._conv_forward(F.pad(x, pads), self.weight, self.bias)
        with torch.autocast("cpu", enabled=False):  # see models/surgery.py
            return self._conv_forward(F.pad(x.float(), pads), self.weight, self.bias)


class MobileNetV2(TorchvisionMobileNetV2):
    """torchvision's without its classifier, its global pooling a module of its own, as timm's networks have it."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Identity()
        self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to features (N, 1280)."""
        return self.global_pool(self.features(x))


def mobilenet_v2(tensorflow: bool) -> nn.Module:
    """(N, 3, H, W) to features (N, 1280), without weights. Sandler et al. 2018, arXiv 1801.04381.

    tensorflow: the strided convolutions pad as TensorFlow's do; the names of the weights are the same.
    """
    network = MobileNetV2()
    if tensorflow:
        for block in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
            for name, conv in list(block.named_children()):
                if isinstance(conv, nn.Conv2d) and conv.stride == (2, 2):
                    same = SameConv2d(conv.in_channels, conv.out_channels, 3, 2, groups=conv.groups, bias=False)
                    same.weight = conv.weight
                    block._modules[name] = same
    return network
