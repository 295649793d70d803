"""DropBlock: whole patches of a feature map dropped in training."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torchvision.ops import DropBlock2d, drop_block2d

from models.stages import HEAD, NECK, Part, parts

NAME = "drop_block"


class DropBlock(DropBlock2d):
    """torchvision's DropBlock, on maps smaller than the block, too: the largest odd block that fits is taken there.

    torchvision takes the whole of a smaller map as the block, and refuses those of an even side.
    """

    def forward(self, input: Tensor) -> Tensor:
        """A map (N, C, H, W) of which, in training, blocks are zero and the rest is scaled up."""
        side = min(self.block_size, *input.shape[-2:])
        return drop_block2d(input, self.p, side - 1 + side % 2, self.inplace, self.eps, self.training)


def insert_drop_block(net: nn.Module, names: Iterable[str], p: float = 0.1, block_size: int = 7) -> None:
    """Drop patches of block_size x block_size behind each named part, of any place with probability p, in training.

    On a map smaller than the block, the block is the largest of an odd side that fits. The layer has no parameters and
    changes no name in the state dict; a frozen part drops nothing. Calling it again replaces the setting. Raises
    ValueError for an unknown part or setting. Source: Ghiasi et al. 2018, arXiv 1810.12890, algorithm 1.
    """
    if not 0 <= p < 1 or block_size < 1 or block_size % 2 == 0:
        raise ValueError(f"DropBlock with p {p} and block size {block_size}: expected 0 to below 1, and an odd size")
    known = parts(net)
    for name in names:
        if name not in known:
            raise ValueError(f"no part is called {name!r}: this network has {', '.join(known)}")
        if name in (NECK, HEAD):
            raise ValueError(f"there is no feature map behind {name!r}: name a part of the backbone")
        last = _last(known[name])
        in_line = type(last).forward is nn.Sequential.forward  # a Sequential runs whatever is added to it
        if not in_line and NAME not in dict(last.named_children()):
            last.register_forward_hook(_drop)
        last.add_module(NAME, DropBlock(p, block_size))


def _last(part: nn.Module) -> nn.Module:
    """The module whose output is the part's."""
    return list(part.children())[-1] if isinstance(part, Part) else part


def _drop(module: nn.Module, _: Any, output: Tensor) -> Tensor:
    if output.ndim != 4:
        raise ValueError(
            f"DropBlock stands behind {type(module).__name__}, whose output is no feature map (N, C, H, W)"
        )
    return getattr(module, NAME)(output)
