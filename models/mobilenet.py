"""MobileNetV2 of torchvision without its classifier, and the same with TensorFlow's padding."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import MobileNetV2 as TorchvisionMobileNetV2


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding: an odd pixel of padding goes to the right and the bottom.

    At stride 2 on an even map, PyTorch's padding of one per side shifts every window by one pixel up and left compared
    with TensorFlow. Weights trained with one padding see everything shifted under the other.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride), rounded up, of (N, C, H, W)."""
        pads = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            both = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [both // 2, both - both // 2]
        if x.device.type != "cpu" or self.groups == 1:
            return self._conv_forward(F.pad(x, pads), self.weight, self.bias)
        with torch.autocast("cpu", enabled=False):  # see models/surgery.py
            return self._conv_forward(F.pad(x.to(self.weight.dtype), pads), self.weight, self.bias)


class MobileNetV2(TorchvisionMobileNetV2):
    """torchvision's MobileNetV2 without its classifier; its global pooling is a module, as in timm's networks."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Identity()
        self.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Return features (N, 1280) of (N, 3, H, W)."""
        return self.global_pool(self.features(x))


def mobilenet_v2(tensorflow: bool) -> nn.Module:
    """Return a network from (N, 3, H, W) to features (N, 1280), with random weights.

    tensorflow: strided convolutions use TensorFlow's padding; the names of the weights are the same. Sandler et al.
    2018, arXiv 1801.04381.
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
