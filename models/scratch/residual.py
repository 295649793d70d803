"""A small ResNet of mytorch layers (He et al., arXiv 1512.03385)."""

from collections.abc import Sequence

from mytorch import nn


def small_resnet(
    classes: int, widths: Sequence[int] = (32, 64, 128, 256), depth: int = 1, dropout: float = 0.0, in_channels: int = 3
) -> nn.Sequential:
    """A network from pixels (N, in_channels, H, W) to logits (N, classes).

    A 3x3 stem with max pooling, then for each width `depth` basic blocks, the first of every width but the first with
    stride 2; a linear classifier on the mean over positions, after dropout.
    """
    layers: list[nn.Module] = [*_conv(in_channels, widths[0], 3), nn.ReLU(), nn.MaxPool2d(2)]
    current = widths[0]
    for stage, width in enumerate(widths):
        for block in range(depth):
            stride = 2 if stage and not block else 1
            layers += [_basic_block(current, width, stride), nn.ReLU()]
            current = width
    head = [nn.GlobalAvgPool2d(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(current, classes)]
    return nn.Sequential(*layers, *head)


def _basic_block(inside: int, outside: int, stride: int) -> nn.Residual:
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the shape changes."""
    body = nn.Sequential(*_conv(inside, outside, 3, stride), nn.ReLU(), *_conv(outside, outside, 3))
    changes = stride != 1 or inside != outside
    return nn.Residual(body, nn.Sequential(*_conv(inside, outside, 1, stride)) if changes else None)


def _conv(inside: int, outside: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """A convolution that keeps the size (but for its stride), and batch norm."""
    conv = nn.Conv2d(inside, outside, kernel, stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outside)]
