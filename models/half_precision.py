"""What half precision is slow at on a processor, kept in float32."""

import torch
from torch import Tensor, nn


class _Float32(nn.Conv2d):
    """A convolution that computes in float32 on a processor, also inside of autocast."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.device.type != "cpu":
            return super()._conv_forward(input, weight, bias)
        with torch.autocast("cpu", enabled=False):
            return super()._conv_forward(input.float(), weight, bias)


def keep_strided_depthwise(net: nn.Module) -> None:
    """Let depthwise convolutions that move by more than one pixel compute in float32 on a processor.

    oneDNN has no fast backward for them in bfloat16; PyTorch's own takes several times as long as in float32. Names,
    weights and what a GPU does stay as they are.
    """
    for module in net.modules():
        if type(module) is nn.Conv2d and 1 < module.groups == module.in_channels and max(module.stride) > 1:
            module.__class__ = _Float32
