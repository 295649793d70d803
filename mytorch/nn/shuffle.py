"""Layers that rearrange values: pixels from channels, channels from pixels, and channels among groups."""

from typing import Any

from mytorch.device import Array
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import shuffle as ops


class PixelShuffle(Module):
    """Every r^2 channels become a block of r by r pixels: (*, C r^2, H, W) -> (*, C, r H, r W).

    As torch.nn.PixelShuffle (Shi et al., arXiv 1609.05158). upscale_factor: r.
    """

    def __init__(self, upscale_factor: int):
        (self.upscale_factor,) = to_tuple(upscale_factor, 1, "upscale_factor", minimum=1)

    def forward(self, input: Array) -> Array:
        """(*, C r^2, H, W) -> (*, C, r H, r W)."""
        x, r = _check(self, input), self.upscale_factor
        if x.shape[-3] % r**2:
            raise ValueError(f"PixelShuffle got {x.shape[-3]} channels: expected a multiple of {r}^2 = {r**2}")
        y = ops.pixel_shuffle(x, r)
        self.save_for_backward(output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(*, C, r H, r W) -> (*, C r^2, H, W)."""
        self.saved(grad)
        return ops.pixel_unshuffle(grad, self.upscale_factor)

    def extra_repr(self) -> str:
        """Return the argument as PyTorch prints it."""
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Every block of r by r pixels becomes r^2 channels: (*, C, r H, r W) -> (*, C r^2, H, W).

    As torch.nn.PixelUnshuffle, the inverse of PixelShuffle. downscale_factor: r.
    """

    def __init__(self, downscale_factor: int):
        (self.downscale_factor,) = to_tuple(downscale_factor, 1, "downscale_factor", minimum=1)

    def forward(self, input: Array) -> Array:
        """(*, C, r H, r W) -> (*, C r^2, H, W)."""
        x, r = _check(self, input), self.downscale_factor
        if x.shape[-2] % r or x.shape[-1] % r:
            raise ValueError(f"PixelUnshuffle got an image of {x.shape[-2:]}: expected multiples of {r}")
        y = ops.pixel_unshuffle(x, r)
        self.save_for_backward(output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(*, C r^2, H, W) -> (*, C, r H, r W)."""
        self.saved(grad)
        return ops.pixel_shuffle(grad, self.downscale_factor)

    def extra_repr(self) -> str:
        """Return the argument as PyTorch prints it."""
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Interleave the channels of all groups: (N, C, *). As torch.nn.ChannelShuffle (ShuffleNet, arXiv 1707.01083)."""

    def __init__(self, groups: int):
        (self.groups,) = to_tuple(groups, 1, "groups", minimum=1)

    def forward(self, input: Array) -> Array:
        """(N, C, *) -> (N, C, *)."""
        x = check_input(self, input, "(*, F)")
        if x.ndim < 3 or x.shape[1] % self.groups:
            raise ValueError(
                f"ChannelShuffle got an input of shape {x.shape}: expected (N, C, *), at least 3 axes, with channels "
                f"that {self.groups} groups divide"
            )
        y = ops.channel_shuffle(x, self.groups)
        self.save_for_backward(output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """(N, C, *) -> (N, C, *)."""
        self.saved(grad)
        return ops.channel_shuffle(grad, grad.shape[1] // self.groups)

    def extra_repr(self) -> str:
        """Return the argument as PyTorch prints it."""
        return f"groups={self.groups}"


def _check(layer: Any, x: Array) -> Array:
    check_input(layer, x, "(*, F)")
    if x.ndim < 3:
        raise ValueError(f"{type(layer).__name__} got an input of shape {x.shape}: expected (*, C, H, W)")
    return x
