"""Squeeze and excitation (Hu, Shen and Sun, arXiv 1709.01507)."""

from collections.abc import Callable

import numpy as np

from mytorch.device import Array
from mytorch.geometry import positions
from mytorch.nn.activation import ReLU, Sigmoid
from mytorch.nn.adaptive import AdaptiveAvgPool2d
from mytorch.nn.checks import expect
from mytorch.nn.conv import Conv2d
from mytorch.nn.module import Module
from mytorch.ops.channel_sums import position_products, scaled


class SqueezeExcitation(Module):
    """x times a number a channel, which a small network reads off all channels' means: (N, C, H, W), to the same.

    scale = scale_activation(fc2(activation(fc1(avgpool(x))))), fc1 and fc2 being 1x1 convolutions to `squeeze_channels`
    and back. As torchvision.ops.SqueezeExcitation, names included.
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Callable[[], Module] = ReLU,
        scale_activation: Callable[[], Module] = Sigmoid,
        dtype: type | np.dtype | str = np.float32,
    ):
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(input_channels, squeeze_channels, 1, dtype=dtype)
        self.fc2 = Conv2d(squeeze_channels, input_channels, 1, dtype=dtype)
        self.activation, self.scale_activation = activation(), scale_activation()

    def forward(self, x: Array) -> Array:
        """(N, C, H, W), to the same."""
        expect(self, x, "(N, C, H, W)", self.fc1.in_channels, self.fc1.weight.dtype)
        scale = x
        for layer in self._path():
            scale = layer(scale)
        y = scaled(x, scale)
        self.keep(x, scale, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The way back, both through the product and through the scale; accumulates the convolutions' gradients."""
        x, scale = self.kept(grad)
        back = position_products(grad, x).astype(x.dtype).reshape(scale.shape)
        first, *others = self._path()
        for layer in reversed(others):
            back = layer.backward(back)
        first.kept(back)  # the mean's gradient is the same at all positions: it is added without being spread
        return scaled(grad, scale, back / positions(x.shape[2:]))

    def _path(self) -> list[Module]:
        return [self.avgpool, self.fc1, self.activation, self.fc2, self.scale_activation]
