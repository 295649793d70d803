"""A small residual network of mytorch layers (He et al., arXiv 1512.03385)."""

from collections.abc import Sequence

from mytorch import nn


def small_resnet(
    classes: int, widths: Sequence[int] = (32, 64, 128, 256), depth: int = 1, dropout: float = 0.3, in_channels: int = 3
) -> nn.Sequential:
    """Return a network from pixels (N, in_channels, H, W) to logits (N, classes), for H and W from 2^len(widths).

    For each width a 3x3 convolution, 2x2 max pooling, and `depth` residual blocks; a linear classifier on the mean over
    positions, after dropout. Pooling comes before the blocks, so that they work on a quarter of the positions.
    """
    layers: list[nn.Module] = []
    for width in widths:
        layers += [*_conv(in_channels, width), nn.ReLU(), nn.MaxPool2d(2)]
        for _ in range(depth):
            body = nn.Sequential(*_conv(width, width), nn.ReLU(), *_conv(width, width))
            layers += [nn.Residual(body), nn.ReLU()]
        in_channels = width
    head = [nn.GlobalAvgPool2d(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(in_channels, classes)]
    return nn.Sequential(*layers, *head)


def _conv(inside: int, outside: int) -> list[nn.Module]:
    """Return a 3x3 convolution that keeps the size, and batch norm."""
    return [nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside)]
