"""Dropout (Srivastava et al. 2014), inverted: what stays is scaled up, so that evaluation does nothing.

Of elements, of whole channels, and of blocks. What is dropped is drawn on the host (`mytorch.manual_seed`), so that
the CPU and the GPU drop the same.
"""

from typing import ClassVar

import numpy as np

from mytorch.device import Array, side, to_device
from mytorch.geometry import Size
from mytorch.nn.checks import expect, numbers
from mytorch.nn.module import Module
from mytorch.ops import activation as ops
from mytorch.ops.drop_block import anchor_probability, kept_elements
from mytorch.random import generator


class _Dropout(Module):
    """What the kinds of dropout share. A subclass sets `shape`, that of its input, and defines `draw`."""

    shape: ClassVar[str] = "(*)"

    def __init__(self, p: float = 0.5):
        if not 0 <= p <= 1:
            raise ValueError(f"p={p}: the probability of dropping an element lies between 0 and 1")
        self.p = p

    def forward(self, x: Array) -> Array:
        """The shape stays."""
        expect(self, x, self.shape)
        if not self.training or self.p == 0:
            self.keep(None, 1.0, output=x)
            return x
        kept, scale = self.draw(x.shape)
        if side(x) == "cuda":
            kept = to_device(np.broadcast_to(kept, x.shape), "cuda")
        y = ops.drop(x, kept, scale)
        self.keep(kept, scale, output=y)
        return y

    def backward(self, grad: Array) -> Array:
        """The shape stays."""
        kept, scale = self.kept(grad)
        return grad if kept is None else ops.drop(grad, kept, scale)

    def draw(self, shape: Size) -> tuple[np.ndarray, float]:
        """Which elements of an input of this shape, or channels (N, C, 1, 1), are kept; what they are multiplied by."""
        raise TypeError(f"{type(self).__name__} has no draw: define draw(self, shape) in your subclass")

    def extra_repr(self) -> str:
        """As PyTorch prints it."""
        return f"p={self.p}"

    def _scale(self) -> float:
        return 0.0 if self.p == 1 else float(1 / (1 - self.p))


class Dropout(_Dropout):
    """In training, each element is zero with probability p, else divided by 1 - p. As torch.nn.Dropout."""

    def draw(self, shape: Size) -> tuple[np.ndarray, float]:
        """Each element by itself."""
        return generator().random(shape, "f") >= self.p, self._scale()


class Dropout2d(_Dropout):
    """In training, each channel of each image is zero with probability p, else divided by 1 - p.

    As torch.nn.Dropout2d; neighbouring pixels tell the same story (Tompson et al., arXiv 1411.4280).
    """

    shape = "(N, C, H, W)"

    def draw(self, shape: Size) -> tuple[np.ndarray, float]:
        """Each channel by itself."""
        kept = generator().random((*shape[:2], 1, 1), "f") >= self.p
        return kept, self._scale()


class DropBlock2d(_Dropout):
    """In training, squares of block_size x block_size pixels are zero, a share p of all; the rest is scaled up.

    Ghiasi, Lin and Le, arXiv 1810.12890; as torchvision.ops.DropBlock2d: each channel has blocks of its own, and what
    stays is multiplied by elements / elements kept. Blocks of an even size, which torchvision refuses, work too.
    """

    shape = "(N, C, H, W)"

    def __init__(self, p: float = 0.1, block_size: int = 7, eps: float = 1e-6):
        super().__init__(p)
        (self.block_size,) = numbers(block_size, 1, "block_size", least=1)
        self.eps = float(eps)

    def draw(self, shape: Size) -> tuple[np.ndarray, float]:
        """Where blocks start, and so what they cover."""
        size = shape[2:]
        block = min(self.block_size, *size)
        starts = (*shape[:2], *(n - block + 1 for n in size))
        anchors = generator().random(starts, "f") < anchor_probability(self.p, size, block)
        kept = kept_elements(anchors, size)
        return kept, kept.size / (self.eps + float(kept.sum()))

    def extra_repr(self) -> str:
        """As torchvision prints it."""
        return f"p={self.p}, block_size={self.block_size}"
