"""Squeeze-and-excitation (Hu, Shen and Sun, arXiv 1709.01507)."""

from collections.abc import Callable
from math import prod

from mytorch.device import Array
from mytorch.nn.activation import ReLU, Sigmoid
from mytorch.nn.adaptive import AdaptiveAvgPool2d
from mytorch.nn.conv import Conv2d
from mytorch.nn.init import DType, floating_dtype
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input
from mytorch.ops.reduce import scale_channels, spatial_dot


class SqueezeExcitation(Module):
    """Scale each channel by a factor that a small network computes from the means of all channels.

    scale = scale_activation(fc2(activation(fc1(avgpool(x))))), where fc1 and fc2 are 1x1 convolutions to
    `squeeze_channels` and back; y = scale * x. As torchvision.ops.SqueezeExcitation, with the same names.
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Callable[[], Module] = ReLU,
        scale_activation: Callable[[], Module] = Sigmoid,
        *,
        device: str | None = None,
        dtype: DType = None,
    ):
        self.input_channels, self.squeeze_channels = input_channels, squeeze_channels
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(input_channels, squeeze_channels, 1, dtype=floating_dtype(dtype))
        self.fc2 = Conv2d(squeeze_channels, input_channels, 1, dtype=floating_dtype(dtype))
        self.activation, self.scale_activation = activation(), scale_activation()
        if device is not None:
            self.to(device)

    def forward(self, input: Array) -> Array:
        """(N, C, H, W), to the same."""
        x = input
        check_input(self, x, "(N, C, H, W)", self.fc1.in_channels, self.fc1.weight.dtype)
        scale = x
        for layer in self._scale_layers():
            scale = layer(scale)
        y = scale_channels(x, scale)
        self.save_for_backward(x, scale, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, H, W), to the same; accumulates the gradients of fc1 and fc2."""
        x, scale = self.saved(grad)
        grad_scale = spatial_dot(grad, x).astype(x.dtype).reshape(scale.shape)
        avgpool, *layers = self._scale_layers()
        for layer in reversed(layers):
            grad_scale = layer.backward(grad_scale)
        avgpool.saved(grad_scale)  # the mean's gradient is the same at all positions, so it is added without expanding
        return scale_channels(grad, scale, grad_scale / prod(x.shape[2:]))

    def _scale_layers(self) -> list[Module]:
        return [self.avgpool, self.fc1, self.activation, self.fc2, self.scale_activation]
