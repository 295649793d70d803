"""Changes to finished networks: larger last feature maps, a grid instead of global pooling, float32 where bfloat16 is
slow, DropBlock. The names and shapes of the weights stay as they are.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import DropBlock2d, drop_block2d

from models.stages import HEAD, NECK, ModuleGroup, named_parts


def remove_last_stride(net: nn.Module) -> None:
    """Make the last stage that halves the feature map keep its size: 7x7 instead of 4x4 for images of 112 px.

    Only strides change. Known from person re-identification as "last stride 1" (Luo et al. 2019, arXiv 1903.07071,
    section 3.4). Raises ValueError for a network without such a stage.
    """
    for name, part in reversed(named_parts(net).items()):
        convolutions = [module for module in part.modules() if isinstance(module, nn.Conv2d) and max(module.stride) > 1]
        if name in (NECK, HEAD) or not convolutions:
            continue
        for convolution in convolutions:
            convolution.stride = (1, 1)
        return
    raise ValueError(f"{type(net).__name__} has no convolution that halves its feature map")


def pool_to_grid(backbone: nn.Module, cells: int) -> None:
    """Make a backbone average its last feature map to cells x cells values per channel, not to one.

    Its features are then (N, C x cells x cells), channel by channel. In aligned faces the same cell always shows the
    same part of the face, which global average pooling discards. ArcFace flattens its last map for that reason (Deng et
    al. 2019, arXiv 1801.07698, section 3.1). Maps of any size work. Raises ValueError for fewer than two cells, and for
    a network that does not end in a `global_pool`, as timm's ResNets and EfficientNets and our MobileNetV2 do.
    """
    if cells < 2:
        raise ValueError(f"grid {cells}: expected 2 cells per side or more; without a grid there is one")
    if not isinstance(getattr(backbone, "global_pool", None), nn.Module):
        raise ValueError(
            f"model.grid={cells}: {type(backbone).__name__} does not end in a pooling layer that a grid could replace; "
            "leave it out, or use a backbone such as resnet18 or efficientnet_b0"
        )
    backbone.global_pool = nn.Sequential(nn.AdaptiveAvgPool2d(cells), nn.Flatten())


class _Float32Conv2d(nn.Conv2d):
    """A convolution that computes in float32 on a CPU, also under autocast."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if input.device.type != "cpu":
            return super()._conv_forward(input, weight, bias)
        with torch.autocast("cpu", enabled=False):
            return super()._conv_forward(input.to(weight.dtype), weight, bias)


def keep_depthwise_float32(net: nn.Module) -> None:
    """Make strided depthwise convolutions compute in float32 on a CPU.

    oneDNN has no fast backward pass for them in bfloat16, and PyTorch's own takes several times as long as in float32.
    Nothing changes on a GPU.
    """
    for module in net.modules():
        if type(module) is nn.Conv2d and 1 < module.groups == module.in_channels and max(module.stride) > 1:
            module.__class__ = _Float32Conv2d


DROP_BLOCK_NAME = "drop_block"
"""The name under which the layer is added to a module."""


class DropBlock(DropBlock2d):
    """torchvision's DropBlock, also for maps smaller than the block: the block is then the largest odd size that fits.

    torchvision takes the whole of a smaller map as the block, and refuses even sizes.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return a map (N, C, H, W) in which, in training, blocks are zero and the rest is scaled up."""
        side = min(self.block_size, *input.shape[-2:])
        return drop_block2d(input, self.p, side - 1 + side % 2, self.inplace, self.eps, self.training)


def insert_drop_block(net: nn.Module, names: Iterable[str], p: float = 0.1, block_size: int = 7) -> None:
    """Drop blocks of block_size x block_size after each named part, in training.

    p: fraction of the map that is dropped. On a map smaller than the block, the block is the largest odd size that
    fits. A frozen part drops nothing. Calling it again replaces the setting. Raises ValueError for an unknown part or
    setting. Source: Ghiasi et al. 2018, arXiv 1810.12890, algorithm 1.
    """
    if not 0 <= p < 1 or block_size < 1 or block_size % 2 == 0:
        raise ValueError(f"DropBlock with p {p} and block size {block_size}: expected 0 to below 1, and an odd size")
    known = named_parts(net)
    for name in names:
        if name not in known:
            raise ValueError(f"no part is called {name!r}: this network has {', '.join(known)}")
        if name in (NECK, HEAD):
            raise ValueError(f"{name!r} has no feature map: name a part of the backbone")
        last = _last_module(known[name])
        runs_all = type(last).forward is nn.Sequential.forward  # a Sequential runs whatever is added to it
        if not runs_all and DROP_BLOCK_NAME not in dict(last.named_children()):
            last.register_forward_hook(_drop_output)
        last.add_module(DROP_BLOCK_NAME, DropBlock(p, block_size))


def _last_module(part: nn.Module) -> nn.Module:
    """Return the module whose output is the part's."""
    return list(part.children())[-1] if isinstance(part, ModuleGroup) else part


def _drop_output(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    if output.ndim != 4:
        raise ValueError(
            f"DropBlock was put after {type(module).__name__}, whose output is not a feature map (N, C, H, W)"
        )
    return getattr(module, DROP_BLOCK_NAME)(output)
