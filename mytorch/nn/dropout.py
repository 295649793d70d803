"""Dropout (Srivastava et al. 2014) of elements, of channels, and of blocks.

It is inverted: what remains is scaled up in training, so evaluation does nothing. The masks are drawn on the CPU (see
`mytorch.manual_seed`), so that the CPU and the GPU drop the same elements.
"""

from typing import ClassVar

import numpy as np

from mytorch.device import Array, is_cuda, to_device
from mytorch.geometry import Size
from mytorch.nn.module import Module
from mytorch.nn.validate import check_input, to_tuple
from mytorch.ops import activation as ops
from mytorch.ops.drop_block import block_mask, block_start_probability
from mytorch.random import default_generator


class _Dropout(Module):
    """Base of all kinds of dropout. A subclass sets `shape`, that of its input, and defines `draw_mask`."""

    shape: ClassVar[str] = "(*)"

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p={p}: expected the probability of dropping an element, from 0 to 1")
        self.p = p

    def forward(self, x: Array) -> Array:
        """The shape stays."""
        check_input(self, x, self.shape)
        if not self.training or self.p == 0:
            self.save_for_backward(None, 1.0, output=x)
            return x
        mask, scale = self.draw_mask(x.shape)
        if is_cuda(x):
            mask = to_device(np.broadcast_to(mask, x.shape), "cuda")
        y = ops.dropout(x, mask, scale)
        self.save_for_backward(mask, scale, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The shape stays."""
        mask, scale = self.saved(grad)
        return grad if mask is None else ops.dropout(grad, mask, scale)

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Return a mask for an input of this shape, or for its channels (N, C, 1, 1), and the scale of what remains."""
        raise TypeError(f"{type(self).__name__} has no draw_mask: define draw_mask(self, shape) in your subclass")

    def extra_repr(self) -> str:
        """Return the arguments as PyTorch prints them."""
        return f"p={self.p}"

    def _scale(self) -> float:
        return 0.0 if self.p == 1 else float(1 / (1 - self.p))


class Dropout(_Dropout):
    """In training, set each element to zero with probability p, and divide the others by 1 - p. As torch.nn.Dropout."""

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw each element independently."""
        return default_generator().random(shape, "f") >= self.p, self._scale()


class Dropout2d(_Dropout):
    """In training, set each channel of each image to zero with probability p, and divide the others by 1 - p.

    As torch.nn.Dropout2d; neighboring pixels are highly correlated (Tompson et al., arXiv 1411.4280).
    """

    shape = "(N, C, H, W)"

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw each channel independently."""
        return default_generator().random((*shape[:2], 1, 1), "f") >= self.p, self._scale()


class DropBlock2d(_Dropout):
    """In training, set squares of block_size x block_size pixels to zero, a fraction p of all, and scale up the rest.

    Ghiasi, Lin and Le, arXiv 1810.12890. As torchvision.ops.DropBlock2d: each channel has its own blocks, and what
    remains is multiplied by elements / remaining elements. Even block sizes, which torchvision refuses, work too.
    """

    shape = "(N, C, H, W)"

    def __init__(self, p: float = 0.1, block_size: int = 7, eps: float = 1e-6):
        super().__init__(p)
        (self.block_size,) = to_tuple(block_size, 1, "block_size", minimum=1)
        self.eps = float(eps)

    def draw_mask(self, shape: Size) -> tuple[np.ndarray, float]:
        """Draw where blocks start, and drop what they cover."""
        size = shape[2:]
        block_size = min(self.block_size, *size)
        positions = (*shape[:2], *(n - block_size + 1 for n in size))
        starts = default_generator().random(positions, "f") < block_start_probability(self.p, size, block_size)
        mask = block_mask(starts, size)
        return mask, mask.size / (self.eps + float(mask.sum()))

    def extra_repr(self) -> str:
        """Return the arguments as torchvision prints them."""
        return f"p={self.p}, block_size={self.block_size}"
