"""MobileFaceNet: a small network made for faces (Chen et al. 2018, arXiv 1804.07573)."""

import torch
from torch import Tensor, nn

STAGES = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, channels, repeats and first stride of each group of inverted residuals: the paper's table 1."""


class ConvNorm(nn.Module):
    """Convolution, batch norm and, unless `linear`, a PReLU with one slope per channel."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
        linear: bool = False,
    ):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.prelu = nn.Identity() if linear else nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, OH, OW) of (N, inputs, H, W)."""
        return self.prelu(self.bn(self.conv(x)))


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise 3x3, project 1x1 without activation; the input is added where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        wide = inputs * expansion
        self.residual = stride == 1 and inputs == outputs
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, wide, 1, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.PReLU(wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride) of (N, inputs, H, W)."""
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileFaceNet(nn.Module):
    """Aligned faces (N, 3, 112, 112), scaled as (x - 127.5) / 128, to embeddings (N, features), not normalized.

    The last 7x7 map is weighted by position (a depthwise convolution over all of it) instead of averaged, because the
    corners of an aligned face carry less information than its center.
    """

    def __init__(self, features: int = 128):
        super().__init__()
        self.conv1 = ConvNorm(3, 64, 3, 2, 1)
        self.dw_conv1 = ConvNorm(64, 64, 3, 1, 1, groups=64)
        blocks, inputs = [], 64
        for expansion, channels, repeats, stride in STAGES:
            for n in range(repeats):
                blocks.append(InvertedResidual(inputs, channels, stride if n == 0 else 1, expansion))
                inputs = channels
        self.blocks = nn.Sequential(*blocks)
        self.conv2 = ConvNorm(inputs, 512)
        self.linear7 = ConvNorm(512, 512, 7, groups=512, linear=True)
        self.linear1 = ConvNorm(512, features, linear=True)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        """Return embeddings (N, features). Raises ValueError for images of another size than 112x112."""
        if x.shape[-2:] != (112, 112):
            height, width = x.shape[-2:]
            raise ValueError(f"MobileFaceNet got images of {height}x{width}, expected 112x112: resize them")
        x = self.blocks(self.dw_conv1(self.conv1(x)))
        return torch.flatten(self.linear1(self.linear7(self.conv2(x))), 1)
