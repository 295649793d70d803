"""The face CNN: blocks that halve the image and increase the channels, then a linear classifier on the average."""

from collections.abc import Sequence

from mytorch import nn


def face_cnn(
    classes: int, widths: Sequence[int] = (32, 64, 128, 256), depth: int = 1, dropout: float = 0.3, in_channels: int = 3
) -> nn.Sequential:
    """Return a network from pixels (N, in_channels, H, W) to logits (N, classes), for H and W from 2^len(widths).

    widths: channels of each block. depth: convolutions in a block, each 3x3 with batch norm and ReLU; a block ends in
    2x2 max pooling. The classifier gets the mean over positions, after dropout.
    """
    blocks: list[nn.Module] = []
    for width in widths:
        for _ in range(depth):
            blocks += [nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            in_channels = width
        blocks.append(nn.MaxPool2d(2))
    head = [nn.GlobalAvgPool2d(), nn.Flatten(), nn.Dropout(dropout), nn.Linear(in_channels, classes)]
    return nn.Sequential(*blocks, *head)
